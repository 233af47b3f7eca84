"""The component of this package, with the directories that it may see, and the lock on them."""

import fcntl
import functools
import os
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from wasmtime import Config, Engine
from wasmtime import component as wasm

from ._bindings import AnyPath, Instance, LockedError, place


def component_path() -> Path:
    """A file of this package, unless the environment names another."""
    return Path(os.environ.get("ONIONSKIN_COMPONENT") or Path(__file__).with_name("onionskin.wasm"))


@functools.cache
def _compiled(path: Path) -> tuple[wasm.Linker, wasm.Component]:
    config = Config()
    config.cache = True
    linker = wasm.Linker(Engine(config))
    linker.add_wasip2()
    return linker, wasm.Component.from_file(linker.engine, path)


def guest(writable: Iterable[AnyPath], readable: Iterable[AnyPath] = ()) -> closing[Instance]:
    """An instance, until the end of a ``with`` statement."""
    grants = dict.fromkeys(map(place, readable), False) | dict.fromkeys(map(place, writable), True)
    return closing(Instance(*_compiled(component_path()), grants))


@contextmanager
def locked(root: AnyPath) -> Iterator[None]:
    """Holds the lock of the operating system that the other hosts take, too."""
    directory = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockedError(f"{root}: another owner has this root open", str(root)) from None
        yield
    finally:
        os.close(directory)
