"""An open root, and changes to it."""

import os
from collections.abc import Iterable
from contextlib import ExitStack, closing
from pathlib import Path, PurePosixPath
from types import SimpleNamespace as record
from typing import Any, Self, Unpack

from wasmtime import component as wasm

from . import _contract
from ._contract import Abilities, DirectoryOptions, Finding, LinkUnreadableError, Receipt, WriteOptions
from ._guest import SPOOLED_BYTES_MIN, AnyPath, Guest, locked, place

GENERATIONS = ".onionskin/directories/"


def probe(root: AnyPath) -> Abilities:
    """Tries what works at a root, and tells the strongest promise that can be kept there."""
    with locked(root), closing(Guest([root])) as guest:
        abilities: Abilities = guest.call("capabilities", "probe", place(root))
        return abilities


def inspect(root: AnyPath) -> list[Finding]:
    """What opening would find and do, without doing it: the root is granted for reading alone."""
    with closing(Guest([], [root])) as guest:
        findings: list[Finding] = guest.call("store", "inspect", place(root))
        return findings


def break_lock(root: AnyPath, expected: str) -> None:
    """Takes a root from an owner that is known to be dead, whose lock file holds this token."""
    with closing(Guest([root])) as guest:
        guest.call("store", "break-lock", place(root), expected)


def open_store(root: AnyPath, *, lower: Iterable[AnyPath] = (), token: str | None = None) -> "Store":
    """Opens a root, and finishes or undoes what a crash left.

    The directories in ``lower`` may be read, for links that lead there. A second owner is kept out
    by a lock of the operating system or, with ``token``, by a lock file that holds it.
    """
    return Store(root, lower, token)


class Store(_contract.StoreCalls):
    """An open root. Close it, or use it in a ``with`` statement."""

    def __init__(self, root: AnyPath, lower: Iterable[AnyPath], token: str | None) -> None:
        with ExitStack() as opened:
            if token is None:
                opened.enter_context(locked(root))
            self._guest = opened.enter_context(closing(Guest([root], lower)))
            self._root = Path(place(root))
            how = record(owner=token, trace="off")
            self._store: wasm.ResourceAny = self._guest.call("store", "[static]store.open", str(self._root), how)
            self._opened = opened.pop_all()

    def close(self) -> None:
        """Gives the root back. Writers and transactions that were not committed are dropped."""
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def replace(self, path: str, data: bytes, **how: Unpack[WriteOptions]) -> Receipt:
        """Gives a file new content, all or nothing."""
        if len(data) < SPOOLED_BYTES_MIN:
            receipt: Receipt = self._through_links("replace", path, data, _write_options(how))
            return receipt
        with self.writer(path, **how) as writer:
            writer.write(data)
        return writer.receipt

    def replace_json(self, path: str, json: str, **how: Unpack[WriteOptions]) -> Receipt:
        """As ``replace``, for JSON: text that does not parse never touches the disk."""
        receipt: Receipt = self._through_links("replace-json", path, json, _write_options(how))
        return receipt

    def writer(self, path: str, **how: Unpack[WriteOptions]) -> "Writer":
        """As ``replace``, for content of any size; published at the end of a ``with`` statement."""
        return Writer(self._guest, self._through_links("writer", path, _write_options(how)))

    def transaction(self, directory: str, **how: Unpack[DirectoryOptions]) -> "Transaction":
        """Begins changes to a directory, which are committed at the end of a ``with`` statement."""
        options = record(**{"publish": "in-place", "durability": "full", "symlinks": "replace", **how})
        return Transaction(self._guest, self._through_links("begin", directory, options))

    def materialize(self, path: str, *, source: AnyPath | None = None, content: bytes | None = None) -> Receipt:
        """Makes a link, or a file with several hard links, a file or directory of its own."""
        origin = None if source is None else self._guest.granted(source)
        try:
            receipt: Receipt = self._call("materialize", path, origin, content)
            return receipt
        except LinkUnreadableError:
            link = self._first_link(path)
            if link is None or source is not None:
                raise
        if link == path:
            return self.materialize(path, source=self._root / path, content=content)
        self.materialize(link)
        return self.materialize(path, content=content)

    def _call(self, name: str, *arguments: object) -> Any:
        return self._guest.call("store", f"[method]store.{name}", self._store, *arguments)

    def _through_links(self, name: str, path: str, *arguments: Any) -> Any:
        """Makes a call, and again once an absolute link on the way, which WASI hides, is no link any more."""
        while True:
            try:
                return self._call(name, path, *arguments)
            except LinkUnreadableError:
                link = self._first_link(path)
                if link is None or arguments[-1].symlinks != "replace":
                    raise
            self.materialize(link)

    def _first_link(self, path: str) -> str | None:
        """The first link on the way to a path, but for those to generations, which the component reads."""
        ways = [*reversed(PurePosixPath(path).parents), PurePosixPath(path)]
        links = (way for way in ways if (self._root / way).is_symlink())
        return next((str(link) for link in links if GENERATIONS not in os.readlink(self._root / link)), None)


class _Change:
    """A resource that is committed, or dropped."""

    receipt: Receipt
    """What was achieved, once it is committed."""

    def __init__(self, guest: Guest, resource: wasm.ResourceAny) -> None:
        self._guest = guest
        self._name = type(self).__name__.lower()
        self._resource = resource

    def commit(self) -> Receipt:
        """Decides and publishes. Errors before the decision leave nothing changed."""
        self.receipt = self._guest.consume("store", f"[static]{self._name}.commit", self._resource)
        return self.receipt

    def drop(self) -> None:
        """Gives it up, and leaves nothing behind."""
        self._guest.drop(self._resource)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.commit()
        else:
            self.drop()

    def _call(self, name: str, *arguments: object) -> Any:
        return self._guest.call("store", f"[method]{self._name}.{name}", self._resource, *arguments)


class Writer(_Change, _contract.WriterCalls):
    """New content for one file, on its way."""

    def write(self, chunk: bytes) -> None:
        """Appends."""
        if len(chunk) < SPOOLED_BYTES_MIN:
            self._call("write", chunk)
        else:
            self._call("write-from", self._guest.spool(chunk), 0, len(chunk))

    def write_from(self, origin: AnyPath, offset: int = 0, length: int = 2**64 - 1) -> int:
        """Appends from a file in a granted directory, and tells how many bytes were there."""
        return super().write_from(self._guest.granted(origin), offset, length)


class Transaction(_Change, _contract.TransactionCalls):
    """Changes to one directory that become visible together. Paths are relative to it."""

    def put(self, path: str, data: bytes) -> None:
        """A file with this content."""
        if len(data) < SPOOLED_BYTES_MIN:
            super().put(path, data)
        else:
            super().put_file(path, self._guest.spool(data))

    def put_file(self, path: str, origin: AnyPath) -> None:
        """A file with the content of a file in a granted directory."""
        super().put_file(path, self._guest.granted(origin))


def _write_options(how: WriteOptions) -> Any:
    options = {"durability": "full", "symlinks": "replace", "same": "rewrite", "when": "none", **how}
    when = options["when"]
    options["when"] = wasm.Variant(*when) if isinstance(when, tuple) else wasm.Variant(str(when))
    return record(**options)
