"""The scenario, the program of the Rust host, and instances that stop."""

import os
import subprocess
from pathlib import Path

import pytest
import wasmtime
from onionskin import _bindings, _guest

REPOSITORY = Path(__file__).resolve().parents[3]
SCENARIO = REPOSITORY / "tests/scenario/store.json"


def onionskin(*arguments: str, cwd: Path, input: str = "") -> subprocess.CompletedProcess[str]:
    """Runs the program of the Rust host; `ONIONSKIN` names another than the default."""
    program = os.environ.get("ONIONSKIN") or REPOSITORY / "target/debug/onionskin"
    return subprocess.run([program, *arguments], cwd=cwd, input=input, capture_output=True, text=True, check=False)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty root."""
    root = tmp_path / "root"
    root.mkdir()
    return root


@pytest.fixture
def fuelled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Instances that stop when their fuel is used up, with enough to begin with."""
    config = wasmtime.Config()
    config.consume_fuel = True
    linker = wasmtime.component.Linker(wasmtime.Engine(config))
    linker.add_wasip2()
    component = wasmtime.component.Component.from_file(linker.engine, _guest.component_path())

    def store(engine: wasmtime.Engine) -> wasmtime.Store:
        store = wasmtime.Store(engine)
        store.set_fuel(10**12)
        return store

    monkeypatch.setattr(_guest, "_compiled", lambda _: (linker, component))
    monkeypatch.setattr(_bindings, "Store", store)
