"""The component of this package, its granted directories, and their locks."""

import fcntl
import functools
import os
import random
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from wasmtime import Config, Engine
from wasmtime import component as wasm

from ._bindings import AnyPath, Instance, LockedError, place


def component_path() -> Path:
    """Returns a file of this package, unless the environment names another."""
    return Path(os.environ.get("ONIONSKIN_COMPONENT") or Path(__file__).with_name("onionskin.wasm"))


def _cache_directory() -> Path:
    """Where wasmtime keeps compiled code."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    return Path(named if os.path.isabs(named) else Path.home() / ".cache") / "wasmtime"


def is_own(directory: Path) -> bool:
    """Whether nobody but this user and root can have put something into a directory, or another in its place.

    What is in it is run, so it is looked at as a secure shell looks at its keys: the directory, all above it,
    and all in it belong to this user, above it to root at most, and nobody else may write there.
    """
    users = {os.geteuid(), 0}
    place = Path(os.path.realpath(directory.parent)) / directory.name
    try:
        for above in place.parents:
            if above.exists() and not _is_of(above, users, stat.S_ISVTX):
                return False
        if not os.path.lexists(place):
            return True
        below = (Path(top, name) for top, *names in os.walk(place, onerror=_raise) for name in sum(names, []))
        return place.is_dir() and all(_is_of(path, {os.geteuid()}) for path in [place, *below])
    except OSError:
        return False


def _is_of(path: Path, users: set[int], sticky: int = 0) -> bool:
    found = path.lstat()
    is_closed = not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) or bool(found.st_mode & sticky)
    return found.st_uid in users and is_closed and (stat.S_ISDIR(found.st_mode) or stat.S_ISREG(found.st_mode))


def _raise(error: OSError) -> None:
    raise error


@functools.cache
def _compiled(path: Path) -> tuple[wasm.Linker, wasm.Component]:
    config = Config()
    config.cache = is_own(_cache_directory())
    linker = wasm.Linker(Engine(config))
    linker.add_wasip2()
    return linker, wasm.Component.from_file(linker.engine, path)


def guest(writable: Iterable[AnyPath], readable: Iterable[AnyPath] = ()) -> closing[Instance]:
    """Provides an instance until the end of a ``with`` statement."""
    grants = dict.fromkeys(map(place, readable), False) | dict.fromkeys(map(place, writable), True)
    return closing(Instance(*_compiled(component_path()), grants))


# The longest pause between two attempts, in seconds: a release is noticed within it.
PAUSE_MAX = 0.008


@contextmanager
def locked(root: AnyPath, wait: float = 0.0) -> Iterator[None]:
    """Holds the same lock of the operating system that the other hosts take, after up to ``wait`` seconds."""
    directory = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    until = time.monotonic() + wait
    try:
        while True:
            try:
                fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                left = until - time.monotonic()
                if left <= 0:
                    raise LockedError(f"{root}: another owner has this root open", str(root)) from None
                # Random, so that of many that wait each gets its turn.
                time.sleep(min(left, random.uniform(0, PAUSE_MAX)))
        yield
    finally:
        os.close(directory)
