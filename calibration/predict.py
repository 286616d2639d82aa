"""What a calibrated model predicts of published figures, with intervals, as frames of `calibration.report`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from .climb import Fit, Group
from .climb import Table as Climbed
from .terms import NEAREST

SEED = 1
DRAWS = 100  # of the parameters, which cost a computation of the table each
REPEATS = 20  # of the effects of a new trial with each of them, which cost next to nothing
LEVEL = 0.90
NUDGE = 1e-3  # of effects, which shows what they do near 0


class Table(Climbed, Protocol):
    """A table that also tells what its numbers are and whose effects they have."""

    @property
    def shares(self) -> np.ndarray:
        """Whether a number is a share, on whose logit effects act; (entries,)."""
        ...

    @property
    def belongs(self) -> Mapping[str, np.ndarray]:
        """By group: which of its effects each number has, (entries,), -1 for none."""
        ...


@dataclass(frozen=True)
class Refit:
    """Parameters estimated without some evidence, and the table to predict with."""

    table: Any
    fit: Fit


@dataclass(frozen=True)
class Draws:
    """Predictions of a table in many draws of what is not known: parameters and the effects of a new trial.

    value: (entries,), without effects. drawn: (draws, entries), as many as REPEATS for each draw of the parameters.
    variation: of the terms' figures beside chance.
    """

    value: np.ndarray
    drawn: np.ndarray
    variation: Mapping[str, float]


class Figure(NamedTuple):
    """A published figure, and where its prediction stands.

    observed: a share (0 to 1) of `n` people, or a mean, whose `error` by chance is told then, in its own unit.
    primary: at the trial's primary time point. term: whose variation beside chance it has. least: what it cannot fall
    below.
    """

    trial: str
    title: str
    arm: str
    drug: str
    drug_class: str
    outcome: str
    week: int
    primary: bool
    n: int
    observed: float
    status: str
    place: int
    term: str
    error: float | None = None
    least: float = -np.inf


class Pair(NamedTuple):
    """Two figures of a trial, and their published difference with its limits (of shares in percentage points)."""

    one: Figure
    other: Figure
    observed: float
    low: float | None
    high: float | None


def split(keys: Sequence[str], folds: int, seed: int = SEED) -> tuple[tuple[str, ...], ...]:
    """Trials divided at random (with a fixed seed) into folds of about equal size."""
    order = np.random.default_rng(seed).permutation(len(keys))
    return tuple(tuple(keys[int(i)] for i in sorted(order[k::folds])) for k in range(folds))


def receiving(trials: Iterable[Any], drugs: Sequence[str]) -> list[str]:
    """Arms (`trial/arm`) of trials that receive any of some drugs."""
    return [f"{t.key}/{a.name}" for t in trials for a in t.arms if not set(drugs).isdisjoint(a.treatments)]


def draws(of: Refit, number: int = DRAWS, seed: int = SEED) -> Draws:
    """Draw parameters from their posterior, and with each the effects of REPEATS new trials."""
    table, fit = of.table, of.fit
    rng = np.random.default_rng(seed)
    size, none = len(fit.vector), np.zeros(len(fit.effects))
    root = np.linalg.cholesky(fit.covariance[:size, :size] + 1e-10 * np.eye(size))
    value = table.values(fit.vector, none)
    before = _free(value, table.shares)
    slopes = {
        group.name: (_free(table.values(fit.vector, _nudged(fit.groups, group)), table.shares) - before) / NUDGE
        for group in fit.groups
    }
    drawn = []
    for _ in range(number):
        free = _free(table.values(fit.vector + root @ rng.standard_normal(size), none), table.shares)
        free = np.tile(free, (REPEATS, 1))
        for group in fit.groups:
            spreads = np.append(group.spreads, 0.0)  # nothing for what has no effect
            effect = spreads * rng.standard_normal((REPEATS, group.size + 1))
            free = free + slopes[group.name] * effect[:, table.belongs[group.name]]
        drawn.append(np.where(table.shares, _inside(expit(free)), free))
    return Draws(value, np.concatenate(drawn), fit.variation)


def counted(drawn: np.ndarray, n: int, rho: float, rng: np.random.Generator) -> np.ndarray:
    """Shares of `n` people in each draw, (draws,), with the variation of counts beyond chance."""
    size = 1 / rho - 1
    return rng.binomial(n, rng.beta(drawn * size, (1 - drawn) * size)) / n


def averaged(drawn: np.ndarray, error: float, misfit: float, rng: np.random.Generator) -> np.ndarray:
    """Means of people in each draw, (draws,): with their error by chance and what arms vary by beside it."""
    return drawn + np.sqrt(error**2 + misfit**2) * rng.standard_normal(len(drawn))


def predictions(scheme: str, figures: Iterable[Figure], found: Draws, seed: int = SEED) -> pd.DataFrame:
    """Each figure with its prediction and the interval that holds LEVEL of such figures of as many people."""
    rng = np.random.default_rng(seed)
    rows = []
    for figure in figures:
        low, high = _interval(_repeated(figure, found, rng))
        told = {name: x for name, x in figure._asdict().items() if name not in ("place", "term", "error", "least")}
        limits = {"predicted": float(found.value[figure.place]), "low": low, "high": high}
        rows.append({"scheme": scheme} | told | limits)
    return pd.DataFrame(rows)


def differences(scheme: str, pairs: Iterable[Pair], found: Draws, seed: int = SEED) -> pd.DataFrame:
    """Each difference with its prediction and interval; those of shares in percentage points.

    `tail` is the chance that as many people differ at least as far to the same side, doubled: what is below 1 - LEVEL
    lies outside the interval, and another level can be looked at.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for pair in pairs:
        one, other = pair.one, pair.other
        unit = 100 if one.error is None else 1
        repeated = unit * (_repeated(one, found, rng) - _repeated(other, found, rng))
        low, high = _interval(repeated)
        predicted = unit * float(found.value[one.place] - found.value[other.place])
        rows.append(
            {
                "scheme": scheme,
                "trial": one.trial,
                "arm": one.arm,
                "comparator": other.arm,
                "outcome": one.outcome,
                "week": one.week,
                "observed": pair.observed,
                "observed_low": pair.low,
                "observed_high": pair.high,
                "predicted": predicted,
                "low": low,
                "high": high,
                "sign_kept": bool(predicted * pair.observed >= 0),  # no difference at all has no sign to keep
                "inside": bool(low <= pair.observed <= high),
                "tail": _tail(repeated, pair.observed),
            }
        )
    return pd.DataFrame(rows)


def _repeated(figure: Figure, found: Draws, rng: np.random.Generator) -> np.ndarray:
    """The figure of a repeated arm in each draw."""
    drawn, variation = found.drawn[:, figure.place], found.variation[figure.term]
    if figure.error is None:
        return counted(drawn, figure.n, variation, rng)
    return np.maximum(averaged(drawn, figure.error, variation, rng), figure.least)


def _interval(drawn: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return low, high


def _tail(drawn: np.ndarray, observed: float) -> float:
    return float(min(2 * min(np.mean(drawn <= observed), np.mean(drawn >= observed)), 1.0))


def _nudged(groups: Sequence[Group], of: Group) -> np.ndarray:
    """Effects of one group that are NUDGE, the others 0."""
    return np.concatenate([np.full(group.size, NUDGE if group is of else 0.0) for group in groups])


def _free(value: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Numbers on the scale on which effects act."""
    return np.where(shares, logit(_inside(value)), value)


def _inside(share: np.ndarray) -> np.ndarray:
    return np.clip(share, NEAREST, 1 - NEAREST)
