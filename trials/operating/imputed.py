"""Multiple imputation in replicates: what `statistics.completed` and `pooled` do, of samples with room for more people.

Each replicate has luck of its own, a seed by which a study would impute the same: so its estimate is that of
`cutis run` for these people (`recheck`). Imputation k is the same however many are made. Instead of draws there may be
conditional means with the jackknife, `statistics.imputation.conditional`.
"""

import math
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.scipy.linalg import solve_triangular

from ...core.keys import normals, people, root, stream
from ..statistics.completed import APPROACHES
from ..statistics.imputation.conditional import without_each
from ..statistics.imputation.posterior import IMPUTATIONS, STEPS, inverse_wishart
from ..statistics.imputation.reference import expected, filled
from ..statistics.methods.estimate import Estimate, Flag, spoil
from ..statistics.mmrm.fit import fit_blocks
from ..statistics.mmrm.likelihood import Blocks, inverse
from ..statistics.mmrm.replicates import all_patterns, start_of, sums
from ..study import Analysis
from .repeated import changing
from .sample import Sample

AT_ONCE = 5  # imputations side by side
NONE = 0  # imputations: conditional means instead


class Gaps(NamedTuple):
    """A sample's two arms, who counts first, in order of entry; the others have neither outcomes nor weight.

    outcome: NaN where there is none, (people, visits). design, reference: (people, visits, columns), of the own arm and
      of the comparator. departure: first visit after which references apply. weight: 1 or 0. ids: place of entry.
    place: of each, in the sample. which: the set of visits that each has seen.
    """

    outcome: Array
    design: Array
    reference: Array
    departure: Array
    weight: Array
    ids: Array
    place: Array
    which: Array


def compare(samples: Sample, analysis: Analysis, kernel: Any, responder: bool, strata: int, level: float) -> Estimate:
    """An analysis of imputed outcomes, pooled by Rubin's rules, (samples,).

    Args:
      samples: `more` has the outcome at each visit (NaN where not observed), the departure and, of a response, the
        largest measurement that is one.
      kernel: of the method, of outcomes without gaps.
    """
    strategy = APPROACHES[analysis.missing or ""]

    def one(sample: Sample) -> tuple[Array, ...]:
        gaps = _read(sample, analysis, responder)
        patterns = all_patterns(gaps.outcome.shape[1])
        blocks, block = sums(gaps.outcome, gaps.design, patterns)
        fitted = fit_blocks("unstructured", blocks, start_of(blocks), 1)
        # As many people as the posterior needs, below which a study has no estimate either.
        fine = fitted.converged & (gaps.weight.sum() > gaps.design.shape[1] + gaps.design.shape[2])
        if analysis.options.imputations == NONE:
            return *_conditional(sample, gaps, blocks, block, fitted, strategy), fine
        values = _drawn(stream(root_of(sample.luck), "statistics", analysis.outcome), gaps, fitted, analysis, strategy)
        back = jnp.zeros(values.shape).at[:, gaps.place].set(values).T  # in the places of the sample
        if responder:
            back = (back <= sample.more[-1][:, None]).astype(float)
        found = kernel(_beside(sample, back), strata, level)
        freedom = found.df[0] if analysis.method == "ancova" else jnp.asarray(jnp.inf)
        return *_pooled(found.estimate, found.se, freedom), fine

    # One after the other: side by side they would wait for the slowest fit, and outgrow a core's cache.
    estimate, se, df, fine = lax.map(lambda given: one(_one(given, samples)), _rows(samples))
    nan = jnp.full(estimate.shape, jnp.nan)
    told = fine & jnp.isfinite(estimate) & (se > 0)
    flag = jnp.where(fine, 0, int(Flag.NOT_CONVERGED)) | jnp.where(fine & ~told, int(Flag.NO_VARIATION), 0)
    found = Estimate(estimate, se, nan, nan, estimate / se, df, nan, flag.astype(jnp.int32))
    return spoil(found, flag.astype(jnp.int32))


def root_of(luck: Array) -> Array:
    """The key from which a study with this seed draws."""
    return root(luck)  # pyright: ignore[reportArgumentType]


def _rows(samples: Sample) -> Sample:
    """Samples along the first axis; what they share is left out."""
    moved = [jnp.moveaxis(value, -1, 0) for value in samples._replace(start=samples.luck, seen=samples.luck)]
    return Sample._make(moved)


