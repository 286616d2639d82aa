"""The people of a published arm: those of one pool whom its criteria would have admitted, made to look as it reports.

All arms share their luck (common random numbers), spread evenly over its range (a scrambled Sobol sequence). Criteria
act on counts that waver: nobody's count is drawn; each person weighs by the chance of entry, and what is expected of an
admitted count is worked out (`noise`), so that regression to the mean is exact and everything smooth. A few hundred
are picked from the pool at even steps of these weights, in the order of their lesions, so that all weigh the same.
"""

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from scipy import optimize, special
from scipy.stats import qmc

from ...core.acne.equilibrium import Counts, counts
from ...core.keys import people, root, stream
from ...population import acne
from ...population.attributes import RACES
from ...population.sample import POPULATIONS, sample
from .evidence.arms import Arm, Trial
from .noise import MOST, NODES, PLACES, Window, look_up, normal_nodes, window

SEED = 20261122
CANDIDATES = 4096
STRATA = 16  # of inflammatory lesions, within which candidates stand in the order of their comedones
SLOTS = 3  # treatments that an arm may have
LUCK = (  # what the model does not know of a person
    *("resistance", "placebo", *(f"own_{slot}" for slot in range(SLOTS)), "adherence"),
    *("resistant", "flares", "peak", "marks"),
)
LESIONS = ("inflammatory", "noninflammatory", "nodules")  # whose counts decide on entry
KINDS = (*LESIONS, "total", "papules", "pustules")  # what is counted
GRADES = (2, 3, 4)  # that people enter with
USED = (*LESIONS, "prior_antibiotic", "age", "male", "race", "weight", "fitzpatrick")  # attributes
OVER = 1.5  # mean of nodules over the least number that admits, where it is not told
REACH = 1.5  # most by which the logarithm of a kind of lesion is shifted
ROUNDS = 3  # in which lesions, grades, age and sex are fitted to what an arm reports

Theta = Mapping[str, float]


class Pool(NamedTuple):
    """Candidates' attributes, and how many lesions their raters count for each there is, (CANDIDATES,)."""

    twins: dict[str, np.ndarray]
    rater: np.ndarray


class Rules(NamedTuple):
    """What admits: windows of the counts of KINDS, which of GRADES, and which candidates by what else they are.

    limited: kinds whose windows decide on entry.
    """

    windows: dict[str, Window]
    limited: tuple[str, ...]
    grades: np.ndarray
    others: np.ndarray


class Faces(NamedTuple):
    """Candidates with their lesions scaled.

    twins: attributes. rest: mean lesions untreated.
    means: of counts of each of KINDS at each node of activity, (people, NODES).
    entry: chance of a node and of counts that admit there, (people, NODES). grades: of each of GRADES that admits.
    """

    twins: dict[str, np.ndarray]
    rest: Counts
    means: dict[str, np.ndarray]
    entry: np.ndarray
    grades: np.ndarray


class Admitted(NamedTuple):
    """People of an arm, all of the same weight, and what is expected of them given that they were admitted.

    keys: one a person. twins: attributes, (people,). rest: mean lesions untreated. rater: lesions counted for each.
    chance: of each node of activity, (people, NODES); sums to 1. grades: chance of each of GRADES, likewise.
    mean, inverse: of the admitted count of each of KINDS, and of its inverse where it is above 0, (people, NODES).
    places: counts that stand for its distribution, (people, NODES, PLACES).
    """

    keys: object
    twins: dict[str, np.ndarray]
    rest: Counts
    rater: np.ndarray
    chance: np.ndarray
    grades: np.ndarray
    mean: dict[str, np.ndarray]
    inverse: dict[str, np.ndarray]
    places: dict[str, np.ndarray]


@cache
def luck(size: int) -> dict[str, np.ndarray]:
    """Standard normal scores of each of LUCK, (size,); a power of 2."""
    even = qmc.Sobol(len(LUCK), seed=SEED).random(size)  # pyright: ignore[reportCallIssue]
    normal = special.ndtri(np.clip(even, 0.5 / size, 1 - 0.5 / size))
    return dict(zip(LUCK, normal.T, strict=True))


