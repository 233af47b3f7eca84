"""A data application: its files are links into a cache, and ordinary libraries rewrite them."""

import gzip
import hashlib
import pickle
import sqlite3
from pathlib import Path

import onionskin
import polars
import pytest

NAMES = ["facts.db", "model.pickle.gz", "people.parquet", "plain.parquet"]


def fill(cache: Path) -> None:
    with sqlite3.connect(cache / "facts.db") as database:
        database.execute("CREATE TABLE facts (fact TEXT)")
        database.executemany("INSERT INTO facts VALUES (?)", [(f"fact {number}",) for number in range(500)])
    database.close()
    with gzip.open(cache / "model.pickle.gz", "wb") as file:
        pickle.dump({"weights": list(range(1000))}, file)
    for name in ("people.parquet", "plain.parquet"):
        polars.DataFrame({"name": ["Ada", "Grace"], "age": [36, 85]}).write_parquet(cache / name)


def reprocess(changed: onionskin.Workspace, project: Path) -> None:
    """Runs the application, which opens no file of the project for writing."""
    for name in NAMES:
        if changed.stat(name).kind == "symlink":
            changed.materialize(name, project / name)

    with changed.open("model.pickle.gz", "rb") as raw, gzip.open(raw) as file:
        model = pickle.load(file)
    model["weights"].append(-1)
    with changed.open("model.new", "wb") as raw, gzip.open(raw, "wb") as file:
        pickle.dump(model, file)
    changed.rename("model.new", "model.pickle.gz")

    for name in ("people.parquet", "plain.parquet"):
        with changed.open(name, "rb") as file:
            people = polars.read_parquet(file)
        with changed.open("people.new", "wb") as file:
            people.with_columns(polars.col("age") + 1).write_parquet(file)
        changed.rename("people.new", name)

    with changed.checkout("facts.db", "facts.db-wal") as path:
        database = sqlite3.connect(path)
        database.execute("PRAGMA journal_mode = wal")
        database.execute("INSERT INTO facts VALUES ('its own')")
        database.commit()
        database.close()


def read(project: Path) -> tuple[int, int, list[list[int]]]:
    """Returns the content that the libraries read from the files."""
    with sqlite3.connect(project / "facts.db") as database:
        [[facts]] = database.execute("SELECT count(*) FROM facts")
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    database.close()
    with gzip.open(project / "model.pickle.gz") as file:
        weights = len(pickle.load(file)["weights"])
    ages = [polars.read_parquet(project / name)["age"].to_list() for name in ("people.parquet", "plain.parquet")]
    return facts, weights, ages


def picture(*directories: Path) -> dict[Path, str]:
    """Each file by its digest, and each link by its text."""
    found = (path for directory in directories for path in directory.rglob("*"))
    show = lambda path: str(path.readlink()) if path.is_symlink() else hashlib.sha256(path.read_bytes()).hexdigest()  # noqa: E731
    return {path: show(path) for path in found}


@pytest.mark.parametrize("end", ["commit", "discard"])
def test_originals_stay_whatever_the_libraries_write(end: str, tmp_path: Path) -> None:
    cache, project, upper = tmp_path / "cache", tmp_path / "project", tmp_path / "upper"
    for directory in (cache, project, upper):
        directory.mkdir()
    fill(cache)
    (project / "facts.db").symlink_to(cache / "facts.db")
    (project / "model.pickle.gz").symlink_to(cache / "model.pickle.gz")
    (project / "people.parquet").symlink_to("../cache/people.parquet")
    (project / "plain.parquet").write_bytes((cache / "plain.parquet").read_bytes())
    originals, before = picture(cache), picture(cache, project)
    assert read(project) == (500, 1000, [[36, 85], [36, 85]])

    with onionskin.workspace(upper, lower=[project]) as changed:
        reprocess(changed, project)
        assert picture(cache, project) == before
        assert [change.path for change in changed.changes()] == NAMES
    with onionskin.workspace(upper) as changed:
        if end == "commit":
            changed.commit()
        else:
            changed.discard()

    assert picture(cache) == originals
    if end == "commit":
        assert read(project) == (501, 1001, [[37, 86], [37, 86]])
        assert sorted(path.name for path in project.iterdir() if not path.is_symlink()) == NAMES
    else:
        assert picture(cache, project) == before
