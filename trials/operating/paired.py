"""Replicates of a split-body trial: both sides of each person, compared within people.

Nothing is compiled but the draw of the people; the estimates are NumPy's, of many replicates at once.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit

from ..statistics.methods.estimate import Estimate, Flag
from ..statistics.offered import METHODS
from ..statistics.paired import tango
from ..statistics.proportions import Contrast
from ..study import Analysis
from . import recheck as checks
from .draw import keys
from .recheck import Agreement
from .replicates import Trials, level_of
from .sample import Data
from .summed import draws

SIDES = 2
FLAT = 1e-10  # of the largest difference: a standard error below it is none, as in `statistics.paired`


class Paired(NamedTuple):
    """A drop-in for `Trials` where replicates are computed, kept and read. arms: number of each analysis's arm."""

    first: Trials
    arms: tuple[int, ...]


class Pairs(NamedTuple):
    """The sides of people, NaN where there is nothing: of the arm, of the comparator, (replicates, people), and by how
    much their covariates differ, (covariates, replicates, people)."""

    one: np.ndarray
    two: np.ndarray
    apart: np.ndarray


def analyse(paired: Paired, numbers: np.ndarray, data: Data) -> Estimate:
    """Estimates of some replicates, (replicates, hypotheses, looks, analyses).

    Args:
      data: whose columns are, analysis by analysis, those of `sided.of_sides`.
    """
    trials = paired.first
    who, left = _drawn(trials, numbers, data)
    found = [
        [[_estimate(analysis, _pairs(paired, place, data, outcomes[place], who[:, :cut], left[:, :cut]))
          for place, analysis in enumerate(trials.analyses)] for cut in trials.cuts]
        for outcomes in trials.hypotheses.values()
    ]  # fmt: skip
    return Estimate._make(
        np.moveaxis(np.array([[[getattr(one, field) for one in row] for row in look] for look in found]), -1, 0)
        for field in Estimate._fields
    )


def recheck(paired: Paired, numbers: np.ndarray, data: Data, found: Estimate) -> Agreement:
    """Analyse replicates again, one by one, by the routines of `cutis run`.

    Args:
      numbers: of the replicates, (replicates,). found: their estimates, (replicates, hypotheses, looks, analyses).
    """
    trials = paired.first
    who, left = _drawn(trials, numbers, data)
    largest, many, flagged = dict.fromkeys(trials.names, 0.0), 0, 0
    for row in range(len(numbers)):
        for h, outcomes in enumerate(trials.hypotheses.values()):
            for look, cut in enumerate(trials.cuts):
                for place, (name, analysis) in enumerate(zip(trials.names, trials.analyses, strict=True)):
                    some = who[row : row + 1, :cut], left[row : row + 1, :cut]
                    theirs = _again(analysis, _pairs(paired, place, data, outcomes[place], *some))
                    ours = Estimate._make(values[row, h, look, place] for values in found)
                    apart = checks.difference(analysis, ours, theirs)
                    many, flagged = many + 1, flagged + int(np.isnan(apart))
                    largest[name] = max(largest[name], 0.0 if np.isnan(apart) else apart)
    return Agreement(many, largest, flagged)


def mean_difference(pairs: Pairs, level: float) -> Estimate:
    """Paired t; with covariates, least squares given their differences, and HC3, as `statistics.paired.paired_t`."""
    y, x = pairs.one - pairs.two, pairs.apart
    there = np.isfinite(y) & np.isfinite(x).all(axis=0)
    y = np.where(there, y, 0.0)
    n = there.sum(axis=1)
    if len(x):
        estimate, se, df = _adjusted(y, np.where(there, x, 0.0), there)
    else:
        estimate = np.where(n > 0, y.sum(axis=1) / np.maximum(n, 1), np.nan)
        squares = np.where(there, (y - np.nan_to_num(estimate)[:, None]) ** 2, 0.0).sum(axis=1)
        se, df = np.sqrt(squares / np.maximum(n - 1, 1) / np.maximum(n, 1)), n - 1
    still = ~(se > FLAT * np.maximum(np.abs(y).max(axis=1), 1e-300)) | (df < 1)
    flag = np.where(n < 1, int(Flag.EMPTY_ARM), np.where(df < 1, int(Flag.TOO_FEW), int(Flag.NO_VARIATION) * still))
    df = np.where(still, 1.0, df)
    se = np.where(still, np.nan, se)
    half, statistic = stdtrit(df, (1 + level) / 2) * se, estimate / se
    p = np.where(still, 1.0, 2 * stdtr(df, -np.abs(np.nan_to_num(statistic))))
    return Estimate(estimate, se, estimate - half, estimate + half, statistic, df, p, flag)


