"""The scenario that all hosts run, and the recovery after a crash of another host."""

import itertools
import json
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import onionskin
import pytest
from conftest import SCENARIO, onionskin as program

SCENES = json.loads(SCENARIO.read_text(encoding="utf-8"))
CALLS_MAX = 300


def build(world: Path, before: dict[str, Any]) -> None:
    for name in ("root", "lower"):
        (world / name).mkdir(parents=True)
    for path, entry in before.items():
        place = world / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(entry, str):
            place.write_text(entry, encoding="utf-8")
        else:
            text = entry["link"]
            place.symlink_to(world / text[1:] if text.startswith("/") else text)


def files(directory: Path) -> dict[str, str]:
    found = {}
    for at, _, names in os.walk(directory, followlinks=True):
        for name in names:
            place = Path(at, name)
            path = place.relative_to(directory).as_posix()
            if not path.startswith(".onionskin") and place.exists():
                found[path] = place.read_text(encoding="utf-8")
    return found


def look(world: Path) -> dict[str, Any]:
    root = world / "root"
    control = root / ".onionskin"
    links = [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_symlink()]
    left = os.listdir(control) if control.exists() else []
    return {"files": files(root), "links": sorted(links), "left": sorted(left)}


def expected(tree: dict[str, Any]) -> dict[str, Any]:
    return {"links": [], "left": []} | tree


def data(value: Any) -> bytes:
    text = value if isinstance(value, str) else value["repeat"][0] * value["repeat"][1]
    return text.encode()


def plain(answer: Any) -> Any:
    """Encodes a result by the names of the contract."""
    if isinstance(answer, list | tuple):
        return [plain(one) for one in answer]
    if isinstance(answer, bytes):
        return answer.hex()
    if hasattr(answer, "__dataclass_fields__"):
        return {name.replace("_", "-"): plain(value) for name, value in vars(answer).items()}
    return answer


def covers(answer: Any, wanted: Any) -> bool:
    """Returns whether a result has the expected fields; lists are compared element by element."""
    if isinstance(wanted, list):
        return len(answer) == len(wanted) and all(map(covers, answer, wanted))
    return all(answer[name] == value for name, value in wanted.items())


class Runner:
    def __init__(self, world: Path, case: dict[str, Any]) -> None:
        self.world = world
        self.store = None if case.get("closed") else self.open(case)
        self.seen: dict[str, tuple[str, onionskin.Fingerprint]] = {}

    def open(self, how: dict[str, Any]) -> onionskin.Store:
        return onionskin.open_store(self.world / "root", lower=[self.world / "lower"], token=how.get("token"))

    def run(self, step: dict[str, Any]) -> Any:
        root = self.world / "root"
        match step["call"]:
            case "open":
                with self.open(step) as store:
                    return store.recovered()
            case "probe":
                return onionskin.probe(root)
            case "inspect":
                return onionskin.inspect(root)
            case "break-lock":
                return onionskin.break_lock(root, step["token"])
            case "fingerprint":
                return self.store.fingerprint(step["path"], "digest")
            case "replace":
                return self.store.replace(step["path"], data(step["data"]), **self.how(step))
            case "replace-json":
                return self.store.replace_json(step["path"], step["json"], **self.how(step))
            case "materialize":
                content = step.get("content")
                source = step.get("source")
                return self.store.materialize(
                    step["path"],
                    source=source and self.world / source,
                    content=None if content is None else data(content),
                )
            case "writer":
                return self.writer(step)
            case "transaction":
                return self.transaction(step)
        raise AssertionError(step)

    def how(self, step: dict[str, Any]) -> dict[str, Any]:
        how = {name.replace("-", "_"): value for name, value in step.get("how", {}).items()}
        if how.get("when") == "as-seen":
            how["when"] = ("unchanged", self.store.fingerprint(step["path"], "digest"))
            self.seen[step["path"]] = how["when"]
        if how.get("when") == "as-first-seen":
            how["when"] = self.seen[step["path"]]
        return how

    def writer(self, step: dict[str, Any]) -> onionskin.Receipt | None:
        writer = self.store.writer(step["path"], **self.how(step))
        for chunk in step["chunks"]:
            if isinstance(chunk, str):
                writer.write(chunk.encode())
            else:
                writer.write_from(self.world / chunk["from"], chunk["offset"], chunk["length"])
        return writer.drop() if step.get("drop") else writer.commit()

    def transaction(self, step: dict[str, Any]) -> onionskin.Receipt | None:
        change = self.store.transaction(step["directory"], **step.get("how", {}))
        for call, path, *rest in step["changes"]:
            match call:
                case "put":
                    change.put(path, data(*rest))
                case "append":
                    change.append(path, data(*rest))
                case "put-file":
                    change.put_file(path, self.world / rest[0])
                case "remove":
                    change.remove(path)
                case "rename":
                    change.rename(path, *rest)
        return change.drop() if step.get("drop") else change.commit()


@pytest.mark.parametrize("case", SCENES["cases"], ids=lambda case: case["name"])
def test_case(case: dict[str, Any], tmp_path: Path) -> None:
    world = tmp_path.resolve()
    build(world, case["before"])
    runner = Runner(world, case)
    with runner.store or ExitStack():
        for step in case["steps"]:
            if "fails" in step:
                with pytest.raises(onionskin.OnionskinError) as raised:
                    runner.run(step)
                answer = {"kind": raised.value.kind, "subject": raised.value.subject}
                assert covers(answer, step["fails"]), (step, answer, str(raised.value))
            else:
                answer = plain(runner.run(step))
                assert covers(answer, step.get("gives", {})), (step, answer)
    assert look(world) == expected(case["after"])
    if "lower" in case:
        assert files(world / "lower") == case["lower"]


@pytest.mark.parametrize("case", SCENES["crashes"], ids=lambda case: case["name"])
def test_what_the_rust_host_left_is_recovered(case: dict[str, Any], tmp_path: Path) -> None:
    old, new = expected(case["old"]), expected(case["new"])
    came = []
    for call in itertools.count(1):
        world = tmp_path.resolve() / str(call)
        build(world, case["before"])
        command = ["--crash-at", str(call), *case["command"]]
        ran = program(*command, cwd=world, input=case.get("input", ""))
        with onionskin.open_store(world / "root") as store:
            verdicts = {finding.verdict for finding in store.recovered()}
        now = look(world)
        assert now in (old, new), (call, ran.stderr)
        if ran.returncode == 0:
            assert now == new
            break
        assert ran.returncode == 70 and call < CALLS_MAX, ran
        assert verdicts <= {"swept", "rolled-forward"}
        assert "rolled-forward" not in verdicts or now == new
        came.append(now)
    assert old in came and new in came
