"""Earlier controls: type I error against the closed form of a biased z-test, the package's posteriors, refusals."""

import math

import jax.numpy as jnp
import numpy as np
import pytest
from pydantic import ValidationError
from scipy.stats import nct, norm

from cutis.trials.operating import external, looks, summed
from cutis.trials.operating.arrangements import External
from cutis.trials.operating.decisions import Rule
from cutis.trials.operating.draw import Allocation, keys
from cutis.trials.operating.groups import Groups
from cutis.trials.operating.pool import Columns, Pool
from cutis.trials.operating.replicates import Trials
from cutis.trials.operating.run import measured
from cutis.trials.operating.sample import Data
from cutis.trials.operating.settings import Design
from cutis.trials.operating.summed import Summed
from cutis.trials.operating.worlds import worlds
from cutis.trials.statistics.methods.estimate import Estimate, Flag
from cutis.trials.study import Analysis

POOL, SIZE, EARLIER, MANY = 20_000, 200, 300, 2048
WORDS = {"people": [EARLIER], "shifts": [0.2], "spread": 0.3, "borrow": "pooled"}
ANALYSIS = Analysis.model_validate(
    {"outcome": "y", "week": 16, "arm": "a", "comparator": "c", "method": "ancova", "covariates": ["x"]}
    | {"intercurrent": "treatment_policy"}
)
TWO = Allocation((1, 1), 4, 1)
NULL, OFF = "null as comparator", "null as comparator, earlier controls +0.2"


def trials_of(words, values, size=SIZE):
    design = Design.model_validate({"external": words})
    analyses = external.chosen(design.external, "y", ANALYSIS)
    names = tuple(analyses)
    trials = Trials(5, size, (size,), TWO, names, tuple(analyses.values()), worlds=worlds(design, names))
    rule = Rule(design, looks.bounds(design, 0.05), (1.0,), ((0, 1),), TWO, (size,))
    return Summed(trials, rule, (0, 1)), Data(np.zeros(values.shape[1], int), values, (), ())


@pytest.fixture(scope="module")
def values():
    """Outcomes with SD 1 in either arm, 0.3 apart."""
    found = np.random.default_rng(2).normal(size=(2, POOL))
    found = (found - found.mean(axis=1, keepdims=True)) / found.std(axis=1, keepdims=True)
    return found + np.array([[0.3], [0.0]])


@pytest.fixture(scope="module")
def made(values):
    whole, data = trials_of(WORDS, values)
    return whole, data, summed.analyse(whole, np.arange(MANY), data)


def rejected(shift, people):
    """Chance that a z-test of the arm against so many controls rejects, whose SD, 1, is estimated."""
    parts = np.array([2 / SIZE, 1 / people])
    df = parts.sum() ** 2 / (parts**2 / (1 / parts - 1)).sum()  # Satterthwaite
    drift, edge = shift / math.sqrt(parts.sum()), norm.isf(0.025)
    return nct.sf(edge, df, drift) + nct.cdf(-edge, df, drift)


def figures(whole, found, truth=0.3):
    rows = measured(whole.first, found, whole.rule, dict.fromkeys(whole.first.names, truth))
    return {(f.hypothesis, f.analysis, f.measure): f for f in rows}


def test_type_one_error_of_pooled_controls_is_that_of_a_biased_z_test(made):
    """The mean of n0 and ne controls is off by the shift times ne / (n0 + ne)."""
    whole, _, found = made
    told, half = figures(whole, found), SIZE / 2
    for hypothesis, shift in ((NULL, 0.0), (OFF, 0.2)):
        bias = -shift * EARLIER / (half + EARLIER)
        seen = told[hypothesis, "y, pooled", "rejection"]
        assert abs(seen.value - rejected(bias, half + EARLIER)) < 4 * seen.mcse
        seen = told[hypothesis, "y, pooled", "bias"]
        assert abs(seen.value - bias) < 4 * seen.mcse


def test_a_power_prior_counts_a_part_of_the_people(made):
    whole, _, found = made
    seen, half, part = figures(whole, found)[OFF, "y, power prior", "bias"], SIZE / 2, 0.5 * EARLIER
    assert abs(seen.value + 0.2 * part / (half + part)) < 4 * seen.mcse


def test_no_borrowing_is_a_z_test_whatever_the_shift(made):
    whole, _, found = made
    told, name = figures(whole, found), "y, no borrowing"
    place = whole.first.names.index(name)
    hypotheses = list(whole.first.hypotheses)
    one, other = (found.p[:, hypotheses.index(h), 0, place] for h in (NULL, OFF))
    np.testing.assert_array_equal(one, other)
    seen = told["model", name, "rejection of the full trial"]
    assert abs(seen.value - rejected(0.3, SIZE / 2)) < 4 * seen.mcse


