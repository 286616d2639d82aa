"""A twin's way through the trial: seen at visits, dosed between them, and what intervenes.

Everything here is one pure function of twin numbers, arms and the protocol as arrays; it is compiled once for a
protocol's shape and used for every shard.
"""

from collections.abc import Mapping
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from ..core.disease import Disease
from ..core.diseases import DISEASES
from ..core.engine.course import Body, Grid, at_rest
from ..core.engine.lanes_course import WAYS
from ..core.engine.lanes_course import onward as between_breaks
from ..core.keys import normals, people, stream, uniforms
from ..population.sample import POPULATIONS, sample
from . import harms, sides
from .dosing import Doses, due, taken_daily
from .harms import Harms
from .regimen import DAYS
from .sides import Local
from .stages import Place, Stages, entered, move, plan_of

REASONS = ("", "adverse event", "lack of efficacy", "other")
NEVER = -1
CHANCES = ("adverse", "lack", "other", "follow", "miss", "rescue")


class Rules(NamedTuple):
    """The numbers of `study.Conduct`, in days and hazards a week; scalars."""

    adherence: Array
    adherence_spread: Array
    adverse_event: Array
    lack_of_efficacy: Array
    lack_of_efficacy_from: Array
    other: Array
    followed_up: Array
    missed_visit: Array
    rescue_from: Array
    rescue_chance: Array


class Protocol(NamedTuple):
    """A trial as arrays.

    days: of visits, (visits,). first: the break at each visit, then that of the last again, (visits + 1,).
    dose_days: whole days of the breaks, (breaks,). doses: of every plan. drugs: treatment numbers, (arms, slots).
    saturable: drugs whose elimination saturates, (arms, slots). local: where they act, in a split-body trial. Where
    there is no such drug, no arm has stages or the trial is parallel, these are None, and the kernel is compiled
    without them.
    """

    days: Array
    first: Array
    dose_days: Array
    doses: Doses
    drugs: Array
    saturable: Array | None
    stages: Stages | None
    grid: Grid
    rules: Rules
    local: Local | None = None


class Status(NamedTuple):
    """Where each twin stands; visits are numbers, -1 for never. Each (people,).

    place: in the stages of its arm, None where no arm has stages. harms: kinds of adverse events.
    """

    in_study: Array
    on_treatment: Array
    rescued: Array
    stopped: Array
    reason: Array
    left: Array
    rescue: Array
    doses_planned: Array
    doses_taken: Array
    place: Place | None
    harms: Harms


class Record(NamedTuple):
    """What a shard yields. twins: attributes, (people,). visits: endpoints (NaN unless seen) and flags,
    (visits, people). Of a split-body trial, visits are (visits, sides, people) and status is (sides, people)."""

    twins: dict[str, Array]
    visits: dict[str, Array]
    status: Status


@cache
def kernel(disease: str, source: str, details: bool = False, split: bool = False, way: str = "xla"):
    """The compiled simulation `(key, ids, arms, protocol, theta) -> Record` of a disease and a population.

    way: `xla` or `lanes` (`core.engine.lanes_course.WAYS`).
    """
    return jax.jit(partial(simulate, disease, source, details, split, way))


@cache
def screening(disease: str, source: str):
    """The compiled screening `(key, ids, theta) -> attributes and screening endpoints`."""
    return jax.jit(partial(screen, disease, source))


@cache
def screening_of_sides(disease: str, source: str):
    """The compiled screening `(key, ids, theta) -> attributes, endpoints of the person, endpoints by side`."""
    return jax.jit(partial(screen_sides, disease, source))


