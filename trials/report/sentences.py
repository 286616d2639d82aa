"""The comparisons in plain sentences, computed from the results; estimates and intervals, never a verdict."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from ...core.disease import Disease
from ..statistics.analyses import PAIRED
from .forest import comparisons
from .words import (
    DIFFERENCES,
    INTERCURRENT,
    METHODS,
    MINUS,
    NOTHING,
    TIMES,
    count,
    estimate,
    interval,
    outcome_label,
    p_value,
    percent,
    sentence,
    spaced,
    unit,
    units,
)

if TYPE_CHECKING:
    from ..statistics.result import Result


class Statement(NamedTuple):
    """One comparison: its role, the sentence, how it was obtained, and the figure in itself."""

    role: str
    text: str
    how: str
    figure: str
    limits: str


def in_short(results: "Sequence[Result]", planned: Sequence[str], disease: Disease) -> list[Statement]:
    """The primary and secondary comparisons, primary first."""
    return [
        Statement(
            row.role,
            _text(row, disease),
            _how(row),
            _figure(row, disease),
            interval(row.low, row.high, row.statistic),
        )
        for row in comparisons(results, planned)
        if row.role in ("primary", "secondary")
    ]


def _figure(row: "Result", disease: Disease) -> str:
    value = estimate(row.estimate, row.statistic)
    if value == NOTHING or row.statistic == "odds ratio":
        return value if value == NOTHING else f"{TIMES} {value}"
    of = "points" if row.statistic in DIFFERENCES else unit(disease.outcomes.get(row.outcome))
    return f"{'' if value.startswith(MINUS) else '+'}{value}{units(of)}"


def _text(row: "Result", disease: Disease) -> str:
    label = outcome_label(disease, row.outcome)
    first, second = f"the {spaced(row.arm)} arm", f"the {spaced(row.comparator)} arm"
    value = estimate(row.estimate, row.statistic)
    if value == NOTHING:
        return f"At week {row.week}, {row.statistic} for {label}, {first} against {second}: could not be estimated."
    if row.method in PAIRED:
        return _within(row, label, value, disease)
    if row.statistic in DIFFERENCES:
        return (
            f"At week {row.week}, {_responders(row.events, row.n)} of {first} and "
            f"{_responders(row.events_comparator, row.n_comparator)} of {second} had {label}: "
            f"a {row.statistic} of {value} percentage points ({_uncertainty(row)})."
        )
    if row.statistic == "odds ratio":
        ratio = f"the odds of {label} in {first} were {value} times those in {second}"
        return f"At week {row.week}, {ratio} ({_uncertainty(row)})."
    measured = f"{value}{units(unit(disease.outcomes.get(row.outcome)))}"
    difference = f"the {row.statistic} for {label}, {first} minus {second}, was {measured}"
    return f"At week {row.week}, {difference} ({_uncertainty(row)})."


def _within(row: "Result", label: str, value: str, disease: Disease) -> str:
    """Two sides of the same twins compared."""
    first, second = f"the {spaced(row.arm)} side", f"the {spaced(row.comparator)} side"
    if row.statistic in DIFFERENCES:
        return (
            f"At week {row.week}, within {count(row.n)} twins, {label} was seen on {first} of "
            f"{_share(row.events, row.n)} and on {second} of {_share(row.events_comparator, row.n_comparator)}: "
            f"a {row.statistic} of {value} percentage points ({_uncertainty(row)})."
        )
    measured = f"{value}{units(unit(disease.outcomes.get(row.outcome)))}"
    return (
        f"At week {row.week}, within {count(row.n)} twins, the {row.statistic} for {label}, {first} minus {second}, "
        f"was {measured} ({_uncertainty(row)})."
    )


def _share(events: int, n: int) -> str:
    return f"{percent(events / n)} ({count(events)})" if n else "none"


def _responders(events: int, n: int) -> str:
    return f"{percent(events / n)} ({count(events)} of {count(n)} twins)" if n else "none (0 twins)"


def _uncertainty(row: "Result") -> str:
    limits = interval(row.low, row.high, row.statistic)
    parts = [f"{100 * row.level:g} % interval {limits}" if limits != NOTHING else "no interval", *_test(row.p)]
    return ", ".join(parts)


def _test(p: float) -> list[str]:
    words = p_value(p)
    return [] if words == NOTHING else [f"p {words}" if words[0] in "<>" else f"p = {words}"]


def _how(row: "Result") -> str:
    strategy = INTERCURRENT.get(row.intercurrent, spaced(row.intercurrent))
    parts = (METHODS.get(row.method, spaced(row.method)), strategy, row.note)
    return sentence("; ".join(part.strip().rstrip(".") for part in parts if part.strip())) + "."
