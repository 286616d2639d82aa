"""What a session is aimed at: vessels, hair follicles, sebaceous glands, pigment; the share of each that it harms.

Each function takes the warmed skin and fluences (`treat.Target`). The heat that a cylinder or sphere takes beyond its
surroundings spreads from it as in typical tissue (worked out once for each size), and adds to the temperature that the
column has there. All results end in (..., people), fluences first.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.stats import norm
from jax.typing import ArrayLike

from ..parameters import read_table
from . import spectra
from .damage import burns, confined
from .damage.kinetics import dead, kinetics
from .heat import radial
from .heat.timeline import Timeline
from .heat.tissue import VALUES as HEAT
from .heat.tissue import Thermal, thermal
from .treat import PER_MM3, Lit, Warmed, absorption_at, at_depth, damage, death, harming, local

HERE = Path(__file__).parent
TABLE = read_table(HERE / "targets.yaml", sources=HERE / "device_sources.yaml")
VALUES = {name: parameter.value for name, parameter in TABLE.items()}
DIAMETERS, DEPTHS = 6, 4  # classes of vessels
SIZES, LEVELS = 4, 3  # classes of glands
INKS = 3
SHELLS = 6  # of a gland


class Vessels(NamedTuple):
    """log_omega: of the wall; closed: share of such vessels; boiled: their blood boils. (fluences, diameters, depths,
    people)."""

    log_omega: Array
    closed: Array
    boiled: Array


class Follicles(NamedTuple):
    """ln Omega at the stem cells of the bulge, at the papilla of a growing hair, (fluences, people)."""

    bulge: Array
    bulb: Array


class Glands(NamedTuple):
    """Share of the volume destroyed: of each class (fluences, sizes, depths, people), of all, (fluences, people)."""

    destroyed: Array
    lost: Array


class Pigment(NamedTuple):
    """Share of particles broken: melanosomes of the basal layer (fluences, people), ink (fluences, depths, people)."""

    melanosomes: Array
    ink: Array


def vessel_classes() -> tuple[np.ndarray, np.ndarray]:
    """Diameters and depths, mm."""
    diameters = np.geomspace(VALUES["vessel.smallest"], VALUES["vessel.widest"], DIAMETERS)
    return diameters, np.linspace(VALUES["vessel.shallowest"], VALUES["vessel.deepest"], DEPTHS)


def gland_classes() -> tuple[np.ndarray, np.ndarray]:
    """Diameters and depths of the middle, mm."""
    sizes = np.linspace(VALUES["gland.smallest"], VALUES["gland.widest"], SIZES)
    return sizes, np.linspace(VALUES["gland.shallowest"], VALUES["gland.deepest"], LEVELS)


def ink_depths() -> np.ndarray:
    """Depths of ink, mm."""
    return np.linspace(VALUES["ink.shallowest"], VALUES["ink.deepest"], INKS)


def vessels(warmed: Warmed, fluences: Array, classes: tuple[ArrayLike, ArrayLike] | None = None) -> Vessels:
    """Damage to the walls of vessels full of the person's blood, with the kinetics of an arterial wall."""
    diameters, depths = vessel_classes() if classes is None else (np.asarray(x, float) for x in classes)
    base, walls, centres = _around_vessels(warmed, diameters, depths)
    shape = (len(fluences), len(diameters), len(depths), -1)
    of = kinetics("vessel", burns.VALUES["shift.vessel"])
    base = jnp.broadcast_to(base[:, None], walls.shape)
    log_omega = damage(of, _flat(base), _flat(walls), warmed.course.step, fluences).reshape(shape)
    hottest = jnp.stack([(base + fluence * centres).max(axis=0) for fluence in fluences])
    return Vessels(log_omega, dead(log_omega), hottest > VALUES["vessel.boiled"])