def screen(
    disease: str, source: str, key: Array, ids: Array, theta: dict[str, Array]
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Candidates' attributes, and their endpoints as measured at a screening visit of its own."""
    told, twins, keys = DISEASES[disease], twins_of(source, key, ids), keys_of(key, ids)
    nobody = jnp.zeros((0, ids.shape[0]), dtype="int64")
    person = told.individual(keys, twins, nobody, theta)
    at = jax.vmap(lambda k: stream(k, "screening"))(keys)
    return twins, told.observe(at, person, told.start(person), jnp.asarray(0.0), False)


def screen_sides(
    disease: str, source: str, key: Array, ids: Array, theta: dict[str, Array]
) -> tuple[dict[str, Array], dict[str, Array], dict[str, Array]]:
    """The same of a split-body trial, with what is read of each side, (sides, people).

    What is counted is the sum of both sides; what is graded is graded of the whole person.
    """
    told, twins, keys = DISEASES[disease], twins_of(source, key, ids), sides.twice(keys_of(key, ids))
    nobody = jnp.zeros((0, keys.shape[0]), dtype="int64")
    whole = told.individual(keys, sides.twice(twins), nobody, theta)
    own, side = sides.of_people(told, keys, whole, theta)
    at, of_side = (jax.vmap(lambda k: stream(k, "screening"))(k) for k in (keys, own))
    begin = jnp.asarray(0.0)
    measured = sides.apart(told.observe(at, whole, told.start(whole), begin, False))
    each = sides.apart(sides.read(told, of_side, whole, side, told.start(side), begin, False))
    counted = {name: each[name].sum(0) for name in sides.counted(told) if name in each}
    return twins, {name: values[0] for name, values in measured.items()} | counted, each


def simulate(
    disease: str,
    source: str,
    details: bool,
    split: bool,
    way: str,
    key: Array,
    ids: Array,
    arms: Array,
    protocol: Protocol,
    theta: dict[str, Array],
) -> Record:
    """Follow twins through the arms they were randomised to.

    Args:
      details: record the endpoints that are details too. split: both sides of each twin are followed.
      way: what computes the courses from break to break, `xla` or `lanes`.
      key: of the study. ids: twin numbers, (people,). theta: parameter numbers.
      arms: arm numbers, (people,); of the left sides in a split-body trial, whose right sides get the other arm.
    """
    told, twins, keys = DISEASES[disease], twins_of(source, key, ids), keys_of(key, ids)
    people_ = twins
    if split:
        twins, keys, arms = sides.twice(twins), sides.twice(keys), jnp.concatenate([arms, 1 - arms])
    whole = person = told.individual(keys, twins, protocol.drugs[arms].T, theta)
    own = keys
    if split:
        own, person = sides.of_people(told, keys, whole, theta)
    begin = told.start(person)
    rules = protocol.rules
    habit = jax.scipy.special.logit(rules.adherence) + rules.adherence_spread * normals(keys, "adherence")
    adherence = jax.nn.sigmoid(habit)

    def look(number: Array | int, state: tuple[Array, ...], day: Array) -> dict[str, Array]:
        at = _visit(own, number)
        if split:
            return sides.read(told, at, whole, person, state, day, details)
        return told.observe(at, person, state, day, details)

    baseline = look(0, begin, protocol.days[0])

    def visit(carry: tuple[Body, Status], number: Array) -> tuple[tuple[Body, Status], dict[str, Array]]:
        body, status = carry
        here = _visit(keys, number)
        measured = look(number, body.state, protocol.days[number])
        seen, after = decide(told, here, measured, baseline, status, number, protocol)
        readings = {name: jnp.where(seen, value, jnp.nan) for name, value in measured.items()}
        flags = {"seen": seen, "on_treatment": status.on_treatment, "rescued": status.rescued}
        if protocol.stages is not None and status.place is not None:
            free = after.on_treatment & after.in_study
            place, moved = move(
                protocol.stages, told, keys, arms, status.place, free, seen, measured, baseline, number, protocol.days
            )
            after = after._replace(place=place)
            flags |= {"stage": status.place.stage, "moved": moved}
        plan = plan_of(protocol.stages, arms, after.place)

        def between(b: Array, carry: tuple[Body, Status]) -> tuple[Body, Status]:
            return treat(told, twins, keys, own, person, plan, adherence, *carry, protocol, b, way)

        first, last = protocol.first[number], protocol.first[number + 1]
        return lax.fori_loop(first, last, between, (body, after)), readings | flags

    slots = protocol.drugs.shape[1]
    none = jnp.zeros((slots, arms.shape[0]), dtype=bool)
    status = _enrolled(arms, protocol.stages, harms.unharmed(keys, told.adverse(person, none)))
    start = (at_rest(begin, slots + len(told.disturb(keys, person, protocol.days[0]))), status)
    (_, status), visits = lax.scan(visit, start, jnp.arange(protocol.days.shape[0]))
    if split:
        visits, status = sides.apart(visits), sides.apart(status)
    return Record(people_, visits, status)


def treat(
    told: Disease,
    twins: dict[str, Array],
    keys: Array,
    own: Array,
    person: Any,
    plan: Array,
    adherence: Array,
    body: Body,
    status: Status,
    protocol: Protocol,
    b: Array,
    way: str,
) -> tuple[Body, Status]:
    """From a break to the next: what is due, what is taken of it, how the body responds, what harm comes of it."""
    treated = status.on_treatment & status.in_study
    day = protocol.dose_days[b]
    willing = jnp.ones_like(adherence) if told.willing is None else told.willing(person, body.state)
    if protocol.local is None:
        chance = (adherence * willing)[None, :]
        taken = uniforms(keys, "dose", day)[None, :] < chance
    else:
        chance, taken = sides.taking(protocol.local, plan, keys, own, adherence, willing, day)
    amounts = jnp.where(treated[None, :], due(protocol.doses, twins, plan, b), 0.0)
    planned = amounts > 0
    every, had = planned.any(0).astype("int64"), (planned & taken).any(0).astype("int64")
    daily = taken_daily(protocol.doses, twins, plan, jnp.where(treated[None, :], chance, 0.0), b)
    days = protocol.dose_days[b + 1] - day
    if protocol.doses.daily is not None:
        often = jnp.where(treated, protocol.doses.daily.times[b][plan], 0.0) * days.astype("float64")
        share = chance[0] if protocol.local is None else sides.mean(chance, protocol.doses.daily.rates[b][plan].T > 0)
        whole = jnp.floor(often * share + uniforms(own, "intake", day))
        every, had = every + often.astype("int64"), had + whole.astype("int64")
    given = tuple(jnp.where(taken, amounts, 0.0))
    topical = status.rescued.astype("float64")
    body = onward(told, keys, person, topical, body, given, daily, protocol, b, way)
    using = protocol.doses.in_use[b][plan].T & treated[None, :]
    if protocol.local is None:
        hazards = told.adverse(person, using)
    else:
        hazards = sides.hazards(told, person, using, protocol.local.acts[plan].T)
    return body, status._replace(
        doses_planned=status.doses_planned + every,
        doses_taken=status.doses_taken + had,
        harms=harms.after(status.harms, hazards, status.in_study, day, days),
    )


def onward(
    told: Disease,
    keys: Array,
    person: Any,
    topical: Array,
    body: Body,
    doses: tuple[Array, ...],
    daily: tuple[Array, ...] | None,
    protocol: Protocol,
    b: Array,
    way: str = "xla",
) -> Body:
    """Bodies at the break after `b`, given doses (one array a slot) at it and amounts a day from it on.

    Triggers follow the drugs in slots of their own; they begin on whole weeks.
    """
    day = protocol.dose_days[b].astype("float64")
    whole = protocol.dose_days[b] % DAYS == 0
    triggers = tuple(jnp.where(whole, impulse, 0.0) for impulse in told.disturb(keys, person, day))
    nothing = jnp.zeros_like(topical)
    inputs = (*(daily or (nothing,) * len(doses)), *(nothing for _ in triggers))
    rates = told.pharmacokinetics(person, day, protocol.saturable is not None)
    given = (*doses, *triggers)
    return between_breaks(told, person, topical, rates, body, given, inputs, protocol.grid, b, way=WAYS[way])


def decide(
    disease: Disease,
    keys: Array,
    measured: dict[str, Array],
    baseline: dict[str, Array],
    status: Status,
    number: Array,
    protocol: Protocol,
) -> tuple[Array, Status]:
    """Who is seen at a visit, and who from then on stops, leaves or is rescued.

    Hazards act over the time since the last visit. An adverse event outranks lack of efficacy, and that the rest.
    """
    rules, day = protocol.rules, protocol.days[number]
    weeks = (day - protocol.days[jnp.maximum(number - 1, 0)]) / DAYS
    draws: dict[str, Array] = dict(zip(CHANCES, uniforms(keys, "conduct", shape=(len(CHANCES),)), strict=True))
    seen = status.in_study & ((draws["miss"] >= rules.missed_visit) | (number == 0))
    failing = seen & (disease.outcomes[disease.lack_of_efficacy].derive(measured, baseline) == 0)

    def happens(name: str, hazard: Array) -> Array:
        return draws[name] < -jnp.expm1(-hazard * weeks)

    adverse = happens("adverse", rules.adverse_event)
    lack = failing & (day >= rules.lack_of_efficacy_from) & happens("lack", rules.lack_of_efficacy)
    other = happens("other", rules.other)
    stops = status.in_study & status.on_treatment & (adverse | lack | other)
    leaves = stops & (draws["follow"] >= rules.followed_up)
    stays = status.in_study & ~leaves
    rescue = stays & failing & ~status.rescued & (day >= rules.rescue_from) & (draws["rescue"] < rules.rescue_chance)
    return seen, status._replace(
        in_study=stays,
        on_treatment=status.on_treatment & ~stops,
        rescued=status.rescued | rescue,
        stopped=jnp.where(stops, number, status.stopped),
        reason=jnp.where(stops, jnp.where(adverse, 1, jnp.where(lack, 2, 3)), status.reason),
        left=jnp.where(leaves, number, status.left),
        rescue=jnp.where(rescue, number, status.rescue),
    )


def parameters_of(disease: Disease, draw: int | None = None, split: bool = False) -> dict[str, Array]:
    """The numbers of the disease's tables, as the simulation takes them; those of a `draw` of their uncertainty.

    split: with those that a split-body trial needs.

    Raises:
      ValueError: the disease has no draws, or its draws name what is not in its tables.
    """
    numbers: Mapping[str, float] = disease.parameters.numbers()
    if draw is not None:
        if disease.draw is None:
            raise ValueError(f"{disease.name} does not know the uncertainty of its parameters")
        drawn = disease.draw(draw)
        strange = sorted(set(drawn) - set(numbers))
        if strange:
            raise ValueError(f"{disease.name} draws {strange[0]!r}, which is not in its tables")
        numbers = {**numbers, **drawn}
    if split and disease.sides is not None:
        numbers = {**numbers, **disease.sides.parameters.numbers()}
    return {name: jnp.asarray(number, dtype="float64") for name, number in numbers.items()}


def _enrolled(ids: Array, stages: Stages | None, unharmed: Harms) -> Status:
    yes, zero = jnp.ones_like(ids, dtype=bool), jnp.zeros_like(ids)
    place = entered(ids) if stages is not None else None
    return Status(yes, yes, ~yes, zero + NEVER, zero, zero + NEVER, zero + NEVER, zero, zero, place, unharmed)


def twins_of(source: str, key: Array, ids: Array) -> dict[str, Array]:
    """The twins of a study by number, (people,)."""
    return sample(POPULATIONS[source], stream(key, "population"), ids)


def keys_of(key: Array, ids: Array) -> Array:
    """The key of each twin's response, (people,)."""
    return people(stream(key, "response"), ids)


def _visit(keys: Array, number: Array | int) -> Array:
    return jax.vmap(lambda key: stream(key, "visit", number))(keys)
