"""What a study costs before it is run: core hours, bytes and dollars, from measurements of runs (`cost.yaml`).

    CPU seconds = begin + twins (each + sides x steps x step)

with the steps of the study's time mesh, which grow with its weeks and its doses; the beginning and a step have times of
their own for each disease, which hold its states. A twin has one arm (both in a split-body trial, which has two sides),
so that the number of arms counts through the twins alone. `bench/cost.py` fits the numbers.
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple

from ..core.parameters import Table, read_table
from .schedule import mesh
from .study import Study

HERE = Path(__file__).parent
HOUR = 3600.0


class Cost(NamedTuple):
    """Core hours of the machine that was measured, megabytes on disk, and dollars at the price of the table."""

    core_hours: float
    megabytes: float
    dollars: float


@cache
def table() -> Table:
    """The measurements and prices."""
    return read_table(HERE / "cost.yaml", sources=HERE / "cost_sources.yaml")


def estimate(study: Study) -> Cost:
    """What a study costs."""
    told, trial, twins = table(), study.trial, study.population.size
    sides = 2 if trial.split else 1
    each = told.value("seconds.each") + sides * mesh(trial, 1.0).steps * told.value(f"seconds.step.{trial.disease}")
    hours = (told.value(f"seconds.begin.{trial.disease}") + twins * each) / HOUR
    size = told.value("bytes.twin") + sides * len(trial.visits) * told.value("bytes.visit")
    megabytes = (told.value("bytes.begin") + twins * size) / 1e6
    return Cost(hours, megabytes, hours * told.value("price.core"))


def words(study: Study) -> str:
    """A study's cost in one line."""
    cost, price = estimate(study), table().value("price.core")
    time = f"{cost.core_hours:,.1f} core hours" if cost.core_hours >= 1 else f"{60 * cost.core_hours:,.1f} core minutes"
    paid = f"{cost.dollars:,.2f} US dollars at {price} a core hour" if cost.dollars >= 0.01 else "less than a cent"
    return f"about {time} ({paid}), {cost.megabytes:,.1f} MB on disk"
