"""One session of a device on the skin of many people: light, heat, and the damage to the skin itself.

Light is solved once for each person and wavelength, heat once for each person; temperature is linear in fluence until
water boils, so that fluences share both. Targets in the skin are read from the same solution (`targets`).
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.typing import ArrayLike

from . import calibrated, optics, spectra
from .damage import burns
from .damage.kinetics import Kinetics, in_pulses, kinetics, log_damage
from .device import Settings
from .heat import column, grid, timeline
from .heat.column import Response
from .heat.timeline import Phase, Timeline
from .heat.tissue import VALUES, Thermal, thermal
from .heat.validity import Validity
from .layers import Layers
from .light import Fluence, propagate
from .optics import Skin
from .spot import spot_factor

PEOPLE = 128  # solved at a time
NODES = 8
FOLLOWED = 5.0  # s after the light
LEAST_FILM = 0.01  # s of liquid cryogen after the light that is worth a phase
HELD = 0.5  # s that a contact window stays after the light
PER_MM3 = 0.01  # J/mm2 in J/cm2
FINE, FINEST = 20, 0.005  # cells of equal width at the surface, so that the basal layer is resolved; mm
DEEP, COARSEST = 44, 0.4  # cells that grow below them; mm
DERMAL = (0.1, 0.3, 0.6, 0.9)  # share of the dermis above the points at which its damage is followed
THERMAL = ("stratum_corneum", "epidermis", "dermis", "subcutis")
HARMING, HALVINGS = (1e-3, 1e4), 30  # J/cm2 between which a fluence that harms is sought, and by how many halvings


class Lit(NamedTuple):
    """Light of one wavelength in the skin of people. weight: its share of the pulse. stack: layers of the people.

    fluence: of a broad beam. factor: what the spot leaves of it on its axis, at the middles of cells, (cells, people).
    """

    nm: float
    weight: float
    stack: Layers
    fluence: Fluence
    factor: Array


class Warmed(NamedTuple):
    """Light and heat of a session in the skin of people, for targets to be read from.

    thickness: of layers, mm, (6, people). edges: of cells, mm. course: of the session. response: of temperature.
    """

    settings: Settings
    person: Skin
    thickness: Array
    edges: np.ndarray
    course: Timeline
    lights: tuple[Lit, ...]
    response: Response


class Treated(NamedTuple):
    """What a session does to the skin; each (fluences, people).

    fluences: J/cm2, (fluences,). hottest: highest temperature of stratum corneum and epidermis, C. corneum, basal,
    dermis: logarithm of the damage integral in the middle of the stratum corneum, of the basal layer, and of the point
    of the dermis that is harmed most. burn: degree, 0 to 3, see `_degree`. overheated: water would boil somewhere,
    which is left out: temperature and damage there are too high. trusted: not so, and nothing else is amiss.
    course: marks of the heat without light, each (people,). targets: by name, people last.
    """

    fluences: np.ndarray
    hottest: Array
    corneum: Array
    basal: Array
    dermis: Array
    burn: Array
    overheated: Array
    trusted: Array
    course: Validity
    targets: dict[str, Any]


Lights = dict[tuple[int, float, float, float, float], Lit]  # by part of the people, nm, weight, spot, index above
Target = Callable[[Warmed, Array], Any]  # of the warmed skin and the fluences, J/cm2, (fluences,)


def treat(
    twins: Mapping[str, Any] | Skin,
    settings: Settings,
    site: str = "cheek",
    targets: Mapping[str, Target] | None = None,
    lit: Lights | None = None,
) -> Treated:
    """Give one session with a beam of light to everyone.

    Args:
      twins: their attributes, as `optics.skin` wants them, or their skin (people,). settings: the same for all; with
        several fluences each is given to everyone. targets: functions such as `targets.glands`, by name. lit: light
        that was solved before for the same people, and to which what is solved now is added; empty at first.

    Raises:
      ValueError: the device has no broad beam, a twin lacks an attribute, a layer of skin is too thin for the cells.
    """
    if settings.device.delivery != "beam":
        raise ValueError(
            f"{settings.device.name}: delivery by {settings.device.delivery}; `treat` takes broad beams, "
            "`columns.columns` the others"
        )
    person = twins if isinstance(twins, Skin) else optics.skin(twins, site)
    count = int(person.epidermis.shape[0])
    if count == 0:
        raise ValueError("twins: there are none")
    fluences = jnp.asarray(settings.fluences)
    size = min(PEOPLE, count)
    parts = []
    for first in range(0, count, size):
        chosen = jnp.minimum(jnp.arange(first, first + size), count - 1)  # the last one again, so all parts are alike
        warmed = warm(Skin(*(field[chosen] for field in person)), settings, lit, first)
        parts.append(_read(warmed, fluences, targets or {}))
    whole = jax.tree.map(lambda *found: jnp.concatenate(found, axis=-1)[..., :count], *parts)
    return Treated(settings.fluences, *whole)


def cells() -> np.ndarray:
    """Edges of cells, mm: equal through the epidermis, growing below it."""
    shallow = FINEST * np.arange(FINE)
    return np.concatenate([shallow, FINE * FINEST + grid.graded(DEEP, FINEST, COARSEST, grid.DEPTH - FINE * FINEST)])


def warm(person: Skin, settings: Settings, lit: Lights | None = None, part: int = 0) -> Warmed:
    """Light and heat of the session for each J/cm2; lit: as in `treat`, part: which of the people these are."""
    edges = cells()
    thickness = thicknesses(person, float(settings.light[0][0]), edges[-1])
    skin = jnp.stack([thickness[0], thickness[1] + thickness[2], thickness[3] + thickness[4], thickness[5]])
    grid.check_layers(skin, edges, resolved=1)  # a thin stratum corneum shares its cell with epidermis
    known = {} if lit is None else lit
    lights = []
    for nm, weight in zip(*settings.light, strict=True):
        key = (part, float(nm), float(weight), float(settings.spot or 0.0), settings.above)
        if key not in known:
            known[key] = _lit(person, float(nm), float(weight), edges, settings)
        lights.append(known[key])
    absorbed = sum(light.weight * _absorbed(light, thickness, edges) for light in lights)
    body = column.column(np.diff(edges), grid.laid(tissues(person), skin, edges), absorbed)
    course = sessions_course(settings)
    people = thickness.shape[1]
    cover = None if settings.cooling != "contact" else column.window(settings.window, people)
    return Warmed(settings, person, thickness, edges, course, tuple(lights), column.respond(body, course, cover))


def sessions_course(settings: Settings) -> Timeline:
    """Cooling, light and what follows, as steps.

    Cryogen is taken to boil on the skin as under the spurt until the light ends [assumed], and more weakly until its
    liquid is gone; a window stays half a second longer.
    """
    surface = {
        "none": timeline.AIR, "cold_air": timeline.COLD_AIR, "cryogen": timeline.CRYOGEN, "contact": timeline.CONTACT,
    }[settings.cooling]  # fmt: skip
    before = (settings.spurt, settings.delay) if settings.cooling == "cryogen" else (settings.precool,)
    phases = [Phase(seconds, surface, steps=32) for seconds in before if seconds]
    gap = settings.gap or 0.0
    phases += timeline.pulses(settings.pulse / settings.pulses, settings.pulses, gap, surface)
    phases += [Phase(HELD, surface, steps=32)] if settings.cooling == "contact" else []
    if settings.cooling == "cryogen":
        since = (settings.delay or 0.0) + settings.pulse + (settings.pulses - 1) * gap
        left = VALUES["cryogen.residence"] - since
        phases += [Phase(left, timeline.FILM, steps=32)] if left > LEAST_FILM else []
    return timeline.timeline([*phases, Phase(FOLLOWED, timeline.AIR, steps=48)])


def local(light: Lit, edges: np.ndarray, depth: Array) -> Array:
    """Fluence on the axis of the spot over that of the beam, at depths (points, people), mm."""
    broad = light.fluence(depth.T).T
    middle = jnp.asarray(grid.centres(edges))
    factor = jax.vmap(lambda z, f: jnp.interp(z, middle, f), in_axes=1, out_axes=1)(depth, light.factor)
    return broad * factor


def absorption_at(light: Lit, thickness: Array, depth: Array) -> Array:
    """Absorption of the tissue at depths (points, people), 1/mm."""
    bottom = jnp.cumsum(thickness, axis=0)[:-1]
    layer = (depth[:, None, :] >= bottom[None]).sum(axis=1)
    return jnp.take_along_axis(jnp.asarray(light.stack.absorption).T, layer, axis=0)


def at_depth(history: Array, edges: np.ndarray, depth: Array) -> Array:
    """History (steps, cells, people) at depths (points, people), mm: straight between the middles of cells."""
    middle = jnp.asarray(grid.centres(edges))
    right = jnp.clip(jnp.searchsorted(middle, depth), 1, len(middle) - 1)
    share = jnp.clip((depth - middle[right - 1]) / (middle[right] - middle[right - 1]), 0.0, 1.0)
    ends = (jnp.take_along_axis(history, index[None], axis=1) for index in (right - 1, right))
    left, far = ends
    return left + share[None] * (far - left)


def thicknesses(person: Skin, nm: float, floor: float) -> Array:
    """Thicknesses of the six layers, mm, (6, people), the last one to the end of the grid."""
    above = jnp.asarray(optics.layers(person, nm).thickness)[:, :-1]
    return jnp.concatenate([above, floor - above.sum(axis=1, keepdims=True)], axis=1).T


def tissues(person: Skin) -> Thermal:
    """Properties of the four layers, (4, people)."""
    fat = spectra.VALUES["contents.fat_subcutis"]
    lean = [VALUES["water.stratum_corneum"], VALUES["water.epidermis"], None, None]
    lean[3] = spectra.VALUES["contents.water_subcutis"] / (1 - fat)
    water = jnp.stack([person.water if value is None else jnp.full_like(person.water, value) for value in lean])
    return thermal(water, jnp.asarray([0.0, 0.0, 0.0, fat])[:, None] * jnp.ones_like(water))


def _lit(person: Skin, nm: float, weight: float, edges: np.ndarray, settings: Settings) -> Lit:
    stack, below = optics.layers(person, nm), spectra.VALUES["refraction.skin"]
    found = propagate(stack, settings.above, below, nodes=NODES)
    factor = spot_factor(stack, [float(settings.spot or 0.0)], list(grid.centres(edges)), settings.above, below)
    return Lit(nm, weight, stack, found.fluence, factor[:, 0].T)


def _absorbed(light: Lit, thickness: Array, edges: np.ndarray) -> Array:
    """Heat of the cells, J/mm3 for each J/cm2, (cells, people): the fluence in the middle of each piece of a layer."""
    bottom = jnp.cumsum(thickness, axis=0)
    upper, lower = jnp.asarray(edges)[None, :-1, None], jnp.asarray(edges)[None, 1:, None]
    from_, to = jnp.maximum(upper, (bottom - thickness)[:, None]), jnp.minimum(lower, bottom[:, None])
    inside = jnp.maximum(to - from_, 0.0)
    middle = jnp.clip((from_ + to) / 2, 0.0, edges[-1])
    pieces = middle.reshape(-1, middle.shape[-1])
    fluence = light.fluence(pieces.T).T.reshape(middle.shape)
    heat = (jnp.asarray(light.stack.absorption).T[:, None] * inside * fluence).sum(axis=0)
    return PER_MM3 * light.factor * heat / jnp.diff(jnp.asarray(edges))[:, None]


def _read(warmed: Warmed, fluences: Array, targets: Mapping[str, Target]) -> tuple[Any, ...]:
    t, found = warmed.thickness, warmed.response
    skin_deep = t[0] + t[1] + t[2]
    dermal = skin_deep[None] + jnp.asarray(DERMAL)[:, None] * (t[3] + t[4])[None]
    points = jnp.concatenate([(t[0] / 2)[None], (skin_deep - t[2] / 2)[None], dermal])
    ends = (at_depth(history, warmed.edges, points) for history in (found.base, found.rise))
    of = (death("epidermis"), kinetics("dermis", burns.VALUES["shift.collagen"]))
    above = jnp.asarray(warmed.edges)[:-1, None] < skin_deep[None]
    steps = jnp.asarray(warmed.course.step)
    hottest, boiling, corneum, basal, dermis = _sweep(found, above, tuple(ends), of, steps, fluences)
    overheated = boiling > VALUES["boiling.temperature"]
    marks = found.validity
    trusted = ~overheated & marks.trusted[None]
    read = {name: target(warmed, fluences) for name, target in targets.items()}
    return hottest, corneum, basal, dermis, _degree(basal, dermis), overheated, trusted, marks, read


def _degree(basal: Array, dermis: Array) -> Array:
    """Degree of burn: that of long exposures, and the third too where basal cells are dead and dermis coagulates; in
    pulses Omega of cells never comes to what makes a third degree in long exposures."""
    deep = (basal >= 0) & (dermis >= 0)
    return jnp.where(deep, 3, burns.degree(basal))


@jax.jit
def _sweep(
    found: Response, above: Array, ends: tuple[Array, Array], of: tuple[Kinetics, Kinetics], steps: Array,
    fluences: Array,
) -> tuple[Array, ...]:  # fmt: skip
    """Highest temperatures of the epidermis and anywhere, and damage to the three layers, (fluences, people)."""

    def one(fluence: Array) -> tuple[Array, ...]:
        temperature = found.base + fluence * found.rise
        highest = temperature.max(axis=0)
        surface = (found.base_surface + fluence * found.rise_surface).max(axis=0)
        hottest = jnp.maximum(jnp.where(above, highest, -jnp.inf).max(axis=0), surface)
        points = ends[0] + fluence * ends[1]
        skin = log_damage(of[0], points[:, :2], steps)
        deep = log_damage(of[1], points[:, 2:], steps).max(axis=0)
        return hottest, jnp.maximum(highest.max(axis=0), surface), skin[0], skin[1], deep

    return lax.map(one, fluences)


def death(target: str, values: Mapping[str, Any] = calibrated.VALUES) -> Kinetics:
    """Kinetics of the death of cells in heat of any length: of long exposures [henriques1947], and with the lower
    activation of short, hot pulses. target: whose shift is added, such as `epidermis`, `follicle`."""
    shift, v = burns.VALUES[f"shift.{target}"], burns.VALUES
    long = kinetics("henriques", shift)
    return in_pulses(long, values["death.activation"], v["pulse.seconds"], v["pulse.celsius"], shift)


def damage(of: Kinetics, base: Array, rise: Array, steps: ArrayLike, fluences: Array) -> Array:
    """ln Omega of histories, C and K for each J/cm2, (steps + 1, ..., people), at fluences: (fluences, ..., people)."""
    return _damage(of, base, rise, jnp.asarray(steps), fluences)


@jax.jit
def harming(of: Kinetics, base: Array, rise: Array, steps: ArrayLike) -> Array:
    """Fluence at which Omega comes to 1, J/cm2, (..., people), between the two of HARMING; arguments as of `damage`."""
    steps = jnp.asarray(steps)

    def halve(_: Array, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = (low + high) / 2
        harmed = log_damage(of, base + jnp.exp(middle)[None] * rise, steps) > 0
        return jnp.where(harmed, low, middle), jnp.where(harmed, middle, high)

    ends = tuple(jnp.full(rise.shape[1:], np.log(end), rise.dtype) for end in HARMING)
    return jnp.exp(lax.fori_loop(0, HALVINGS, halve, ends)[1])


@jax.jit
def _damage(of: Kinetics, base: Array, rise: Array, steps: Array, fluences: Array) -> Array:
    return lax.map(lambda fluence: log_damage(of, base + fluence * rise, steps), fluences)
