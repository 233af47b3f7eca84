"""The workspace scenario that all hosts run, and the recovery after a crash of another host."""

import itertools
import json
import os
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any

import onionskin
import pytest
from conftest import REPOSITORY, onionskin as program
from onionskin._guest import is_own
from test_scenario import CALLS_MAX, build, covers, data, files, plain

STEP = 3
"""The number of calls from one crash point to the next: each takes six runs of a program."""
SCENES = json.loads((REPOSITORY / "tests/scenario/workspace.json").read_text(encoding="utf-8"))


def tree(workspace: onionskin.Workspace) -> dict[str, Any]:
    def shown(path: str, kind: str) -> Any:
        match kind:
            case "file":
                with workspace.open(path) as file:
                    return file.read()
            case "symlink":
                return {"link": workspace.read_link(path)}
        return {}

    return {path: shown(path, entry.kind) for path, entry in workspace.walk()}


class Runner:
    def __init__(self, world: Path, case: dict[str, Any]) -> None:
        self.world = world
        for place in ("upper", "new-upper", "out"):
            (world / place).mkdir()
        self.lowers = case.get("lowers", ["lower"])
        self.quota = {f"max_{name}": value for name, value in case.get("quota", {}).items()}
        self.workspace = None if case.get("closed") else self.open(self.lowers)

    def open(self, lowers: Any = (), **how: Any) -> onionskin.Workspace:
        lower = [self.world / lower for lower in lowers]
        return onionskin.workspace(self.world / "upper", lower=lower, **how, **self.quota)

    def run(self, call: str, of: str | None = None, **given: Any) -> Any:
        world = self.world
        match call:
            case "create":
                with self.open(self.lowers) as made:
                    return made.recovered()
            case "open":
                with self.open(**given) as opened:
                    return opened.recovered()
            case "files":
                return files(world / given["place"])
            case "edit":
                (world / given["place"]).write_text(given["data"])
                return None
        if "data" in given:
            given["data"] = data(given["data"])
        if "except" in given:
            given["exclude"] = given.pop("except")
        with onionskin.workspace(world / of) if of else nullcontext(self.workspace) as workspace:
            assert workspace is not None
            match call:
                case "tree":
                    return tree(workspace)
                case "read":
                    return workspace.read(**given).decode()
                case "list":
                    return [*workspace.iterdir(given["path"])]
                case "changes":
                    shown = ("path", "what", "kind", "size")
                    return [{name: plain(getattr(change, name)) for name in shown} for change in workspace.changes(**given)]
                case "rename":
                    return workspace.rename(given["path"], given["to"])
                case "export":
                    return workspace.export(world / given["to"])
                case "fork":
                    return workspace.fork(world / given["to"]).close()
                case "restore" | "drop-checkpoint":
                    return getattr(workspace, call.replace("-", "_"))(given["number"])
            return getattr(workspace, call.replace("-", "_"))(**given)


@pytest.mark.parametrize("case", SCENES["cases"], ids=lambda case: case["name"])
def test_case(case: dict[str, Any], tmp_path: Path) -> None:
    world = tmp_path.resolve()
    build(world, case["before"])
    lower = files(world / "lower")
    runner = Runner(world, case)
    with runner.workspace or ExitStack():
        for step in case["steps"]:
            given = {name: value for name, value in step.items() if name not in ("is", "gives", "fails")}
            if "fails" in step:
                with pytest.raises(onionskin.OnionskinError) as raised:
                    runner.run(**given)
                answer = {"kind": raised.value.kind, "subject": raised.value.subject}
                assert covers(answer, step["fails"]), (step, answer, str(raised.value))
                continue
            answer = plain(runner.run(**given))
            if "is" in step:
                assert answer == step["is"], step
            assert covers(answer, step.get("gives", {})), (step, answer)
    assert files(world / "lower") == case.get("lower", lower)


def prepared(world: Path, case: dict[str, Any]) -> Path:
    """Creates the world of a crash, with a workspace of the Rust host."""
    build(world, case["before"])
    (world / "upper").mkdir()
    for setup in case["setup"]:
        ran = program(*setup["command"], cwd=world, input=setup.get("input", ""))
        assert ran.returncode == 0, ran
    return world


@pytest.mark.parametrize("case", SCENES["crashes"], ids=lambda case: case["name"])
def test_what_the_rust_host_left_is_recovered(case: dict[str, Any], tmp_path: Path) -> None:
    came = []
    for call in itertools.count(1, STEP):
        world = prepared(tmp_path.resolve() / str(call), case)
        ran = program("--crash-at", str(call), *case["command"], cwd=world)
        with onionskin.workspace(world / "upper") as workspace:
            changes = [change.path for change in workspace.changes()]
        now = files(world / "lower")
        assert (now, changes) in [(case["old"], case["changes"]), (case["new"], [])], (call, ran.stderr)
        if ran.returncode == 0:
            assert now == case["new"]
            break
        assert ran.returncode == 70 and call < CALLS_MAX, ran
        came.append(now)
    assert case["old"] in came and case["new"] in came


STOPS = 25


