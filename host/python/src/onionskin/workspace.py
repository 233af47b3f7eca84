"""A tree to work in over directories that stay as they are, until a commit."""

import io
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path, PurePosixPath
from types import SimpleNamespace as record
from typing import Any, Self

from wasmtime import component as wasm

from . import _contract
from ._contract import Change, Durability, Entry, Finding, NotFoundError, OnConflict, ReadOnlyError, Receipt
from ._guest import AnyPath, Guest, locked, place

PAGE = 4096
"""Names and changes that are asked for at once."""
CHUNK_BYTES = 1 << 20
"""Bytes that are read and written at once."""


def workspace(
    upper: AnyPath,
    *,
    lower: Iterable[AnyPath] = (),
    moved: bool = False,
    max_bytes: int | None = None,
    max_entries: int | None = None,
) -> "Workspace":
    """Opens the workspace in ``upper``, and finishes or removes what a crash left.

    Where there is none, one is made over ``lower``, the topmost first. It remembers them, and refuses
    others unless they ``moved``.
    """
    return Workspace(upper, lower, record(bytes=max_bytes, entries=max_entries), "accept" if moved else "refuse")


class Workspace(_contract.WorkspaceCalls):
    """An open workspace. ``with`` closes it and keeps it; ``commit`` and ``discard`` are said."""

    def __init__(self, upper: AnyPath, lower: Iterable[AnyPath], quota: Any, moved: str) -> None:
        self.upper, self.lowers, self._quota, self._moved = Path(place(upper)), [*map(place, lower)], quota, moved
        self._opened = ExitStack()
        with ExitStack() as held:
            held.enter_context(locked(upper))
            with closing(Guest([], [upper])) as guest:
                try:
                    remembered = guest.call("workspace", "describe", place(upper))
                    self.lowers, how = self.lowers or remembered, "open"
                except NotFoundError:
                    if not self.lowers:
                        raise
                    how = "create"
            try:
                self._open(how)
            except ReadOnlyError:
                # A commit is to be finished: for that alone the topmost lower is granted for writing.
                with locked(self.lowers[0]):
                    self._open(how, self.lowers[0])
            self._found = super().recovered()
            self._is_stale = bool(self._found)  # A lower that is granted for writing is so no longer.
            self._held = held.pop_all()

    def _open(self, how: str, *writable: str) -> None:
        """An instance of the component that may write these, too."""
        self._opened.close()
        with ExitStack() as opened:
            self._guest = opened.enter_context(closing(Guest([self.upper, *writable], self.lowers)))
            self._workspace: wasm.ResourceAny = self._guest.call(
                "workspace", f"[static]workspace.{how}", self._options(self.upper)
            )
            self._opened, self._is_stale = opened.pop_all(), False

    def _options(self, upper: AnyPath) -> Any:
        return record(upper=place(upper), lowers=self.lowers, owner=None, quota=self._quota, moved=self._moved)

    def _current(self) -> Guest:
        """The instance, or a new one after a call with grants of its own."""
        if self._is_stale:
            self._open("open")
        return self._guest

    def _call(self, name: str, *arguments: object) -> Any:
        return self._current().call("workspace", f"[method]workspace.{name}", self._workspace, *arguments)

    def _call_with(self, writable: AnyPath, name: str, *arguments: object) -> Any:
        """Makes a call that writes one more directory, which is granted and locked for as long as that takes."""
        with locked(writable):
            self._open("open", place(writable))
            try:
                answer = self._call(name, *arguments)
                if name == "commit":
                    self.sync()  # Gives back what is not needed any more.
                return answer
            finally:
                self._opened.close()
                self._is_stale = True

    def close(self) -> None:
        """Gives the upper directory back, with all that was done. What was not synced may be lost with the power."""
        self._is_stale = False
        self._opened.close()
        self._held.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def recovered(self) -> list[Finding]:
        """What opening found and did, in order. Empty when all was clean."""
        return self._found

    def iterdir(self, path: str = ".") -> Iterator[Entry]:
        """What is in a directory, sorted by name."""
        after = None
        while entries := self._call("list", path, after, PAGE):
            yield from entries
            after = entries[-1].name

    def walk(self, path: str = ".") -> Iterator[tuple[str, Entry]]:
        """The path of everything below a directory, with what it is."""
        for entry in self.iterdir(path):
            below = str(PurePosixPath(path, entry.name))
            yield below, entry
            if entry.kind == "directory":
                yield from self.walk(below)

    def exists(self, path: str) -> bool:
        """Whether there is something at a path; a link is not followed."""
        try:
            self.stat(path)
        except (_contract.NotFoundError, _contract.NotDirectoryError):
            return False
        return True

    def open(self, path: str, mode: str = "r", **text: Any) -> Any:
        """A file, as the function ``open`` gives it, for ``pickle``, ``gzip``, readers of tables and the like.

        It is written as it goes. For all or nothing use ``put``, or write a new file and ``rename`` it.
        """
        if mode.strip("bt+") not in ("r", "w", "a", "x"):
            raise ValueError(f"there is no mode {mode}")
        if "x" in mode and self.exists(path):
            raise _contract.AlreadyExistsError(f"{path}: it exists", path)
        if "w" in mode or "x" in mode:
            self.put(path, b"")
        elif "a" in mode and not self.exists(path):
            self.put(path, b"")
        if self.stat(path).kind != "file":
            raise _contract.NotAFileError(f"{path}: it is no file", path)
        file = File(self, path, mode)
        if "+" in mode:
            buffered: io.BufferedIOBase = io.BufferedRandom(file)
        else:
            buffered = io.BufferedReader(file) if file.readable() else io.BufferedWriter(file)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, **text)

    def materialize(self, path: str, source: AnyPath) -> None:
        """Puts a file of its own in place of a link, or of a file, with what the caller reads at ``source``.

        No link is followed in a workspace. Where it leads is often known to the caller: it is what the
        link shows in the lower directory itself.
        """
        draft = str(PurePosixPath(path).with_name(f".{PurePosixPath(path).name}.new"))
        with open(source, "rb") as content, self.open(draft, "wb") as file:
            shutil.copyfileobj(content, file)
        self.rename(draft, path)

    @contextmanager
    def checkout(self, path: str, *beside: str) -> Iterator[Path]:
        """A real file with what a path holds, for libraries that want one, such as SQLite.

        At the end of the block what was written to it is put back, unless the block fails. Each file is
        put back as a whole. Paths ``beside`` it, such as those of companions, come and go with it.
        """
        with tempfile.TemporaryDirectory(prefix="onionskin-") as scratch:
            real = {shown: Path(scratch, PurePosixPath(shown).name) for shown in [path, *beside]}
            before = {}
            for shown in filter(self.exists, real):
                with self.open(shown, "rb") as file:
                    before[shown] = file.read()
                real[shown].write_bytes(before[shown])
            yield real[path]
            for shown, place in real.items():
                if not place.exists():
                    if shown in before:
                        self.remove(shown)
                elif place.read_bytes() != before.get(shown):
                    self.materialize(shown, place)

    def changes(self, only: Iterable[str] = (), exclude: Iterable[str] = ()) -> Iterator[Change]:
        """What was changed, of the paths that the globs choose: deletions first."""
        after, more = None, True
        while more:
            page = self._call("changes", _select(only, exclude), after, PAGE)
            yield from page.changes
            after, more = page.next, page.next is not None

    def conflicts(self, only: Iterable[str] = (), exclude: Iterable[str] = ()) -> list[str]:
        """The chosen paths of the lowers that are not as they were when they were first touched."""
        paths: list[str] = self._call("conflicts", _select(only, exclude))
        return paths

    def commit(
        self,
        *,
        only: Iterable[str] = (),
        exclude: Iterable[str] = (),
        conflicts: OnConflict = "fail",
        durability: Durability = "full",
    ) -> Receipt:
        """Writes the chosen changes to the topmost lower, all or nothing. The workspace goes on from there."""
        how = record(into=self.lowers[0], paths=_select(only, exclude), durability=durability, conflicts=conflicts)
        receipt: Receipt = self._call_with(self.lowers[0], "commit", how)
        return receipt

    def export(self, to: AnyPath, durability: Durability = "full") -> Receipt:
        """Writes all that is shown to an empty directory, all or nothing."""
        receipt: Receipt = self._call_with(to, "export-to", place(to), durability)
        return receipt

    def fork(self, upper: AnyPath) -> "Workspace":
        """Makes a second workspace from the present state, in an empty directory."""
        self._call_with(upper, "fork", self._options(upper))
        return Workspace(upper, (), self._quota, self._moved)

    def discard(self) -> None:
        """Gives up all that was written, and the workspace with it."""
        self._current().consume("workspace", "[static]workspace.discard", self._workspace)
        self.close()


