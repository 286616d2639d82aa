"""What each comparison is to find: the estimand's true value, and what the analysis tends to as it is observed.

Replicates draw their people from the pool, so for them the pool is the population and these values have no error. The
true value is that of `trials.truth`: the same twins under both arms, nobody lost, no visit missed, intercurrent events
as the estimand says. What the analysis tends to is found from what is observed of everybody in the pool under either
arm; where the two differ, leaving the study and missed visits bias the analysis, however large the trial.
"""

import math
from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
import pandas as pd

from ...core.diseases import DISEASES
from ..statistics.estimands import DIFFERENCES
from ..statistics.methods.logistic import logistic
from ..study import Analysis, Study
from ..truth import Truth, true_values
from .gaps import imputes
from .kernels import kernel
from .pool import Columns, Pool, of_size

UNTRUE = ("log_rank",)  # tests, which estimate nothing that people have


def truths(study: Study, pool: Pool, analyses: dict[str, Analysis]) -> dict[str, float]:
    """The true value of each analysis's estimand, on the scale of its estimate: a difference, or the log of a ratio.

    NaN where there is none.
    """
    asked = study.trial.analyses  # that of a design's subgroup is not among them
    wanted = [name for name, analysis in analyses.items() if analysis.method not in UNTRUE and name in asked]
    found = true_values(of_size(study, pool.size), DISEASES[study.trial.disease], wanted) if wanted else {}
    return {name: scaled(found[name].value, analysis) if name in found else math.nan
            for name, analysis in analyses.items()}  # fmt: skip


def of_plans(
    study: Study, size: int, plans: Mapping[str, Analysis], twins: pd.DataFrame | None = None
) -> dict[str, Truth]:  # fmt: skip
    """True values of analyses that need not be the study's own; those that have none are left out.

    Args:
      size: of the pool. twins: in whom, as in `truth.true_values`; everybody in the pool if not given.
    """
    whole = of_size(study, size)
    whole = whole.model_copy(update={"trial": whole.trial.model_copy(update={"analyses": dict(plans)})})
    wanted = [name for name, analysis in plans.items() if analysis.method not in UNTRUE]
    return true_values(whole, DISEASES[study.trial.disease], wanted, twins) if wanted else {}


def limits(study: Study, pool: Pool, analyses: dict[str, Analysis]) -> dict[str, float]:
    """What each analysis tends to with people without number, observed as they are; NaN where that is not known."""
    return {name: limit(study, analysis, pool.columns[name]) for name, analysis in analyses.items()}


def limit(study: Study, analysis: Analysis, columns: Columns) -> float:
    """What one analysis tends to: a difference of means, or the logistic fit to everybody in the allocation's shares.

    NaN for other methods, and where it does not exist (nobody has a value, all or none respond).
    """
    counts = columns.complete & ~np.isnan(columns.value)
    if not counts.any(axis=1).all() or imputes(analysis):
        return math.nan
    if analysis.method in DIFFERENCES and analysis.method != "mmrm":
        one, two = (columns.value[arm][counts[arm]].mean() for arm in (0, 1))
        return float(one - two)
    if analysis.method != "logistic":
        return math.nan
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
    """Mean outcome of the pool under the arm and under the comparator; of times, the share with the event."""
    return {name: tuple(float(x) for x in np.nanmean(pool.columns[name].value, axis=1)) for name in analyses}  # pyright: ignore[reportReturnType]


def leaning(truth: float, means: tuple[float, float]) -> float:
    """The side of a true value, 1 or -1; where there is none, that of the difference of the means."""
    value = truth if math.isfinite(truth) else means[0] - means[1]
    return -1.0 if value < 0 else 1.0


def scaled(value: float, analysis: Analysis) -> float:
    """A true value on the scale of its estimate; NaN where it has no logarithm."""
    if not kernel(analysis).ratio:
        return value
    return math.log(value) if value > 0 else math.nan
