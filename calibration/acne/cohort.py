"""The people of a published arm: those of one pool whom its criteria would have admitted, made to look as it reports.

All arms share their luck (common random numbers), spread evenly over its range (a scrambled Sobol sequence). Criteria
act on counts that waver: nobody's count is drawn; each person weighs by the chance of entry, and what is expected of an
admitted count is worked out (`noise`), so that regression to the mean is exact and everything smooth. A few hundred
are picked from the pool at even steps of these weights, in order of their lesions, so that none is picked for nothing.
"""

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from scipy import optimize, special
from scipy.stats import qmc

from ...core.acne.equilibrium import Counts, counts
from ...core.keys import root, stream
from ...population import acne
from ...population.attributes import RACES
from ...population.sample import POPULATIONS, sample
from .evidence.arms import Arm, Trial
from .noise import MOST, NODES, Window, look_up, normal_nodes, window

SEED = 20261122
CANDIDATES = 4096
STRATA = 16  # of inflammatory lesions, within which candidates stand in order of their comedones
LUCK = (  # what the model does not know of a person
    *("resistance", "placebo", "own_0", "own_1", "own_2", "adherence"),
    *("resistant", "flares", "peak", "marks"),
)
LESIONS = ("inflammatory", "noninflammatory")
KINDS = (*LESIONS, "total", "nodules", "papules", "pustules")  # what is counted
GRADES = (2, 3, 4)  # that people enter with
OVER = 1.5  # mean of nodules over the least number of entry, where it is not told
USED = (*("inflammatory", "noninflammatory", "nodules", "prior_antibiotic"), *("age", "male", "race", "weight"))
USED = (*USED, "fitzpatrick")
REPORTED_AS = {"inflammatory": "inflammatory", "noninflammatory": "noninflammatory"}
LIMIT = 1.5  # of the logarithm by which an arm's lesions are scaled


class Admitted(NamedTuple):
    """People of an arm, equally many of each, and what is expected of them given that they were admitted.

    twins: attributes, (people,). rater: lesions counted for each there is, (people,). rest: mean lesions untreated.
    chance: of each of the nodes of activity, (people, NODES); sums to 1. grades: chance of each of GRADES.
    mean, inverse: of the admitted count of each of KINDS and of its inverse, (people, NODES).
    places: counts that stand for its distribution, (people, NODES, PLACES).
    """

    twins: dict[str, np.ndarray]
    rater: np.ndarray
    rest: Counts
    chance: np.ndarray
    grades: np.ndarray
    mean: dict[str, np.ndarray]
    inverse: dict[str, np.ndarray]
    places: dict[str, np.ndarray]


class Pool(NamedTuple):
    """Candidates' attributes, and standard normal scores of how their raters count, each (CANDIDATES,)."""

    twins: dict[str, np.ndarray]
    rater: np.ndarray


@cache
def pool() -> Pool:
    """The candidates, in an order in which neighbours are alike in their lesions."""
    drawn = sample(POPULATIONS["acne"], stream(root(SEED), "twins"), jnp.arange(CANDIDATES))
    twins = {name: np.asarray(drawn[name]) for name in USED}
    stratum = np.argsort(np.argsort(twins["inflammatory"], kind="stable")) * STRATA // CANDIDATES
    way = np.where(stratum % 2 == 0, 1.0, -1.0)  # up one stratum and down the next
    order = np.lexsort((way * twins["noninflammatory"], stratum))
    scores = special.ndtri((np.random.default_rng(SEED).permutation(CANDIDATES) + 0.5) / CANDIDATES)
    return Pool({name: values[order] for name, values in twins.items()}, scores)


@cache
def luck(size: int) -> dict[str, np.ndarray]:
    """Standard normal scores of each of LUCK, (size,); a power of 2."""
    even = qmc.Sobol(len(LUCK), seed=SEED).random(size)  # pyright: ignore[reportCallIssue]
    normal = special.ndtri(np.clip(even, 0.5 / size, 1 - 0.5 / size))
    return dict(zip(LUCK, normal.T, strict=True))


class Rules(NamedTuple):
    """What admits: windows of the counts of LESIONS and of nodules (None: none), grades, and whom else, (CANDIDATES,)."""

    windows: dict[str, Window]
    grades: tuple[int, ...]
    others: np.ndarray


def admitted(trial: Trial, arm: Arm, size: int, theta: Mapping[str, float]) -> Admitted:
    """`size` people of an arm.

    Mean admitted counts, mean age, the share of men and those of grades are what the arm reports. What it does not
    report is taken from the change of counts over their percentage, else from the trial's other arms, else left as the
    criteria make it.

    Raises:
      ValueError: the criteria leave nobody.
    """
    drawn, rules = pool(), _rules(trial, float(theta["counts.dispersion"]))
    if not rules.others.any():
        raise ValueError(f"{trial.key}: nobody of {CANDIDATES} candidates meets the criteria of age, sex, race, nodules")
    targets = {name: baseline(trial, arm, name) for name in LESIONS}
    tilt = np.ones(CANDIDATES)
    factors = dict.fromkeys(LESIONS, 1.0)
    levels = arm.baseline.iga
    liked = np.ones(len(GRADES))
    for _ in range(3):
        factors = _factors(rules, targets, factors, tilt, liked, theta)
        faces = _Faces(drawn, factors, rules, theta)
        weight = faces.weight(liked) * rules.others
        tilt = _tilt(weight, drawn.twins, arm)
        if levels is not None:
            liked = _liked(faces, weight / np.maximum(faces.graded(liked), 1e-300) * tilt, levels, rules)
    faces = _Faces(drawn, factors, rules, theta)
    return _pick(faces, drawn, rules, faces.weight(liked) * rules.others * tilt, liked, size, theta)
