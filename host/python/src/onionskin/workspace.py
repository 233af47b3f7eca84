"""A writable tree over directories that stay unchanged until a commit."""

import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import takewhile
from pathlib import Path, PurePosixPath
from types import SimpleNamespace as record
from typing import IO, Any, Unpack
from uuid import uuid4

from . import _bindings
from ._bindings import PIECE_BYTES, AnyPath, Durability, Entry, Finding, NotDirectoryError, NotFoundError
from ._bindings import OnConflict, ReadOnlyError, Receipt, Select, place
from ._guest import guest, locked


def workspace(
    upper: AnyPath,
    *,
    lower: Iterable[AnyPath] = (),
    moved: bool = False,
    max_bytes: int | None = None,
    max_entries: int | None = None,
    wait: float = 0.0,
) -> "Workspace":
    """Opens the workspace in ``upper``, and completes or removes interrupted changes.

    Where there is none, one is made over ``lower``, the topmost first. It remembers them, and refuses
    others unless they ``moved``. For each lock that another owner holds, ``wait`` seconds are waited
    at most: for that of ``upper``, and of a directory that a later call writes.
    """
    quota = record(bytes=max_bytes, entries=max_entries)
    return Workspace(upper, lower, record(owner=None, quota=quota, moved="accept" if moved else "refuse"), wait)


def abandon(upper: AnyPath) -> None:
    """Discards a workspace without reading it: its records may be damaged, and its lowers gone."""
    with locked(upper), guest([upper]) as instance:
        instance.call("workspace", "abandon", place(upper), None)


