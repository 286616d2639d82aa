"""How fast people are drawn: by us, by plain NumPy from the same tables, by a general synthesiser; then the command.

    python bench/population.py [--rows N] [--python PATH] [--command SOURCE] [--size N] [--workers N ...]

The first part draws the general attributes of the shipped population of the United States, by one core each and in
turn, so that a busy machine slows all of them; the best of several rounds counts. NumPy is measured in two forms: as
one would write it first (normal scores, `ndtr`, `interp` in tables of quantiles), and at its leanest (single precision,
tables looked up at the score itself). The synthesiser is the Gaussian copula of `copulas` (DataCebo) with beta margins,
SDV's default, without SDV's own work around it. Its licence keeps it from being a dependency: install it by hand in an
environment of its own, and name that Python by `--python`.

The second part is `cutis population sample` as a whole: wall time, and the greatest memory of all its processes
together (pages that they share counted once).
"""
# ruff: noqa: E402

from cutis.cluster import platform

platform.prepare()  # before NumPy, which else takes all cores

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROUNDS = 5
FITTED = 5_000  # twins that the synthesiser is fitted to

SYNTHESISER = """
import json, sys, time, warnings
warnings.filterwarnings("ignore")
import pandas as pd
from copulas.multivariate import GaussianMultivariate
from copulas.univariate import BetaUnivariate
people, rows, rounds = pd.read_csv(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
model = GaussianMultivariate(distribution=BetaUnivariate)
model.fit(people)
model.sample(1000)
seconds = []
for _ in range(rounds):
    start = time.perf_counter()
    model.sample(rows)
    seconds.append(time.perf_counter() - start)
print(json.dumps(min(seconds)))
"""


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--rows", type=int, default=262_144)
    words.add_argument("--python", type=Path, help="Python of an environment that has `copulas`")
    words.add_argument("--command", default="us_general", metavar="SOURCE")
    words.add_argument("--size", type=int, default=1_000_000)
    words.add_argument("--workers", type=int, nargs="*", default=[1, 2])
    told = words.parse_args()
    if told.rows:
        sampling(told.rows, told.python)
    if told.size:
        command(told.command, told.size, told.workers)


