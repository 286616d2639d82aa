"""Columns that fractional lasers and needles leave in the skin of people: ablated, coagulated, and how soon closed.

One column stands for all that are laid in one pass: half-way to the next one no heat flows. A beam that coagulates, and
a needle, are followed in radius and depth with boiling; a beam that ablates leaves a crater by the balance of energy,
with a shell of coagulation as thick at its wall as below it [assumed]. Skin colour does not matter at these wavelengths
but for what is seen afterwards (`outcomes.column_risk`).
"""

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from ..parameters import read_table
from . import optics
from .damage import burns
from .damage.kinetics import Kinetics, dead, kinetics, log_damage, log_increment, undamaged
from .device import Settings
from .heat import ablation, axisymmetric, grid, sources, timeline
from .heat.column import Moment
from .heat.timeline import Phase, Surface, Timeline
from .heat.tissue import VALUES as HEAT
from .heat.tissue import Thermal, diffusivity, thermal
from .light import propagate
from .optics import Skin
from .treat import NODES, death, thicknesses, tissues

HERE = Path(__file__).parent
TABLE = read_table(HERE / "columns.yaml", sources=HERE / "device_sources.yaml")
VALUES = TABLE.numbers()
PEOPLE = 64  # solved at a time
RINGS, CELLS, DEEP, FINEST, COARSEST = 18, 48, 5.0, 0.005, 0.25  # radii and depths of the grid; mm
BASAL = optics.VALUES["geometry.basal"] / 2  # mm above the lower border of the epidermis
FOLLOWED = 2.0  # s after the pulse
ABLATING = {10600.0: ablation.CO2, 2940.0: ablation.ER_YAG}
NO_LIGHT = 1000.0  # nm, at which layers are asked for where no light is used
SHELL = np.linspace(0.0, 0.6, 301)  # mm below a crater
AFTER = np.concatenate([[0.0], np.geomspace(1e-5, 3.0, 200)])  # s


class Columns(NamedTuple):
    """What one session leaves; each (people,).

    depth: from the surface to the lowest point coagulated or ablated, mm. crater: depth that is ablated, mm. width: of
    the column where it is widest, mm. volume: of one column, coagulated or ablated, mm3. coverage: share of the surface
    whose epidermis dies. renewed: share of the volume of the dermis that is coagulated or ablated. healed: days until
    the epidermis is closed. trusted: nothing left what the equations hold for.
    """

    depth: Array
    crater: Array
    width: Array
    volume: Array
    coverage: Array
    renewed: Array
    healed: Array
    trusted: Array


def columns(person: Skin, settings: Settings) -> Columns:
    """One session with a fractional laser or needles.

    Raises:
      ValueError: the device has a broad beam, nobody is there, a layer is too thin for the cells, columns that overlap.
    """
    of = settings.device
    if of.delivery == "beam":
        raise ValueError(f"{of.name}: delivery by beam; `columns` takes fractional lasers and needles, `treat` this")
    count = int(person.epidermis.shape[0])
    if count == 0:
        raise ValueError("people: there are none")
    space = spaced(settings)
    if settings.wavelength in ABLATING:
        return _ablated(person, settings, space)
    size = min(PEOPLE, count)
    parts = []
    for first in range(0, count, size):
        chosen = jnp.minimum(jnp.arange(first, first + size), count - 1)
        parts.append(_heated(Skin(*(field[chosen] for field in person)), settings, space))
    return jax.tree.map(lambda *found: jnp.concatenate(found)[:count], *parts)


def spaced(settings: Settings) -> float:
    """Skin for each column, mm2.

    Raises:
      ValueError: beams of a fractional laser overlap.
    """
    of, space = settings.device, 100.0 / float(settings.density or 0.0)
    if of.delivery == "fractional" and np.pi * (float(settings.spot or 0.0) / 2) ** 2 >= space:
        raise ValueError(f"{of.name}: spots of {settings.spot:g} mm, {settings.density:g} of them a cm2, overlap")
    return space


def energy(settings: Settings) -> float:
    """Energy of one beam or needle, J; the power of needles is shared by those of one array."""
    if settings.device.delivery == "fractional":
        return float(settings.energy or 0.0) * 1e-3
    needles = float(settings.density or 0.0) * VALUES["needle.tip"]
    return float(settings.power or 0.0) * settings.pulse / needles


