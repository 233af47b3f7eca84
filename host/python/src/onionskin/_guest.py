"""The component, instantiated with the directories that it may see, and calls on it."""

import functools
import os
import tempfile
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from wasmtime import Config, Engine, Store, WasiConfig, WasmtimeError
from wasmtime import component as wasm

from .errors import BY_KIND, StoppedError, SymlinkEscapesError

ROOT = "/root"
SPOOLED_BYTES_MIN = 16 * 1024
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


class Guest:
    """An instance. Calls from several threads take turns."""

    def __init__(self, root: Path, lowers: Iterable[Path], writable: bool) -> None:
        linker, component = _compiled(component_path())
        self.grants = {ROOT: root.resolve(strict=True)}
        self.grants |= {f"/lower/{at}": lower.resolve(strict=True) for at, lower in enumerate(lowers)}
        self._spool = tempfile.TemporaryDirectory(prefix="onionskin-")
        self._turn = threading.RLock()
        self._resources: list[wasm.ResourceAny] = []
        self._stopped = False
        self._engine = Store(linker.engine)
        wasi = WasiConfig()
        for name, directory in [*self.grants.items(), ("/spool", self._spool.name)]:
            wasi.preopen_dir(str(directory), name, writable and name == ROOT)
        self._engine.set_wasi(wasi)
        self._instance = linker.instantiate(self._engine, component)

    def call(self, interface: str, name: str, *arguments: Any) -> Any:
        """Calls an export; an error of the contract is raised as its class."""
        with self._turn:
            if self._stopped:
                raise StoppedError("the store is closed, or was stopped before: open the root again")
            try:
                answer = self._function(interface, name)(self._engine, *arguments)
            except WasmtimeError as error:
                self._stopped = True
                raise StoppedError(f"the component was stopped in {name}: open the root again: {error}") from error
        # A result is told by its tag where both sides are records, and by its type otherwise.
        failed = isinstance(answer, wasm.Record) and hasattr(answer, "subject")
        if isinstance(answer, wasm.Variant):
            failed, answer = answer.tag == "err", answer.payload
        if failed:
            raise BY_KIND[answer.kind](answer.message, answer.subject, answer.cause)
        if isinstance(answer, wasm.ResourceAny):
            self._resources.append(answer)
        return answer

    def consume(self, name: str, resource: wasm.ResourceAny) -> Any:
        """Calls an export that takes a resource for good, also when it fails."""
        self._resources.remove(resource)
        return self.call("store", name, resource)

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
        Path(self._spool.name, "content").write_bytes(data)
        return "/spool/content"

    def guest_path(self, host: Path) -> str:
        """The name in the component of a place on the host; of several grants, the nearest."""
        place = host.resolve(strict=True)
        above = [(len(granted.parts), name) for name, granted in self.grants.items() if place.is_relative_to(granted)]
        if not above:
            raise SymlinkEscapesError(f"{host}: leads to {place}, which was not granted: pass it as lower", str(host))
        name = max(above)[1]
        return "/".join([name, *place.relative_to(self.grants[name]).parts])

    def _function(self, interface: str, name: str) -> wasm.Func:
        owner = self._instance.get_export_index(self._engine, f"onionskin:fs/{interface}@0.1.0")
        index = self._instance.get_export_index(self._engine, name, owner)
        function = self._instance.get_func(self._engine, index) if index else None
        if function is None:
            raise LookupError(f"the component has no {name} in {interface}: it is of another version")
        return function


def fields(record: wasm.Record) -> dict[str, Any]:
    """The fields of a record of the contract, under Python's names."""
    return {name.replace("-", "_"): value for name, value in vars(record).items()}
