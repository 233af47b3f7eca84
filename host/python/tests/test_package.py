"""The additions of the package: Python's own errors, locks, content of any size, and stops at any point."""

import os
import pickle
import re
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import onionskin
import pytest
from conftest import REPOSITORY, onionskin as program
from onionskin import _bindings, _guest
from test_scenario import files, look


def test_every_kind_of_the_contract_has_its_class() -> None:
    contract = (REPOSITORY / "wit/onionskin.wit").read_text(encoding="utf-8")
    cases = re.search(r"enum error-kind \{(.*?)\n  \}", contract, re.DOTALL)
    assert cases is not None
    assert set(_bindings.ERRORS) == set(re.findall(r"^    ([a-z-]+),$", cases[1], re.MULTILINE)) | {"stopped"}


def test_errors_are_those_that_python_knows(root: Path) -> None:
    (root / "directory").mkdir()
    with onionskin.open_store(root) as store:
        with pytest.raises(FileNotFoundError) as raised:
            store.replace("missing/a", b"")
        assert isinstance(raised.value, onionskin.NotFoundError)
        assert raised.value.subject == "missing" and "missing" in str(raised.value)
        with pytest.raises(IsADirectoryError):
            store.replace("directory", b"")
        with pytest.raises(ValueError):
            store.replace_json("a.json", "{")
    with pytest.raises(FileNotFoundError):
        onionskin.open_store(root / "nowhere")


def test_nothing_is_left_when_a_block_fails(root: Path) -> None:
    with onionskin.open_store(root) as store:
        with pytest.raises(KeyError), store.transaction("d") as change:
            change.put("a", b"lost")
            raise KeyError
        with pytest.raises(KeyError), store.writer("a") as writer:
            writer.write(b"lost")
            raise KeyError
        store.writer("b").write(b"neither committed nor dropped")
    assert os.listdir(root) == []


def test_a_closed_store_refuses(root: Path) -> None:
    store = onionskin.open_store(root)
    store.close()
    store.close()
    with pytest.raises(onionskin.StoppedError):
        store.replace("a", b"")