class Fitted(NamedTuple):
    """Candidates made to look as an arm reports, and how much each counts before anything is counted on them.

    rater: lesions counted for each there is. others, (CANDIDATES,), and grades, (CANDIDATES, GRADES): weights.
    """

    faces: Faces
    rater: np.ndarray
    rules: Rules
    others: np.ndarray
    grades: np.ndarray


def admitted(trial: Trial, arm: Arm, size: int, theta: Theta) -> Admitted:
    """`size` people of an arm.

    The means of their admitted counts and of age, and the shares of men and of grades, are those that the arm reports,
    else those of the trial's other arms (`told`); what nobody reports is as the criteria leave it.

    Raises:
      ValueError: the criteria leave nobody.
    """
    return _pick(fitted(trial, arm, theta), size)


def fitted(trial: Trial, arm: Arm, theta: Theta) -> Fitted:
    """The candidates of an arm.

    Raises:
      ValueError: the criteria leave nobody.
    """
    drawn = pool(float(theta["counts.rater:sd"]))
    rules = _rules(trial, drawn.twins, float(theta["counts.dispersion"]))
    if not rules.others.any():
        raise ValueError(f"{trial.key}: no candidate meets the criteria of age, sex, race and nodules")
    targets = {name: value for name in LESIONS if (value := told(trial, arm, name)) is not None}
    factors: dict[str, float] = dict.fromkeys(LESIONS, 1.0)
    liked, others = np.ones(len(GRADES)), rules.others.astype(float)
    faces = _faces(drawn, rules, factors, theta)
    for _ in range(ROUNDS if targets or arm.baseline.iga else 1):
        factors = _factors(drawn, rules, targets, factors, others, liked, theta)
        faces = _faces(drawn, rules, factors, theta)
        if arm.baseline.iga is not None:
            liked = _liked(faces, others, arm.baseline.iga)
        others = rules.others * _tilt(trial, arm, _weights(faces, rules.others, liked), drawn.twins)
    return Fitted(faces, drawn.rater, rules, others, faces.grades * liked)


def told(trial: Trial, arm: Arm, name: str) -> float | None:
    """An arm's mean of an attribute, or share of men, as it reports it: of lesions else the change of their number over
    its percentage, which is their number nearly. Else the mean of the trial's other arms; None where none tells."""
    own = _reported(arm, name)
    if own is not None:
        return own
    others = [(a.n, value) for a in trial.arms if (value := _reported(a, name)) is not None]
    if others:
        return sum(n * value for n, value in others) / sum(n for n, _ in others)
    least = trial.entry.get(name, {}).get("min")
    return OVER * least if name == "nodules" and least else None


def _reported(arm: Arm, name: str) -> float | None:
    value = getattr(arm.baseline, name)
    if value is not None or name not in LESIONS:
        return value
    figures = {(r.outcome, r.week): r.value for r in arm.readouts if r.statistic == "mean"}
    for (outcome, week), change in figures.items():
        percent = figures.get((f"{name}_percent", week))
        if outcome == f"{name}_change" and percent:
            return 100 * change / percent
    return None


@cache
def pool(rater_sd: float) -> Pool:
    """The candidates, in an order in which neighbours are alike in their lesions."""
    drawn = sample(POPULATIONS["acne"], stream(root(SEED), "twins"), jnp.arange(CANDIDATES))
    twins = {name: np.asarray(drawn[name]) for name in USED}
    stratum = np.argsort(np.argsort(twins["inflammatory"], kind="stable")) * STRATA // CANDIDATES
    way = np.where(stratum % 2 == 0, 1.0, -1.0)  # up one stratum and down the next
    order = np.lexsort((way * twins["noninflammatory"], stratum))
    even = np.random.default_rng(SEED).permutation(CANDIDATES)
    rater = np.exp(rater_sd * special.ndtri((even + 0.5) / CANDIDATES) - rater_sd**2 / 2)
    return Pool({name: values[order] for name, values in twins.items()}, rater)


