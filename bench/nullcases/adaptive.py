"""Designs that change on the way: size chosen again, arms dropped, enrichment, shares that follow the data, platforms;
and doses, minimisation and blocks, with the test that fits them."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import norm
from scipy.stats import t as student

from cutis.core.keys import root
from cutis.trials.designs.adaptive import closed, combination, conditional_error, reestimation, response
from cutis.trials.designs.allocation.blocks import permuted_blocks
from cutis.trials.designs.allocation.minimisation import minimise
from cutis.trials.designs.dosefinding.contrasts import critical_value, optimal_contrasts
from cutis.trials.designs.dosefinding.models import Candidate
from cutis.trials.designs.multiplicity import stepwise
from cutis.trials.designs.sequential.bounds import spending_bounds
from cutis.trials.designs.sequential.spending import Spending
from cutis.trials.statistics.methods import ancova, cmh, score

from .common import Case, brownian, correlated, many

ALPHA, SUBGROUP = 0.025, 0.4  # the subgroup's share of the people
BOUNDS = spending_bounds([0.5, 1.0], ALPHA, Spending("obrien_fleming"))
POCOCK = spending_bounds([0.5, 1.0], ALPHA, Spending("pocock"))


def blinded_variance(rng, replicates):
    """Size chosen again by the pooled variance of the first 40 people; t test at the end."""
    y = rng.standard_normal((replicates, 300))
    size = reestimation.blinded_size(100, 1.1, reestimation.blinded_sd(y[:, :40]), 60, 300)
    n = 2 * (np.ceil(size / 2)).astype(int)
    seen, one = np.arange(300)[None, :] < n[:, None], np.arange(300)[None, :] % 2 == 0
    means = [np.where(seen & mask, y, 0).sum(axis=1) / (n / 2) for mask in (one, ~one)]
    rest = [np.where(seen & mask, (y - m[:, None]) ** 2, 0).sum(axis=1)
            for mask, m in zip((one, ~one), means, strict=True)]  # fmt: skip
    t = (means[0] - means[1]) / np.sqrt((rest[0] + rest[1]) / (n - 2) * 4 / n)
    return student.sf(t, n - 2) <= ALPHA


def blinded_rate(rng, replicates):
    """Size chosen again by the overall rate of the first 100 people; score test at the end."""
    first = rng.binomial(50, 0.3, (replicates, 2))
    n = np.ceil(reestimation.blinded_rate_size(first.sum(axis=1) / 100, 0.15, ALPHA, 0.8, 80, 300)).astype(int)
    yes = first + rng.binomial((n - 50)[:, None], 0.3, first.shape)
    rate = yes.sum(axis=1) / (2 * n)
    z = (yes[:, 0] - yes[:, 1]) / n / np.sqrt(rate * (1 - rate) * 2 / n)
    return norm.sf(z) <= ALPHA


def promising(rng, replicates):
    """The second stage grows where the first is promising; weights stay as planned."""
    z = rng.standard_normal(replicates)
    second = reestimation.promising_zone(BOUNDS, z, 100, 100, 300, 0.3, 0.9).second
    later = rng.standard_normal((replicates, 300))
    own = np.cumsum(later, axis=1)[np.arange(replicates), np.ceil(second).astype(int) - 1] / np.sqrt(np.ceil(second))
    return (z >= BOUNDS.efficacy[0]) | (reestimation.combined_statistic(BOUNDS, z, own) >= BOUNDS.efficacy[1])


def inverse_normal(rng, replicates):
    """Two further stages whose sizes depend on what was seen."""
    bounds = spending_bounds([1 / 3, 2 / 3, 1.0], ALPHA, Spending("pocock"))
    z = rng.standard_normal((replicates, 3))  # of each stage alone: without an effect, whatever its size
    total = combination.inverse_normal(norm.sf(z), combination.stage_weights(bounds.information))
    return (total >= bounds.efficacy).any(axis=1)


def fisher(rng, replicates):
    """Fisher's product with a binding futility bound at one half."""
    bounds = combination.fisher(ALPHA, 0.5)
    return combination.fisher_success(rng.random((replicates, 2)), bounds)


def redesigned(rng, replicates):
    """Three looks planned; after the first all that follows is one look of another size."""
    bounds = spending_bounds([0.3, 0.6, 1.0], ALPHA, Spending("obrien_fleming"))
    z, after = rng.standard_normal((2, replicates))
    grid = np.linspace(-5.0, bounds.efficacy[0], 200)  # an integral for each; between them the bound is smooth
    bound = np.interp(z, grid, norm.isf(conditional_error.remaining_level(bounds, 1, grid)))
    return (z >= bounds.efficacy[0]) | (after >= bound)


