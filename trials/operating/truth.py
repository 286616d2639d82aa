"""The true value of each comparison, from the potential outcomes of the twins of a pool.

Replicates draw their people from the pool, so for them the pool is the population and these values are exact. A
difference is that of the means of everybody under either arm; a conditional odds ratio is what the model tends to as
the trial grows, given everybody under both arms in the shares of the allocation. Twins without a value in an arm do not
count in that arm, as in the analyses.
"""

import jax.numpy as jnp
import numpy as np

from ..statistics.methods.logistic import logistic
from ..study import Analysis, Study
from .kernels import kernel
from .pool import Columns, Pool


def truths(study: Study, pool: Pool, analyses: dict[str, Analysis]) -> dict[str, float]:
    """The true value of each analysis, on the scale of its estimate: a difference, or the logarithm of a ratio."""
    return {name: truth(study, analysis, pool.columns[name]) for name, analysis in analyses.items()}


def truth(study: Study, analysis: Analysis, columns: Columns) -> float:
    """The true value of one analysis; NaN where it does not exist (nobody has a value, all or none respond)."""
    counts = columns.complete & ~np.isnan(columns.value)
    if not counts.any(axis=1).all():
        return float("nan")
    if not kernel(analysis).ratio:
        one, two = (columns.value[arm][counts[arm]].mean() for arm in (0, 1))
        return float(one - two)
    shares = study.trial.randomisation.allocation
    weight = counts * np.array([[shares[analysis.arm]], [shares[analysis.comparator]]], float)
    arm = np.repeat([1.0, 0.0], columns.value.shape[1])
    wide = columns.covariates.reshape(len(arm), -1)
    found = logistic(
        jnp.asarray(np.where(counts, columns.value, 0.0).ravel()),
        jnp.asarray(arm),
        jnp.asarray(wide) if wide.shape[1] else None,
        weight=jnp.asarray(weight.ravel()),
    )
    return float(found.estimate)


def shares(pool: Pool, analyses: dict[str, Analysis]) -> dict[str, tuple[float, float]]:
    """Mean outcome of the pool under the arm and under the comparator."""
    return {name: tuple(float(x) for x in np.nanmean(pool.columns[name].value, axis=1)) for name in analyses}  # pyright: ignore[reportReturnType]
