"""A disease whose states add up what was given, so that doses can be read off at the visits.

Every drug leaves at 3/day from 1 L, so 3 times the integral of its concentration is the amount given. `total` adds up
all drugs, `level` forgets them at 0.1/day, `struck` adds up what came from outside.
"""

import dataclasses

import jax.numpy as jnp

from cutis.core.disease import Disease, Endpoint, Evidence, Outcome, Treatment
from cutis.core.engine.pharmacokinetics import rates
from cutis.core.parameters import Parameter, Source, Table

LEAVING, FORGETTING, RATIO = 3.0, 0.1, 8.0
TREATMENTS = {
    t.name: t
    for t in (
        Treatment("shot", "a drug", "intravenous", {}, 1000.0, "mg"),
        Treatment("other_shot", "another", "intravenous", {}, 1000.0, "mg"),
        Treatment("pill", "taken every day", "oral", {}, 50.0, "mg"),
        Treatment("lamp", "light", "light", {}, 5.0, "J/cm2"),
        Treatment("cream", "a topical", "topical", {}, 1.0, "application"),
        Treatment("heater", "a device", "light", {}, 2.0, "session"),
        Treatment("thick", "saturable", "intravenous", {}, 1000.0, "mg", saturable=True),
    )
}


def individual(keys, twins, drugs, theta):
    return {"number": twins["number"], "slots": drugs.shape[0]}


def disposition(person, day, saturable):
    one = jnp.ones_like(person["number"])
    zero = jnp.zeros_like(one)
    limited = (zero, one) if saturable else (None, None)
    return tuple(rates(one, LEAVING * one, one, zero, one, one, one, *limited) for _ in range(person["slots"]))


def signal(person, concentrations, topical, day):
    slots = person["slots"]
    zero = jnp.zeros_like(person["number"])
    return sum(concentrations[:slots], zero), sum(concentrations[slots:], zero)


def drift(person, state, signal):
    drug, strike = signal
    _, level, _ = state
    return LEAVING * drug, LEAVING * drug - FORGETTING * level, LEAVING * strike


def observe(keys, person, state, day, details):
    total, level, struck = state
    third = jnp.where(person["number"] % 3 == 0, jnp.nan, 1.0)
    whole = {"total": total, "level": level, "struck": struck, "odd": person["number"] % 2, "third": third}
    return whole | {"half": total / 2} if details else whole


def _responder(name, derive):
    return Outcome(name, name, "responder", "", derive)


OUTCOMES = {
    o.name: o
    for o in (
        _responder("odd", lambda now, base: (now["odd"] == 1).astype("float64")),
        _responder("third", lambda now, base: now["third"]),
        _responder("high", lambda now, base: (now["level"] >= 25).astype("float64")),
        Outcome("total", "all that was given", "continuous", "mg", lambda now, base: now["total"]),
    )
}
PARAMETERS = Table(
    {
        "lamp.erythema_ratio": Parameter("lamp.erythema_ratio", "of the lamp", RATIO, "1", "assumed", "made"),
        "speed": Parameter("speed", "of nothing", 1.0, "1", "assumed", "made"),
    },
    {"made": Source("made", "made up")},
)
TOY = Disease(
    name="toy",
    title="Toy",
    attributes=("number", "weight", "med"),
    parameters=PARAMETERS,
    treatments=TREATMENTS,
    endpoints={
        n: Endpoint(n, n, "1", 0, 1e9, detail=n == "half") for n in ("total", "level", "struck", "odd", "third", "half")
    },
    outcomes=OUTCOMES,
    evidence=Evidence((), (), ()),
    lack_of_efficacy="odd",
    waterfall="total",
    number=lambda name: 1 + list(TREATMENTS).index(name),
    individual=individual,
    start=lambda person: (jnp.zeros_like(person["number"]),) * 3,
    signal=signal,
    drift=drift,
    pharmacokinetics=disposition,
    observe=observe,
)


def strike(keys, person, day):
    """As much as a twin's number, on days 14 and 17; only the first is a whole week."""
    return (jnp.where((day == 14) | (day == 17), person["number"], 0.0),)


def struck(person, day, saturable):
    one = jnp.ones_like(person["number"])
    zero = jnp.zeros_like(one)
    return *disposition(person, day, saturable), rates(0.3 * one, LEAVING * one, one, zero, one, one)


def rash(person, treated):
    """A rash 0.02 a day on the first drug, a cold 0.01 a day always."""
    return {"rash": 0.02 * treated[0].astype("float64"), "cold": jnp.full_like(person["number"], 0.01)}


TROUBLED = dataclasses.replace(
    TOY,
    name="troubled",
    pharmacokinetics=struck,
    disturb=strike,
    harms={"rash": "rash", "cold": "common cold"},
    adverse=rash,
    draw=lambda k: {"speed": 1.0 + k},
)