def arms_dropped(test, choice, effects=(0.0, 0.0, 0.0)):
    """Three arms and a control in two stages; rejections of hypotheses that are true."""
    correlation, true = 0.5 * (np.eye(3) + 1), np.array(effects) == 0

    def rejects(rng, replicates):
        first, second = (correlated(rng, replicates, correlation) + np.array(effects) for _ in range(2))
        found = closed.closed_combination(first, second, choice(first), POCOCK, test)
        return found.final[:, true].any(axis=1)

    return rejects


def enriched(test):
    """All people or a subgroup, chosen at the first stage."""
    correlation = np.array([[1.0, np.sqrt(SUBGROUP)], [np.sqrt(SUBGROUP), 1.0]])

    def rejects(rng, replicates):
        first, second = (correlated(rng, replicates, correlation) for _ in range(2))
        kept = closed.enrich(first, 0.5, 0.5)
        # Where the subgroup alone goes on, its second stage is of people of its own.
        return closed.closed_combination(first, second, kept, POCOCK, test).final.any(axis=1)

    return rejects


def doses(df):
    """Any signal in five doses by the contrasts of four candidates."""
    at, n = np.array([0.0, 0.5, 1.0, 2.0, 4.0]), 10
    shapes = (Candidate("linear"), Candidate("emax", (0.8,)), Candidate("exponential", (2.0,)),
              Candidate("logistic", (1.5, 0.3)))  # fmt: skip
    contrasts = optimal_contrasts(at, shapes, np.full(5, 1 / n))
    bound = critical_value(contrasts, ALPHA, df)

    def rejects(rng, replicates):
        y = rng.standard_normal((replicates, 5, n))
        spread = np.ones(replicates) if np.isinf(df) else y.var(axis=2, ddof=1).mean(axis=1)
        rows = contrasts.coefficients
        t = y.mean(axis=2) @ rows.T / np.sqrt(spread[:, None] / n * (rows**2).sum(axis=1))
        return (t > bound).any(axis=1)

    return rejects


def trend(rng, replicates):
    """Five doses, responders, one degree of freedom."""
    x = rng.binomial(40, 0.3, (replicates, 5)).astype(float)
    table = np.stack([40 - x, x], axis=-1)[:, None]
    return many(lambda t: cmh.correlation(t, jnp.asarray([0.0, 0.5, 1.0, 2.0, 4.0])), table) < 0.05


def responsive(rule):
    """Shares of the arms follow the responses after every 40 people; score test at the end."""

    def rejects(rng, replicates):
        yes, n = np.zeros((2, replicates, 2))
        for block in range(5):
            share = response.shares(yes, n, rule, 0.5, 0.25)[:, 0] if block else np.full(replicates, 0.5)
            came = rng.binomial(40, share)
            more = np.stack([came, 40 - came], axis=1)
            yes, n = yes + rng.binomial(more, 0.35), n + more
        return many(lambda a, m, b, k: score.binomial(score.pair(a, m, b, k)), yes[:, 0], n[:, 0], yes[:, 1],
                    n[:, 1]) < 0.05  # fmt: skip

    return rejects


def _platform(rng, replicates, drift):
    """One-sided p-values of three arms that enter one after another, each against its concurrent control."""
    periods = ((0, 1, -1), (0, 1, 2), (0, 3, 2), (0, 3, -1))  # arms that are open; 0 is the control
    y = {}
    for when, open_ in enumerate(periods):
        for arm in (a for a in open_ if a >= 0):
            y[arm, when] = drift * when + rng.standard_normal((replicates, 20))
    found = []
    for arm in (1, 2, 3):
        at = [when for when, open_ in enumerate(periods) if arm in open_]
        outcome = np.concatenate([y[a, when] for a in (0, arm) for when in at], axis=1)
        active = np.tile(np.repeat([0.0, 1.0], 20 * len(at)), (replicates, 1))
        period = np.tile(np.tile(np.repeat(np.arange(len(at)), 20), 2), (replicates, 1))
        within = partial(ancova.ancova, strata=len(at), covariance="classical")
        found.append(many(lambda y, a, s, test=within: test(y, a, stratum=s).difference, outcome, active, period))
    return np.stack(found, axis=1)


