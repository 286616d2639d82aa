"""Light and heat of every part of every arm, once: what calibrated numbers act on afterwards.

The folding of the epidermis changes light, so everything is worked out for a few values of it (FOLDS) and drawn between
them by a parabola in its logarithm.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from ...core.laser import columns, targets, treat
from . import crowd, dosed
from .trials import KINDS, Arm, Part

FOLDS = (1.0, 1.6, 2.6)
MIDDLE_FOLD = FOLDS[1]  # that of skin under columns, on which it hardly tells
POINTS = ("basal", "bulge", "bulb")
LONG_AFTER = 1e-30  # s, of steps that only fill the table
Say = Callable[[str], None]


class Solved(NamedTuple):
    """All parts; folds first where light counts.

    typology: (parts, people), degrees. base, rise: temperature without light, C, and what the pulse adds, at POINTS,
    (steps + 1, parts, points, people), the rise with folds before. step: s, (steps, parts). heated: whether the
    part has a course of heat, (parts,). purpuric: ln of `targets.purpura`; closed: vessels, (folds,
    parts, diameters, depths, people). broken: melanosomes, ink: its grains, (folds, parts, depths, people). area: share
    of the surface that is treated, renewed: of the dermis that columns renew, (parts, people).
    """

    typology: Array
    base: Array
    rise: Array
    step: Array
    heated: Array
    purpuric: Array
    closed: Array
    broken: Array
    ink: Array
    area: Array
    renewed: Array


class _Part(NamedTuple):
    base: np.ndarray
    rise: np.ndarray
    step: np.ndarray
    purpuric: np.ndarray
    closed: np.ndarray
    broken: np.ndarray
    ink: np.ndarray
    area: np.ndarray
    renewed: np.ndarray


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
        key = (repr(part.used), part.adapted, tuple(sorted(part.types.items())), tuple(sorted(wanted)))
        angles = crowd.typology(part.types, people)
        if key not in known:
            say(f"light and heat of {arm.trial}, {arm.name} ({number + 1} of {len(order)})")
            known[key] = _found(part, angles, wanted)
        found.append(known[key])
        tones.append(angles)
    steps = max(len(one.step) for one in found)
    longer = [_padded(one, steps) for one in found]
    whole = Solved(
        jnp.asarray(np.stack(tones)),
        *(jnp.asarray(np.stack([getattr(one, name) for one in longer], axis)) for name, axis in _AXES.items()),
    )
    return whole, order


_AXES = {"base": 1, "rise": 2, "step": 1, "heated": 0} | dict.fromkeys(("purpuric", "closed", "broken", "ink"), 1)
_AXES |= {"area": 0, "renewed": 0}


class _Padded(NamedTuple):
    base: np.ndarray
    rise: np.ndarray
    step: np.ndarray
    heated: np.ndarray
    purpuric: np.ndarray
    closed: np.ndarray
    broken: np.ndarray
    ink: np.ndarray
    area: np.ndarray
    renewed: np.ndarray


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
        np.full((few, people), -10.0),
        np.zeros((few, targets.DIAMETERS, targets.DEPTHS, people)),
        np.zeros((few, people)),
        np.zeros((few, targets.INKS, people)),
        np.ones(people),
        np.zeros(people),
    )


def _found(part: Part, angles: np.ndarray, wanted: set[str]) -> _Part:
    if part.used.device.delivery == "beam":
        return _solve(part, angles, wanted)
    left = columns.columns(crowd.skin(angles, MIDDLE_FOLD), part.used)
    return _nothing(len(angles))._replace(area=np.asarray(left.coverage), renewed=np.asarray(left.renewed))


def _solve(part: Part, angles: np.ndarray, wanted: set[str]) -> _Part:
    found = [_once(part, angles, folding, wanted) for folding in FOLDS]
    folded = ("rise", "purpuric", "closed", "broken", "ink")
    return found[0]._replace(**{name: np.stack([getattr(one, name) for one in found]) for name in folded})


def _once(part: Part, angles: np.ndarray, folding: float, wanted: set[str]) -> _Part:
    """With one folding, without the axis of folds."""
    fluence = jnp.asarray(part.used.fluences[:1])
    warmed = treat.warm(crowd.skin(angles, folding), part.used)
    if part.adapted:
        told = float(fluence[0])
        heat = np.asarray(warmed.response.rise.max(axis=(0, 1)))
        warmed = dosed.given(warmed, dosed.adapted(told, *part.adapted, heat) / told)
    t, people = warmed.thickness, len(angles)
    middle = (t[0] + t[1] + t[2] / 2)[None]
    base, rise = (treat.at_depth(x, warmed.edges, middle) for x in (warmed.response.base, warmed.response.rise))
    if "hair" in wanted:
        ends = zip((base, rise), targets.around_hair(warmed), strict=True)
        base, rise = (jnp.concatenate(both, axis=1) for both in ends)
    else:
        base, rise = (jnp.concatenate([x, x, x], axis=1) for x in (base, rise))
    nothing = _nothing(people)
    purpuric, closed, broken, ink = (x[0] for x in nothing[3:7])
    if "port_wine" in wanted:
        harmed = targets.vessels(warmed, fluence)
        purpuric = np.log(np.asarray(targets.purpura(warmed, fluence))[0])
        closed = np.asarray(harmed.closed)[0]
    if "pigment" in wanted:
        particles = targets.pigment(warmed, fluence)
        broken, ink = np.asarray(particles.melanosomes)[0], np.asarray(particles.ink)[0]
    found = {"base": base, "rise": float(fluence[0]) * np.asarray(rise), "purpuric": purpuric, "closed": closed}
    found |= {"step": warmed.course.step[:, 0], "broken": broken, "ink": ink}
    return nothing._replace(**{name: np.asarray(value) for name, value in found.items()})