def purpura(warmed: Warmed, fluences: Array, diameter: float = VALUES["vessel.purpuric"]) -> Array:
    """Fluences over that which harms the wall of a vessel that tells of purpura, at the depth that needs least of it.

    1, where the damage of the wall comes to Omega 1; (fluences, people). diameter: of the vessel, mm.
    """
    base, walls, _ = _around_vessels(warmed, np.array([diameter]), vessel_classes()[1])
    of = kinetics("vessel", burns.VALUES["shift.vessel"])
    needed = harming(of, base, walls[:, 0], warmed.course.step)
    return fluences[:, None] / needed.min(axis=0)[None]


def _around_vessels(warmed: Warmed, diameters: np.ndarray, depths: np.ndarray) -> tuple[Array, Array, Array]:
    """Temperature without light, C, (steps + 1, depths, people), and its rise for each J/cm2 at the walls and in the
    middle of vessels full of the person's blood, K, (steps + 1, diameters, depths, people)."""
    radii = diameters / 2
    blood = Thermal(jnp.asarray(HEAT["blood.conductivity"]), jnp.asarray(HEAT["blood.capacity"]), jnp.asarray(0.0))
    unit = _unit(radii, blood, warmed.course, 2)
    depth = _everyone(depths, warmed)

    def taken(light: Lit) -> Array:
        with_oxygen, without = (float(x) for x in spectra.blood(light.nm))
        s = warmed.person.saturation
        absorption = (s * with_oxygen + (1 - s) * without)[None]
        return absorption * radial.averaging(absorption, jnp.asarray(radii)[:, None])

    source = _source(warmed, depth, taken)  # (diameters, depths, people)
    base, rise = _tissue(warmed, depth)
    walls, centres = (_added(rise, part, source) for part in (unit.wall, unit.centre))
    return base, walls, centres


def follicles(warmed: Warmed, fluences: Array, melanosomes: ArrayLike | None = None) -> Follicles:
    """Damage around a hair shaft, with the kinetics of the epidermis [assumed]; melanosomes: share of the shaft."""
    base, rise = around_hair(warmed, melanosomes)
    log_omega = damage(death("follicle"), base, rise, warmed.course.step, fluences)
    return Follicles(log_omega[:, 0], log_omega[:, 1])


def around_hair(warmed: Warmed, melanosomes: ArrayLike | None = None) -> tuple[Array, Array]:
    """Temperature without light, C, and its rise for each J/cm2, at bulge and bulb, (steps + 1, 2, people)."""
    v = VALUES
    pigment = jnp.full_like(warmed.person.water, v["hair.melanosomes"]) if melanosomes is None else melanosomes
    radius = np.array([v["hair.radius"]])
    unit = _unit(radius, thermal(v["hair.water"]), warmed.course, 2)
    depth = _everyone(np.array([v["hair.bulge_depth"], v["hair.bulb_depth"]]), warmed)

    def taken(light: Lit) -> Array:
        absorption = (jnp.asarray(pigment) * float(spectra.melanosome(light.nm)))[None]
        return absorption * radial.averaging(absorption, jnp.asarray(radius)[:, None])

    source = _source(warmed, depth, taken)[0]
    base, rise = _tissue(warmed, depth)
    around = [radial.at(unit, v[f"hair.{part}_distance"])[:, 0] for part in ("bulge", "bulb")]
    return base, rise + jnp.stack(around, axis=1)[:, :, None] * source[None]


def glands(warmed: Warmed, fluences: Array) -> Glands:
    """Volume of sebaceous glands destroyed, with the kinetics of the epidermis; all classes are equally frequent."""
    sizes, depths = gland_classes()
    share, radii = VALUES["gland.sebum"], sizes / 2
    unit = _unit(radii, thermal(1.0, share), warmed.course, 3)
    depth = _everyone(depths, warmed)

    def taken(light: Lit) -> Array:
        absorption = share * float(spectra.lipid(light.nm)) + (1 - share) * float(spectra.water(light.nm))
        factor = radial.averaging_sphere(absorption, jnp.asarray(radii))
        return (absorption * factor)[:, None] * jnp.ones_like(warmed.person.water)[None]

    source = _source(warmed, depth, taken)
    base, rise = _tissue(warmed, depth)
    cells = unit.cells[:, : radial.INSIDE].reshape(len(unit.cells), SHELLS, -1, len(sizes)).mean(axis=2)
    whole = jnp.moveaxis(cells, 1, 2)[:, :, :, None, None] * source[None, :, None] + rise[:, None, None]
    base = jnp.broadcast_to(base[:, None, None], whole.shape)
    of = death("sebocyte")
    log_omega = damage(of, _flat(base), _flat(whole), warmed.course.step, fluences)
    log_omega = log_omega.reshape(len(fluences), *whole.shape[1:])
    part = jnp.asarray(np.diff(np.linspace(0, 1, SHELLS + 1) ** 3))[None, None, :, None, None]
    destroyed = (dead(log_omega) * part).sum(axis=2)
    weight = jnp.asarray(sizes**3 / (sizes**3).sum() / len(depths))[None, :, None, None]
    return Glands(destroyed, (destroyed * weight).sum(axis=(1, 2)))


