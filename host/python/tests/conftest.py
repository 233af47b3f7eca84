"""Where the scenario and the program of the Rust host are found."""

import os
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
SCENARIO = REPOSITORY / "tests/scenario/store.json"


def onionskin(*arguments: str, cwd: Path, input: str = "") -> subprocess.CompletedProcess[str]:
    """Runs the program of the Rust host; `ONIONSKIN` names it, where it is not in the usual place."""
    program = os.environ.get("ONIONSKIN") or REPOSITORY / "target/debug/onionskin"
    return subprocess.run([program, *arguments], cwd=cwd, input=input, capture_output=True, text=True, check=False)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty root."""
    root = tmp_path / "root"
    root.mkdir()
    return root
