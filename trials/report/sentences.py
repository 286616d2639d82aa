"""The comparisons in plain sentences, computed from the results; estimates and intervals, never a verdict."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from ...core.disease import Disease
from ..statistics.offered import PAIRED
from ..statistics.truths import METHOD as TRUE
from .forest import comparisons
from .words import (
    DIFFERENCES,
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
    scale_unit,
    sentence,
    spaced,
    strategy,
    unit,
    units,
    whose,
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
    """The primary and secondary comparisons, primary first; each with its true value where the study asked for it."""
    true = {row.analysis: row for row in results if row.method == TRUE}
    return [
        Statement(
            row.role,
            _text(row, disease) + _truly(row, true.get(row.analysis), disease),
            _how(row),
            _figure(row, disease),
            interval(row.low, row.high, row.statistic),
        )
        for row in comparisons(results, planned)
        if row.role in ("primary", "secondary")
    ]


def _figure(row: "Result", disease: Disease) -> str:
    value = estimate(row.estimate, row.statistic)
    if value == NOTHING or row.statistic.endswith("ratio"):
        return value if value == NOTHING else f"{TIMES} {value}"
    of = (
        "points"
        if whose(row.statistic) in DIFFERENCES
        else scale_unit(row.statistic, disease.outcomes.get(row.outcome))
    )
    return f"{'' if value.startswith(MINUS) else '+'}{value}{units(of)}"


def _truly(row: "Result", true: "Result | None", disease: Disease) -> str:
    """The sentence on the true value of a comparison; empty where none was asked for."""
    if true is None:
        return ""
    value = _figure(true, disease)
    if value == NOTHING:
        return f" Its true value could not be had: {true.note}."
    said = f" With the same twins in both arms, nobody lost and no visit missed, it is {value}"
    if row.statistic.endswith("ratio") or estimate(row.estimate, row.statistic) == NOTHING:
        return f"{said}."
    off = _figure(replace(true, estimate=row.estimate - true.estimate), disease)
    return f"{said}: this run is off by {off}."


def _text(row: "Result", disease: Disease) -> str:
    label = outcome_label(disease, row.outcome)
    first, second = f"the {spaced(row.arm)} arm", f"the {spaced(row.comparator)} arm"
    value = estimate(row.estimate, row.statistic)
    if value == NOTHING:
        return f"At week {row.week}, {row.statistic} for {label}, {first} against {second}: could not be estimated."
    if row.method in PAIRED:
        return _within(row, label, value, disease)
    if row.statistic in OWN:
        return f"{OWN[row.statistic](row, label, first, second, value)} ({_uncertainty(row)})."
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


def _reached(row: "Result", label: str) -> str:
    """What the times of an analysis are times to: `reaching PASI 75`."""
    lost = str(_options(row).get("time_to", "")).startswith("loss")
    return f"losing {label}" if lost else f"reaching {label}"


def _hazards(row: "Result", label: str, first: str, second: str, value: str) -> str:
    return f"Up to week {row.week}, the hazard of {_reached(row, label)} in {first} was {value} times that in {second}"


def _events(row: "Result", label: str, first: str, second: str, value: str) -> str:
    counts = f"{_responders(row.events, row.n)} of {first} and {_responders(row.events_comparator, row.n_comparator)}"
    if row.estimate < 0:
        more = f"{value.removeprefix(MINUS)} events fewer in {first}"
    else:
        more = f"{value} events more in {first}"
    return (
        f"Up to week {row.week}, {_reached(row, label)} was seen in {counts} of {second}: {more} than expected if both "
        "were equal"
    )


def _waits(row: "Result", label: str, first: str, second: str, value: str) -> str:
    before = f"the mean time before {_reached(row, label)}"
    return f"Up to week {row.week}, {before}, {first} minus {second}, was {value} weeks"


def _curves(row: "Result", label: str, first: str, second: str, value: str) -> str:
    told = f"the chance of {_reached(row, label)} (Kaplan-Meier), {first} minus {second}"
    return f"By week {row.week}, {told}, differed by {value} percentage points"


def _grades(row: "Result", label: str, first: str, second: str, value: str) -> str:
    return f"At week {row.week}, the odds of a higher value of {label} in {first} were {value} times those in {second}"


def _counts(row: "Result", label: str, first: str, second: str, value: str) -> str:
    return f"At week {row.week}, the mean number of {label} in {first} was {value} times that in {second}"


def _ranks(row: "Result", label: str, first: str, second: str, value: str) -> str:
    told = f"the chance that a twin of {first} has a higher value of {label} than one of {second}"
    return f"At week {row.week}, {told}, less the chance of a lower one, was {value}"


OWN = {  # statistics with a sentence of their own
    "hazard ratio": _hazards,
    "observed minus expected events": _events,
    "difference in restricted mean time": _waits,
    "difference in shares with the event": _curves,
    "cumulative odds ratio": _grades,
    "count ratio": _counts,
    "Mann-Whitney difference": _ranks,
}


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
    told = strategy(row.method, row.intercurrent, _options(row).get("missing"))
    parts = (METHODS.get(row.method, spaced(row.method)), told, row.note)
    return sentence("; ".join(part.strip().rstrip(".") for part in parts if part.strip())) + "."


def _options(row: "Result") -> dict[str, str]:
    """Options of a result; empty where they cannot be read."""
    try:
        found = json.loads(row.options or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