class Workspace(_bindings.WorkspaceCalls):
    """An open workspace. ``with`` closes it and keeps it; ``commit`` and ``discard`` are explicit."""

    def __init__(self, upper: AnyPath, lower: Iterable[AnyPath], how: Any, wait: float) -> None:
        self._how, self._wait, self.upper, self.lowers = how, wait, place(upper), [*map(place, lower)]
        with ExitStack() as opened:
            opened.enter_context(locked(upper, wait))
            self._current = opened.enter_context(ExitStack())
            begin = self._remember()
            try:
                self._open(begin)
            except ReadOnlyError:
                # A commit has to be completed: only for that the topmost lower is granted for writing.
                with locked(self.lowers[0], wait):
                    self._open("open", self.lowers[0])
            self._found = super().recovered()
            if self._found:  # A lower that was granted for writing is so no longer.
                self._open("open")
            self._opened = opened.pop_all()

    def _remember(self) -> str:
        """Returns the options to open it. The default lowers are those that the workspace remembers."""
        with guest([], [self.upper]) as instance:
            try:
                remembered = instance.call("workspace", "describe", self.upper)
            except NotFoundError:
                if self.lowers:
                    return "create"
                raise
        self.lowers = self.lowers or remembered
        return "open"

    def _open(self, begin: str, *writable: str) -> None:
        """Continues in an instance of the component that may write these, too."""
        self._current.close()
        instance = self._current.enter_context(guest([self.upper, *writable], self.lowers))
        options = self._options(self.upper)
        super().__init__(instance, instance.call("workspace", f"[static]workspace.{begin}", options))

    def _options(self, upper: str) -> Any:
        return record(upper=upper, lowers=self.lowers, **vars(self._how))

    def _call_with(self, writable: AnyPath, name: str, *arguments: object) -> Any:
        """Makes a call that writes one more directory, which is granted and locked in the meantime."""
        with locked(writable, self._wait):
            self._open("open", place(writable))
            try:
                answer = self._call(name, *arguments)
                self.sync()  # Gives back what is not needed any more.
                return answer
            finally:
                if not self._guest.stopped:
                    self._open("open")

    def recovered(self) -> list[Finding]:
        """Returns the findings of the open, in order. Empty if everything was clean."""
        return self._found

    def walk(self, path: str = ".") -> Iterator[tuple[str, Entry]]:
        """Returns the path of every entry below a directory, with its kind."""
        for entry in self.iterdir(path):
            below = str(PurePosixPath(path, entry.name))
            yield below, entry
            if entry.kind == "directory":
                yield from self.walk(below)

    def exists(self, path: str) -> bool:
        """Returns whether a path exists; a link is not followed."""
        try:
            self.stat(path)
        except (NotFoundError, NotDirectoryError):
            return False
        return True

    def read(self, path: str, offset: int, length: int) -> bytes:
        """Reads the bytes of a file from an offset; fewer than requested are the last."""
        if length <= PIECE_BYTES:
            return super().read(path, offset, length)
        starts = range(offset, offset + length, PIECE_BYTES)
        ends = (min(start + PIECE_BYTES, offset + length) for start in starts)
        return b"".join(takewhile(bool, (self.read(path, start, end - start) for start, end in zip(starts, ends))))

    def materialize(self, path: str, source: AnyPath) -> None:
        """Replaces a link, or a file, by a file with the content at ``source``, which the caller can read.

        No link is followed in a workspace. Where it leads is often known to the caller: it is what the
        link shows in the lower directory itself.
        """
        with open(source, "rb") as content:
            draft = self.draft(None, b"")
            try:
                while piece := content.read(PIECE_BYTES):
                    self.draft(draft, piece)
            except BaseException:
                self.drop_draft(draft)
                raise
        if not self.exists(path) or self.stat(path).kind != "symlink":
            self.put_draft(draft, path)
            return
        # A draft becomes the content of a file, and a link is none: it is replaced by one that has no name yet.
        new = str(PurePosixPath(path).with_name(f"{uuid4()}"))
        self.put_draft(draft, new)
        self.rename(new, path)

    @contextmanager
    def checkout(self, path: str, *beside: str) -> Iterator[Path]:
        """Provides a real file with the content of a path, for libraries that need one, such as SQLite.

        At the end of the block what was written to it is put back, unless the block fails. Each file is
        put back as a whole. Paths ``beside`` it, such as those of companions, come and go with it.
        """
        with tempfile.TemporaryDirectory(prefix="onionskin-") as scratch:
            # As they lie in the workspace, so that no two are one. A path that leads out of it is refused here.
            there = {shown: self.exists(shown) for shown in [path, *beside]}
            real = {shown: Path(scratch, shown) for shown in there}
            for copy in real.values():
                copy.parent.mkdir(parents=True, exist_ok=True)
            before = {shown: self._copy(shown, real[shown]) for shown in there if there[shown]}
            yield real[path]
            for shown, copy in real.items():
                if copy.exists() and _digest(copy) != before.get(shown):
                    self.materialize(shown, copy)
                elif shown in before and not copy.exists():
                    self.remove(shown)

    def _copy(self, path: str, to: Path) -> bytes:
        with to.open("wb") as copy:
            while piece := self.read(path, copy.tell(), PIECE_BYTES):
                copy.write(piece)
        return _digest(to)

    @contextmanager
    def open(self, path: str, mode: str = "r", **how: Any) -> Iterator[IO[Any]]:
        """Opens a file as the function ``open`` does; changes are written back at the end, atomically."""
        if "r" in mode:
            self.stat(path)
        with self.checkout(path) as real, real.open(mode, **how) as file:
            yield file

    def commit(
        self, *, conflicts: OnConflict = "fail", durability: Durability = "full", **paths: Unpack[Select]
    ) -> Receipt:
        """Commits the selected changes to the topmost lower atomically. The workspace stays usable."""
        into, chosen = self.lowers[0], _bindings.select(paths)
        how = record(into=into, paths=chosen, durability=durability, conflicts=conflicts)
        receipt: Receipt = self._call_with(into, "commit", how)
        return receipt

    def export(self, to: AnyPath, durability: Durability = "full") -> Receipt:
        """Writes the merged tree to an empty directory, atomically, without what ``left_outs`` returns."""
        without = [left.path for left in self.left_outs()]
        receipt: Receipt = self._call_with(to, "export-to", place(to), without, durability)
        return receipt

    def fork(self, upper: AnyPath) -> "Workspace":
        """Creates a second workspace from the present state, in an empty directory."""
        self._call_with(upper, "fork", self._options(place(upper)))
        return Workspace(upper, (), self._how, self._wait)

    def discard(self) -> None:
        """Discards every change, and the workspace itself."""
        super().discard()
        self.close()


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
