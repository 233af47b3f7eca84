"""Writes that are all or nothing, and copy-on-write over originals.

    with open_store("store", lower=["cache"]) as store:
        store.replace_json("today.json", '{"done": true}')

    with workspace("changes", lower=["project"]) as changed:
        changed.put("notes.txt", b"the original stays as it is")
        changed.commit()

Paths are relative to the root, with ``/`` between the components. What each call promises, and what
it does not, is said item by item in the contract of the component, ``wit/onionskin.wit``.
"""

from ._bindings import *
from .store import Store, Transaction, Writer, break_lock, inspect, open_store, probe
from .workspace import Workspace, abandon, workspace
