"""Estimates of how plaque activity is read: signs from response rates of published arms, DLQI and itch from what
patients report at each level of response (`readings.yaml`).

Each arm's mean improvement is chosen so that its PASI 75 comes out; everything else is then a prediction, and the
parameters are those of least squares, every miss in units of its standard error. No equation of the disease is solved.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

from ...core.keys import root
from .evidence.arms import Trial
from .reading_arms import ANCHOR, Arms, given, published, variance
from .reading_targets import TARGETS, Crowd, report_predictions, skin_predictions
from .readings import severities

SPREAD = "spread"  # SD between the people of an arm of the logit of the share that a drug leaves
SEEN: tuple[str, ...] = ("pasi50", "pasi90", "pasi100", "iga01")
SKIN = (
    "signs.severity",
    "signs.severity:sd",
    "signs.area_power",
    "signs.severity_power",
    "signs.clear_below",
    "signs.almost_clear",
    "signs.visit:sd",
)
REPORTED = (
    *("reported.dlqi", "reported.dlqi:sd", "reported.dlqi_severity", "reported.dlqi_power", "reported.dlqi_power:sd"),
    *("reported.itch", "reported.itch:sd", "reported.itch_severity", "reported.itch_power"),
)  # the noise of a visit, and how differently itch follows activity, are not told apart from the rest
FIRST_SPREAD = 2.4
FIRST_BETWEEN = 0.2  # SD of logits between arms beyond chance, before it is estimated
PASSES = 3

Numbers = Mapping[str, float]
Misses = Callable[[Numbers], np.ndarray]


@dataclass(frozen=True)
class Estimate:
    """One estimate. `relative` is the standard error of its logarithm, from the curvature at the optimum."""

    name: str
    value: float
    relative: float


@dataclass(frozen=True)
class Target:
    """One target of the fit: what was published, the standard error it is given, and what the model gives."""

    name: str
    published: float
    error: float
    model: float


@dataclass(frozen=True)
class Rate:
    """One response in published arms, against what the model gives for arms with the same PASI 75.

    bias, distance: mean of model less published, and of its absolute value, percentage points.
    between: SD of logits between arms beyond chance and the model.
    shift: mean logit less that of PASI 75, published and of the model.
    """

    outcome: str
    arms: int
    bias: float
    distance: float
    between: float
    shift: tuple[float, float]


@dataclass(frozen=True)
class Fit:
    """All estimates, the spread between the people of an arm last, with what they were fitted to."""

    estimates: tuple[Estimate, ...]
    targets: tuple[Target, ...]
    rates: tuple[Rate, ...]


def fit(trials: Iterable[Trial], numbers: Numbers, seed: int = 1, people: int = 6000) -> Fit:
    """Estimate the parameters of readings.

    Args:
      trials: published trials, e.g. those of one part of a cross-validation.
      numbers: the disease's parameters by name: starting values, and what is not estimated here.
      people: candidates whose skin is simulated.
    """
    arms = published(trials, (*SEEN, "dlqi01", ANCHOR))
    crowd = Crowd(root(seed), severities(seed, people))
    now = {**numbers, SPREAD: numbers.get(SPREAD, FIRST_SPREAD)}
    between = dict.fromkeys(SEEN, FIRST_BETWEEN)
    seen: list[Estimate] = []
    for _ in range(PASSES):
        seen, now = _least_squares((*SKIN, SPREAD), now, _skin_misses(arms, crowd, between))
        rates = compare(arms, skin_predictions(now, crowd, now[SPREAD])[0], SEEN)
        between = {rate.outcome: rate.between for rate in rates}
    told, now = _least_squares(REPORTED, now, _report_misses(crowd))
    shown, baseline = skin_predictions(now, crowd, now[SPREAD])
    reports, predicted = report_predictions(now, crowd, now[SPREAD])
    predicted |= baseline
    return Fit(
        (*seen[:-1], *told, seen[-1]),
        tuple(Target(name, TARGETS.value(name), TARGETS.sd(name), value) for name, value in predicted.items()),
        compare(arms, shown | {"dlqi01": reports["dlqi01"]}, (*SEEN, "dlqi01")),
    )


def compare(arms: Arms, shown: Mapping[str, np.ndarray], outcomes: Iterable[str]) -> tuple[Rate, ...]:
    """Published arms beside the model's, which have the same PASI 75; `shown` as from `on_drug`."""
    model = given(arms.shares[ANCHOR], shown)
    return tuple(_rate(outcome, arms, model) for outcome in outcomes)


def _rate(outcome: str, arms: Arms, model: Mapping[str, np.ndarray]) -> Rate:
    told = ~np.isnan(arms.shares[outcome])
    share, anchor, ours = arms.shares[outcome][told], arms.shares[ANCHOR][told], model[outcome][told]
    miss = special.logit(ours) - special.logit(share)
    beyond = np.mean(miss**2) - np.mean(variance(share, anchor, arms.n[told]))
    shift = tuple(float(np.mean(special.logit(x) - special.logit(anchor))) for x in (share, ours))
    return Rate(
        outcome,
        int(told.sum()),
        float(100 * np.mean(ours - share)),
        float(100 * np.mean(np.abs(ours - share))),
        float(np.sqrt(max(beyond, 0.05**2))),  # never quite 0, which would give one endpoint all the weight
        (shift[0], shift[1]),
    )


def _skin_misses(arms: Arms, crowd: Crowd, between: Mapping[str, float]) -> Misses:
    def misses(now: Numbers) -> np.ndarray:
        shown, baseline = skin_predictions(now, crowd, now[SPREAD])
        model = given(arms.shares[ANCHOR], shown)
        found = [_target_misses(baseline)]
        for outcome in SEEN:
            told = ~np.isnan(arms.shares[outcome])
            share = arms.shares[outcome][told]
            error = np.sqrt(variance(share, arms.shares[ANCHOR][told], arms.n[told]) + between[outcome] ** 2)
            ours = np.clip(model[outcome][told], 1e-6, 1 - 1e-6)
            found.append((special.logit(ours) - special.logit(share)) / error)
        return np.concatenate(found)

    return misses


def _report_misses(crowd: Crowd) -> Misses:
    return lambda now: _target_misses(report_predictions(now, crowd, now[SPREAD])[1])


def _target_misses(predicted: Mapping[str, float]) -> np.ndarray:
    return np.array([(value - TARGETS.value(name)) / TARGETS.sd(name) for name, value in predicted.items()])


def _least_squares(names: tuple[str, ...], numbers: Numbers, misses: Misses) -> tuple[list[Estimate], dict[str, float]]:
    """Estimates of `names`, by their logarithms, and all numbers with them in place.

    Steps of 10 % differentiate through the rounding of readings, which the crowd averages out. The optimiser takes
    steps relative to a variable's size, so each variable is 1 where it starts.
    """
    start = np.array([numbers[name] for name in names])

    def at(variables: np.ndarray) -> dict[str, float]:
        values = start * np.exp(variables - 1)
        return {**numbers, **dict(zip(names, values.tolist(), strict=True))}

    found = optimize.least_squares(
        lambda variables: misses(at(variables)), np.ones(len(names)), diff_step=0.1, max_nfev=15
    )
    errors = np.sqrt(np.diag(np.linalg.inv(found.jac.T @ found.jac))).tolist()
    now = at(found.x)
    return [Estimate(name, now[name], error) for name, error in zip(names, errors, strict=True)], now