def platform_as_family(rng, replicates):
    """Any of the three arms, Holm's procedure over their tests."""
    return (stepwise.adjust(_platform(rng, replicates, 0.8), "holm") <= 0.05).any(axis=1)


def responsive_arms(rng, replicates):
    """Two arms and a control whose shares follow the responses; score tests at the end, Holm's procedure."""
    yes, n = np.zeros((2, replicates, 3))
    for block in range(5):
        share = response.shares(yes, n, "thompson", 0.5, 0.1) if block else np.full((replicates, 3), 1 / 3)
        came = rng.multinomial(60, share)
        yes, n = yes + rng.binomial(came, 0.35), n + came
    p = [many(lambda a, m, b, k: score.binomial(score.pair(a, m, b, k)), yes[:, arm], n[:, arm], yes[:, 0], n[:, 0])
         for arm in (1, 2)]  # fmt: skip
    return (stepwise.adjust(np.stack(p, axis=1), "holm") <= 0.05).any(axis=1)


def concurrent(rng, replicates):
    """Each arm at its own level; the first is looked at. Outcomes drift with time."""
    return _platform(rng, replicates, 0.8)[:, 0] < 0.05


def pooled_control(rng, replicates):
    """The last arm against everybody who ever had the control, while outcomes drift."""
    control = 0.3 * np.repeat(np.arange(4), 20) + rng.standard_normal((replicates, 80))
    active = 0.3 * np.repeat([2, 3], 20) + rng.standard_normal((replicates, 40))
    outcome = np.concatenate([control, active], axis=1)
    arm = np.tile(np.repeat([0.0, 1.0], [80, 40]), (replicates, 1))
    return many(lambda y, a: ancova.ancova(y, a, covariance="classical").difference, outcome, arm) < 0.05


def _minimised(rng, replicates, people=60):
    """Arms by minimisation on two factors that matter for the outcome."""
    factors = rng.integers(0, 2, (replicates, people, 2))
    keys = jax.vmap(lambda i: jax.random.fold_in(root(7), i))(jnp.arange(replicates))
    give = jax.jit(jax.vmap(lambda key, f: minimise(key, f, 2, (1, 1), 0.8)))
    parts = [np.asarray(give(keys[i : i + 500], jnp.asarray(factors[i : i + 500]))) for i in range(0, replicates, 500)]
    outcome = factors @ np.array([1.2, 1.2]) + rng.standard_normal((replicates, people))
    return outcome, np.concatenate(parts).astype(float), factors.astype(float)


def minimised(adjusted):
    """The test with the factors of minimisation, and the one that ignores them."""

    def rejects(rng, replicates):
        y, arm, factors = _minimised(rng, replicates)

        def test(y, a, f):
            return ancova.ancova(y, a, f if adjusted else None, covariance="classical").difference

        return many(test, y, arm, factors) < 0.05

    return rejects


def blocked(rng, replicates):
    """Permuted blocks of four in three strata that matter; ANCOVA with the strata."""
    stratum = rng.integers(0, 3, (replicates, 60))
    keys = jax.vmap(lambda i: jax.random.fold_in(root(8), i))(jnp.arange(replicates))
    give = jax.jit(jax.vmap(lambda key, s: permuted_blocks(key, s, (1, 1), 4, 3)))
    arm = np.concatenate([np.asarray(give(keys[i : i + 500], jnp.asarray(stratum[i : i + 500]))) for i in
                          range(0, replicates, 500)]).astype(float)  # fmt: skip
    y = 1.2 * stratum + rng.standard_normal(arm.shape)
    test = many(lambda y, a, s: ancova.ancova(y, a, None, s, 3, covariance="classical").difference, y, arm, stratum)
    return test < 0.05


def factorial(rng, replicates):
    """Two treatments crossed; the other one works."""
    one, two = np.tile(np.repeat([0.0, 1.0], 30), (replicates, 1)), np.tile(np.arange(60) % 2, (replicates, 1))
    y = 0.8 * two + rng.standard_normal(one.shape)
    return many(lambda y, a, b: ancova.ancova(y, a, b, covariance="classical").difference, y, one, two) < 0.05


def fixed_design(rng, replicates):
    """The plan unchanged, to see what Brownian motion gives here."""
    return (brownian(rng, replicates, BOUNDS.information) >= BOUNDS.efficacy).any(axis=1)


