"""Operating characteristics from the estimates of many replicates, each with its Monte Carlo standard error.

Standard errors of what is estimated from R replicates [Morris, White and Crowther 2019, Stat Med 38:2074]: of a share
sqrt(p (1 - p) / R), of a mean SD / sqrt(R), of an SD itself SD / sqrt(2 (R - 1)).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pyarrow as pa

from ..designs.adaptive.reestimation import ZONES
from ..designs.sequential.bounds import Bounds
from ..statistics.methods.estimate import Estimate
from .decisions import Verdict
from .looks import ends, statistics


def _about(text: str) -> dict[str, str]:
    return {"description": text}


@dataclass(frozen=True)
class Figure:
    """One operating characteristic: a row of the results."""

    size: int
    hypothesis: str
    analysis: str
    measure: str
    look: int
    value: float
    mcse: float
    replicates: int


ABOUT = {
    "size": "people randomised, all arms together",
    "hypothesis": "whose potential outcomes the compared arms have: their own (model), or both those of one arm (null)",
    "analysis": "name of the analysis in the study",
    "measure": "what the figure is",
    "look": "number of the look, from 1; 0 for a figure of the whole trial",
    "value": "the figure",
    "mcse": "its Monte Carlo standard error",
    "replicates": "replicates it rests on",
}
TYPES = {int: pa.int64(), float: pa.float64(), str: pa.string()}
SCHEMA = pa.schema([pa.field(f.name, TYPES[f.type], metadata=_about(ABOUT[f.name])) for f in fields(Figure)])  # pyright: ignore[reportArgumentType]


@dataclass(frozen=True)
class Cell:
    """All replicates of one analysis, size and hypothesis.

    found: arrays (replicates, looks). truth: what the estimates should be. cuts: people randomised by each look.
    """

    size: int
    hypothesis: str
    analysis: str
    found: Estimate
    truth: float
    cuts: tuple[int, ...]
    alpha: float


def share(hits: Any) -> tuple[float, float]:
    """A share and its standard error.

    >>> share(np.array([True, False, False, False]))
    (0.25, 0.21650635094610965)
    """
    p = float(np.mean(hits))
    return p, math.sqrt(p * (1 - p) / len(hits))


def average(values: np.ndarray) -> tuple[float, float]:
    """A mean and its standard error; NaN without values."""
    if len(values) < 2:
        return (float(values[0]) if len(values) else math.nan), math.nan
    return float(np.mean(values)), float(np.std(values, ddof=1) / math.sqrt(len(values)))


def of_test(cell: Cell, bounds: Bounds, direction: float) -> Iterator[Figure]:
    """What the decisive analysis does: success and stopping, and the estimate as it stands when the trial ends."""
    z = statistics(cell.found.p, np.sign(cell.found.statistic))
    end = ends(bounds, z, direction)
    people = np.array(cell.cuts, float)[end.look]
    verdict = Verdict(end.look, people, end.success, end.opposite, end.futile)
    yield from of_verdict(cell, verdict, bounds.looks)
    if bounds.looks > 1:
        yield from at_the_end(cell, verdict)


def of_verdict(cell: Cell, end: Verdict, looks: int) -> Iterator[Figure]:
    """Success and stopping."""
    number = len(end.look)

    def figure(measure: str, value: tuple[float, float], look: int = 0, rests_on: int = number) -> Figure:
        return Figure(cell.size, cell.hypothesis, cell.analysis, measure, look, *value, rests_on)

    yield figure("rejection", share(end.success | end.opposite))
    yield figure("success", share(end.success))
    yield figure("opposite", share(end.opposite))
    yield figure("expected size", average(end.people))
    for look in range(looks):
        here = end.look == look
        yield figure("stop", share(here), look + 1)
        yield figure("stop for success", share(here & end.success), look + 1)
        yield figure("stop for futility", share(here & end.futile), look + 1)
    if end.zone is not None:
        for place, zone in enumerate(ZONES):
            yield figure(f"zone: {zone}", share(end.zone == place))


def of_together(cell: Cell, names: Sequence[str], end: Verdict, null: Sequence[bool]) -> Iterator[Figure]:
    """What analyses that are tested together show.

    Args:
      names: of the analyses. null: which of them there is nothing to be found by, under the cell's hypothesis.
    """
    rejected, number = end.rejected, len(end.look)
    assert rejected is not None  # they are tested together

    def figure(analysis: str, measure: str, value: tuple[float, float]) -> Figure:
        return Figure(cell.size, cell.hypothesis, analysis, measure, 0, *value, number)

    yield figure(cell.analysis, "any shown", share(np.any(rejected, axis=1)))
    yield figure(cell.analysis, "all shown", share(np.all(rejected, axis=1)))
    yield figure(cell.analysis, "number shown", average(rejected.sum(axis=1).astype(float)))
    if any(null):
        yield figure(cell.analysis, "familywise error", share(np.any(rejected[:, np.array(null)], axis=1)))
    for place, name in enumerate(names):
        yield figure(name, "shown", share(rejected[:, place]))
        for look in range(len(cell.cuts) if len(cell.cuts) > 1 else 0):
            by_then = share(rejected[:, place] & (end.look <= look))
            yield Figure(cell.size, cell.hypothesis, name, "shown by the look", look + 1, *by_then, number)
        if end.kept is not None:
            yield figure(name, "kept", share(end.kept[:, place]))


def of_choice(cell: Cell, end: Verdict, share_of: float) -> Iterator[Figure]:
    """Who goes on after the look of an enrichment, and how many people are looked at for it.

    Args:
      share_of: of the subgroup among the people who come; the others are turned away where it goes on alone.
    """
    assert end.kept is not None
    on, number = end.look > 0, len(end.look)
    choices = {
        "everybody goes on": on & end.kept[:, 0],
        "the subgroup goes on alone": on & ~end.kept[:, 0],
        "nobody goes on": ~on & ~end.success,
        "shown at the look": ~on & end.success,
    }
    for measure, hits in choices.items():
        yield Figure(cell.size, cell.hypothesis, cell.analysis, measure, 0, *share(hits), number)
    first = float(cell.cuts[0])
    screened = first + (end.people - first) / np.where(choices["the subgroup goes on alone"], share_of, 1.0)
    yield Figure(cell.size, cell.hypothesis, cell.analysis, "expected screened", 0, *average(screened), number)


def of_stages(
    cell: Cell, end: Verdict, kept: np.ndarray, first: np.ndarray, second: np.ndarray
) -> Iterator[Figure]:  # fmt: skip
    """The estimate from all people of two stages as they stand, in the trials that went on with this analysis.

    Args:
      kept: the analysis goes on, (replicates,). first, second: people that the two stages have for it.
    """
    on = kept & (end.look > 0)
    whole = (first * cell.found.estimate[:, 0] + second * cell.found.estimate[:, 1]) / (first + second)
    whole = whole[on & np.isfinite(whole)]
    bias = average(whole - cell.truth)
    yield Figure(cell.size, cell.hypothesis, cell.analysis, "bias at the end", 0, *bias, len(whole))


def at_the_end(cell: Cell, end: Verdict) -> Iterator[Figure]:
    """Bias and coverage as the trial ends, early or not."""

    def figure(measure: str, value: tuple[float, float], rests_on: int) -> Figure:
        return Figure(cell.size, cell.hypothesis, cell.analysis, measure, 0, *value, rests_on)

    rows = np.arange(len(end.look))
    estimate, low, high = (values[rows, end.look] for values in (cell.found.estimate, cell.found.low, cell.found.high))
    there = np.isfinite(estimate)
    yield figure("bias at the end", average(estimate[there] - cell.truth), rests_on=int(there.sum()))
    bounded = np.isfinite(low) & np.isfinite(high)
    if bounded.any():
        yield figure("coverage at the end", share(_covers(low, high, cell.truth)[bounded]), rests_on=int(bounded.sum()))


def of_estimate(cell: Cell) -> Iterator[Figure]:
    """How good the estimate of the full trial is, whether or not it would have stopped before."""
    full = Estimate._make(values[:, -1] for values in cell.found)
    there = np.isfinite(full.estimate)
    many = int(there.sum())

    def figure(measure: str, value: tuple[float, float], rests_on: int) -> Figure:
        return Figure(cell.size, cell.hypothesis, cell.analysis, measure, 0, *value, rests_on)

    yield figure("rejection of the full trial", share(full.p < cell.alpha), len(full.p))
    yield figure("without an estimate", share(~there), len(full.p))
    yield figure("truth", (cell.truth, 0.0), len(full.p))
    yield figure("mean estimate", average(full.estimate[there]), many)
    yield figure("bias", average(full.estimate[there] - cell.truth), many)
    spread = float(np.std(full.estimate[there], ddof=1)) if many > 1 else math.nan
    yield figure("empirical se", (spread, spread / math.sqrt(2 * (many - 1)) if many > 1 else math.nan), many)
    said = full.se[np.isfinite(full.se)]
    if len(said):
        yield figure("mean se", average(said), len(said))
    bounded = np.isfinite(full.low) & np.isfinite(full.high)
    if bounded.any() and math.isfinite(cell.truth):
        yield figure("coverage", share(_covers(full.low, full.high, cell.truth)[bounded]), int(bounded.sum()))


def _covers(low: np.ndarray, high: np.ndarray, truth: float) -> np.ndarray:
    return (low <= truth) & (truth <= high)


def to_arrow(figures: list[Figure]) -> pa.Table:
    """Figures as a table, in the order given; each field carries its description."""
    return pa.table({f.name: [getattr(row, f.name) for row in figures] for f in fields(Figure)}, schema=SCHEMA)


def lookup(figures: list[Figure], measure: str, hypothesis: str, analysis: str) -> dict[int, Figure]:
    """The figures of the whole trial of one kind, by size."""
    wanted = (measure, hypothesis, analysis, 0)
    return {f.size: f for f in figures if (f.measure, f.hypothesis, f.analysis, f.look) == wanted}
