"""State folders of the past and of the future: copies of kept ones, with any schema number, and a snapshot of their files."""

import contextlib
import json
import shutil
import sqlite3
from pathlib import Path

VECTORS = Path(__file__).parents[1] / "vectors" / "state"
SITE = VECTORS / "site"
VERSION = "0.1.0"


def kept(name: str, folder: Path) -> Path:
    """A copy in `folder` of the state folder `name` of 0.1.0."""
    return Path(shutil.copytree(VECTORS / VERSION / name, folder / name))


def number_store(path: Path, number: int) -> None:
    """Give a store a schema number, as the program that knows it does."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA user_version={number}")


def number_folder(folder: Path, number: int, version: str = "9.0.0") -> None:
    """Give a folder a schema number."""
    (folder / "state.json").write_text(json.dumps({"schema": number, "version": version}), encoding="utf-8")


def number_of_store(path: Path) -> int:
    """The schema number of a store, as SQLite reads it."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        (number,) = database.execute("PRAGMA user_version").fetchone()
        return int(number)


def snapshot(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Modification time, mode and octets of every file and folder at and below `folder`."""
    return {
        str(path.relative_to(folder)): (
            path.stat().st_mtime_ns, path.stat().st_mode, b"" if path.is_dir() else path.read_bytes(),
        )
        for path in (folder, *folder.rglob("*"))
    }  # fmt: skip
