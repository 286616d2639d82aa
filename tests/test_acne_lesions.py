"""How lesions are counted: the law of the numbers, how long they last, and what the schedule of visits changes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from cutis.core.acne.lesions import FEW, KINDS, PAST, count, face, gamma, poisson, spread, today, wandering
from cutis.core.keys import normals, people, root

from .faces import THETA

N = 20_000
KEYS = people(root(8), jnp.arange(N))
SURE = THETA | {"counts.activity:sd": jnp.asarray(0.0), "counts.rater:sd": jnp.asarray(0.0)}
EXACT = SURE | {"counts.dispersion": jnp.asarray(1e12)}
SE = 4.5 / np.sqrt(N)
MEANS = jnp.array([30.0, 15.0, 21.0, 8.0, 0.6])


@jax.jit
def counted(day, visit, theta):
    person = face(KEYS, normals(KEYS, "rater of a test"), theta)
    now = today(person, day, theta)
    scores = normals(KEYS, "visit of a test", visit, shape=(2,))
    means = now.activity[None, :] * jnp.broadcast_to(MEANS[:, None], (len(KINDS), N))
    return count(scores[0], scores[1], person, now, means, theta)


def numbers(day, visit=0, theta=THETA):
    return np.asarray(counted(jnp.asarray(float(day)), jnp.asarray(visit), theta))


@pytest.mark.parametrize("mean", [0.05, 0.6, 3.0, 8.0, FEW - 0.1, FEW + 0.1, 30.0, 150.0])
def test_numbers_are_poisson_as_scipy_has_them(mean):
    chance = (np.arange(20_000) + 0.5) / 20_000
    got = np.asarray(poisson(jnp.asarray(chance), jnp.full(chance.shape, mean)))
    expected = stats.poisson.ppf(chance, mean)
    assert (got != expected).mean() < (1e-12 if mean < FEW else 2e-3)
    assert np.abs(got - expected).max() <= 1
    assert got.mean() == pytest.approx(mean, rel=2e-3)
    assert got.var() == pytest.approx(mean, rel=2e-2)


def test_none_are_counted_where_there_are_none():
    assert not np.asarray(poisson(jnp.array([0.01, 0.5, 0.999999]), jnp.zeros(3))).any()


def test_a_gamma_score_has_the_moments_of_a_gamma_variable():
    z = stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    got = np.asarray(gamma(jnp.asarray(z), jnp.asarray(20.0)))
    assert got.mean() == pytest.approx(1, abs=1e-3)
    assert got.var() == pytest.approx(1 / 20, rel=1e-2)
    assert stats.skew(got) == pytest.approx(2 / np.sqrt(20), rel=0.05)
    assert (np.asarray(gamma(jnp.array([-50.0]), jnp.asarray(20.0))) >= 0).all()


def test_scores_are_standard_normal_and_forget_over_their_lives():
    lives = jnp.array([6.0, 22.0, 45.0])
    at = {week: np.asarray(wandering(KEYS, jnp.asarray(7.0 * week), lives)) for week in (0, 1, 3, 12)}
    for scores in at.values():
        assert abs(scores.mean(1)).max() < SE
        np.testing.assert_allclose(scores.var(1), 1, atol=SE * np.sqrt(2))
    for week in (1, 3, 12):
        for kind, life in enumerate(np.asarray(lives)):
            got = np.corrcoef(at[0][kind], at[week][kind])[0, 1]
            left = np.exp(-2 * 7 * PAST / life)  # of what is older than is remembered
            assert got == pytest.approx(np.exp(-7 * week / life), abs=SE + left)


def test_counts_without_rater_and_activity_are_poisson():
    got = numbers(14, theta=EXACT)
    for values, mean in zip(got, np.asarray(MEANS), strict=True):
        assert values.mean() == pytest.approx(mean, abs=SE * np.sqrt(mean))
        assert values.var() == pytest.approx(mean, rel=SE * 2)


def test_counts_with_a_rater_are_negative_binomial():
    got, size = numbers(14, theta=SURE), float(THETA["counts.dispersion"])
    for values, mean in zip(got, np.asarray(MEANS), strict=True):
        variance = mean + mean**2 / size
        assert values.mean() == pytest.approx(mean, abs=SE * np.sqrt(variance))
        assert values.var() == pytest.approx(variance, rel=SE * 3)
        law = stats.nbinom(size, size / (size + mean))
        below = np.floor(mean)
        assert (values <= below).mean() == pytest.approx(law.cdf(below), abs=SE / 2 + 1e-3)


def test_the_whole_variance_of_a_count_is_as_told():
    got = numbers(14)
    for values, mean in zip(got, np.asarray(MEANS), strict=True):
        variance = float(spread(jnp.asarray(mean), THETA))
        assert values.mean() == pytest.approx(mean, abs=SE * np.sqrt(variance))
        assert values.var() == pytest.approx(variance, rel=SE * 3)


def test_lesions_last_as_long_as_their_kind_does():
    first = numbers(70, theta=EXACT)
    for weeks in (1, 4):
        later = numbers(70 + 7 * weeks, theta=EXACT)
        for kind, a, b in zip(KINDS[:4], first, later, strict=False):
            expected = np.exp(-7 * weeks / float(THETA[f"lesions.{kind}_life"]))
            assert np.corrcoef(a, b)[0, 1] == pytest.approx(expected, abs=0.04), (kind, weeks)


def test_two_raters_on_one_day_see_the_same_face():
    one, other = numbers(14, 0, SURE), numbers(14, 1, SURE)
    assert (one[0] != other[0]).any()
    assert np.corrcoef(one[0], other[0])[0, 1] > 0.3
    assert (numbers(14, 0, EXACT) == numbers(14, 1, EXACT)).mean() > 0.9999  # raters who make no error agree


def test_a_face_does_not_depend_on_when_else_it_is_looked_at():
    """A day's face is addressed by its week alone: nothing is carried from visit to visit."""
    alone = np.asarray(wandering(KEYS[:50], jnp.asarray(84.0), jnp.array([10.0])))
    for other in (7.0, 28.0):
        wandering(KEYS[:50], jnp.asarray(other), jnp.array([10.0]))
    np.testing.assert_array_equal(alone, np.asarray(wandering(KEYS[:50], jnp.asarray(84.0), jnp.array([10.0]))))
    few = np.asarray(wandering(KEYS[:7], jnp.asarray(84.0), jnp.array([10.0])))
    np.testing.assert_allclose(few, alone[:, :7], rtol=1e-14)


def test_counts_fall_back_towards_the_mean_after_selection():
    """Whoever is let in by a high count has a lower one later, without any treatment."""
    screening, later = (numbers(day, visit).sum(0) for day, visit in ((0, 0), (84, 1)))
    high = screening > np.quantile(screening, 0.8)
    mean = float(MEANS.sum())
    assert later.mean() == pytest.approx(mean, rel=0.02)
    assert later[high].mean() < screening[high].mean() - 0.5 * (screening[high].mean() - mean)
    assert later[high].mean() > mean  # raters who count more still do
