"""What settings do, as outcomes: the target that is read for each, and what its harm comes to.

A new outcome is a line in EFFECTS.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from ...core.laser import outcomes, targets
from ...core.laser.treat import Target
from ...core.parameters import Table
from .plan import Sweep
from .protocols import course

Values = Mapping[str, Any]


class Effect(NamedTuple):
    """One outcome. target: what is read in the skin; nothing where columns renew it. share: of the benefit, (doses,
    people), from what was read, sessions, their interval and the day after the last (days), and values of parameters.
    behind: prefixes of those."""

    title: str
    about: str
    target: Target | None
    share: Callable[[Any, int, float, float, Values], Array]
    behind: tuple[str, ...]
    timed: bool = False  # whether `day` matters


def _hair(harmed: Any, sessions: int, interval: float, day: float, values: Values) -> Array:
    return outcomes.hair_reduction(harmed, sessions, interval, day, values)[0]


def _stain(harmed: Any, sessions: int, interval: float, day: float, values: Values) -> Array:
    return outcomes.blanching(harmed, sessions, interval, day, values)[0]


def _glands(harmed: Any, sessions: int, _interval: float, _day: float, _values: Values) -> Array:
    return -jnp.expm1(-sessions * outcomes.gland_hazard(harmed.lost))


def _ink(harmed: Any, sessions: int, _interval: float, _day: float, values: Values) -> Array:
    return outcomes.ink_clearance(harmed, sessions, values)


def _pigment(harmed: Any, sessions: int, interval: float, day: float, values: Values) -> Array:
    return outcomes.pigment_clearance(harmed, sessions, interval, day, values)[0]


def _texture(renewed: Any, sessions: int, interval: float, day: float, values: Values) -> Array:
    return outcomes.texture(renewed, sessions, interval, day, values)[0]


EFFECTS: dict[str, Effect] = {
    "hair_reduction": Effect(
        "hair reduction", "share of hairs that are missing", targets.follicles, _hair, ("hair.",), timed=True
    ),
    "blanching": Effect(
        "blanching", "share of a stain's redness that is gone", targets.vessels, _stain, ("port_wine.",), timed=True
    ),
    "gland_loss": Effect(
        "gland loss", "share of the volume of sebaceous glands that is destroyed", targets.glands, _glands, ()
    ),
    "ink_clearance": Effect(
        "ink clearance", "share of a black tattoo's darkness that is gone", targets.pigment, _ink,
        ("pigment.carried", "pigment.visible"),
    ),
    "pigment_clearance": Effect(
        "pigment clearance", "share of the pigment of melasma that is gone", targets.pigment, _pigment,
        ("pigment.shed", "pigment.returning"), timed=True,
    ),
    "scar_reduction": Effect(
        "scar reduction", "share of scars or wrinkles that is gone in the median patient", None, _texture,
        ("columns.gain", "columns.remodelling"), timed=True,
    ),
}  # fmt: skip


def wanted(plan: Sweep) -> dict[str, Target]:
    """Targets to be read in the skin, by name; `purpura` where that is asked for."""
    aim = EFFECTS[plan.efficacy.outcome].target
    found = {} if aim is None else {"aim": aim}
    return found | ({"purpura": targets.purpura} if "purpura" in plan.risk.most else {})


def judged(plan: Sweep, read: Mapping[str, Any], basal: Array, tone: Array, values: Values) -> dict[str, Array]:
    """Benefit and risks of everyone at every dose, by name, (doses, people).

    Args:
      read: of the targets of `wanted`; of columns the share of dermis that they renew (`aim`) and of the surface that
        they take (`coverage`). basal: ln Omega of the basal layer. tone: typology angle, degrees, (people,).
    """
    sessions, interval = course(plan)
    share = EFFECTS[plan.efficacy.outcome].share(read["aim"], sessions, interval, plan.efficacy.day, values)
    area = read.get("coverage", 1.0)
    harm = outcomes.events(basal, tone, plan.risk.sought, read.get("purpura"), area, values)
    times = sessions if plan.risk.over == "course" else 1
    return {"efficacy": share} | {name: outcomes.ever(getattr(harm, name), times) for name in plan.risk.most}


def behind(plan: Sweep) -> Table:
    """The parameters that turn damage into what is told."""
    harms = tuple(name for name in outcomes.TABLE if name.startswith("events."))
    if "purpura" not in plan.risk.most:
        harms = tuple(name for name in harms if not name.startswith("events.purpura"))
    heads = EFFECTS[plan.efficacy.outcome].behind
    chosen = {name: p for name, p in outcomes.TABLE.items() if name in harms or (heads and name.startswith(heads))}
    return Table(chosen, outcomes.TABLE.sources)
