"""The model for repeated measures over thousands of simulated trials: pure functions for `vmap` and `lax.map`."""

from functools import partial
from itertools import product
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.scipy.special import betainc

from .fit import Fit, drawn_in, fit_blocks
from .likelihood import Blocks

MOST_VISITS = 6  # for which all sets of visits are kept ready, 63 of them


class Compared(NamedTuple):
    """A contrast in one replicate; where `flag` is True the fit did not converge, p is 1 and the rest NaN."""

    estimate: Array
    se: Array
    df: Array
    low: Array
    high: Array
    p: Array
    flag: Array


def all_patterns(visits: int) -> np.ndarray:
    """All sets of visits that a person can have, bool, shape (sets, visits)."""
    if visits > MOST_VISITS:
        raise ValueError(f"{visits} visits have {2**visits - 1} sets; say which occur, as with monotone_patterns")
    return np.array([s for s in product([False, True], repeat=visits) if any(s)])


def monotone_patterns(visits: int) -> np.ndarray:
    """The sets of visits of people who leave and do not come back, bool, shape (sets, visits)."""
    return np.tril(np.ones((visits, visits), bool))


def sums(outcome: Array, design: Array, patterns: np.ndarray) -> tuple[Blocks, Array]:
    """Sums by set of visits, and the number of each person's set; those who have none of these have the last plus 1.

    Args:
      outcome: NaN where not observed, shape (people, visits).
      design: shape (people, visits, columns), finite.
      patterns: bool, shape (sets, visits).
    """
    visits, columns = design.shape[1], design.shape[2] + 1
    digits = 2 ** np.arange(visits)
    place = np.full(2**visits, len(patterns))
    place[patterns @ digits] = np.arange(len(patterns))
    seen = ~jnp.isnan(outcome)
    code = (seen.astype(int) * digits[None, :]).sum(axis=1)
    block = jnp.asarray(place)[code]
    rows = jnp.concatenate([design, outcome[:, :, None]], axis=2)
    rows = jnp.where(seen[:, :, None], rows, 0.0).reshape(len(outcome), visits * columns)
    # One row more than sets takes whoever fits none.
    room = jnp.zeros((len(patterns) + 1, visits * columns, visits * columns))
    products = room.at[block].add(rows[:, :, None] * rows[:, None, :])[:-1]
    people = jnp.zeros(len(patterns) + 1).at[block].add(1.0)[:-1]
    blocks = Blocks(
        jnp.asarray(patterns),
        jnp.zeros(len(patterns), int),
        jnp.zeros((len(patterns), visits, visits)),
        people,
        products.reshape(len(patterns), visits, columns, visits, columns),
        jnp.zeros(()),
    )
    return blocks, block


def start_of(blocks: Blocks) -> Array:
    """Covariance of the residuals of least squares, drawn in until it is one, from sums."""
    whole = blocks.products.sum(axis=0)
    ordinary = jnp.einsum("tatb->ab", whole)
    coefficients = jnp.linalg.solve(ordinary[:-1, :-1], ordinary[:-1, -1])
    against = jnp.concatenate([-coefficients, jnp.ones(1)])
    raw = jnp.einsum("a,tasb,b->ts", against, whole, against)
    there = blocks.seen.astype(float)
    pairs = jnp.maximum(there.T @ (blocks.people[:, None] * there), 1.0)
    return drawn_in(raw / pairs)


def fit_replicate(
    outcome: Array, design: Array, patterns: np.ndarray, structure: str = "unstructured"
) -> tuple[Fit, Array]:
    """One replicate's fit, and whether it may be used."""
    blocks, block = sums(outcome, design, patterns)
    fitted = fit_blocks(structure, blocks, start_of(blocks), 1)
    return fitted, fitted.converged & placed(outcome, block, patterns)


def placed(outcome: Array, block: Array, patterns: np.ndarray) -> Array:
    """Whether everyone with an observation has one of the sets of visits."""
    return ((block < len(patterns)) | jnp.isnan(outcome).all(axis=1)).all()


