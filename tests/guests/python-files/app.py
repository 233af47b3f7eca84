"""Works on the files of ``/data`` with what Python has for that: a program that knows nothing of layers."""

import gzip
import json
import os
import pathlib
import pickle
import shutil
import sys

from wit_world import exports

DATA = pathlib.Path("/data")


def tell(what, run):
    """Prints what came of it, or which error."""
    try:
        print(f"{what}: {run()!r}")
    except OSError as error:
        print(f"{what}: {type(error).__name__} {error.errno}")


def changed(path):
    with path.open("r+") as file:
        file.seek(2)
        file.write("XX")
        file.seek(0)
        return file.read()


def appended(path):
    with path.open("a") as file:
        file.write("appended\n")
    return path.read_text()


def pickled(path):
    with gzip.open(path) as file:
        values = pickle.load(file)
    values["seen"] += 1
    with gzip.GzipFile(path, "wb", mtime=0) as file:
        pickle.dump(values, file)
    return values


def safely(path, value):
    """The classic way to write a file whole: another one, renamed."""
    draft = path.with_suffix(".tmp")
    with draft.open("w") as file:
        json.dump(value, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)
    return json.loads(path.read_text())


def walked():
    return sorted((str(pathlib.Path(at) / name)) for at, below, files in os.walk(DATA) for name in below + files)


class Run(exports.Run):
    def run(self):
        tell("listed", lambda: sorted(os.listdir(DATA)))
        tell("read", (DATA / "notes.txt").read_text)
        tell("missing", (DATA / "missing").read_text)
        tell("changed", lambda: changed(DATA / "notes.txt"))
        tell("appended", lambda: appended(DATA / "notes.txt"))
        tell("pickled", lambda: pickled(DATA / "values.pickle.gz"))
        tell("safely", lambda: safely(DATA / "settings.json", {"one": 1}))
        tell("exclusive", lambda: (DATA / "notes.txt").open("x"))
        tell("made", lambda: (DATA / "made/deep").mkdir(parents=True))
        tell("copied", lambda: shutil.copyfile(DATA / "notes.txt", DATA / "made/deep/notes.txt"))
        tell("tree copied", lambda: shutil.copytree(DATA / "tree", DATA / "made/tree", copy_function=shutil.copyfile))
        tell("moved", lambda: os.rename(DATA / "tree/leaf", DATA / "made/leaf"))
        tell("tree moved", lambda: os.rename(DATA / "tree", DATA / "made/tree2"))
        tell("removed", (DATA / "gone.txt").unlink)
        tell("again", (DATA / "gone.txt").unlink)
        tell("tree removed", lambda: shutil.rmtree(DATA / "made/tree"))
        tell("link", lambda: os.symlink("notes.txt", DATA / "link"))
        tell("through the link", (DATA / "link").read_text)
        tell("size", lambda: (DATA / "notes.txt").stat().st_size)
        tell("cut", lambda: os.truncate(DATA / "notes.txt", 5))
        tell("walked", walked)
        sys.stdout.flush()