def healed(gap: ArrayLike) -> Array:
    """Days until the epidermis closes over gaps of these radii, mm; 0 where there is none."""
    gap = jnp.asarray(gap)
    return jnp.where(gap > 0, VALUES["healing.lag"] + gap / VALUES["healing.migration"], 0.0)


def course(settings: Settings) -> Timeline:
    """Cooling, pulse and what follows."""
    window = Surface(VALUES["window.coefficient"], settings.window or 0.0)
    surface = {"none": timeline.AIR, "cold_air": timeline.COLD_AIR, "contact": window}[settings.cooling]
    phases = [Phase(settings.precool, surface, steps=24)] if settings.precool else []
    gap = settings.gap or 0.0
    phases += timeline.pulses(settings.pulse / settings.pulses, settings.pulses, gap, surface)
    return timeline.timeline([*phases, Phase(FOLLOWED, surface, steps=40)])


def _ablated(person: Skin, settings: Settings, space: float) -> Columns:
    """Craters, the same in everyone but for how much of them lies in the dermis."""
    depth, shell = _crater(settings)
    radius = float(settings.spot or 0.0) / 2
    fullness = VALUES["crater.fullness"]
    whole, wide = depth + shell, radius + shell if depth > 0 else radius
    above = person.stratum_corneum + person.epidermis
    volume = fullness * np.pi * wide**2 * whole
    inside = jnp.clip(whole - above, 0.0, person.dermis)
    # of a paraboloid with its tip down, the share below a depth goes with the square of what is left of its height
    share = (jnp.clip(whole - above, 0.0, None) / max(whole, 1e-12)) ** 2
    below = (jnp.clip(whole - above - person.dermis, 0.0, None) / max(whole, 1e-12)) ** 2
    ones = jnp.ones_like(above)
    hurt = jnp.where(inside > 0, wide, 0.0)
    return Columns(
        whole * ones,
        depth * ones,
        2 * wide * ones,
        volume * ones,
        jnp.clip(np.pi * hurt**2 / space, 0.0, 1.0),
        jnp.clip(volume * (share - below) / (space * person.dermis), 0.0, 1.0),
        healed(hurt),
        jnp.ones_like(above, dtype=bool),
    )


def _crater(settings: Settings) -> tuple[float, float]:
    """Depth of ablation, and of the coagulation below it, mm."""
    laser, alpha = ABLATING[float(settings.wavelength or 0.0)], float(diffusivity(thermal(HEAT["water.dermis"])))
    of = ablation.crater(settings.fluences[:1], settings.pulse, laser, alpha, spot=float(settings.spot or 0.0))
    shaped = ablation.Crater(*(part[:, None, None] for part in of))
    rise = ablation.left(shaped, SHELL[None, :, None], AFTER[:, None, None], alpha)
    celsius = jnp.asarray(HEAT["surface.temperature"] + rise)
    harmed = np.asarray(log_damage(_collagen(), celsius, np.diff(AFTER)[:, None]))[:, 0] > 0
    return float(of.depth[0]), float((harmed * SHELL).max())


def _collagen() -> Kinetics:
    return kinetics("dermis", burns.VALUES["shift.collagen"])


@cache
def _grid(space: float) -> tuple[np.ndarray, np.ndarray]:
    """Edges of rings, to half-way between columns, and of cells in depth, mm."""
    reach = float(np.sqrt(space / np.pi))
    return grid.graded(RINGS, reach / 60, reach, reach), grid.graded(CELLS, FINEST, COARSEST, DEEP)


