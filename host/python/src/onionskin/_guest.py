"""The component, instantiated with the directories that it may see, and calls on it."""

import fcntl
import functools
import os
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

from wasmtime import Config, Engine, Store, WasiConfig, WasmtimeError
from wasmtime import component as wasm

from . import _contract, errors

AnyPath = str | os.PathLike[str]
RECORDS: dict[tuple[str, ...], Any] = {
    tuple(kind.__dataclass_fields__): kind for kind in vars(_contract).values() if is_dataclass(kind)
}
ERRORS = {error.kind: error for error in errors.OnionskinError.__subclasses__()}
SPOOLED_BYTES_MIN = 4 * 1024
"""From here on content goes to the component by way of a file: as a list it costs 1 us per byte."""


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


@contextmanager
def locked(root: AnyPath) -> Iterator[None]:
    """Holds the lock of the operating system that the other hosts take, too."""
    directory = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _contract.LockedError(f"{root}: another owner has this root open", str(root)) from None
        yield
    finally:
        os.close(directory)


class Guest:
    """An instance, in which each directory has the name of its place. Calls from several threads take turns."""

    def __init__(self, writable: Iterable[AnyPath], readable: Iterable[AnyPath] = ()) -> None:
        linker, component = _compiled(component_path())
        self._spool = tempfile.TemporaryDirectory(prefix="onionskin-")
        self._turn = threading.RLock()
        self._resources: list[wasm.ResourceAny] = []
        self._stopped = False
        self._engine = Store(linker.engine)
        self.grants = dict.fromkeys(map(place, [*readable, self._spool.name]), False)
        self.grants |= dict.fromkeys(map(place, writable), True)
        wasi = WasiConfig()
        for name, access in self.grants.items():
            wasi.preopen_dir(name, name, access)
        self._engine.set_wasi(wasi)
        self._instance = linker.instantiate(self._engine, component)

    def call(self, interface: str, name: str, *arguments: Any) -> Any:
        """Calls an export; an error of the contract is raised as its class."""
        with self._turn:
            if self._stopped:
                raise errors.StoppedError("it is closed, or was stopped before: open it again")
            try:
                answer = self._function(interface, name)(self._engine, *arguments)
            except WasmtimeError as error:
                self._stopped = True
                raise errors.StoppedError(f"the component was stopped in {name}: open it again: {error}") from error
        # A result is told by its tag where both sides are records, and by its type otherwise.
        failed = isinstance(answer, wasm.Record) and hasattr(answer, "subject")
        if isinstance(answer, wasm.Variant):
            failed, answer = answer.tag == "err", answer.payload
        if failed:
            raise ERRORS[answer.kind](answer.message, answer.subject, answer.cause)
        if isinstance(answer, wasm.ResourceAny):
            self._resources.append(answer)
        return _lifted(answer)

    def consume(self, interface: str, name: str, resource: wasm.ResourceAny) -> Any:
        """Calls an export that takes a resource for good, also when it fails."""
        if resource not in self._resources:
            raise _contract.InvalidArgumentError("it was committed or dropped: begin again")
        self._resources.remove(resource)
        return self.call(interface, name, resource)

    def drop(self, resource: wasm.ResourceAny) -> None:
        """Drops a resource, unless that is done."""
        with self._turn:
            if resource in self._resources:
                self._resources.remove(resource)
                if not self._stopped:
                    resource.drop(self._engine)

    def close(self) -> None:
        """Drops what is left, the youngest first: the store itself is the last."""
        with self._turn:
            for resource in reversed(self._resources.copy()):
                self.drop(resource)
            self._stopped = True
            self._spool.cleanup()

    def spool(self, data: bytes) -> str:
        """The guest path of a file with this content, until the next one is asked for."""
        content = Path(self._spool.name, "content")
        content.write_bytes(data)
        return place(content)

    def granted(self, host: AnyPath) -> str:
        """The name in the component of what a place on the host leads to."""
        found = place(host)
        if not any(Path(found).is_relative_to(grant) for grant in self.grants):
            message = f"{host}: leads to {found}, which was not granted: pass it as lower"
            raise _contract.SymlinkEscapesError(message, str(host))
        return found

    def _function(self, interface: str, name: str) -> wasm.Func:
        owner = self._instance.get_export_index(self._engine, f"onionskin:fs/{interface}@0.1.0")
        index = self._instance.get_export_index(self._engine, name, owner) if owner else None
        function = self._instance.get_func(self._engine, index) if index else None
        if function is None:
            raise LookupError(f"the component has no {name} in {interface}: it is of another version")
        return function


def place(path: AnyPath) -> str:
    """What a path of the host leads to."""
    return str(Path(path).resolve(strict=True))


def _lifted(value: Any) -> Any:
    """An answer in the types of this package."""
    match value:
        case list():
            return [_lifted(one) for one in value]
        case wasm.Variant():
            return value.tag if value.payload is None else (value.tag, value.payload)
        case wasm.Record():
            given = {name.replace("-", "_"): _lifted(one) for name, one in vars(value).items()}
            return RECORDS[tuple(given)](**given)
    return value
