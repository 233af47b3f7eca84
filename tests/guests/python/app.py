"""The contract in Python, by componentize-py: calls are methods, and an error is raised, as the value of an ``Err``."""

import wit_world
from componentize_py_types import Err
from wit_world.imports import store, workspace
from wit_world.imports.types import (
    Durability,
    Error,
    ErrorKind,
    Ownership_Host,
    Precondition_None_,
    SymlinkPolicy,
)

OPTIONS = store.WriteOptions(Durability.FULL, SymlinkPolicy.REPLACE, Precondition_None_(), store.Identical.REWRITE)
BOTH = store.DirectoryOptions(store.Publish.SWAP, Durability.FULL, SymlinkPolicy.REPLACE)


def stored(lines: list[str]) -> None:
    with store.Store.open("/root", store.OpenOptions(Ownership_Host(), store.Tracing.OFF)) as root:
        lines.append(f"replaced a.txt: {root.replace('a.txt', b'hello', OPTIONS).bytes} bytes")
        lines.append(f"a.txt has {root.fingerprint('a.txt', store.Evidence.METADATA).size} bytes")
        receipt = root.replace_json("b.json", '{"b": 1}', OPTIONS)
        lines.append(f"replaced b.json: {receipt.bytes} bytes")
        try:
            root.replace_json("b.json", "{", OPTIONS)
            lines.append("not refused")
        except Err as failed:
            is_expected = failed.value.kind is ErrorKind.INVALID_JSON
            lines.append(f"refused: {failed.value.subject}" if is_expected else f"refused otherwise: {failed.value}")
        change = root.begin("d", BOTH)
        change.put("one", b"1")
        change.put("two", b"22")
        lines.append(f"committed d: {store.Transaction.commit(change).applied} paths")


def worked(lines: list[str]) -> None:
    everything, none = workspace.Select([], []), workspace.Quota(None, None)
    options = workspace.Options("/upper", ["/lower"], Ownership_Host(), none, workspace.Relocation.REFUSE)
    with workspace.Workspace.create(options) as changed:
        changed.append("notes.txt", b"two\n")
        changed.put("new.txt", b"new")
        changed.remove("gone.txt")
        for change in changed.changes(everything, None, 100).changes:
            lines.append(f"changed: {change.path}")
        commit = workspace.CommitOptions("/lower", everything, Durability.FULL, workspace.OnConflict.FAIL)
        lines.append(f"committed: {changed.commit(commit).bytes} bytes")
        lines.append(f"notes.txt: {changed.read('notes.txt', 0, 100).decode()}")


class WitWorld(wit_world.WitWorld):
    def run(self) -> list[str]:
        lines: list[str] = []
        try:
            stored(lines)
            worked(lines)
        except Err as failed:
            error: Error = failed.value
            lines.append(f"failed: {error.message}")
        return lines