@pytest.mark.parametrize("size", [0, _bindings.SPOOLED_BYTES_MIN - 1, _bindings.SPOOLED_BYTES_MIN, 20_000_000])
def test_content_of_any_size_arrives_whole(size: int, root: Path) -> None:
    content = (bytes(range(256)) * (size // 256 + 1))[:size]
    with onionskin.open_store(root) as store:
        store.replace("replaced", content)
        with store.transaction("d") as change:
            change.put("put", content)
            change.put("other", content[::-1])
    assert (root / "replaced").read_bytes() == content
    assert (root / "d/put").read_bytes() == content
    assert (root / "d/other").read_bytes() == content[::-1]


def test_threads_take_turns(root: Path) -> None:
    with onionskin.open_store(root) as store:
        write = lambda name: [store.replace(name, str(at).encode()) for at in range(20)]  # noqa: E731
        threads = [threading.Thread(target=write, args=[f"{at}"]) for at in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert {path.name: path.read_text() for path in root.iterdir()} == dict.fromkeys("0123", "19")


def test_the_lock_is_that_of_the_rust_host(root: Path) -> None:
    with onionskin.open_store(root):
        ran = program("recover", "root", cwd=root.parent)
        assert ran.returncode == 1 and "another owner" in ran.stderr, ran
    assert program("recover", "root", cwd=root.parent).returncode == 0


def test_a_killed_owner_keeps_nobody_out(root: Path) -> None:
    code = f"import onionskin; store = onionskin.open_store({str(root)!r}); print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        owner.stdout.readline()
        with pytest.raises(onionskin.LockedError):
            onionskin.open_store(root)
        owner.send_signal(signal.SIGKILL)
    onionskin.open_store(root).close()


def test_one_that_waits_gets_its_turn(root: Path) -> None:
    code = f"import onionskin; store = onionskin.open_store({str(root)!r}); print(flush=True); input(); store.close()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdin is not None and owner.stdout is not None
        owner.stdout.readline()
        with pytest.raises(onionskin.LockedError):
            onionskin.open_store(root, wait=0.05)
        end = threading.Timer(0.2, owner.stdin.close)
        end.start()
        onionskin.open_store(root, wait=120).close()
        end.join()


def test_a_transaction_has_conditions(root: Path) -> None:
    (root / "d").mkdir()
    (root / "d" / "read").write_text("old")
    with onionskin.open_store(root) as store:
        seen = store.fingerprint("d/read", "digest")
        with store.transaction("d") as change:
            change.expect("read", ("unchanged", seen))
            change.put("a", b"first")
        (root / "d" / "read").write_text("of others")
        with pytest.raises(onionskin.PreconditionFailedError) as raised, store.transaction("d") as change:
            change.expect("read", ("unchanged", seen))
            change.expect("a", "absent")
            change.put("a", b"second")
        assert "d/a" in str(raised.value) and "d/read" in str(raised.value)
    assert (root / "d" / "a").read_text() == "first"


def test_a_name_that_is_not_utf8_is_refused_and_kept(root: Path) -> None:
    (root / "d").mkdir()
    odd = os.fsencode(root / "d") + b"/\xff"
    Path(os.fsdecode(odd)).write_text("kept")
    with onionskin.open_store(root) as store:
        with pytest.raises(onionskin.IllegalNameError), store.transaction("d", publish="swap") as change:
            change.put("a", b"a")
        with store.transaction("d") as change:
            change.put("a", b"a")
    assert os.listdir(os.fsencode(root / "d")).count(b"\xff") == 1


def test_a_lock_file_and_the_lock_of_the_system_are_two_things(root: Path) -> None:
    with onionskin.open_store(root):
        onionskin.open_store(root, token="owner").close()
    with onionskin.open_store(root, token="owner"), pytest.raises(onionskin.LockedError) as raised:
        onionskin.open_store(root)
    assert raised.value.subject == "owner"


def test_a_root_that_may_only_be_read_is_told(root: Path) -> None:
    with _guest.guest([], [root]) as instance:
        abilities = instance.call("capabilities", "probe", str(root))
    assert abilities.tier == "refused"
    assert abilities.reason.startswith("it is granted for reading alone, or the system refuses: ")


STOPS = 40


@pytest.mark.parametrize("publish", ["in-place", "swap", "pointer"])
def test_what_a_stop_left_is_recovered_by_the_rust_host(publish: str, tmp_path: Path, fuelled: None) -> None:
    def world(name: str) -> Path:
        for path, text in [("keep", "keep"), ("a", "old"), ("gone", "gone")]:
            place = tmp_path / name / "root/d" / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
        return tmp_path / name

    def change(world: Path, fuel: int) -> int:
        store = onionskin.open_store(world / "root")
        engine = store._guest.engine
        engine.set_fuel(fuel)
        try:
            with store.transaction("d", publish=publish) as change:
                change.put("a", b"new")
                change.put("e/b", b"b")
                change.remove("gone")
        finally:
            left = engine.get_fuel()
            store.close()
        return fuel - left

    old = look(world("old"))
    whole = change(world("new"), 10**12)
    new = look(tmp_path / "new")
    came = []
    for stop in range(STOPS):
        stopped = world(str(stop))
        with pytest.raises(onionskin.StoppedError):
            change(stopped, whole * stop // STOPS)
        assert program("recover", "root", cwd=stopped).returncode == 0
        came.append(look(stopped))
        assert came[-1] in (old, new), stop
    assert old in came and new in came


def test_originals_stay_whatever_is_written_over_their_links(tmp_path: Path) -> None:
    cache, root = tmp_path / "cache", tmp_path / "root"
    cache.mkdir(), root.mkdir()
    with sqlite3.connect(cache / "facts.db") as database:
        database.execute("CREATE TABLE facts (fact TEXT)")
    database.close()
    (cache / "model.pickle").write_bytes(pickle.dumps({"weights": [1, 2, 3]}))
    before = {path.name: path.read_bytes() for path in cache.iterdir()}
    for name in before:
        (root / name).symlink_to(cache / name)
    with onionskin.open_store(root, lower=[cache]) as store:
        store.materialize("facts.db")
        store.replace("model.pickle", pickle.dumps({"weights": []}))
    with sqlite3.connect(root / "facts.db") as database:
        database.execute("INSERT INTO facts VALUES ('its own')")
    database.close()
    assert pickle.loads((root / "model.pickle").read_bytes()) == {"weights": []}
    assert {path.name: path.read_bytes() for path in cache.iterdir()} == before


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """The directory in which a program of the README runs."""
    here = Path.cwd()
    os.chdir(tmp_path)
    yield tmp_path
    os.chdir(here)


def test_the_program_of_the_readme(elsewhere: Path) -> None:
    readme = (REPOSITORY / "host/python/README.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)```", readme, re.DOTALL)
    assert code is not None
    (elsewhere / "store/conv-1").mkdir(parents=True)
    (elsewhere / "store/conv-1/draft.json").write_text("{}")
    (elsewhere / "cache").mkdir()
    (elsewhere / "cache/facts.db").write_text("facts")
    (elsewhere / "store/facts.db").symlink_to(elsewhere / "cache/facts.db")
    (elsewhere / "changes").mkdir()
    (elsewhere / "project").mkdir()
    (elsewhere / "project/notes.txt").write_text("a line\n")
    exec(compile(code[1], "README.md", "exec"), {})
    assert files(elsewhere / "project") == {"notes.txt": "a line\nanother line\n"}
    (elsewhere / "store").rename(elsewhere / "root")
    tree = look(elsewhere)
    assert tree["links"] == [] and tree["left"] == []
    assert tree["files"].keys() == {"today.json", "facts.db", "conv-1/metadata.json", "conv-1/events.json"}