def _one(given: Sample, samples: Sample) -> Sample:
    return given._replace(start=samples.start, seen=samples.seen)


def _read(sample: Sample, analysis: Analysis, responder: bool) -> Gaps:
    visits = sample.more.shape[0] - (2 if responder else 1)
    place = jnp.argsort(sample.weight <= 0, stable=True)
    weight = sample.weight[place]
    outcome = jnp.where(weight[:, None] > 0, sample.more[:visits].T[place], jnp.nan)
    own = len(changing(analysis))
    wide = jnp.concatenate([sample.covariates, sample.extra]).T[place]
    arm = sample.arm[place]
    fixed = sample.covariates.shape[0] - own
    design, reference = (
        _columns(which, wide, visits, fixed) * weight[:, None, None] for which in (arm, jnp.zeros_like(arm))
    )
    departure = jnp.where(weight > 0, sample.more[visits][place], float(visits)).astype(int)
    code = ((~jnp.isnan(outcome)).astype(int) * (2 ** np.arange(visits))[None, :]).sum(axis=1)
    return Gaps(outcome, design, reference, departure, weight, place, place, code)


def _columns(arm: Array, wide: Array, visits: int, fixed: int) -> Array:
    """Intercept, arm, visits, arm by visits, covariates, covariates by visits: as `mmrm.model` orders them.

    A draw of coefficients by a triangular root is the same whatever multiples of columns before are taken from one, so
    that it does not matter that covariates are about the pool's mean here. Args: as `_read` has them.
    """
    shape = (arm.shape[0], visits)
    at = jnp.broadcast_to(jnp.eye(visits)[None, :, 1:], (*shape, visits - 1))
    ones, of_arm = jnp.ones((*shape, 1)), jnp.broadcast_to(arm[:, None, None], (*shape, 1))
    parts = [ones, of_arm, at, of_arm * at]
    for j in range(wide.shape[1]):
        column = jnp.broadcast_to(wide[:, j, None, None], (*shape, 1))
        parts += [column] if j < fixed else [column, column * at]
    return jnp.concatenate(parts, axis=2)


def _drawn(key: Array, gaps: Gaps, fitted: Any, analysis: Analysis, strategy: str) -> Array:
    """Completed outcomes at the last visit, (imputations, people), each from a chain as in `imputation.posterior`."""
    n, visits, columns = gaps.design.shape
    products = jnp.einsum("ita,isb->tsab", gaps.design, gaps.design)
    many = analysis.options.imputations or IMPUTATIONS

    def whole(beta: Array, sigma: Array, noise: Array, way: str) -> Array:
        own, other = gaps.design @ beta, gaps.reference @ beta
        mean = jax.vmap(partial(expected, way))(own, other, gaps.departure)
        every = jnp.asarray(np.concatenate([np.zeros((1, visits), bool), _by_code(visits)]))
        precision = jax.vmap(inverse, (None, 0))(sigma, every)[0][gaps.which]
        return jax.vmap(filled, (0, 0, None, 0, 0))(gaps.outcome, mean, sigma, precision, noise) * gaps.weight[:, None]

    def augmented(luck: Array, beta: Array, sigma: Array) -> tuple[Array, Array]:
        root_ = jnp.linalg.cholesky(sigma).T
        noise = jax.random.normal(stream(luck, "outcome"), (n, visits), dtype="float64") @ root_
        outcome = whole(beta, sigma, noise, "missing_at_random")
        rest = outcome - gaps.design @ beta
        sigma = inverse_wishart(stream(luck, "covariance"), gaps.weight.sum(), rest.T @ rest)
        precision, _ = inverse(sigma, jnp.ones(visits, bool))
        low = jnp.linalg.cholesky(jnp.einsum("ts,tsab->ab", precision, products))
        score = jnp.einsum("ts,isa,it->a", precision, gaps.design, outcome)
        z = jax.random.normal(stream(luck, "coefficients"), (columns,), dtype="float64")
        return solve_triangular(low.T, solve_triangular(low, score, lower=True) + z, lower=False), sigma

    def one(k: Array) -> Array:
        mine = stream(key, "imputation", k)

        def step(s: Array, state: tuple[Array, Array]) -> tuple[Array, Array]:
            return augmented(stream(mine, "step", s), *state)

        beta, sigma = lax.fori_loop(0, STEPS, step, (fitted.coefficients, fitted.visits[0]))
        z = normals(people(mine, gaps.ids), "outcome", shape=(visits,))
        return whole(beta, sigma, z.T @ jnp.linalg.cholesky(sigma).T, strategy)[:, -1]

    return lax.map(one, jnp.arange(many), batch_size=min(AT_ONCE, many))


