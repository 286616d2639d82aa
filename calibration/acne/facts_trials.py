"""What trials come to together, by how much they differ, and when their arms part, beside published facts."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from .enrolled import USUAL
from .evidence.arms import Arm, Trial, arms
from .evidence.targets import Check, Separation, checks, separations
from .facts_lesions import control, topical
from .follow import Followed, Scene
from .found import Found, about, between, near, number
from .noise import normal_nodes

GROUP, PARTING = "trials together", "when arms part"
WEEK = 12
TOPICALS = {  # of the review of eight, which are not told by name
    "benzoyl_peroxide": (5.0, 1),
    "adapalene": (0.1, 1),
    "tretinoin": (0.05, 1),
    "tazarotene": (0.045, 1),
    "clindamycin": (1.2, 1),
    "dapsone": (7.5, 1),
    "azelaic_acid": (15.0, 2),
    "minocycline_foam": (4.0, 1),
}
OUTCOMES = ("inflammatory", "noninflammatory", "success")
NODES = 3  # of what a trial adds
VISITS = (1, 2, 3, 4, 6, 8, 9, 10, 12)  # weeks of them
NORMAL = 1.96  # standard errors, of p below 0.05


def facts(of: Scene) -> Iterator[Found]:
    """All lesions with vehicle and topicals; spreads between trials; separations."""
    known = {check.key: check for check in checks()}
    yield from _totals(of, known)
    yield from _spreads(of, known)
    trials = {trial.key: trial for trial in arms()}
    for separation in separations():
        yield _separation(of, trials[separation.trial], separation)


def outcome(seen: Followed, name: str, week: int) -> np.ndarray:
    """An outcome of each person as it is counted: success by the grade, or the change of lesions by
    `KIND_percent` (of people who had some) or `KIND_change`."""
    begun, now = seen.visit(0), seen.visit(week)
    if name == "success":
        return 1.0 * ((now["iga"] <= 1) & (begun["iga"] - now["iga"] >= 2))
    kind, unit = name.rsplit("_", 1)
    before, lost = begun[kind], now[kind] - begun[kind]
    return lost if unit == "change" else 100 * lost[before > 0] / before[before > 0]


def _totals(of: Scene, known: Mapping[str, Check]) -> Iterator[Found]:
    vehicle = of.follow(control("topical", WEEK), WEEK, USUAL)
    drugs = [
        of.follow(topical(name, strength, WEEK, often), WEEK, USUAL) for name, (strength, often) in TOPICALS.items()
    ]
    for key, arms_ in (("vehicle_total", [vehicle]), ("topical_total", drugs)):
        fact = known[key]
        predicted = float(np.mean([outcome(seen, "total_percent", WEEK).mean() for seen in arms_]))
        limits = near(fact.low, 2 * (fact.sd or 0.0))
        yield about(fact, GROUP, fact.about, fact.unit, predicted=predicted, **limits)


def spread(of: Scene, route: str) -> dict[str, float]:
    """Standard deviation between trials of means of OUTCOMES, with `trials.people` an arm: by what each trial adds and
    by chance. route: of `vehicle` or `benzoyl_peroxide` arms."""
    courses = control("topical", WEEK) if route == "vehicle" else topical("benzoyl_peroxide", 5.0, WEEK)
    scores, weights = normal_nodes(NODES)
    sizes = {
        name.removesuffix(":sd"): sd for name, sd in of.numbers.items() if name.startswith("trial.") and ":sd" in name
    }

    def each(added: Mapping[str, float] | None = None) -> dict[str, np.ndarray]:
        seen = of.follow(courses, WEEK, USUAL, numbers=added)
        names = [name if name == "success" else f"{name}_percent" for name in OUTCOMES]
        return {name: (100 if name == "success" else 1) * outcome(seen, name, WEEK) for name in names}

    usual = each()
    along = [[each({name: float(sd * score)}) for score in scores] for name, sd in sizes.items()]
    return {
        name.removesuffix("_percent"): together(
            [np.array([at[name].mean() for at in effect]) for effect in along], weights, float(values.var())
        )
        for name, values in usual.items()
    }


def together(along: Sequence[np.ndarray], weights: np.ndarray, within: float) -> float:
    """Standard deviation of an arm's mean: by effects, of each the means at its nodes with their weights, and by chance
    among `trials.people` people of this variance."""
    variance = sum(float(weights @ (values - weights @ values) ** 2) for values in along)
    return float(np.sqrt(variance + within / number("trials.people")))


def _spreads(of: Scene, known: Mapping[str, Check]) -> Iterator[Found]:
    factor = number("tolerance.spread")
    for route, short in (("vehicle", "vehicle"), ("benzoyl_peroxide", "bpo")):
        found = spread(of, route)
        for name in OUTCOMES:
            fact = known[f"between_trials_{short}_{name}"]
            limits = between(fact.low / factor, fact.low * factor)
            limits |= {"observed": (fact.low, fact.high), "rule": f"within a factor of {factor:g}"}
            yield about(fact, GROUP, fact.about, fact.unit, predicted=found[name], **limits)


def _separation(of: Scene, trial: Trial, told: Separation) -> Found:
    by_name = {arm.name: arm for arm in trial.arms}
    arm, other = by_name[told.arm], by_name[told.comparator]
    one, against = (of.follow(each.courses, WEEK, trial.entry) for each in (arm, other))
    first = parting(one, against, arm, other, told.outcome)
    nearest = int(np.argmin([abs(week - told.week) for week in VISITS]))
    more = int(number("tolerance.visits"))
    low, high = VISITS[max(nearest - more, 0)], VISITS[min(nearest + more, len(VISITS) - 1)]
    words = (
        f"first week in which {arm.name} differs from {other.name} in {told.outcome.replace('_', ' ')} ({trial.title})"
    )
    limits = between(low, high) | {"observed": (told.week, told.week), "rule": f"within {more} visit of it"}
    return about(told, PARTING, words, "week", predicted=first, **limits)._replace(check=f"parting_{told.key}")


def parting(one: Followed, other: Followed, arm: Arm, control_: Arm, name: str) -> float:
    """The first of VISITS at which the expected difference has p below 0.05, the arm being better; infinite if none."""
    for week in VISITS:
        values = [outcome(seen, name, week) for seen in (one, other)]
        off = values[0].mean() - values[1].mean()
        error = np.sqrt(values[0].var() / arm.n + values[1].var() / control_.n)
        if off <= -NORMAL * error:
            return float(week)
    return float("inf")