def _rules(trial: Trial, twins: dict[str, np.ndarray], size: float) -> Rules:
    entry, none = trial.entry, {}

    def within(name: str, values: np.ndarray) -> np.ndarray:
        limits = entry.get(name, none)
        return (values >= limits.get("min", -np.inf)) & (values <= limits.get("max", np.inf))

    others = within("age", np.floor(twins["age"])) & (twins["nodules"] <= entry.get("nodules", none).get("max", np.inf))
    if "male" in entry:
        others &= np.isin(twins["male"], entry["male"]["one_of"])
    if "race" in entry:
        others &= np.isin(twins["race"], [RACES.index(race) for race in entry["race"]["one_of"]])
    windows = {kind: window(0.0, MOST, size) for kind in KINDS}
    for kind in LESIONS:
        limits = dict(entry.get(kind, none))
        if kind == "nodules":  # few of them: the most that admits is of those a twin has
            limits.pop("max", None)
        windows[kind] = window(float(limits.get("min", 0)), float(limits.get("max", MOST)), size)
    limited = tuple(kind for kind in LESIONS if kind in entry and (kind != "nodules" or "min" in entry[kind]))
    allowed = entry.get("iga", none).get("one_of", GRADES)
    return Rules(windows, limited, np.array([float(grade in allowed) for grade in GRADES]), others)


def _faces(drawn: Pool, rules: Rules, factors: dict[str, float], theta: Theta) -> Faces:
    twins = dict(drawn.twins)
    twins["nodules"] = twins["nodules"] * factors["nodules"]
    twins["inflammatory"] = twins["inflammatory"] * factors["inflammatory"] * factors["nodules"]
    twins["noninflammatory"] = twins["noninflammatory"] * factors["noninflammatory"]
    known = {name: jnp.asarray(value) for name, value in theta.items() if name.startswith("lesions.")}
    inflammatory, comedones, nodules = map(jnp.asarray, (twins[name] for name in LESIONS))
    rest = counts(inflammatory, comedones, nodules, known)
    scores, weights = normal_nodes(NODES)
    sd = theta["counts.activity:sd"]
    seen = drawn.rater[:, None] * np.exp(sd * scores - sd * sd / 2)[None, :]
    there = of_kind(rest)
    means = {kind: there[kind][:, None] * seen for kind in KINDS}
    entry = np.broadcast_to(weights, seen.shape)
    for kind in rules.limited:
        entry = entry * look_up(rules.windows[kind].chance, means[kind])
    return Faces(twins, rest, means, entry, _grades(twins) * rules.grades)


def of_kind(rest: Counts) -> dict[str, np.ndarray]:
    """Lesions of each of KINDS."""
    Cc, Co, Pa, Pu, D = map(np.asarray, (rest.Cc, rest.Co, rest.Pa, rest.Pu, rest.D))
    inflammatory, comedones = Pa + Pu + D, Cc + Co
    return {
        "inflammatory": inflammatory,
        "noninflammatory": comedones,
        "nodules": D,
        "total": inflammatory + comedones,
        "papules": Pa,
        "pustules": Pu,
    }


def _grades(twins: dict[str, np.ndarray]) -> np.ndarray:
    """Chance of each of GRADES, as the population has it, (people, grades)."""
    told = acne.constants().grading
    severe = np.log1p(twins["inflammatory"]) + told.comedones * np.log1p(twins["noninflammatory"])
    severe = severe + told.nodule * twins["nodules"]
    below = special.expit((told.cuts[None, :] - severe[:, None]) / told.scale)
    return np.diff(below, axis=1, prepend=0.0, append=1.0)


def _weights(faces: Faces, others: np.ndarray, liked: np.ndarray) -> np.ndarray:
    return faces.entry.sum(1) * (faces.grades @ liked) * others


