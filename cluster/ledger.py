"""Which shards are done: one small record a shard, believed only as far as the files bear it out."""

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from . import store

FOLDER = "shards"


def record(folder: Path, shard: int, files: Mapping[str, str]) -> None:
    """Note that a shard is done; `files` are its files, relative to the folder, with their SHA-256 (hex).

    Raises:
      StoreError: the record could not be written.
    """
    content = {"shard": shard, "files": dict(sorted(files.items()))}
    store.write(folder / FOLDER / f"{shard:05d}.json", (json.dumps(content, indent=1) + "\n").encode())


def finished(folder: Path) -> dict[int, dict[str, str]]:
    """The shards that are done, each with its files: every one is there and has its recorded digest.

    A shard with a damaged file or record is not among them: made again, it takes the place of what is there.
    """
    records = (_read(path) for path in sorted((folder / FOLDER).glob("*.json")))
    return {shard: files for shard, files in filter(None, records) if _intact(folder, files)}


def _read(path: Path) -> tuple[int, dict[str, str]] | None:
    try:
        content = json.loads(path.read_bytes())
        shard, files = content["shard"], content["files"]
        sound = type(shard) is int and path.name == f"{shard:05d}.json" and all(map(_inside, files))
        return (shard, dict(files)) if sound and files else None
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None


def _inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts


def _intact(folder: Path, files: Mapping[str, str]) -> bool:
    try:
        return all(store.digest(folder / name) == expected for name, expected in files.items())
    except (store.StoreError, ValueError):
        return False