class File(io.RawIOBase):
    """A file of a workspace, unbuffered."""

    def __init__(self, workspace: Workspace, path: str, mode: str) -> None:
        self.name = path
        self.mode = mode
        self._workspace = workspace
        self._at = workspace.stat(path).size if "a" in mode else 0

    def readable(self) -> bool:
        return "r" in self.mode or "+" in self.mode

    def writable(self) -> bool:
        return self.mode.strip("bt") != "r"

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        size = self._workspace.stat(self.name).size if whence == io.SEEK_END else 0
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: size}[whence]
        return self._at

    def readinto(self, buffer: Any) -> int:
        data = self._workspace.read(self.name, self._at, min(len(buffer), CHUNK_BYTES))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def write(self, data: Any) -> int:
        chunk = bytes(data[:CHUNK_BYTES])
        if "a" in self.mode:
            self._at = self._workspace.append(self.name, chunk)
        else:
            self._workspace.write(self.name, self._at, chunk)
        self._at += len(chunk)
        return len(chunk)

    def truncate(self, size: int | None = None) -> int:
        size = self._at if size is None else size
        self._workspace.set_size(self.name, size)
        return size


def _select(only: Iterable[str], exclude: Iterable[str]) -> Any:
    return record(**{"only": [*only], "except": [*exclude]})
