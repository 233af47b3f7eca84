"""Plays the scenario of all hosts through the host in C: `test.py PLAY COMPONENT`, with the program `onionskin` in ONIONSKIN."""

import itertools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

SCENARIO = json.loads((Path(__file__).parents[2] / "tests/scenario/store.json").read_text(encoding="utf-8"))
CALLS_MAX = 300
# Of the calls at which another host is stopped, every third one.
STRIDE = 3


class Play:
    """The program, as a process that makes calls."""

    def __init__(self, program, component):
        self.process = subprocess.Popen([program, component], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def call(self, *fields):
        def encoded(field):
            raw = field if isinstance(field, bytes) else None if field is None else str(field).encode()
            return "-" if raw is None else raw.hex() or "="

        self.process.stdin.write((" ".join(map(encoded, fields)) + "\n").encode())
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"the program ended: {self.process.wait()}"
        return json.loads(line)


def build(world, before):
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


def files(directory):
    found = {}
    for at, _, names in os.walk(directory, followlinks=True):
        for place in (Path(at, name) for name in names):
            path = place.relative_to(directory).as_posix()
            if not path.startswith(".onionskin") and place.exists():
                found[path] = place.read_text(encoding="utf-8")
    return found


def look(world):
    root, control = world / "root", world / "root/.onionskin"
    links = sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_symlink())
    return {"files": files(root), "links": links, "left": sorted(os.listdir(control)) if control.exists() else []}


def data(value):
    return (value if isinstance(value, str) else value["repeat"][0] * value["repeat"][1]).encode()


def covers(answer, wanted):
    if isinstance(wanted, list):
        return len(answer) == len(wanted) and all(map(covers, answer, wanted))
    plain = {name: bytes(it).hex() if name == "digest" and it else it for name, it in answer.items()}
    return all(plain[name] == value for name, value in wanted.items())


def how(step):
    given = step.get("how", {})
    return [given.get(name) for name in ("durability", "symlinks", "when", "if-identical")]


def in_component(path):
    return f"/{path}"


def run(play, world, step):
    root, call, path = world / "root", step["call"], step.get("path")
    match call:
        case "open":
            return play.call("open", root, world / "lower", step.get("token"))
        case "probe" | "inspect":
            return play.call(call, root)
        case "break-lock":
            return play.call(call, root, step["token"])
        case "fingerprint":
            return play.call(call, path)
        case "replace":
            return play.call(call, path, data(step["data"]), *how(step))
        case "replace-json":
            return play.call(call, path, step["json"], *how(step))
        case "materialize":
            source = step.get("source")
            return play.call(call, path, source and in_component(source), step.get("content"))
        case "writer":
            calls = [("writer", path, *how(step))]
            for chunk in step["chunks"]:
                if isinstance(chunk, str):
                    calls.append(("chunk", chunk))
                else:
                    calls.append(("chunk-from", in_component(chunk["from"]), chunk["offset"], chunk["length"]))
            end = "writer-drop" if step.get("drop") else "writer-commit"
            return several(play, calls, end, "writer-drop")
        case "transaction":
            given = step.get("how", {})
            calls = [("begin", step["directory"], given.get("publish"), given.get("durability"))]
            for change, path, *rest in step["changes"]:
                rest = [in_component(*rest)] if change == "put-file" else [data(one) for one in rest]
                calls.append((change, path, *rest))
            return several(play, calls, "drop" if step.get("drop") else "commit", "drop")
    raise AssertionError(step)


def several(play, calls, end, on_failure):
    for number, call in enumerate(calls):
        answer = play.call(*call)
        if "fails" in answer:
            if number > 0:
                play.call(on_failure)
            return answer
    return play.call(end)


def play_case(play, case):
    with tempfile.TemporaryDirectory() as place:
        world = Path(place)
        build(world, case["before"])
        if not case.get("closed"):
            opened = play.call("store", world / "root", world / "lower", case.get("token"))
            assert "gives" in opened, opened
        for step in case["steps"]:
            answer, fails = run(play, world, step), step.get("fails")
            assert ("fails" in answer) == (fails is not None), (step, answer)
            wanted = step.get("gives") if fails is None else fails
            assert wanted is None or covers(answer["gives" if fails is None else "fails"], wanted), (step, answer)
        play.call("end")
        wanted = {"links": [], "left": []} | case["after"]
        assert look(world) == wanted, (look(world), wanted)
        for path, content in case.get("lower", {}).items():
            assert (world / "lower" / path).read_text(encoding="utf-8") == content, path


def play_crash(play, scene):
    """Opens a root at which the program `onionskin` was stopped before one of its calls."""
    for call in itertools.count(1, STRIDE):
        assert call < CALLS_MAX
        with tempfile.TemporaryDirectory() as place:
            world = Path(place)
            build(world, scene["before"])
            command = [os.environ["ONIONSKIN"], "--crash-at", str(call), *scene["command"]]
            given = scene.get("input", "").encode()
            ended = subprocess.run(command, cwd=world, input=given, capture_output=True, check=False).returncode
            opened = play.call("open", world / "root", world / "lower", None)
            assert "gives" in opened, opened
            found = look(world)
            old, new = ({"links": [], "left": []} | scene[name] for name in ("old", "new"))
            old["links"] = sorted(path[5:] for path, it in scene["before"].items() if not isinstance(it, str))
            assert found == new or (ended == 70 and found == old), (call, found)
            if ended != 70:
                return call


def main():
    play = Play(sys.argv[1], sys.argv[2])
    for case in SCENARIO["cases"]:
        play_case(play, case)
        print(f"ok: {case['name']}")
    for scene in SCENARIO["crashes"]:
        print(f"ok: {scene['name']}, stopped at every third of {play_crash(play, scene)} calls")
    play.process.stdin.close()
    assert play.process.wait() == 0


main()
