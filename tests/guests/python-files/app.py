"""Works on the files of ``/data`` with the standard library of Python: a program without knowledge of layers."""

import gzip
import json
import os
import pathlib
import pickle
import shutil
import sys

from wit_world import exports

DATA = pathlib.Path("/data")


def report(label, run):
    """Prints the result, or the error."""
    try:
        print(f"{label}: {run()!r}")
    except OSError as error:
        print(f"{label}: {type(error).__name__} {error.errno}")


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
        report("listed", lambda: sorted(os.listdir(DATA)))
        report("read", (DATA / "notes.txt").read_text)
        report("missing", (DATA / "missing").read_text)
        report("changed", lambda: changed(DATA / "notes.txt"))
        report("appended", lambda: appended(DATA / "notes.txt"))
        report("pickled", lambda: pickled(DATA / "values.pickle.gz"))
        report("safely", lambda: safely(DATA / "settings.json", {"one": 1}))
        report("exclusive", lambda: (DATA / "notes.txt").open("x"))
        report("made", lambda: (DATA / "made/deep").mkdir(parents=True))
        report("copied", lambda: shutil.copyfile(DATA / "notes.txt", DATA / "made/deep/notes.txt"))
        report("tree copied", lambda: shutil.copytree(DATA / "tree", DATA / "made/tree", copy_function=shutil.copyfile))
        report("moved", lambda: os.rename(DATA / "tree/leaf", DATA / "made/leaf"))
        report("tree moved", lambda: os.rename(DATA / "tree", DATA / "made/tree2"))
        report("removed", (DATA / "gone.txt").unlink)
        report("again", (DATA / "gone.txt").unlink)
        report("tree removed", lambda: shutil.rmtree(DATA / "made/tree"))
        report("link", lambda: os.symlink("notes.txt", DATA / "link"))
        report("through the link", (DATA / "link").read_text)
        report("size", lambda: (DATA / "notes.txt").stat().st_size)
        report("cut", lambda: os.truncate(DATA / "notes.txt", 5))
        report("walked", walked)
        sys.stdout.flush()