def _by_code(visits: int) -> np.ndarray:
    """Of each set of visits but the empty one, by its number in binary, which visits it has, (sets, visits)."""
    codes = np.arange(1, 2**visits)
    return (codes[:, None] >> np.arange(visits)) % 2 == 1


def _beside(sample: Sample, outcomes: Array) -> Sample:
    """One sample with each of these outcomes, (people, imputations), as samples side by side."""

    def wide(values: Array) -> Array:
        return jnp.broadcast_to(values[..., None], (*values.shape, outcomes.shape[1]))

    return sample._replace(
        outcome=jnp.where(sample.weight[:, None] > 0, outcomes, 0.0), arm=wide(sample.arm), weight=wide(sample.weight),
        covariates=wide(sample.covariates), stratum=wide(sample.stratum), more=wide(sample.more[:0]),
        extra=wide(sample.extra[:0]), luck=wide(sample.luck),
    )  # fmt: skip


def _pooled(estimates: Array, ses: Array, complete: Array) -> tuple[Array, Array, Array]:
    """Rubin's rules, as `imputation.pool`: estimate, standard error, degrees of freedom."""
    m = estimates.shape[0]
    within, between = (ses**2).mean(), jnp.var(estimates, ddof=1)
    total = within + (1 + 1 / m) * between
    fraction = (1 + 1 / m) * between / total
    rubin = jnp.where(fraction > 0, (m - 1) / jnp.where(fraction > 0, fraction, 1.0) ** 2, jnp.inf)
    finite = jnp.isfinite(complete)
    small = jnp.where(finite, complete, 1.0)
    observed = jnp.where(finite, (small + 1) / (small + 3) * small * (1 - fraction), jnp.inf)
    df = 1 / (1 / rubin + 1 / observed)
    return estimates.mean(), jnp.sqrt(total), jnp.where(jnp.isfinite(rubin) | finite, df, jnp.inf)


def _conditional(
    sample: Sample, gaps: Gaps, blocks: Blocks, block: Array, fitted: Any, strategy: str
) -> tuple[Array, Array, Array]:
    """ANCOVA of conditional means, with the jackknife's standard error; by the normal distribution."""
    coefficients, covariances, converged = without_each(gaps.outcome, gaps.design, blocks, block, fitted.visits[0])
    visits = gaps.outcome.shape[1]
    every = jnp.asarray(np.concatenate([np.zeros((1, visits), bool), _by_code(visits)]))
    own = jnp.concatenate([jnp.ones((1, len(gaps.weight))), sample.arm[gaps.place][None],
                           sample.covariates[:, gaps.place]]).T  # fmt: skip

    def estimate(beta: Array, sigma: Array, kept: Array) -> Array:
        precision = jax.vmap(inverse, (None, 0))(sigma, every)[0][gaps.which]
        mean = jax.vmap(partial(expected, strategy))(gaps.design @ beta, gaps.reference @ beta, gaps.departure)
        last = jax.vmap(filled, (0, 0, None, 0, 0))(gaps.outcome, mean, sigma, precision, jnp.zeros_like(mean))[:, -1]
        mine = own * (kept * gaps.weight)[:, None]
        return jnp.linalg.solve(mine.T @ own, mine.T @ last)[1]

    n = gaps.weight.sum()
    given = coefficients, covariances, 1 - jnp.eye(len(gaps.weight))
    each = lax.map(lambda row: estimate(*row), given)
    value = estimate(fitted.coefficients, fitted.visits[0], gaps.weight)
    mean = gaps.weight @ each / n
    se = jnp.sqrt((n - 1) / n * (gaps.weight @ (each - mean) ** 2))
    sound = jnp.all(converged | (gaps.weight <= 0))
    return jnp.where(sound, value, math.nan), se, jnp.asarray(jnp.inf)
