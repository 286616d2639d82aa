"""When a trial stops: the bounds of its looks, and what they decide in each replicate."""

from typing import NamedTuple

import numpy as np
from scipy.stats import norm

from ..designs.sequential.bounds import Bounds, spending_bounds
from ..designs.sequential.plan import beta_spending
from ..designs.sequential.scales import Decision, decide
from ..designs.sequential.spending import Spending
from .settings import Design

LARGEST = 38.0  # a normal statistic beyond which p is no longer a number


class Ends(NamedTuple):
    """How each replicate ended, (replicates,): at which look (from 0), as a success, or as its opposite.

    success: the test rejects, and the estimate lies on the side of `direction`; opposite: on the other side.
    futile: stopped for futility before the last look.
    """

    look: np.ndarray
    success: np.ndarray
    opposite: np.ndarray
    futile: np.ndarray


def bounds(design: Design, alpha: float) -> Bounds:
    """Bounds of the standardised statistic at the looks of a design.

    Raises:
      ValueError: the power is out of reach with these bounds.
    """
    one_sided = design.futility is not None or bool(design.hypotheses) or design.staged
    one_sided = one_sided or design.factorial is not None or design.dose_finding is not None
    spending = Spending(design.spending, design.spending_parameter, _per_side(design))
    if one_sided and design.futility is None:
        return spending_bounds(design.looks, alpha / 2, spending)
    if design.futility is None:
        return spending_bounds(design.looks, alpha, spending, sided=2)
    futility = Spending(design.futility, design.futility_parameter)
    assert design.power is not None  # `Design` asks for it
    return beta_spending(design.looks, alpha / 2, design.power, spending, futility, design.binding).bounds


def of_level(design: Design, level: float) -> np.ndarray:
    """Bounds of the looks, (looks,), of a one-sided test at a share of alpha; a table is scaled to it."""
    whole = design.spending_table[-1][1] if design.spending_table else 1.0
    table = tuple((time, spent / whole * level) for time, spent in design.spending_table)
    return spending_bounds(design.looks, level, Spending(design.spending, design.spending_parameter, table)).efficacy


def _per_side(design: Design) -> tuple[tuple[float, float], ...]:
    """The levels of a table, which are those of both sides, for one side."""
    return tuple((time, level / 2) for time, level in design.spending_table)


def statistics(p: np.ndarray, sign: np.ndarray) -> np.ndarray:
    """Standard normal statistics with these two-sided p-values, signed; 0 where there is no sign."""
    with np.errstate(divide="ignore"):
        size = np.minimum(norm.isf(p / 2), LARGEST)
    return np.where(np.isfinite(sign), np.nan_to_num(sign), 0.0) * size


def ends(bounds: Bounds, z: np.ndarray, direction: float) -> Ends:
    """Where each replicate ends.

    Args:
      z: statistics, (replicates, looks). direction: 1 or -1, the side on which a difference counts as a success.
    """
    found: Decision = decide(bounds, direction * z)
    last = bounds.looks
    return Ends(found.look - 1, found.success, found.harm, found.futile & (found.look < last))
