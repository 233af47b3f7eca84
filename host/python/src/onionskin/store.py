"""An open root, and changes to it."""

import os
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from types import SimpleNamespace as record
from typing import Any, Unpack

from . import _bindings
from ._bindings import PIECE_BYTES, SPOOLED_BYTES_MIN, Abilities, AnyPath, DirectoryOptions, Finding
from ._bindings import LinkUnreadableError, Receipt, WriteOptions, place
from ._guest import guest, locked

GENERATIONS = ".onionskin/directories/"


def probe(root: AnyPath) -> Abilities:
    """Tests the abilities of a root, and returns the strongest promise that can be kept there."""
    with locked(root), guest([root]) as instance:
        abilities: Abilities = instance.call("capabilities", "probe", place(root))
        return abilities


def inspect(root: AnyPath) -> list[Finding]:
    """Returns the findings of an open without changing anything: the root is granted for reading only."""
    with guest([], [root]) as instance:
        findings: list[Finding] = instance.call("store", "inspect", place(root))
        return findings


def break_lock(root: AnyPath, expected: str) -> None:
    """Takes a root over from an owner that is known to be dead, by the token in its lock file."""
    with guest([root]) as instance:
        instance.call("store", "break-lock", place(root), expected)


def open_store(
    root: AnyPath, *, lower: Iterable[AnyPath] = (), token: str | None = None, wait: float = 0.0
) -> "Store":
    """Opens a root, and completes or undoes interrupted changes.

    The directories in ``lower`` may be read, for links that lead there. A second owner is kept out
    by a lock of the operating system or, with ``token``, by a lock file that holds it. Up to ``wait``
    seconds are spent waiting for that lock of the operating system; then the error is ``LockedError``.
    """
    return Store(root, lower, token, wait)


class Store(_bindings.StoreCalls):
    """An open root. Close it, or use it in a ``with`` statement."""

    def __init__(self, root: AnyPath, lower: Iterable[AnyPath], token: str | None, wait: float) -> None:
        with ExitStack() as opened:
            if token is None:
                opened.enter_context(locked(root, wait))
            instance = opened.enter_context(guest([root], lower))
            how = record(owner=token, trace="off")
            super().__init__(instance, instance.call("store", "[static]store.open", place(root), how))
            self._root, self._opened = Path(place(root)), opened.pop_all()

    def replace(self, path: str, data: bytes, **how: Unpack[WriteOptions]) -> Receipt:
        """Replaces the content of a file atomically."""
        if len(data) < SPOOLED_BYTES_MIN:
            return super().replace(path, data, **how)
        with self.writer(path, **how) as writer:
            writer.write(data)
        return writer.receipt

    def writer(self, path: str, **how: Unpack[WriteOptions]) -> "Writer":
        """As ``replace``, for content of any size; published at the end of a ``with`` statement."""
        return Writer(self._guest, self._call("writer", path, _bindings.write_options(how)))

    def transaction(self, directory: str, **how: Unpack[DirectoryOptions]) -> "Transaction":
        """Begins changes to a directory, which are committed at the end of a ``with`` statement."""
        return Transaction(self._guest, self._call("begin", directory, _bindings.directory_options(how)))

    def materialize(self, path: str, *, source: AnyPath | None = None, content: bytes | None = None) -> Receipt:
        """Turns a link, or a file with several hard links, into an independent file or directory."""
        origin = None if source is None else self._guest.granted(source)
        try:
            receipt: Receipt = super()._call("materialize", path, origin, content)
            return receipt
        except LinkUnreadableError:
            link = self._first_link(path)
            if link is None or origin is not None:
                raise
        source = self._root / path if link == path else None
        if source is None:
            self.materialize(link)
        return self.materialize(path, source=source, content=content)

    def _call(self, name: str, *arguments: Any) -> Any:
        """Makes a call, and repeats it after each absolute link on the way, which WASI hides, was materialized."""
        while True:
            try:
                return super()._call(name, *arguments)
            except LinkUnreadableError:
                link = self._first_link(arguments[0])
                if link is None or arguments[-1].symlinks != "replace":
                    raise
            self.materialize(link)

    def _first_link(self, path: str) -> str | None:
        """Returns the first link on the way to a path, except those to generations, which the component reads."""
        ways = [*reversed(PurePosixPath(path).parents), PurePosixPath(path)]
        links = (way for way in ways if (self._root / way).is_symlink())
        return next((str(link) for link in links if GENERATIONS not in os.readlink(self._root / link)), None)


class Writer(_bindings.WriterCalls):
    """New content for one file, in progress."""

    def write(self, chunk: bytes) -> None:
        """Appends."""
        if len(chunk) < SPOOLED_BYTES_MIN:
            super().write(chunk)
        else:
            self.write_from(self._guest.spool(chunk))


class Transaction(_bindings.TransactionCalls):
    """Changes to one directory that become visible together. Paths are relative to it."""

    def put(self, path: str, data: bytes) -> None:
        """Puts a file with this content."""
        if len(data) < SPOOLED_BYTES_MIN:
            super().put(path, data)
        else:
            self.put_file(path, self._guest.spool(data))

    def append(self, path: str, data: bytes) -> None:
        """Appends to the file of the last ``put`` or ``put_file``."""
        for at in range(0, len(data), PIECE_BYTES):
            super().append(path, data[at : at + PIECE_BYTES])