def pigment(warmed: Warmed, fluences: Array) -> Pigment:
    """Particles that one short pulse breaks: thresholds between particles are log-normal.

    Raises:
      ValueError: the light is a lamp's.
    """
    if warmed.settings.device.lamp:
        raise ValueError(f"{warmed.settings.device.name}: particles break under short pulses of one wavelength")
    light, t, v = warmed.lights[0], warmed.thickness, VALUES
    pulse = warmed.settings.pulse / warmed.settings.pulses
    share = fluences / warmed.settings.pulses

    def broken(depth: Array, absorption: float, kind: str) -> Array:
        needed = confined.threshold(absorption, v[f"{kind}.radius"], pulse).fluence
        ratio = share[:, None, None] * local(light, warmed.edges, depth)[None] / needed
        return norm.cdf(jnp.log(ratio) / v[f"{kind}.spread"])

    basal = (t[0] + t[1] + t[2] / 2)[None]
    inside = v["melanosome.denser"] * float(spectra.melanosome(light.nm))  # of its core, not of all that it fills
    melanosomes = broken(basal, inside, "melanosome")[:, 0]
    ink = broken(_everyone(ink_depths(), warmed), v["ink.absorption"] * 532 / light.nm, "ink")
    return Pigment(melanosomes, ink)


def _unit(radii: np.ndarray, own: Thermal, course: Timeline, dimensions: int) -> radial.Rise:
    """Rise around absorbers of these radii, mm, for 1 J/mm3 absorbed, in typical dermis."""
    around = thermal(HEAT["water.dermis"])
    ones = jnp.ones(len(radii))
    fields = (own.conductivity, own.capacity, around.conductivity, around.capacity, 1.0)
    clock = course._replace(step=course.step[:, :1], pulse=course.pulse[:, :1])
    return radial.rise(radial.Body(jnp.asarray(radii), *(ones * field for field in fields)), clock, dimensions)


def _everyone(depths: np.ndarray, warmed: Warmed) -> Array:
    return jnp.asarray(depths)[:, None] * jnp.ones_like(warmed.person.water)[None]


def _source(warmed: Warmed, depth: Array, taken: Callable[[Lit], Array]) -> Array:
    """Heat beyond that of the surroundings, J/mm3 for each J/cm2, (sizes, depths, people); taken(light): 1/mm."""
    parts = []
    for light in warmed.lights:
        own = jnp.atleast_2d(taken(light))[:, None]
        extra = own - absorption_at(light, warmed.thickness, depth)[None]
        parts.append(light.weight * PER_MM3 * extra * local(light, warmed.edges, depth)[None])
    return sum(parts[1:], parts[0])


def _tissue(warmed: Warmed, depth: Array) -> tuple[Array, Array]:
    """Temperature without light and its rise in the tissue, (steps + 1, depths, people)."""
    base, rise = (at_depth(part, warmed.edges, depth) for part in (warmed.response.base, warmed.response.rise))
    return base, rise


def _added(rise: Array, unit: Array, source: Array) -> Array:
    """Rise in all, (steps + 1, sizes, depths, people): of the tissue, and source times that for 1 J/mm3."""
    return rise[:, None] + unit[:, :, None, None] * source[None]


def _flat(history: Array) -> Array:
    return history.reshape(len(history), -1, history.shape[-1])
