"""What a trial tells of an arm, from the course of its mean lesions: percentages, shares, medians, scores.

People were admitted on counts that waver, so that all is expected given what was counted then. Activity at baseline is
taken at nodes, and what is left of it fades; how a count then falls is the chance of a negative binomial number, by the
normal approximation to the cube root of a ratio of gamma variables, which is smooth (Paulson 1942). That lesions
themselves last from the first visit to a later one is left out.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.scipy.special import expit, ndtr, ndtri

from ...core.acne import reading
from ...core.acne.equilibrium import Counts
from .cohort import GRADES, Admitted, of_kind
from .noise import NODES, normal_nodes, uniform_nodes

Theta = dict[str, Array]
LATER, GRADER = 3, 3  # nodes of activity at a later visit and of the investigator's first grading
WEEK = 7.0
HALVES = {"inflammatory_half": 0.5, "noninflammatory_half": 0.5, "total_half": 0.5, "nodules_tenth": 0.1}
GRADED = ("iga_success", "iga01", "two_grades", "iga01_or_two_grades")
SCORES = ("acne_qol", "dlqi")
COUNTED = ("inflammatory", "noninflammatory", "total", "nodules")
LOWEST, HIGHEST = 1e-3, 4.0  # share of lesions left between which a median is looked for
HALVINGS = 26


class Entrants(NamedTuple):
    """What the readings need of people who were admitted: `Admitted` of many arms, each (arms, people, ...)."""

    chance: Array
    grades: Array
    rater: Array
    inflammatory: Array
    noninflammatory: Array
    nodules: Array


class Today(NamedTuple):
    """Mean lesions of one arm at a visit, (people,), the share of activity at baseline that is still there, and of the
    admitted what `Entrants` has, of this arm. first: their mean lesions untreated."""

    inflammatory: Array
    noninflammatory: Array
    nodules: Array
    spots: Array
    kept: Array
    first: Entrants


def entrants(found: list[Admitted]) -> Entrants:
    """Arms together."""

    kinds = [of_kind(one.rest) for one in found]
    return Entrants(
        chance=jnp.asarray(np.stack([one.chance for one in found])),
        grades=jnp.asarray(np.stack([one.grades for one in found])),
        rater=jnp.asarray(np.stack([one.rater for one in found])),
        inflammatory=jnp.asarray(np.stack([kind["inflammatory"] for kind in kinds])),
        noninflammatory=jnp.asarray(np.stack([kind["noninflammatory"] for kind in kinds])),
        nodules=jnp.asarray(np.stack([kind["nodules"] for kind in kinds])),
    )


def kept(week: int, theta: Theta) -> float:
    """Correlation of activity at a visit with that at baseline."""
    return float(np.exp(-WEEK * week / float(theta["counts.activity_life"])))


def weights(people: Admitted, kind: str, week: int, percent: bool, theta: Theta) -> tuple[np.ndarray, float]:
    """What mean lesions at a week, (people,), are multiplied by, and what is then taken from their sum, for the mean
    change of counts of a kind from baseline, in per cent or in lesions."""
    scores, _ = normal_nodes(NODES)
    part = float(theta["counts.activity:sd"]) * kept(week, theta)
    active = np.exp(part * scores - part * part / 2)[None, :]
    each = people.chance * people.rater[:, None] * active / len(people.rater)
    if percent:
        return 100 * (each * people.inverse[kind]).sum(1), 100.0
    return each.sum(1), float((people.chance * people.mean[kind]).sum(1).mean())


def graded(worst: Array, now: Today, theta: Theta) -> Array:
    """Share of people whose grade is at most this one, (GRADES,), by the grade that they entered with."""
    chances, odds = uniform_nodes(GRADER)
    scale, shared = theta["iga.scale"], theta["iga.shared"]
    before, after, weight = _active(now, theta)
    first = now.first
    severe = reading.severity(_counts(first.inflammatory, first.noninflammatory, first.nodules, 1), before, theta)
    entered = jnp.asarray(np.array(GRADES))[:, None, None, None]
    spread = jnp.broadcast_to(jnp.asarray(chances), (1, 1, 1, GRADER))
    begun = reading.grader(spread, entered, severe[None, :, :, None], theta)
    left = reading.severity(_counts(now.inflammatory, now.noninflammatory, now.nodules, 2), after, theta)
    anchor = reading.anchor(reading.typical(theta)[:, None, None], severe[None], theta)
    below = expit((reading.cuts(theta)[worst][:, None, None, None] - left[None] - anchor[..., None]) / scale)
    limit = ndtri(jnp.clip(below, 1e-15, 1 - 1e-15))[..., None]
    reached = ndtr((limit - shared * begun[:, :, :, None, :]) / jnp.sqrt(1 - shared * shared)) @ jnp.asarray(odds)
    return jnp.einsum("gpse,pse,pg->", reached, weight, first.grades)


def score(name: str, now: Today, theta: Theta) -> Array:
    """Mean of one of SCORES."""
    _, after, weight = _active(now, theta)
    severe = reading.severity(_counts(now.inflammatory, now.noninflammatory, now.nodules, 2), after, theta)
    if name == "acne_qol":
        level = reading.QUALITY - theta["quality.severity"] * severe
        level = level - (theta["quality.spots"] * now.spots)[:, None, None]
        sd, most = jnp.hypot(theta["quality.level:sd"], theta["quality.reading:sd"]), reading.QUALITY
    else:
        level = theta["dlqi.level"] + theta["dlqi.severity"] * severe
        sd, most = jnp.hypot(theta["dlqi.level:sd"], theta["dlqi.reading:sd"]), reading.DLQI
    return (weight * _clipped(level, sd, most)).sum()


def fallen(kind: Array, share: Array, places: Array, less: Array, now: Today, theta: Theta) -> Array:
    """Share of people with at most this share of the lesions that were counted at baseline, less a part of a lesion.

    Args:
      kind: number of COUNTED. places: counts at baseline, (people, NODES, PLACES).
    """
    mean, excess, weight = _counted(kind, now, theta)
    return _fallen(share, places, less, mean, excess, weight)


def median(kind: Array, places: Array, now: Today, theta: Theta) -> Array:
    """Median change in per cent: where the share of people who have come so far is a half, ties counted by half."""
    mean, excess, weight = _counted(kind, now, theta)

    def above(log: Array) -> Array:
        return _fallen(jnp.exp(log), places, jnp.asarray(0.5), mean, excess, weight) - 0.5

    def halve(_: int, between: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = between
        middle = (low + high) / 2
        over = above(middle) > 0
        return jnp.where(over, low, middle), jnp.where(over, middle, high)

    ends = jnp.log(jnp.asarray(LOWEST)), jnp.log(jnp.asarray(HIGHEST))
    low, high = lax.stop_gradient(lax.fori_loop(0, HALVINGS, halve, ends))
    found = (low + high) / 2
    slope = jax.jvp(above, (found,), (jnp.ones_like(found),))[1]
    return 100 * jnp.expm1(found - above(found) / lax.stop_gradient(slope))


def _active(now: Today, theta: Theta) -> tuple[Array, Array, Array]:
    """Factors of activity at baseline, (people, NODES), and now, (people, NODES, LATER), and how much each counts."""
    scores, _ = normal_nodes(NODES)
    new, odds = normal_nodes(LATER)
    sd = theta["counts.activity:sd"]
    later = now.kept * jnp.asarray(scores)[:, None] + jnp.sqrt(1 - now.kept**2) * jnp.asarray(new)[None, :]
    people = now.inflammatory.shape[0]
    before = jnp.broadcast_to(jnp.exp(sd * jnp.asarray(scores) - sd * sd / 2)[None, :], (people, NODES))
    after = jnp.broadcast_to(jnp.exp(sd * later - sd * sd / 2)[None], (people, NODES, LATER))
    return before, after, now.first.chance[:, :, None] * jnp.asarray(odds)[None, None, :] / people


def _counts(inflammatory: Array, comedones: Array, nodules: Array, axes: int) -> Counts:
    """Lesions as severity takes them, with axes for nodes."""
    at = [values.reshape(values.shape + (1,) * axes) for values in (inflammatory - nodules, comedones, nodules)]
    none = jnp.zeros_like(at[0])
    return Counts(M=none, Cc=at[1], Co=none, Pa=at[0], Pu=none, D=at[2], E=none)


def _counted(kind: Array, now: Today, theta: Theta) -> tuple[Array, Array, Array]:
    """Mean of the count now, (people, NODES), its variance beyond that of a Poisson number over the square of the mean,
    and how much each node counts."""
    scores, _ = normal_nodes(NODES)
    part = theta["counts.activity:sd"] * now.kept
    active = now.first.rater[:, None] * jnp.exp(part * jnp.asarray(scores) - part * part / 2)[None, :]
    wavers = jnp.expm1(theta["counts.activity:sd"] ** 2 * (1 - now.kept**2))
    both = now.inflammatory + now.noninflammatory
    mean = jnp.stack([now.inflammatory, now.noninflammatory, both, now.nodules])[kind]
    apart = (now.inflammatory**2 + now.noninflammatory**2) / both**2  # each is miscounted by itself
    seen = (1 + wavers) / theta["counts.dispersion"]
    excess = wavers + seen * jnp.where(kind == COUNTED.index("total"), apart, 1.0)
    return mean[:, None] * active, excess, now.first.chance / mean.shape[0]


def _fallen(share: Array, places: Array, less: Array, mean: Array, excess: Array, weight: Array) -> Array:
    above = share * places - less + 1  # of a count that is lower, one more
    size = 9 / excess[:, None, None]
    root = jnp.cbrt(above / mean[..., None])
    z = (root * (1 - 1 / (9 * above)) - (1 - 1 / size)) / jnp.sqrt(root**2 / (9 * above) + 1 / size)
    return (ndtr(z).mean(-1) * weight).sum()


def _clipped(mean: Array, sd: Array, most: float) -> Array:
    """Mean of a normal variable that is held between 0 and `most`."""

    def above(limit: float) -> Array:
        z = (mean - limit) / sd
        return (mean - limit) * ndtr(z) + sd * jnp.exp(-z * z / 2) / np.sqrt(2 * np.pi)

    return above(0.0) - above(most)