def compare(
    outcome: Array,
    design: Array,
    contrast: Array,
    patterns: np.ndarray,
    structure: str = "unstructured",
    *,
    kenward_roger: bool = False,
    level: float = 0.95,
) -> Compared:
    """A contrast of the coefficients in one replicate, with Satterthwaite's degrees of freedom.

    Args:
      outcome, design, patterns: as in `sums`.
      contrast: shape (columns,).
      kenward_roger: the standard error with Kenward and Roger's adjustment; the degrees of freedom are the same.
    """
    fitted, fine = fit_replicate(outcome, design, patterns, structure)
    reach = fitted.covariance @ contrast
    plain = contrast @ reach
    slope = -jnp.einsum("a,abh,b->h", reach, fitted.slopes, reach)
    df = 2 * plain**2 / (slope @ fitted.natural_covariance @ slope)
    variance = contrast @ fitted.kenward @ contrast if kenward_roger else plain
    fine = fine & (variance > 0) & (df > 0) & jnp.isfinite(df)
    estimate, se = contrast @ fitted.coefficients, jnp.sqrt(variance)
    half = _quantile(jnp.where(fine, df, 1.0), level) * se
    p = _two_sided(estimate / se, jnp.where(fine, df, 1.0))
    kept = [jnp.where(fine, x, jnp.nan) for x in (estimate, se, df, estimate - half, estimate + half)]
    return Compared(kept[0], kept[1], kept[2], kept[3], kept[4], jnp.where(fine, p, 1.0), ~fine)


@partial(jax.jit, static_argnums=(3, 4, 5, 6))
def _mapped(
    outcome: Array,
    design: Array,
    contrast: Array,
    patterns: tuple[tuple[bool, ...], ...],
    structure: str,
    kenward_roger: bool,
    batch: int,
) -> Compared:
    def one(given: tuple[Array, Array]) -> Compared:
        y, x = given
        return compare(y, x, contrast, np.array(patterns), structure, kenward_roger=kenward_roger)

    return lax.map(one, (outcome, design), batch_size=batch)


def compare_all(
    outcome: Array,
    design: Array,
    contrast: Array,
    patterns: np.ndarray | None = None,
    structure: str = "unstructured",
    *,
    kenward_roger: bool = False,
    batch: int = 1,
) -> Compared:
    """`compare` over replicates: outcome (replicates, people, visits), design likewise and columns.

    Without `patterns` those are taken that occur in some replicate. One at a time is fastest on a processor, where a
    batch waits for its slowest fit; a graphics card wants `batch` in the hundreds.

    Raises:
      ValueError: a design that is not finite.
    """
    if not np.isfinite(np.asarray(design)).all():
        raise ValueError("the design is not finite somewhere; give a number also where the outcome is missing")
    if patterns is None:
        seen = ~np.isnan(np.asarray(outcome)).reshape(-1, outcome.shape[-1])
        patterns = np.unique(seen[seen.any(axis=1)], axis=0)
    named = tuple(tuple(bool(x) for x in row) for row in patterns)
    return _mapped(outcome, design, contrast, named, structure, kenward_roger, batch)


def _two_sided(t: Array, df: Array) -> Array:
    """Two-sided p of a t statistic."""
    return betainc(df / 2, jnp.asarray(0.5), df / (df + t**2))


def _quantile(df: Array, level: float) -> Array:
    """Upper limit of the central `level` of a t distribution, by bisection on the logarithm."""
    low, high = jnp.log(1e-3) + 0 * df, jnp.log(1e6) + 0 * df

    def halve(_: int, limits: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = limits
        middle = (low + high) / 2
        above = _two_sided(jnp.exp(middle), df) > 1 - level
        return jnp.where(above, middle, low), jnp.where(above, high, middle)

    low, high = lax.fori_loop(0, 60, halve, (low, high))
    return jnp.exp((low + high) / 2)