def test_a_robust_prior_borrows_less_where_the_controls_differ(values):
    """Far off, the vague part takes over, and hardly any bias is left; power priors keep theirs."""
    whole, data = trials_of(WORDS | {"shifts": [3.0], "borrow": "map"}, values)
    found = summed.analyse(whole, np.arange(256), data)
    told = figures(whole, found)
    far = "null as comparator, earlier controls +3"
    assert whole.first.names[0] == "y, robust MAP prior"
    assert abs(told[far, "y, robust MAP prior", "bias"].value) < 0.1
    assert told[far, "y, power prior", "bias"].value < -1
    near = {name: told["model", name, "empirical se"].value for name in whole.first.names}
    assert near["y, pooled"] < near["y, robust MAP prior"] < near["y, no borrowing"]


@pytest.mark.parametrize("words", [
    {}, {"borrow": "map", "people": [60, 80], "between": 0.1, "weight": 0.3, "trust": 0.8}, {"concurrent": False},
])  # fmt: skip
def test_the_posteriors_of_the_package_agree(words, values):
    whole, data = trials_of(WORDS | words, values)
    found = summed.analyse(whole, np.arange(4), data)
    again = summed.recheck(whole, np.arange(2), data, Estimate._make(part[:2] for part in found))
    assert again.analyses == 2 * 5 * len(whole.rule.design.external.ways)
    assert again.flagged == 0
    assert max(again.largest.values()) < 1e-7


def test_without_concurrent_controls_all_are_given_the_arm(values):
    whole, data = trials_of(WORDS | {"concurrent": False}, values)
    assert list(whole.rule.design.external.ways) == ["pooled", "power", "map"]
    drawn = summed.people(whole, 3, data.strata)
    assert (drawn.arms == 0).all()
    told = figures(whole, summed.analyse(whole, np.arange(1024), data))[OFF, "y, pooled", "bias"]
    assert abs(told.value + 0.2) < 4 * told.mcse


def test_shares_are_shifted_by_as_many_points():
    values = (np.random.default_rng(4).random(5000) < 0.3).astype(float)
    plan = External.model_validate(WORDS | {"people": [400]})
    for shift in (-0.2, 0.0, 0.25):
        found = external.outcomes(plan, shift, values, keys(1, jnp.arange(200)), 0)
        assert set(np.unique(found)) <= {0.0, 1.0}
        share, error = found.mean(axis=1), math.sqrt(0.25 / 400 / 200)
        assert abs(share.mean() - values.mean() - shift) < 4 * error


def test_trials_vary_as_much_as_is_said(values):
    plan = External.model_validate(WORDS | {"people": [50, 50], "between": 0.5})
    found = external.controls(plan, 0.0, values[1], keys(1, jnp.arange(2000)))
    assert found.mean.std(axis=0, ddof=1) == pytest.approx(math.sqrt(0.25 + 1 / 50), rel=4.5 / math.sqrt(2 * 2000))
    assert abs(np.corrcoef(found.mean.T)[0, 1]) < 4.5 / math.sqrt(2000)


def test_a_share_of_nobody_has_a_variance_and_an_empty_arm_no_estimate():
    found = external.means(Groups(np.array([[20, 0]]), np.array([[0.0, np.nan]]), np.array([[0.0, np.nan]])), True)
    assert found.variance[0, 0] == pytest.approx((0.5 / 21) * (20.5 / 21) / 20)
    assert np.isinf(found.variance[0, 1])
    seen = Groups(np.array([[20, 0]]), np.array([[0.5, np.nan]]), np.array([[0.1, np.nan]]))
    earlier = Groups(np.array([[30]]), np.array([[0.5]]), np.array([[0.2]]))
    told = external.compared(External.model_validate(WORDS), seen, earlier, True, 0.95)
    assert (told.flag == Flag.EMPTY_ARM).all()
    assert (told.p == 1).all()
    assert np.isnan(told.estimate).all()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"shifts": [0.0, 0.1]}, "other than 0"),
        ({"shifts": [0.1, 0.1]}, "each once"),
        ({"people": []}, "at least 1 item"),
        ({"spread": 0}, "greater than 0"),
        ({"borrow": "none", "concurrent": False}, "leaves no control at all"),
    ],
)
def test_controls_that_cannot_be_are_refused(words, message):
    with pytest.raises(ValidationError, match=message):
        Design.model_validate({"external": WORDS | words})


def test_a_shift_beyond_all_or_none_is_refused():
    value = np.zeros((2, 100))
    value[:, :30] = 1
    columns = Columns(value, value < 0, np.zeros((2, 100, 0)), value >= 0, (0, 1))
    pool = Pool(np.arange(100), np.zeros(100, int), ("all",), {"y": columns})
    with pytest.raises(ValueError, match=r"\+0.8 takes the comparator's share of 0.3 to 1.1; expected .* to 0.7"):
        external.prepared(External.model_validate(WORDS | {"shifts": [0.8]}), pool)
    external.prepared(External.model_validate(WORDS), pool)
