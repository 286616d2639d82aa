"""Repeated measures as a kernel: `statistics.mmrm.replicates` on the samples of a batch, one after the other."""

import jax
import jax.numpy as jnp
from jax import Array, lax

from ..statistics.methods.estimate import Estimate, Flag
from ..statistics.mmrm.replicates import all_patterns, fit_replicate
from ..study import Analysis
from .sample import Sample

FREEDOM = ("satterthwaite", "kenward_roger")


def changing(analysis: Analysis) -> tuple[str, ...]:
    """The covariates whose effect differs between visits; they stand last."""
    from ..statistics.repeated import by_visit

    return tuple(filter(by_visit, analysis.covariates))


def compare(samples: Sample, analysis: Analysis) -> Estimate:
    """Difference in adjusted means at the last visit, (samples,), by t with Satterthwaite's degrees of freedom.

    Args:
      samples: `more` has the outcome at each visit, the last too, NaN where not observed, (visits, people, samples).
    """
    visits, own = samples.more.shape[0], len(changing(analysis))
    patterns, structure = all_patterns(visits), analysis.options.structure or "unstructured"
    adjusted = analysis.options.degrees_of_freedom == "kenward_roger"

    def one(sample: tuple[Array, ...]) -> tuple[Array, ...]:
        outcome, arm, wide, weight = sample
        outcome = jnp.where(weight[:, None] > 0, outcome.T, jnp.nan)
        design = _columns(arm, wide.T, visits, own)
        fitted, fine = fit_replicate(outcome, design, patterns, structure)
        contrast = jnp.zeros(design.shape[2]).at[2 * visits - 1].set(1.0)
        reach = fitted.covariance @ contrast
        slope = -jnp.einsum("a,abh,b->h", reach, fitted.slopes, reach)
        df = 2 * (contrast @ reach) ** 2 / (slope @ fitted.natural_covariance @ slope)
        variance = contrast @ fitted.kenward @ contrast if adjusted else contrast @ reach
        return contrast @ fitted.coefficients, jnp.sqrt(variance), df, fine & (variance > 0) & (df > 0)

    given = (samples.more, samples.arm, samples.covariates, samples.weight)
    estimate, se, df, fine = lax.map(one, jax.tree.map(lambda x: jnp.moveaxis(x, -1, 0), given))
    estimate, se, df = (jnp.where(fine, value, jnp.nan) for value in (estimate, se, df))
    nan = jnp.full(estimate.shape, jnp.nan)
    flag = jnp.where(fine, 0, int(Flag.NOT_CONVERGED)).astype(jnp.int32)
    return Estimate(estimate, se, nan, nan, estimate / se, df, nan, flag)


def _columns(arm: Array, wide: Array, visits: int, own: int) -> Array:
    """Visits, arm by visit, covariates, covariates by visit: (people, visits, columns)."""
    people = arm.shape[0]
    at = jnp.broadcast_to(jnp.eye(visits)[None], (people, visits, visits))
    fixed = jnp.broadcast_to(wide[:, None, : wide.shape[1] - own], (people, visits, wide.shape[1] - own))
    moving = [at * wide[:, None, wide.shape[1] - own + j, None] for j in range(own)]
    return jnp.concatenate([at, at * arm[:, None, None], fixed, *moving], axis=2)