def sampling(rows: int, python: Path | None) -> None:
    """Rows a second of each way to draw the same attributes."""
    from cutis.core.keys import root
    from cutis.core.parameters import Table
    from cutis.population import stream
    from cutis.population.general.draw import attributes, draw
    from cutis.population.general.model import shipped
    from cutis.population.source import Source

    model, key = shipped(), root(7)
    source = Source("us_general", "", attributes(model), Table({}, {}), lambda key, i: draw(model, key, i))
    ways = {
        "cutis": lambda: stream.draw(source, key, 0, rows),
        "NumPy, textbook": lambda: textbook(model, np.random.default_rng(7), rows),
        "NumPy, lean": lambda: lean(model, np.random.default_rng(7), rows),
    }
    people = {name: way() for name, way in ways.items()}
    same(people)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - start)
    best = {name: rows / min(taken) for name, taken in seconds.items()}
    if python:
        best["copulas"] = synthesiser(python, people["cutis"], rows // 8)
    print(f"{rows:,} people with {len(source.attributes)} attributes, best of {ROUNDS} rounds")
    print(f"{'':<16} {'rows a second':>14} {'cutis is faster by':>19}")
    for name, rate in best.items():
        print(f"{name:<16} {rate:>14,.0f} {best['cutis'] / rate:>19.2f}")
    if not python:
        print("copulas: left out; see --python")


def textbook(model, rng: np.random.Generator, rows: int) -> dict[str, np.ndarray]:
    """A Gaussian copula in cells as one would write it in NumPy."""
    from scipy.special import ndtr

    from cutis.population.fitting.quantiles import SCORES

    levels = ndtr(SCORES)
    cell, members = cells(model, rng, rows)
    values = np.empty((rows, model.tables.shape[1]))
    for c, who in enumerate(members):
        u = ndtr(rng.standard_normal((len(who), values.shape[1])) @ model.factors[c].T)
        for j in range(values.shape[1]):
            values[who, j] = np.interp(u[:, j], levels, model.tables[c, j])
    return finished(model, cell, values)


def lean(model, rng: np.random.Generator, rows: int) -> dict[str, np.ndarray]:
    """The same in single precision and without the detour by probabilities; tables are even in the score."""
    from cutis.population.fitting.quantiles import SCORES

    low, step, last = np.float32(SCORES[0]), np.float32(1 / (SCORES[1] - SCORES[0])), np.float32(len(SCORES) - 1.001)
    cell, members = cells(model, rng, rows)
    values = np.empty((rows, model.tables.shape[1]), dtype=np.float32)
    for c, who in enumerate(members):
        scores = rng.standard_normal((len(who), values.shape[1]), dtype=np.float32) @ model.factors[c].T
        place = np.clip((scores - low) * step, 0, last)
        node = place.astype(np.int32)
        for j in range(values.shape[1]):
            below = model.tables[c, j][node[:, j]]
            rise = model.tables[c, j][node[:, j] + 1] - below
            values[who, j] = below + (place[:, j] - node[:, j]) * rise
    return finished(model, cell, values)


def cells(model, rng: np.random.Generator, rows: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """The cell of each person, in no order, as in a sample of which any part is a sample; and who is in each cell."""
    count = len(model.cells.share)
    cell = rng.choice(count, rows, p=model.cells.share / model.cells.share.sum()).astype(np.int16)
    order = np.argsort(cell, kind="stable")
    return cell, np.split(order, np.cumsum(np.bincount(cell, minlength=count))[:-1])


def finished(model, cell: np.ndarray, values: np.ndarray) -> dict[str, np.ndarray]:
    """Categories of the cells, and what the plan derives from the numbers."""
    from cutis.population.fitting.plan import with_derived

    found = with_derived(model.plan, {name: values[:, j] for j, name in enumerate(model.plan.numbers)})
    for name, entry in model.plan.derived.items():
        found[name] = np.clip(found[name], entry.low, entry.high)
    categories = {name: codes.astype(np.int8)[cell] for name, codes in model.cells.levels.items()}
    return categories | {name: column.astype(np.float32) for name, column in found.items()}


def same(people: dict[str, dict[str, np.ndarray]]) -> None:
    """All ways must draw the same people: no mean may be further off than chance allows."""
    ours = people["cutis"]
    for way, theirs in people.items():
        for name, values in ours.items():
            a, b = values.astype(float), theirs[name].astype(float)
            error = np.sqrt((a.var() + b.var()) / len(a)) + 1e-12
            assert abs(a.mean() - b.mean()) < 5 * error, f"{way}: {name} {b.mean()}, not {a.mean()}"


def synthesiser(python: Path, people: dict[str, np.ndarray], rows: int) -> float:
    """Rows a second of the general synthesiser, fitted to some of our twins, in the other environment."""
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "people.csv"
        table = np.stack([values[:FITTED].astype(float) for values in people.values()], axis=1)
        np.savetxt(file, table, delimiter=",", header=",".join(people), comments="", fmt="%.6g")
        words = [str(python), "-c", SYNTHESISER, str(file), str(rows), "2"]
        done = subprocess.run(words, check=True, capture_output=True, text=True)
    return rows / json.loads(done.stdout.splitlines()[-1])


def command(source: str, size: int, workers: list[int]) -> None:
    """The whole command, with its memory."""
    print(f"\ncutis population sample {source} size={size}")
    print(f"{'workers':>7} {'wall s':>8} {'rows a second':>14} {'peak MiB':>9} {'MB on disk':>11}")
    for count in workers:
        with tempfile.TemporaryDirectory() as scratch:
            words = ["population", "sample", source, f"size={size}", "seed=7", f"out={scratch}/s", f"workers={count}"]
            start = time.perf_counter()
            quiet = subprocess.DEVNULL
            process = subprocess.Popen([sys.executable, "-m", "cutis", *words], stdout=quiet, stderr=quiet)
            peak = 0.0
            while process.poll() is None:
                peak = max(peak, memory(process.pid))
                time.sleep(0.1)
            wall = time.perf_counter() - start
            assert process.returncode == 0, "the command failed"
            disk = sum(file.stat().st_size for file in Path(scratch).rglob("*.parquet")) / 1e6
        print(f"{count:>7} {wall:>8.1f} {size / wall:>14,.0f} {peak:>9,.0f} {disk:>11,.1f}")


def memory(process: int) -> float:
    """MiB of a process and all it started: proportional set size, so that shared pages count once."""
    total, waiting = 0, [process]
    while waiting:
        place = Path("/proc") / str(waiting.pop())
        try:
            lines = (place / "smaps_rollup").read_text().splitlines()
            total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
            for task in (place / "task").iterdir():
                waiting += map(int, (task / "children").read_text().split())
        except (OSError, StopIteration):
            continue  # it has ended meanwhile
    return total / 1024


if __name__ == "__main__":
    main()
