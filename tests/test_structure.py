"""The house: which room may import which, that all of it is shipped, and that the door opens quickly."""

import ast
import doctest
import importlib
import json
import pkgutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import cutis

ROOT = Path(__file__).resolve().parents[1]
MAY_IMPORT = {
    "core": {"core"},
    "cluster": {"cluster"},
    "conf": {"conf"},
    "population": {"population", "core"},
    "calibration": {"calibration", "population", "core"},
    "trials": {"trials", "calibration", "population", "core", "cluster", "conf"},
}
TYPES_AND_UNITS = {"core.parameters", "core.keys"}  # all that `population` may take from `core`
FILES = sorted(file for room in MAY_IMPORT for file in (ROOT / room).rglob("*.py"))


def imported(file):
    """Modules of ours that a file imports, as `room.module`."""
    package = file.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            path = (*base, *(node.module.split(".") if node.module else ()))
            yield from [".".join(path)] if node.module else [".".join((*path, a.name)) for a in node.names]
        elif isinstance(node, ast.ImportFrom | ast.Import):
            names = [node.module] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
            assert not any(name.split(".")[0] == "cutis" for name in names), f"{file}: say `..` inside a room"


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_rooms_import_only_what_they_may(file):
    room = file.relative_to(ROOT).parts[0]
    for module in imported(file):
        assert module.split(".")[0] in MAY_IMPORT[room], f"{module} from {room}"
        if room == "population" and module.startswith("core"):
            assert module in TYPES_AND_UNITS


def test_every_package_is_shipped():
    told = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    there = {"cutis", *(f"cutis.{'.'.join(f.parent.relative_to(ROOT).parts)}" for f in ROOT.glob("*/**/__init__.py"))}
    assert told == {name for name in there if name == "cutis" or name.split(".")[1] in MAY_IMPORT}


def test_files_that_are_read_at_run_time_are_shipped():
    told = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    shipped = {
        f for package, globs in told.items() for g in globs for f in (ROOT / Path(*package.split(".")[1:])).glob(g)
    }
    data = {f for room in MAY_IMPORT for f in (ROOT / room).rglob("*") if f.suffix in {".yaml", ".j2", ".css", ".csv"}}
    assert data <= shipped | set((ROOT / "cluster").glob("*.yaml"))


@pytest.mark.parametrize("words", [["-c", "import cutis"], ["-m", "cutis", "--help"]])
def test_the_door_opens_without_heavy_imports(words):
    heavy = {"jax", "ray", "pandas", "statsmodels", "numpy", "matplotlib", "pyarrow", "hydra"}
    probe = "import sys, json, atexit; atexit.register(lambda: print(json.dumps(sorted(sys.modules)), file=sys.stderr))"
    if words[0] == "-c":
        code = f"{probe}\n{words[1]}"
    else:
        code = f"{probe}\nimport sys, runpy; sys.argv = ['cutis', '--help']; runpy.run_module('cutis')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not heavy & set(json.loads(done.stderr.splitlines()[-1]))


def modules():
    for found in pkgutil.walk_packages(cutis.__path__, "cutis."):
        if found.name.split(".")[1] in MAY_IMPORT:
            yield found.name


@pytest.mark.parametrize("name", list(modules()))
def test_examples_in_docstrings_run(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_files_can_be_read_at_a_sitting(file):
    assert len(file.read_text().splitlines()) <= 400