@pytest.mark.parametrize("case", SCENES["crashes"], ids=lambda case: case["name"])
def test_what_a_stop_left_is_recovered_by_the_rust_host(case: dict[str, Any], tmp_path: Path, fuelled: None) -> None:
    def commit(world: Path, fuel: int) -> int:
        """Commits with this much fuel, and returns the amount used."""
        used = 0

        def call(workspace: onionskin.Workspace, name: str, *given: Any) -> Any:
            nonlocal used
            if name != "commit":
                return usual(workspace, name, *given)
            engine = workspace._guest.engine
            engine.set_fuel(fuel)
            try:
                return usual(workspace, name, *given)
            finally:
                used = fuel - engine.get_fuel()
                engine.set_fuel(10**12)

        with pytest.MonkeyPatch.context() as patch, onionskin.workspace(world / "upper") as workspace:
            usual = onionskin.Workspace._call
            patch.setattr(onionskin.Workspace, "_call", call)
            workspace.commit()
        return used

    whole = commit(prepared(tmp_path.resolve() / "whole", case), 10**12)
    came = []
    for stop in range(STOPS):
        world = prepared(tmp_path.resolve() / str(stop), case)
        with pytest.raises(onionskin.StoppedError):
            commit(world, whole * stop // STOPS)
        assert program("recover", "upper", cwd=world).returncode == 0
        ran = program("workspace", "changes", "upper", cwd=world)
        now, is_committed = files(world / "lower"), ran.stdout == ""
        assert ran.returncode == 0 and now == (case["new"] if is_committed else case["old"]), (stop, ran)
        came.append(is_committed)
    assert True in came and False in came


def test_content_of_any_size_comes_and_goes_whole(tmp_path: Path) -> None:
    """The package `wasmtime` stops a component that returns more than 2 MiB in one call."""
    upper, lower = tmp_path / "upper", tmp_path / "lower"
    upper.mkdir()
    lower.mkdir()
    content = bytes(range(256)) * 20_001
    (lower / "original").write_bytes(content)
    with onionskin.workspace(upper, lower=[lower]) as workspace:
        assert workspace.read("original", 0, len(content)) == content
        assert workspace.read("original", 7, 3_000_000) == content[7:3_000_007]
        assert workspace.read("original", len(content) - 5, 2**32) == content[-5:]
        workspace.put("put", content)
        with workspace.open("copy", "wb") as copy, workspace.open("put", "rb") as file:
            copy.write(file.read())
        assert workspace.read("copy", 0, 2**32) == content
        workspace.commit()
    assert (lower / "copy").read_bytes() == content


def test_what_a_block_wrote_is_given_up_when_it_fails(tmp_path: Path) -> None:
    upper, lower = tmp_path / "upper", tmp_path / "lower"
    upper.mkdir()
    lower.mkdir()
    (lower / "note").write_text("old")
    with onionskin.workspace(upper, lower=[lower]) as workspace:
        with workspace.open("note") as note:
            assert note.read() == "old"
        with pytest.raises(KeyError), workspace.open("note", "w") as note:
            note.write("lost")
            raise KeyError
        with pytest.raises(FileNotFoundError), workspace.open("missing"):
            pass
        assert [*workspace.changes()] == []
        with workspace.open("note", "a") as note:
            note.write(", and new")
        assert workspace.read("note", 0, 100) == b"old, and new"


def test_a_limit_is_remembered(tmp_path: Path) -> None:
    upper, lower = tmp_path / "upper", tmp_path / "lower"
    upper.mkdir()
    lower.mkdir()
    with onionskin.workspace(upper, lower=[lower]) as workspace:
        workspace.set_quota(onionskin.Quota(bytes=8, entries=None))
    with onionskin.workspace(upper) as workspace:
        assert (workspace.quota().bytes, workspace.quota().entries) == (8, None)
        with pytest.raises(onionskin.LimitExceededError):
            workspace.put("note", b"more than eight")
        workspace.put("note", b"eight")


def test_temporary_names_are_nobody_elses(tmp_path: Path) -> None:
    """No file of the tree is written over by what is staged, and two files of one name are two."""
    (tmp_path / "lower" / "a").mkdir(parents=True)
    (tmp_path / "lower" / "b").mkdir()
    (tmp_path / "up").mkdir()
    for path in ["notes.txt", ".notes.txt.new", "a/db", "b/db"]:
        (tmp_path / "lower" / path).write_text(f"{path} as it was")
    (tmp_path / "lower" / "link").symlink_to("notes.txt")
    with onionskin.workspace(tmp_path / "up", lower=[tmp_path / "lower"]) as shown:
        with shown.open("notes.txt", "w") as file:
            file.write("new")
        assert shown.read(".notes.txt.new", 0, 100) == b".notes.txt.new as it was"
        with shown.checkout("a/db", "b/db") as real:
            assert real.read_text() == "a/db as it was"
            real.write_text("a/db now")
        assert shown.read("a/db", 0, 100) == b"a/db now"
        assert shown.read("b/db", 0, 100) == b"b/db as it was"
        shown.materialize("link", tmp_path / "lower" / "notes.txt")
        assert sorted(path for path, _ in shown.walk()) == [
            ".notes.txt.new", "a", "a/db", "b", "b/db", "link", "notes.txt",
        ]
        assert shown.stat("link").kind == "file"
        with pytest.raises(onionskin.InvalidPathError), shown.checkout("../outside"):
            pass
    assert not (tmp_path / "outside").exists()


def test_compiled_code_of_others_is_not_run(tmp_path: Path) -> None:
    """A cache that somebody else could have written is not used."""
    cache = tmp_path / "cache" / "wasmtime"
    assert is_own(cache)
    cache.mkdir(parents=True, mode=0o700)
    (cache / "code").write_bytes(b"")
    (cache / "code").chmod(0o600)
    assert is_own(cache)
    for path, mode in [(cache, 0o777), (cache.parent, 0o770), (cache / "code", 0o666)]:
        before = path.stat().st_mode
        path.chmod(mode)
        assert not is_own(cache), path
        path.chmod(before)
    assert is_own(cache)
    (tmp_path / "link").symlink_to(cache)
    assert not is_own(tmp_path / "link")
    if os.geteuid() == 0:
        os.chown(cache / "code", 4711, 4711)
        assert not is_own(cache)
