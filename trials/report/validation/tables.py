"""The tables of the reports, as text."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from ....calibration.report.summary import (
    Score,
    Summary,
    by_class,
    inside,
    limits,
    missed,
    primary,
    within,
)
from ....calibration.report.told import Criterion, Outcome, Told
from .. import words
from .names import called, heading

SCHEMES = {
    "trials": "unseen: trial left out",
    "class": "unseen: drug class left out",
    "held": "unseen: held back beforehand",
    "fitted": "seen: all trials fitted",
}
NOT_MEASURED = "not measured"
SHARE = Outcome("share")
Row = tuple[str, ...]


def verdicts(summary: Summary) -> list[tuple[bool, str, str, str, str]]:
    """Of each criterion, the missed ones first: whether it is met, about, limit, measured, who set the limit."""
    ranked = sorted(summary.criteria, key=lambda criterion: criterion.met)
    return [(c.met, words.sentence(c.about), asked(c), measured(c), _set_by(c)) for c in ranked]


def _set_by(criterion: Criterion) -> str:
    return "limit chosen for this report" if criterion.set_by == "design2026" else "goal set beforehand"


def asked(criterion: Criterion) -> str:
    """`at most 5.0 points`, `85 to 95 %`."""
    low, high = (_in_unit(end, criterion.unit) for end in (criterion.low, criterion.high))
    if math.isnan(criterion.low) or math.isnan(criterion.high):
        return words.NOTHING
    if math.isinf(criterion.low):
        aim = "" if math.isnan(criterion.aim) else f", better {_in_unit(criterion.aim, criterion.unit)}"
        return f"at most {high}{aim}" if criterion.high else "none"
    return f"at least {low}" if math.isinf(criterion.high) else f"{low} to {high}"


def measured(criterion: Criterion) -> str:
    """The value in the unit of its limit."""
    return NOT_MEASURED if math.isnan(criterion.value) else _in_unit(criterion.value, criterion.unit)


def _in_unit(value: float, unit: str) -> str:
    if not math.isfinite(value):
        return ""
    if unit == "percentage points":
        return f"{words.decimal(value)} points"
    if unit.startswith("share"):
        return words.percent(value)
    if unit == "1":
        return words.decimal(value, 2)
    return words.count(value)


def main(told: Told) -> set[str]:
    """Groups of scores that are shown at once."""
    return {pool.name for pool in (*told.pools, *told.panels)}


def scores(found: Iterable[Score]) -> list[Row]:
    """Scheme, group, rates, error, bias, coverage with limits."""
    order = list(SCHEMES)
    ranked = sorted(found, key=lambda score: order.index(score.scheme))
    return [(words.sentence(SCHEMES[s.scheme]), s.group, *_scored(s)) for s in ranked]


def classes(predictions: pd.DataFrame, told: Told) -> list[Row]:
    """Scores of each drug class in each scheme."""
    return [
        (heading(s.group, told), SCHEMES[scheme], *_scored(s))
        for scheme in SCHEMES
        for s in by_class(predictions, scheme, told)
    ]


def _scored(score: Score) -> Row:
    limits_ = f"{words.percent(score.coverage_low, 0)} to {words.percent(score.coverage_high, 0)}"
    points = (words.decimal(value) for value in (score.error, score.chance, score.bias))
    return words.count(score.rates), *points, words.percent(score.coverage), limits_


def worst(predictions: pd.DataFrame, scheme: str, told: Told, most: int = 12) -> list[Row]:
    """Figures at primary time points outside their interval, the farthest first."""

    def gap(row: Any) -> float:
        return told.outcomes[row.outcome].factor * abs(row.predicted - row.observed)

    out = [row for row in primary(predictions, scheme) if not inside(row)]
    return [rate(row, told) for row in sorted(out, key=lambda row: -gap(row))[:most]]


def rate(row: Any, told: Told) -> Row:
    """Arm, outcome, week, n, observed, predicted, interval, whether inside, how the figure is known."""
    of = told.outcomes[row.outcome]
    return (
        f"{row.title}: {words.spaced(row.arm)}",
        of.name,
        words.count(row.week),
        words.count(row.n),
        *(words.decimal(of.factor * value) + of.unit for value in (row.observed, row.predicted)),
        between(row.low, row.high, of),
        "yes" if inside(row) else "no",
        "published" if row.status == "measured" else "recalled",
    )


def rate_head(told: Told) -> Row:
    """Heads of the columns of `rate`."""
    known = f"{words.sentence(told.words.figures.removesuffix('s'))} is"
    return ("Arm", "Outcome", "Week", "n", "Observed", "Predicted", "90\u202f% interval", "Inside", known)


def between(low: float, high: float, of: Outcome = SHARE) -> str:
    """`61.0 to 79.3 %`."""
    if not words.known(low):
        return words.NOTHING
    return f"{words.decimal(of.factor * low)} to {words.decimal(of.factor * high)}{of.unit}"


def differences(found: Sequence[Any], titles: Mapping[str, str], told: Told) -> list[Row]:
    """Comparison, outcome, week, observed with limits, predicted with interval, chance of as far off, what is wrong."""
    ranked = sorted(found, key=lambda row: not missed(row))
    return [
        (
            f"{titles.get(row.trial, row.trial)}: {words.spaced(row.arm)} minus {words.spaced(row.comparator)}",
            called(row.outcome, told),
            words.count(row.week),
            _points(row.observed, row.observed_low, row.observed_high),
            _points(row.predicted, row.low, row.high),
            "kept" if row.sign_kept else "changed",
            "yes" if row.inside else "no",
            words.percent(row.tail),
        )
        for row in ranked
    ]


def _points(value: float, low: float, high: float) -> str:
    return f"{words.decimal(value)} ({words.decimal(low)} to {words.decimal(high)})"


def relapses(found: Iterable[Any], told: Told) -> list[Row]:
    """Who, week, published and predicted shares without relapse."""
    return [
        (
            f"{called(row.drug, told)}, of those with {called(row.among, told)}",
            called(row.outcome, told),
            words.count(row.week),
            words.percent(row.published),
            words.percent(row.predicted),
            between(row.low, row.high),
            "fitted" if row.fitted else "unseen",
            "published" if row.status == "measured" else "recalled",
        )
        for row in found
    ]


def effects(found: Iterable[Any], told: Told) -> list[Row]:
    """Covariate, outcome, published and predicted odds ratios."""
    verdict = {None: "no limits published", True: "yes", False: "no"}
    return [
        (
            heading(row.covariate, told) + (" *" if row.covariate in told.starred else ""),
            called(row.outcome, told),
            words.decimal(row.published, 2),
            f"{words.decimal(row.low, 2)} to {words.decimal(row.high, 2)}"
            if within(row) is not None
            else words.NOTHING,
            words.decimal(row.predicted, 2),
            verdict[within(row)],
            "fitted" if row.fitted else "unseen",
        )
        for row in found
    ]


def checks(found: Iterable[Any]) -> list[Row]:
    """Published facts that were not fitted: what, range, what the model has, whether it is inside, how it is known."""
    return [
        (
            str(row.about),
            _range(row.low, row.high) + words.units(row.unit),
            words.plain_number(_short(row.predicted)) + words.units(row.unit),
            "yes" if row.met else "no",
            "published" if row.status == "measured" else "recalled",
        )
        for row in found
    ]


def _range(low: float, high: float) -> str:
    least, most = (words.plain_number(_short(end)) if math.isfinite(end) else "" for end in (low, high))
    if not (least and most):
        return f"at least {least}" if least else f"at most {most}"
    return least if low == high else f"{least} to {most}"


def onset(found: Iterable[Any], told: Told) -> list[Row]:
    """Drugs from the fastest published to the slowest."""
    return [
        (
            heading(row.drug, told),
            heading(row.drug_class, told),
            words.decimal(row.rate_published, 2),
            words.decimal(row.predicted, 2),
            words.plain_number(row.rank_published),
            words.plain_number(row.rank_predicted),
        )
        for row in sorted(found, key=lambda row: row.rank_published)
    ]


def parameters(found: Iterable[Any]) -> list[tuple[str, str, str, str, str, float, bool, str]]:
    """Name, about, estimate, limits, middle before, what is left of the spread before, whether that is much, why."""
    much = limits().value("contraction.hardly")
    return [
        (
            row.name,
            str(row.about),
            words.plain_number(row.estimate) + words.units(row.unit),
            f"{words.plain_number(_short(row.low))} to {words.plain_number(_short(row.high))}",
            words.plain_number(_short(row.prior_middle)),
            float(row.contraction),
            bool(row.contraction > much),
            str(row.why),
        )
        for row in sorted(found, key=lambda row: -row.contraction)
    ]


def _short(value: float) -> float:
    return float(f"{value:.3g}")


def ranking(found: Sequence[Any], told: Told) -> list[Row]:
    """All that was ranked, by quantity, the largest effect first."""
    ranked = sorted(found, key=lambda row: (str(row.quantity), -row.mu_star))
    return [
        (
            row.parameter,
            quantity(row.quantity, told),
            f"{words.plain_number(_short(row.low))} to {words.plain_number(_short(row.high))}{words.units(row.unit)}",
            *(_small(100 * value) for value in (row.mu_star, row.sigma)),
            *(_with_error(*pair) for pair in ((row.s1, row.s1_conf), (row.st, row.st_conf))),
        )
        for row in ranked
    ]


def quantity(key: str, told: Told) -> str:
    """`Adalimumab PASI 75` of `adalimumab pasi75`."""
    return words.sentence(" ".join(called(word, told) for word in str(key).split()))


def _small(value: float) -> str:
    return words.plain_number(_short(value)) if words.known(value) else words.NOTHING


def _with_error(value: float, error: float) -> str:
    return f"{words.decimal(value, 2)} ± {words.decimal(error, 2)}" if words.known(value) else words.NOTHING


def assumed(found: Sequence[Any], importance: Sequence[Any]) -> list[Row]:
    """Assumed parameters, those that matter most first."""
    ranks = _ranks(importance)
    ordered = sorted(found, key=lambda row: (ranks.get(row.name, math.inf), row.name))
    return [
        (
            row.name,
            str(row.about),
            words.plain_number(row.value) + words.units(row.unit),
            words.count(ranks[row.name]) if row.name in ranks else _unranked(row),
            str(row.source) + (f"; {row.note}" if words.known(row.note) and str(row.note) else ""),
        )
        for row in ordered
    ]


def _unranked(row: Any) -> str:
    why = str(getattr(row, "unranked", ""))
    return f"not ranked: {why}" if why else "not ranked"


def _ranks(importance: Sequence[Any]) -> dict[str, int]:
    """Place of each parameter by the largest effect of its value or its spread on any rate, from 1."""
    largest: dict[str, float] = {}
    for row in importance:
        name = str(row.parameter).removesuffix(":sd")
        largest[name] = max(float(row.mu_star), largest.get(name, 0.0))
    return {name: rank for rank, name in enumerate(sorted(largest, key=lambda name: -largest[name]), start=1)}