def _factors(
    drawn: Pool,
    rules: Rules,
    targets: dict[str, float],
    factors: dict[str, float],
    others: np.ndarray,
    liked: np.ndarray,
    theta: Theta,
) -> dict[str, float]:
    """Factors of lesions with which the mean admitted counts are the targets."""
    names = tuple(targets)
    if not names:
        return factors

    def off(logs: np.ndarray) -> np.ndarray:
        faces = _faces(drawn, rules, factors | dict(zip(names, np.exp(logs), strict=True)), theta)
        weight = faces.entry * ((faces.grades @ liked) * others)[:, None]
        means = [(weight * look_up(rules.windows[name].mean, faces.means[name])).sum() / weight.sum() for name in names]
        return np.log(means) - np.log([targets[name] for name in names])

    begin = np.log([factors[name] for name in names])
    found = optimize.least_squares(off, begin, bounds=(-REACH, REACH), xtol=1e-6, diff_step=1e-3)
    return factors | dict(zip(names, np.exp(found.x).tolist(), strict=True))


def _liked(faces: Faces, others: np.ndarray, levels: Mapping[str, float]) -> np.ndarray:
    """Factors of the grades with which their shares are those told; what is not told is shared as it comes."""
    share = others * faces.entry.sum(1) @ faces.grades
    share = share / share.sum()
    known = np.array([levels.get(str(grade), 0.0) for grade in GRADES])
    open_ = known == 0
    left = max(1 - known.sum(), 0.0)
    wanted = np.where(open_, left * share / max(share[open_].sum(), 1e-12), known)
    return wanted / np.maximum(share, 1e-12)


def _tilt(trial: Trial, arm: Arm, weight: np.ndarray, twins: dict[str, np.ndarray]) -> np.ndarray:
    """Weights, exponential in age and sex, with which the mean age and the share of men are those told."""
    wanted = {name: value for name in ("age", "male") if (value := told(trial, arm, name)) is not None}
    wanted = {name: value for name, value in wanted.items() if np.ptp(twins[name][weight > 0].astype(float)) > 0}
    if not wanted:
        return np.ones(len(weight))
    measured = np.stack([twins[name].astype(float) for name in wanted])
    spread = measured.std(1)
    aside = (measured - np.array(list(wanted.values()))[:, None]) / spread[:, None]

    def total(powers: np.ndarray) -> tuple[float, np.ndarray]:
        tilted = weight * np.exp(np.clip(powers @ aside, -50, 50))
        return float(np.log(tilted.sum())), aside @ tilted / tilted.sum()

    found = optimize.minimize(total, np.zeros(len(wanted)), jac=True, bounds=[(-8.0, 8.0)] * len(wanted))
    return np.exp(np.clip(found.x @ aside, -50, 50))


def _pick(found: Fitted, size: int) -> Admitted:
    """People at even steps of the weights."""
    faces, rules = found.faces, found.rules
    reached = np.cumsum(faces.entry.sum(1) * found.grades.sum(1) * found.others)
    at = np.searchsorted(reached, reached[-1] * (np.arange(size) + 0.5) / size)
    means = {kind: values[at] for kind, values in faces.means.items()}
    mean = {kind: look_up(rules.windows[kind].mean, means[kind]) for kind in KINDS}
    inverse = {kind: look_up(rules.windows[kind].inverse, means[kind]) for kind in KINDS}
    places = {kind: look_up(rules.windows[kind].places, means[kind]) for kind in KINDS}
    variance = sum(look_up(rules.windows[kind].square, means[kind]) - mean[kind] ** 2 for kind in LESIONS[:2])
    mean["total"] = mean["inflammatory"] + mean["noninflammatory"]
    inverse["total"] = 1 / (mean["total"] - variance / mean["total"])  # as of a gamma variable
    scores = special.ndtri((np.arange(PLACES) + 0.5) / PLACES)
    places["total"] = mean["total"][..., None] + np.sqrt(variance)[..., None] * scores
    return Admitted(
        keys=people(stream(root(SEED), "response"), jnp.arange(size)),
        twins={name: values[at] for name, values in faces.twins.items()},
        rest=Counts(*(values[at] for values in faces.rest)),
        rater=found.rater[at],
        chance=faces.entry[at] / faces.entry[at].sum(1, keepdims=True),
        grades=found.grades[at] / found.grades[at].sum(1, keepdims=True),
        mean=mean,
        inverse=inverse,
        places=places,
    )
