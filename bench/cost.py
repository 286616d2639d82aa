"""What runs cost: shipped studies at several sizes, and the cost model of `trials/cost.py` fitted to them.

    python bench/cost.py [--write] [twins …]

Each study runs once to compile and then at each size, with one worker, in a process of its own. CPU seconds and bytes
are fitted by least squares with numbers of at least 0, each residual relative to what was measured; the table tells how
far the model is off from each run. `--write` puts the numbers into `trials/cost.yaml`.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls

from cutis.trials import cost
from cutis.trials.compose import from_configuration
from cutis.trials.schedule import mesh
from cutis.trials.study import Study

TRIALS = ("psoriasis/erasure", "psoriasis/il23_vs_tnf", "acne/adapalene_bpo", "acne/antibiotic_course")
SIZES = (2_000, 60_000)  # a run of few twins is all beginning
DISEASES = ("acne", "psoriasis")


class Run(NamedTuple):
    """A measured run."""

    trial: str
    study: Study
    seconds: float
    size: int

    @property
    def steps(self) -> int:
        return mesh(self.study.trial, 1.0).steps * (2 if self.study.trial.split else 1)

    @property
    def visits(self) -> int:
        return len(self.study.trial.visits) * (2 if self.study.trial.split else 1)


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("twins", nargs="*", type=int, default=list(SIZES))
    words.add_argument("--write", action="store_true", help="put the numbers into trials/cost.yaml")
    told = words.parse_args()
    runs = [run for trial in TRIALS for run in measured(trial, told.twins)]
    found = seconds(runs) | sizes(runs)
    print(f"{'study':<26} {'twins':>8} {'steps':>7} {'CPU s':>8} {'model':>8} {'MB':>8} {'model':>8}")
    for run in runs:
        n, disease = run.study.population.size, run.study.trial.disease
        each = found["seconds.each"] + run.steps * found[f"seconds.step.{disease}"]
        size = found["bytes.begin"] + n * (found["bytes.twin"] + run.visits * found["bytes.visit"])
        took = found[f"seconds.begin.{disease}"] + n * each
        print(
            f"{run.trial:<26} {n:>8,} {run.steps:>7,} {run.seconds:>8.1f} {took:>8.1f} "
            f"{run.size / 1e6:>8.1f} {size / 1e6:>8.1f}"
        )
    for name, value in found.items():
        print(f"{name} {value:.3g}")
    if told.write:
        write(found)


def measured(trial: str, sizes: list[int]) -> list[Run]:
    """Runs of one study, after one that compiles."""
    found = []
    for number, twins in enumerate([min(sizes), *sizes]):
        with tempfile.TemporaryDirectory() as scratch:
            words = [f"trial={trial}", f"population={trial.split('/')[0]}", f"population.size={twins}"]
            before = _cpu()
            command = [sys.executable, "-m", "cutis", "run", *words, "cluster.workers=1", f"out={scratch}/run"]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            if number:
                size = sum(file.stat().st_size for file in Path(scratch).rglob("*") if file.is_file())
                found.append(Run(trial, from_configuration(words).study(), _cpu() - before, size))
    return found


def _cpu() -> float:
    """CPU seconds of all processes that were started and have ended."""
    times = os.times()
    return times.children_user + times.children_system


def seconds(runs: list[Run]) -> dict[str, float]:
    """What a run, a twin, and a step of a twin take."""
    columns = [
        [float(run.study.trial.disease == name) for name in DISEASES]
        + [run.study.population.size]
        + [run.study.population.size * run.steps * (run.study.trial.disease == name) for name in DISEASES]
        for run in runs
    ]
    begin, step = ([f"seconds.{part}.{name}" for name in DISEASES] for part in ("begin", "step"))
    return dict(zip([*begin, "seconds.each", *step], _fitted(columns, [run.seconds for run in runs]), strict=True))


def sizes(runs: list[Run]) -> dict[str, float]:
    """What a run, a twin and a visit take on disk."""
    columns = [[1.0, run.study.population.size, run.study.population.size * run.visits] for run in runs]
    names = ("bytes.begin", "bytes.twin", "bytes.visit")
    return dict(zip(names, _fitted(columns, [run.size for run in runs]), strict=True))


def _fitted(columns: list[list[float]], values: list[float]) -> list[float]:
    """Numbers of at least 0, by least squares of relative residuals."""
    weight = 1 / np.array(values)
    scaled = np.array(columns) * weight[:, None]
    norm = np.linalg.norm(scaled, axis=0)
    return (nnls(scaled / norm, np.ones(len(values)))[0] / norm).tolist()


def write(found: dict[str, float]) -> None:
    """Put the numbers into the table, in the order in which it has them."""
    file = cost.HERE / "cost.yaml"
    values = iter(found[name] for name in cost.table() if name in found)
    lines = file.read_text(encoding="utf-8").splitlines()
    for place, line in enumerate(lines):
        if "status: measured" in line:
            lines[place] = re.sub(r"value: [^,]+", f"value: {next(values):.3g}", line)
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
