"""From a table of people to a fitted population with all that is known of how good it is and of whom it gives away."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from ..attributes import Attribute
from ..general.draw import attributes
from ..general.twins import batches, table, twins
from ..privacy import assess as privacy
from ..quality import assess as quality
from ..quality import fit as description
from ..quality.picture import picture
from ..quality.rules import Violations, added, violations
from .data import Data, halves
from .fit import fit
from .model import Model
from .plan import Plan, PlanError, with_derived
from .table import Reading

SPLITS = 5
JUDGED = 400_000  # twins that are compared with people: many, or the smallest subgroups would err by chance
ATTACKING = 2  # twins for each person of the fit, in the tests of privacy
SEARCHED = 1_000_000  # twins among whom impossible combinations are looked for


class Fitted(NamedTuple):
    """A population fitted to all people of a table, and what was found of it."""

    model: Model
    found: description.Fit


def fitted(plan: Plan, reading: Reading, seed: int, tell: Callable[[str], None]) -> Fitted:
    """Fit to halves of the people by whole sampling units, judge by the others; then fit to all.

    Privacy is tested on the first half-fit, which has fewer people to hide each one among than the population that is
    kept. What failed is told in `found`; nothing is refused here.

    Raises:
      PlanError: the plan does not suit the table.
      ValueError: too few people for a test.
    """
    _check(plan)
    people = reading.data
    recording = quality.recording(plan)
    splits: list[quality.Quality] = []
    risks: privacy.Privacy | None = None
    for number in range(SPLITS):
        tell(f"split {number + 1} of {SPLITS}: fit to half of the people, compare with the other half")
        train, holdout = halves(people, seed + number)
        half = fit(plan, train)
        drawn = twins(half, seed + number, max(JUDGED, train.size))  # privacy is tested with a twin or more a person
        train, holdout = (_with_derived(plan, half_of) for half_of in (train, holdout))
        splits.append(quality.assess(train, holdout, drawn, recording, seed + number))
        if number == 0:
            tell("privacy: attacks on the people of the first half")
            risks = _privacy(plan, train, holdout, drawn, half, recording, seed)
    tell("fit to all people")
    model = fit(plan, people)
    people = _with_derived(plan, people)
    drawn = twins(model, seed, JUDGED)
    tell(f"{SEARCHED:,} twins: look for impossible combinations")
    impossible = added(list(_searched(model, seed)))
    final = quality.assess_final(people, drawn, splits, recording, seed, impossible)
    known = attributes(model)
    return Fitted(model, _description(plan, reading, people, known, model, drawn, tuple(splits), final, risks, seed))


def _check(plan: Plan) -> None:
    """Refuse categories that twins would lack: what a twin is follows from its cell."""
    lost = [name for name in plan.categories if name not in plan.cells.by]
    if lost:
        raise PlanError(
            "\n".join(
                f"categories.{name}: twins would not have it; add it to cells.by, or leave it out" for name in lost
            )
        )


def _privacy(
    plan: Plan, train: Data, control: Data, drawn: Data, model: Model, recording: quality.Recording, seed: int
) -> privacy.Privacy:
    """Attacks with twins as the table would have recorded them, and on what stands in the model's own tables."""
    some = drawn.take(np.arange(min(drawn.size, ATTACKING * train.size)))
    train, control, some = (quality.as_recorded(data, recording) for data in (train, control, some))
    stored = {name: model.tables[:, j] for j, name in enumerate(plan.numbers)}
    return privacy.assess(train, control, some, seed, stored=stored)


def _with_derived(plan: Plan, people: Data) -> Data:
    """People with what the plan derives, so that it is compared too."""
    units = {**people.units, **{name: entry.unit for name, entry in plan.derived.items()}}
    return people._replace(numbers=with_derived(plan, people.numbers), units=units)


def _searched(model: Model, seed: int) -> Iterator[tuple[Violations, ...]]:
    for batch in batches(model, seed, SEARCHED):
        yield violations(table(model, batch))


def _description(
    plan: Plan,
    reading: Reading,
    people: Data,
    known: dict[str, Attribute],
    model: Model,
    drawn: Data,
    splits: tuple[quality.Quality, ...],
    final: quality.Quality,
    risks: privacy.Privacy | None,
    seed: int,
) -> description.Fit:
    count, effective = description.size(people)
    parts = [*plan.cells.by, *([plan.cells.band.number] if plan.cells.band else [])]
    design = "no weights" if plan.weights is None else f"weighted by {plan.weights}"
    if plan.design is not None:
        design += (
            f"; {len(set(people.clusters.tolist())):,} sampling units in {len(set(people.strata.tolist())):,} strata"
        )
    return description.Fit(
        name=plan.name,
        about=plan.about,
        source=plan.source.citation,
        source_note=plan.source.note,
        design=design,
        people=count,
        effective=effective,
        twins=drawn.size,
        columns=description.columns(people, {name: attribute.about for name, attribute in known.items()}),
        cells=description.Cells(len(model.people), 0, ", ".join(parts) or "everyone", model.effective),
        picture=picture(people, drawn, quality.recording(plan)),
        splits=splits,
        final=final,
        privacy=risks,
        notes=reading.notes,
        limits=_limits(plan),
        settings={
            "seed": str(seed),
            "borrow": f"{plan.borrow:g}",
            "borrow_correlations": f"{plan.borrow_correlations:g}",
        },
    )


def _limits(plan: Plan) -> tuple[str, ...]:
    """What a population fitted in this way is not good for."""
    return (
        "Twins are like the people of the table, at the time and place where it was made, and like nobody else.",
        "Within a cell, numbers go together as normal scores do: what happens jointly at the far ends of two numbers, "
        "such as both blood pressures being very high, is told less well than the middle.",
        "People without a value are taken to be like those of their cell who have one.",
        f"Each cell borrows {plan.borrow:g} people from a wider group: differences of small groups are understated.",
        "The outermost values of each table follow the slope before them, so the largest and smallest values of real "
        "people do not occur.",
    )