DROP = "two stages, 3 arms and a control"
SHARES = "200 people in blocks of 40, 35 %, no arm below a quarter"
PLATFORM = "3 arms that enter over 4 periods, 20 a period, drift 0.8 SD"
BEST, DUNNETT = (lambda z: closed.keep_best(z)), closed.dunnett((1.0, 1.0, 1.0), 1.0)
CASES = [
    Case("size by blinded variance, t test", "60 to 300 people", ALPHA, blinded_variance, "asymptotic"),
    Case("size by blinded rate, score test", "80 to 300 an arm, 30 %", ALPHA, blinded_rate, "asymptotic"),
    Case("promising zone, planned weights", "100 and 100 to 300", ALPHA, promising),
    Case("inverse normal combination", "3 stages", ALPHA, inverse_normal),
    Case("Fisher's combination, futility at 50 %", "2 stages", ALPHA, fisher),
    Case("redesign at the level left", "after 1 of 3 looks", ALPHA, redesigned),
    Case("two looks, unchanged", "2 looks", ALPHA, fixed_design),
    Case("arms dropped, Dunnett, all kept", DROP, ALPHA,
         arms_dropped(DUNNETT, lambda z: np.ones_like(z, bool)), "at most",
         note="the test of all arms is exact, but the best arm may differ between the stages"),
    Case("arms dropped, Dunnett, the best kept", DROP, ALPHA, arms_dropped(DUNNETT, BEST), "at most",
         note="dropped arms stay in the intersections"),
    Case("arms dropped, Simes, those near the best kept", DROP, ALPHA,
         arms_dropped(closed.simes, lambda z: closed.keep_near(z, 0.5)), "at most", note="Simes and dropping"),
    Case("arms dropped, Bonferroni, the best kept", DROP, ALPHA, arms_dropped(closed.bonferroni, BEST), "at most",
         note="an inequality, and dropping"),
    Case("arms dropped, Dunnett, one arm works", DROP, ALPHA, arms_dropped(DUNNETT, BEST, (2.5, 0.0, 0.0)), "at most",
         note="rejections of the two that do not work"),
    Case("enrichment, nested test", "two stages, subgroup of 40 %", ALPHA, enriched(closed.nested(SUBGROUP)),
         "at most", note="dropped populations stay in the intersection"),
    Case("enrichment, Simes", "two stages, subgroup of 40 %", ALPHA, enriched(closed.simes), "at most",
         note="Simes, and dropped populations stay in the intersection"),
    Case("enrichment, Bonferroni", "two stages, subgroup of 40 %", ALPHA, enriched(closed.bonferroni), "at most",
         note="an inequality, and dropped populations stay in the intersection"),
    Case("MCP-Mod, known variance", "5 doses x 10", ALPHA, doses(np.inf)),
    Case("MCP-Mod, t with 45 degrees of freedom", "5 doses x 10", ALPHA, doses(45)),
    Case("trend over doses, responders", "5 doses x 40, 30 %", 0.05, trend, "asymptotic"),
    Case("response-adaptive, Neyman", SHARES, 0.05, responsive("neyman"), "asymptotic"),
    Case("response-adaptive, fewest failures", SHARES, 0.05, responsive("fewest_failures"), "asymptotic"),
    Case("response-adaptive, Thompson", SHARES, 0.05, responsive("thompson"), "asymptotic"),
    Case("response-adaptive, Thompson, two arms and a control, Holm",
         "300 people in blocks of 60, 35 %, no arm below a tenth", 0.05, responsive_arms, "at most",
         note="Holm's procedure on tests that share their control"),
    Case("platform, concurrent control, periods as strata", PLATFORM, 0.05, concurrent),
    Case("platform, three arms, Holm", PLATFORM, 0.05, platform_as_family, "at most",
         note="an inequality; the arms share some of their control"),
    Case("platform, control of all times, drift 0.3 SD a period", "40 against 80", 0.05, pooled_control, "no claim",
         note="why controls must be concurrent where outcomes drift"),
    Case("minimisation, ANCOVA with its factors", "2 x 30, 2 factors, chance 0.8", 0.05, minimised(True), "asymptotic"),
    Case("minimisation, test without its factors", "2 x 30, 2 factors, chance 0.8", 0.05, minimised(False), "at most",
         note="balance that the test does not know of makes it conservative"),
    Case("permuted blocks in strata, ANCOVA with strata", "2 x 30, 3 strata, blocks of 4", 0.05, blocked),
    Case("factorial, one of two treatments works", "60, 2 x 2", 0.05, factorial),
]  # fmt: skip
