"""Light and heat of every part of every arm, once: what calibrated numbers act on afterwards.

The folding of the epidermis changes light, so everything is worked out for a few values of it (FOLDS) and drawn between
them by a parabola in its logarithm.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from ...core.laser import outcomes, targets, treat
from ...core.laser.device import Settings
from . import crowd
from .trials import KINDS, Arm, Part

FOLDS = (1.0, 1.6, 2.6)
POINTS = ("basal", "bulge", "bulb")
LONG_AFTER = 1e-30  # s, of steps that only fill the table
Say = Callable[[str], None]


class Solved(NamedTuple):
    """All parts; folds first where light counts.

    typology: (parts, people), degrees. base, rise: temperature without light, C, and what the pulse adds, at POINTS,
    (steps + 1, parts, points, people), the rise with folds before. step: s, (steps, parts). heated: whether the
    part has a course of heat, (parts,). narrow: ln Omega of the most harmed narrow vessel; closed: vessels, (folds,
    parts, diameters, depths, people). broken: melanosomes, ink: its grains, (folds, parts, depths, people).
    """

    typology: Array
    base: Array
    rise: Array
    step: Array
    heated: Array
    narrow: Array
    closed: Array
    broken: Array
    ink: Array


class _Part(NamedTuple):
    base: np.ndarray
    rise: np.ndarray
    step: np.ndarray
    narrow: np.ndarray
    closed: np.ndarray
    broken: np.ndarray
    ink: np.ndarray


def between(folding: Array) -> Array:
    """Weights of FOLDS, (folds,), of sum 1."""
    nodes = np.log(np.array(FOLDS))
    at = jnp.log(folding)
    found = []
    for i, node in enumerate(nodes):
        others = np.delete(nodes, i)
        found.append(((at - others) / (node - others)).prod())
    return jnp.stack(found)


def solved(arms: Iterable[Arm], people: int, say: Say) -> tuple[Solved, tuple[tuple[Arm, Part], ...]]:
    """What the arms' parts come to, and which part is whose; parts that are treated alike are solved once."""
    order = tuple((arm, part) for arm in arms for part in arm.parts)
    known: dict[tuple[object, ...], _Part] = {}
    found, tones = [], []
    for number, (arm, part) in enumerate(order):
        wanted = {KINDS[figure.what] for figure in arm.figures}
        key = (repr(part.used), tuple(sorted(part.types.items())), tuple(sorted(wanted)))
        angles = crowd.typology(part.types, people)
        if key not in known:
            say(f"light and heat of {arm.trial}, {arm.name} ({number + 1} of {len(order)})")
            known[key] = _solve(part.used, angles, wanted) if part.used else _nothing(people)
        found.append(known[key])
        tones.append(angles)
    steps = max(len(one.step) for one in found)
    longer = [_padded(one, steps) for one in found]
    whole = Solved(
        jnp.asarray(np.stack(tones)),
        *(jnp.asarray(np.stack([getattr(one, name) for one in longer], axis)) for name, axis in _AXES.items()),
    )
    return whole, order


_AXES = {"base": 1, "rise": 2, "step": 1, "heated": 0, "narrow": 1, "closed": 1, "broken": 1, "ink": 1}


class _Padded(NamedTuple):
    base: np.ndarray
    rise: np.ndarray
    step: np.ndarray
    heated: np.ndarray
    narrow: np.ndarray
    closed: np.ndarray
    broken: np.ndarray
    ink: np.ndarray


def _padded(of: _Part, steps: int) -> _Padded:
    """With steps of no length until there are so many."""
    more = steps - len(of.step)
    ends = (np.concatenate([x, np.repeat(x[-1:], more, 0)]) for x in (of.base, np.moveaxis(of.rise, 1, 0)))
    base, rise = ends
    step = np.concatenate([of.step, np.full(more, LONG_AFTER)])
    return _Padded(base, np.moveaxis(rise, 0, 1), step, np.array(len(of.step) > 1), *of[3:])


def _nothing(people: int) -> _Part:
    few = len(FOLDS)
    return _Part(
        np.full((2, len(POINTS), people), 33.0),
        np.zeros((few, 2, len(POINTS), people)),
        np.full(1, LONG_AFTER),
        np.full((few, people), -1e3),
        np.zeros((few, targets.DIAMETERS, targets.DEPTHS, people)),
        np.zeros((few, people)),
        np.zeros((few, targets.INKS, people)),
    )


def _solve(used: Settings, angles: np.ndarray, wanted: set[str]) -> _Part:
    found = [_once(used, angles, folding, wanted) for folding in FOLDS]
    base, step = found[0].base, found[0].step
    rest = (np.stack([getattr(one, name) for one in found]) for name in ("narrow", "closed", "broken", "ink"))
    return _Part(base, np.stack([one.rise for one in found]), step, *rest)


def _once(used: Settings, angles: np.ndarray, folding: float, wanted: set[str]) -> _Part:
    """With one folding, without the axis of folds."""
    fluence = jnp.asarray(used.fluences[:1])
    warmed = treat.warm(crowd.skin(angles, folding), used)
    t, people = warmed.thickness, len(angles)
    middle = (t[0] + t[1] + t[2] / 2)[None]
    base, rise = (treat.at_depth(x, warmed.edges, middle) for x in (warmed.response.base, warmed.response.rise))
    if "hair" in wanted:
        ends = zip((base, rise), targets.around_hair(warmed), strict=True)
        base, rise = (jnp.concatenate(both, axis=1) for both in ends)
    else:
        base, rise = (jnp.concatenate([x, x, x], axis=1) for x in (base, rise))
    nothing = _nothing(people)
    narrow, closed, broken, ink = (x[0] for x in nothing[3:])
    if "port_wine" in wanted:
        harmed = targets.vessels(warmed, fluence)
        thin = targets.vessel_classes()[0] <= outcomes.VALUES["events.purpura_widest"]
        narrow = np.asarray(harmed.log_omega)[0, thin].max(axis=(0, 1))
        closed = np.asarray(harmed.closed)[0]
    if "pigment" in wanted:
        particles = targets.pigment(warmed, fluence)
        broken, ink = np.asarray(particles.melanosomes)[0], np.asarray(particles.ink)[0]
    step = np.asarray(warmed.course.step)[:, 0]
    return _Part(np.asarray(base), float(fluence[0]) * np.asarray(rise), step, narrow, closed, broken, ink)