def _heated(person: Skin, settings: Settings, space: float) -> Columns:
    """Columns of beams that coagulate, and of needles."""
    fractional = settings.device.delivery == "fractional"
    radii, depths = _grid(space * (VALUES["pattern.passes"] if fractional else 1.0))
    nm = settings.wavelength or NO_LIGHT
    thickness = thicknesses(person, float(nm), DEEP)
    skin = jnp.stack([thickness[0], thickness[1] + thickness[2], thickness[3] + thickness[4], thickness[5]])
    grid.check_layers(skin, depths, resolved=1)  # a thin stratum corneum shares its cell with epidermis
    layers = grid.laid(tissues(person), skin, depths)
    shape = (RINGS, *layers.capacity.shape)
    around = axisymmetric.Cylinder(
        jnp.asarray(radii),
        jnp.asarray(depths),
        Thermal(*(jnp.broadcast_to(field[None], shape) for field in layers)),
        _source(person, settings, radii, depths, shape),
        jnp.broadcast_to(_start(depths)[None, :, None], shape),
        jnp.full(shape[-1:], HEAT["blood.temperature"]),
    )
    seen = ((_collagen(), undamaged(shape)), (death("epidermis"), undamaged(shape)))
    run = axisymmetric.simulate(around, course(settings), energy(settings), _observe, seen)
    (_, dermis), (_, epidermis) = run.seen
    return _measured(person, space, (radii, depths), dead(dermis), dead(epidermis), run)


def _observe(seen: Any, moment: Moment) -> Any:
    step = moment.step.reshape((1, 1, -1))
    return tuple((of, jnp.logaddexp(total, log_increment(of, moment.before, moment.after, step))) for of, total in seen)


def _start(depths: np.ndarray) -> Array:
    """Temperature before, C, (depths,): from that of the surface to that of the body."""
    cool, core = HEAT["surface.temperature"], HEAT["blood.temperature"]
    return jnp.asarray(cool + (core - cool) * grid.centres(depths) / depths[-1])


def _source(
    person: Skin, settings: Settings, radii: np.ndarray, depths: np.ndarray, shape: tuple[int, ...]
) -> Array:  # fmt: skip
    """Heat, J/mm3 for each J, (radii, depths, people)."""
    if settings.device.delivery == "needles":
        low, bare = float(settings.depth or 0.0), float(settings.bare or 0.0)
        heat = sources.needle(radii, depths, max(low - bare, 0.0), low, VALUES["needle.radius"])
        return jnp.broadcast_to(heat[:, :, None], shape)
    stack = optics.layers(person, float(settings.wavelength or 0.0))
    absorption, scattering, g = (np.asarray(x)[:, 3] for x in stack[1:4])  # of the upper dermis
    reflected = propagate(stack, settings.above, float(np.asarray(stack.refraction)[-1]), nodes=NODES).reflectance
    spot = float(settings.spot or 0.0)
    return sources.pattern(radii, depths, spot, absorption, scattering * (1 - g), 1 - np.asarray(reflected))


def _measured(
    person: Skin, space: float, edges: tuple[np.ndarray, np.ndarray], harmed: Array, lost: Array,
    run: axisymmetric.Run,
) -> Columns:  # fmt: skip
    """Sizes of what is coagulated, from shares of cells (radii, depths, people)."""
    radii, depths = edges
    above = person.stratum_corneum + person.epidermis
    corneum, top, floor = (x[None, None] for x in (person.stratum_corneum, above, above + person.dermis))
    middle = jnp.asarray(grid.centres(depths))[None, :, None]
    deep = (middle > top) & (middle < floor)
    volume = axisymmetric.volumes(radii, depths)[:, :, None]
    solid = jnp.where(middle > corneum, harmed, 0.0)
    half = solid > 0.5
    bottom, outer = jnp.asarray(depths)[1:][None, :, None], jnp.asarray(radii)[1:][:, None, None]
    ring = jnp.asarray(np.pi * np.diff(radii**2))[:, None]
    basal = jnp.clip(jnp.searchsorted(jnp.asarray(depths), above - BASAL) - 1, 0, CELLS - 1)
    place = jnp.broadcast_to(basal[None, None], (len(lost), 1, len(basal)))
    gone = jnp.take_along_axis(lost, place, axis=1)[:, 0]
    area = (gone * ring).sum(axis=0)
    return Columns(
        jnp.where(half, bottom, 0.0).max(axis=(0, 1)),
        jnp.zeros_like(above),
        2 * jnp.where(half, outer, 0.0).max(axis=(0, 1)),
        (solid * volume).sum(axis=(0, 1)),
        jnp.clip(area / space, 0.0, 1.0),
        jnp.clip(jnp.where(deep, solid * volume, 0.0).sum(axis=(0, 1)) / (space * person.dermis), 0.0, 1.0),
        healed(jnp.where(area > 1e-6, jnp.sqrt(area / np.pi), 0.0)),
        run.validity.trusted,
    )
