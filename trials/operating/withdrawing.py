"""Randomised withdrawal: those of the pool who respond to the treatment that all are given first.

The arms are the same until the response is looked at, and a twin's luck is the same in all arms, so a twin responds in
all or in none. Replicates draw from the responders; how many must begin follows from their share.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...core.diseases import DISEASES
from ...population.messages import nearest
from .. import bundle, stages
from ..regimen import DAYS, Arm
from ..statistics import dataset
from ..statistics.outcomes import named
from .arrangements import Withdrawal
from .pool import Columns, Pool

if TYPE_CHECKING:
    from ..study import Analysis, Study

FEW = 100  # responders of the pool, below which a design tells nothing


class Begun(NamedTuple):
    """Twins of the pool who began, and those of them who responded and are randomised."""

    began: int
    randomised: int


def problems(study: "Study", plan: Withdrawal, analyses: dict[str, "Analysis"]) -> Iterator[str]:
    """What keeps responders from being randomised."""
    trial, known = study.trial, stages.responders(DISEASES[study.trial.disease])
    if plan.outcome not in known:
        yield (
            f"design.withdraw.outcome: {plan.outcome!r} is no yes or no of {trial.disease}; "
            f"{nearest(plan.outcome, known)}"
        )
    if plan.week not in trial.visits:
        yield f"design.withdraw.week: week {plan.week} is not a visit; visits are {list(trial.visits)}"
    for name, analysis in analyses.items():
        if analysis.week <= plan.week:
            yield (
                f"design.withdraw.week: {name} is of week {analysis.week}, before people are randomised (week "
                f"{plan.week}); expected an analysis of a later week"
            )
        one, other = (trial.arms[arm] for arm in (analysis.arm, analysis.comparator))
        if given(one, plan.week) != given(other, plan.week):
            yield (
                f"design.withdraw: {analysis.arm} and {analysis.comparator} differ before week {plan.week}; in a "
                "randomised withdrawal all are given the same until then"
            )


def given(arm: Arm, week: int) -> tuple[object, ...]:
    """All that an arm's first stage gives, and who leaves it, before a week."""
    courses = []
    for course in arm.opening():
        doses = tuple(dose for dose in course.doses_by_day() if dose[0] < DAYS * week)
        end = course.end() if course.times_a_day else None  # of doses every day the first alone is told
        if doses:
            courses.append(
                (course.treatment, doses, course.times_a_day, None if end is None else min(end, DAYS * week))
            )
    rules = [
        (rule.at, rule.after, rule.reached, rule.missed, rule.share)
        for rule in arm.rules
        if (rule.at is not None and rule.at < week) or (rule.after is not None and rule.after + 1 < week)
    ]
    return (*sorted(courses, key=repr), *rules)


def prepared(study: "Study", plan: Withdrawal, pool: Pool, folder: Path) -> tuple[Pool, Begun]:
    """The responders of a pool.

    Raises:
      ValueError: hardly anybody responds, or some twin responds in one arm and not in another.
    """
    outcome = named(DISEASES[study.trial.disease], plan.outcome)
    assert outcome is not None  # `problems` has looked
    arms = {arm for columns in pool.columns.values() for arm in columns.arms}
    found = []
    for number in sorted(arms):
        tables = bundle.tables(folder / list(study.trial.arms)[number])
        records = dataset.align(tables["twins"], tables["observations"], tables["events"])
        found.append(dataset.value(records, outcome, plan.week, "composite")[0] == 1)
    responds = np.stack(found)
    if apart := int((responds != responds[0]).any(axis=0).sum()):
        raise ValueError(
            f"withdraw: {apart:,} of {pool.size:,} twins have {plan.outcome} at week {plan.week} in one arm and not in "
            "another; in a randomised withdrawal the arms are the same until then"
        )
    if (many := int(responds[0].sum())) < FEW:
        raise ValueError(
            f"withdraw: {many} of {pool.size:,} twins of the pool have {plan.outcome} at week {plan.week}; expected "
            f"{FEW} or more: take a larger pool, or another response"
        )
    return only(pool, responds[0]), Begun(pool.size, many)


def only(pool: Pool, members: np.ndarray) -> Pool:
    """The pool of these twins alone."""

    def of(columns: Columns) -> Columns:
        return Columns(*(part if part is None or isinstance(part, tuple) else part[:, members] for part in columns))  # pyright: ignore[reportArgumentType]

    twins = None if pool.twins is None else pool.twins.loc[members].reset_index(drop=True)
    columns = {name: of(columns) for name, columns in pool.columns.items()}
    return pool._replace(ids=pool.ids[members], strata=pool.strata[members], columns=columns, twins=twins)


def notes(plan: Withdrawal, begun: Begun, sizes: tuple[int, ...]) -> list[str]:
    """What a reader should know."""
    share = begun.randomised / begun.began
    needed = ", ".join(f"{size:,} of {round(size / share):,} who begin" for size in sizes)
    return [
        f"{100 * share:.1f} % of the twins have {plan.outcome.replace('_', ' ')} at week {plan.week} and are "
        f"randomised: {needed}",
        "the effect is that of going on, in those who respond: it is larger than in everybody, and in those who are "
        "withdrawn what they had before still acts",
    ]