def difference_of_shares(pairs: Pairs, level: float) -> Estimate:
    """McNemar's test and Tango's limits, which are found once for each table that comes up."""
    there = np.isfinite(pairs.one) & np.isfinite(pairs.two)
    one, two = pairs.one == 1, pairs.two == 1
    tables = np.stack([(there & a & b).sum(axis=1) for a, b in ((one, two), (one, ~two), (~one, two), (~one, ~two))], 1)
    known, place = np.unique(tables, axis=0, return_inverse=True)
    found = np.array([tango(*map(int, row), level=level) for row in known])[place.reshape(-1)]
    estimate, low, high, p = found.T
    n, nothing = tables.sum(axis=1), np.full(len(tables), np.nan)
    flag = np.where(n > 0, 0, int(Flag.EMPTY_ARM))
    parted = tables[:, 1] + tables[:, 2]
    statistic = np.where(parted > 0, (tables[:, 1] - tables[:, 2]) / np.sqrt(np.maximum(parted, 1)), 0.0)
    return Estimate(estimate, nothing, low, high, statistic, nothing + np.inf, np.where(n > 0, p, 1.0), flag)


def _estimate(analysis: Analysis, pairs: Pairs) -> Estimate:
    of = mean_difference if analysis.method == "paired_t" else difference_of_shares
    return of(pairs, level_of(analysis))


def _drawn(trials: Trials, numbers: np.ndarray, data: Data) -> tuple[np.ndarray, np.ndarray]:
    """Places in the pool, and the arm of the left side, (replicates, people) each."""
    found = draws(trials.allocation, trials.room)(keys(trials.seed, jnp.asarray(numbers)), jnp.asarray(data.strata))
    who, left = (np.asarray(part)[:, : trials.size] for part in found)
    return who, left


def _pairs(
    paired: Paired, place: int, data: Data, outcomes: np.ndarray, who: np.ndarray, left: np.ndarray
) -> Pairs:  # fmt: skip
    """The sides of people in one analysis.

    Args:
      outcomes: whose the sides of the arm and of the comparator have, 0 the arm's, 1 the comparator's, (2,).
    """
    sizes = [SIDES * 2 * (1 + len(analysis.covariates)) for analysis in paired.first.analyses]
    start = sum(sizes[:place])
    values = data.columns[start : start + sizes[place]].reshape(-1, SIDES, 2, data.columns.shape[1])
    of_arm = (left != paired.arms[place]).astype(int)  # the side that the arm is on: 0 left, 1 right
    one, two = values[:, of_arm, outcomes[0], who], values[:, 1 - of_arm, outcomes[1], who]
    return Pairs(one[0], two[0], one[1:] - two[1:])


def _adjusted(y: np.ndarray, x: np.ndarray, there: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Intercept of the differences given those of the covariates, its HC3 standard error, and degrees of freedom.

    Args:
      y: (replicates, people), and x: (covariates, replicates, people), 0 where there is nothing.
    """
    columns = np.moveaxis(np.concatenate([there[None].astype(float), x]), 0, -1)
    square = np.einsum("rnp,rnq->rpq", columns, columns)
    df = there.sum(axis=1) - columns.shape[-1]
    bad = (df < 1) | (np.linalg.matrix_rank(square, hermitian=True) < columns.shape[-1])
    inverse = np.linalg.inv(np.where(bad[:, None, None], np.eye(columns.shape[-1]), square))
    weights = np.einsum("rpq,rnq->rnp", inverse, columns)
    coefficients = np.einsum("rnp,rn->rp", weights, y)
    left = y - np.einsum("rnp,rp->rn", columns, coefficients)
    leverage = np.einsum("rnp,rnp->rn", weights, columns)
    with np.errstate(divide="ignore", invalid="ignore"):
        se = np.sqrt(((weights[..., 0] * left / (1 - leverage)) ** 2).sum(axis=1))
    return np.where(bad, np.nan, coefficients[:, 0]), np.where(bad, np.nan, se), np.where(bad, 0, df)


def _again(analysis: Analysis, pairs: Pairs):
    """The comparison of one replicate by the routine of a run; pairs: of one replicate."""
    sides = []
    for arm, value, about in (
        (analysis.arm, pairs.one[0], pairs.apart[:, 0]),
        (analysis.comparator, pairs.two[0], np.zeros_like(pairs.apart[:, 0])),
    ):
        frame = pd.DataFrame(about.T, columns=list(analysis.covariates))
        sides.append(frame.assign(twin=np.arange(len(value)), arm=arm, value=value, missing=np.isnan(value)))
    contrast = Contrast(analysis.arm, analysis.comparator, analysis.covariates, level_of(analysis), analysis.options)
    return METHODS[analysis.method].run(pd.concat(sides, ignore_index=True), contrast)[0]
