"""Published and exact cases of heat and damage; `python -m tests.laser_heat_cases` writes the table of the docs.

The figures compared with are in data/laser/heat.csv, one row a value, in the order in which a case returns them.
"""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pandas as pd
from scipy.interpolate import CubicSpline

from cutis.core.laser.damage.kinetics import GAS, REFERENCE, Kinetics, critical_temperature, kinetics, log_damage
from cutis.core.laser.damage.sweep import sweep
from cutis.core.laser.heat import ablation, axisymmetric, column, grid, radial
from cutis.core.laser.heat.timeline import CONTACT, CRYOGEN, INSULATED, Phase, Surface, timeline
from cutis.core.laser.heat.tissue import VALUES, Thermal, relaxation_time, thermal
from cutis.core.laser.targets import VALUES as TARGETS

TABLE = Path(__file__).parent / "data" / "laser" / "heat.csv"
DOCS = Path(__file__).parents[1] / "docs" / "laser_heat.md"
BEGIN, END = "<!-- table: made by tests/laser_heat_cases.py -->\n", "<!-- end of table -->"
ALPHA, K = 0.11, 0.4  # mm2/s, W/m/K, of the closed forms
EDGES = grid.graded()
WIDTH, DEPTH = np.diff(EDGES), grid.centres(EDGES)


def uniform(start=0.0, n=1, absorbed=0.0):
    """Half space of the closed forms, without blood; kept at 0 far below."""
    tissue = Thermal(*(np.full((len(WIDTH), n), value) for value in (K, K / ALPHA, 0.0)))
    start = np.broadcast_to(np.asarray(start, float).reshape(-1, 1), (len(WIDTH), 1))
    skin = column.column(WIDTH, tissue, np.full((len(WIDTH), n), absorbed), np.zeros((len(WIDTH), 1)), start)
    return skin._replace(core=jnp.zeros(n))


def layered(n=1, start=None, absorbed=0.0):
    """15 um of stratum corneum, 75 um of epidermis, dermis."""
    thickness = np.array([[0.015], [0.075], [4.0]]) * np.ones(n)
    names = ("stratum_corneum", "epidermis", "dermis")
    layers = thermal(np.array([[VALUES[f"water.{name}"]] for name in names]) * np.ones(n))
    start = None if start is None else np.full((len(WIDTH), 1), start)
    return column.column(WIDTH, grid.laid(layers, thickness, EDGES), absorbed * np.ones((len(WIDTH), n)), start=start)


def cooled(coefficient, bath, seconds, steps=40):
    phases = [Phase(seconds, Surface(coefficient, bath), steps=steps)]
    run = column.simulate(uniform(), timeline(phases), 0.0)
    return np.asarray(run.temperature[-1, :, 0]), float(run.surface[-1, 0])


def at_depth(temperature, depth):
    return float(CubicSpline(DEPTH, temperature)(depth))


def surface_step():
    return [1 - at_depth(cooled(1e7, 1.0, 0.1)[0], 0.1)]


def surface_flux():
    return [cooled(1e-6, 10 / 1e-6, 1.0)[1]]


def robin():
    inside, surface = cooled(10.0, 1.0, 0.05, steps=24)
    return [surface, at_depth(inside, 0.08)]


def robin_weak():
    return [at_depth(cooled(4.0, 1.0, 0.03, steps=24)[0], 0.08)]


def exponential():
    found = []
    for mu, seconds in ((10.0, 1e-3), (10.0, 1e-2), (50.0, 1e-3)):
        skin = uniform(-np.diff(np.exp(-mu * EDGES)) / mu / WIDTH)
        run = column.simulate(skin, timeline([Phase(seconds, INSULATED, steps=40)]), 0.0)
        found.append(float(run.surface[-1, 0]))
    return found


def warm(factor):
    def one(v):
        return jnp.full((1,), v)

    size = 0.05
    body = radial.Body(one(size), one(K), one(K / ALPHA), one(K), one(K / ALPHA), one(0.0))
    course = timeline([Phase(size**2 / (factor * ALPHA), steps=40)], finest=1e-6)
    return [float(radial.rise(body, course, d, 1.0).centre[-1, 0]) for d in (1, 2, 3)]


WATER = Thermal(*(np.array([[[value]]]) for value in (0.14558 * 4.184, 4.184, 0.0)))  # mm2/s x J/cm3/K
RADII = np.concatenate([[0.0], np.cumsum(0.03 * 1.1 ** np.arange(34))])
DEEP = np.concatenate([-np.geomspace(5, 1.05, 14), np.arange(-1.0, 4.0, 0.05), np.geomspace(4, 12, 14)])


def around(share):
    """Water at 0 that takes one J into its innermost ring, split over depth by `share`."""
    shape = (len(RADII) - 1, len(DEEP) - 1, 1)
    volume = np.asarray(axisymmetric.volumes(RADII, DEEP))
    absorbed = np.zeros(shape)
    absorbed[0, :, 0] = share / volume[0]
    tissue = Thermal(*(jnp.asarray(np.broadcast_to(value, shape)) for value in WATER))
    return axisymmetric.Cylinder(
        jnp.asarray(RADII), jnp.asarray(DEEP), tissue, jnp.asarray(absorbed), jnp.zeros(shape), jnp.zeros(1)
    )


def off_axis(cylinder, phases, energy=1.0):
    """Temperature 0.1 mm from the axis at depth 0, by splines."""
    run = axisymmetric.simulate(cylinder, timeline([p._replace(surface=INSULATED) for p in phases]), energy)
    radii = np.sqrt((RADII[1:] ** 2 + RADII[:-1] ** 2) / 2)  # mean of a parabola in r
    along = CubicSpline((DEEP[1:] + DEEP[:-1]) / 2, np.asarray(run.temperature)[:, :, 0], axis=1)(0.0)
    return float(CubicSpline(radii**2, along)(0.1**2))


def points():
    """The source that the published figures belong to: a hundred points, each weighted by exp(-mu z) twice."""
    k = np.arange(1, 101)
    depth, weight = np.log(2 * k), (1 / (2 * k - 1) - 1 / (2 * k + 1)) / (2 * k)
    middle = (DEEP[1:] + DEEP[:-1]) / 2
    share = np.zeros(len(middle))
    for z, w in zip(depth, weight, strict=True):
        i = np.searchsorted(middle, z) - 1
        part = (z - middle[i]) / (middle[i + 1] - middle[i])
        share[i : i + 2] += w * np.array([1 - part, part])
    return around(share)


FLASH = Phase(1e-4, energy=1.0, steps=4)


def printed():
    return [off_axis(points(), [FLASH, Phase(t - 1e-4, steps=60)]) / 4.184 for t in (1.0, 2.0, 3.0)]


def printed_long():
    on = off_axis(points(), [Phase(3.0, energy=1.0, steps=64)], 3.0)
    pulse = off_axis(points(), [Phase(0.5, energy=1.0, steps=32), Phase(0.5, steps=32)])
    return [on / 4.184, pulse / 4.184]


def line():
    below = np.maximum(DEEP, 0.0)
    source = around(-np.diff(np.exp(-below)))
    return [off_axis(source, [FLASH, Phase(t - 1e-4, steps=60)]) for t in (1.0, 3.0)]


def relaxation(sizes, dimensions, unit=1e3):
    return [float(relaxation_time(d, n, ALPHA)) * u for d, n, u in zip(sizes, dimensions, unit, strict=True)]


def omega(of, celsius, seconds):
    return [float(jnp.exp(log_damage(of, jnp.full((2, 1), celsius), np.full((1, 1), seconds)))[0])]


def wrong_pair():
    kelvin = 6.28e5 / GAS
    return omega(Kinetics(float(np.log(3.1e98) - kelvin / REFERENCE), kelvin, "wrong"), 60.0, 1.0)


def critical():
    names = ("henriques", "epidermis", "dermis", "vessel")
    return [float(critical_temperature(kinetics(name), t)) for name in names for t in (1e-3, 1e-2, 1e-1)]


def spurts():
    return [
        float(column.simulate(layered(start=30.0), timeline([Phase(t, CRYOGEN)]), 0.0).surface[-1, 0])
        for t in (0.02, 0.1)
    ]


def sapphire():
    cover = column.window(np.array([6.0, 12.0]), 2)
    return np.asarray(
        column.simulate(layered(2), timeline([Phase(1.0, CONTACT, steps=40)]), 0.0, cover).surface[-1]
    ).tolist()


def vessel_thresholds():
    """Fluence at which the wall of a vessel comes to Omega 1: blood of 5.9/mm (595 nm, 70 % saturated), 35 C before."""
    seconds = np.array([0.5, 2.0, 20.0, 40.0]) * 1e-3
    radius, mua, local = TARGETS["vessel.purpuric"] / 2, 5.9, 2.0
    around_it = thermal(VALUES["water.dermis"])
    full = [jnp.full(4, value) for value in (
        radius, VALUES["blood.conductivity"], VALUES["blood.capacity"], float(around_it.conductivity),
        float(around_it.capacity), 0.01 * mua * local * float(radial.averaging(mua, radius)),
    )]  # fmt: skip
    course = timeline([Phase(seconds, energy=1.0, steps=40), Phase(20 * seconds, steps=40)], finest=1e-6)
    wall = radial.rise(radial.Body(*full), course, 2).wall
    low, high = np.zeros(4), np.full(4, 200.0)
    for _ in range(50):
        middle = (low + high) / 2
        harmed = np.asarray(log_damage(kinetics("vessel"), 35.0 + jnp.asarray(middle)[None] * wall, course.step)) > 0
        low, high = np.where(harmed, low, middle), np.where(harmed, middle, high)
    return high.tolist()


def purpura_ratios():
    found = vessel_thresholds()
    return [value / found[0] for value in found[1:]]


def lesions():
    """1540 nm: absorption 0.82/mm (70 % water), reduced scattering 1.73/mm, 90 % of the light is absorbed."""
    mu = np.sqrt(3 * 0.82 * (0.82 + 1.73))
    skin = layered()._replace(absorbed=jnp.asarray(0.9e-2 * -np.diff(np.exp(-mu * EDGES)) / WIDTH)[:, None])
    at, fluences = int(np.searchsorted(EDGES, 0.1)), np.linspace(1, 20, 96)
    found = []
    for seconds in (6e-4, 3.1e-8):
        course = timeline([Phase(seconds, energy=1.0), Phase(5.0, steps=60)])
        log_omega = np.asarray(sweep(skin, course, kinetics("henriques"), fluences).log_omega)[
            :, at - 1 : at + 1, 0
        ].mean(1)
        found.append(float(np.interp(0.0, log_omega, fluences)))
    return found


def lesion_ratio():
    found = lesions()
    return [found[1] / found[0]]


def craters():
    fluence = np.array([0.08, 0.16]) / (np.pi * 0.006**2)
    of = ablation.crater(fluence, 1e-3, ablation.CO2, ALPHA, spot=0.12)
    depth, time = np.linspace(0, 0.4, 401), np.concatenate([[0.0], np.geomspace(1e-5, 3, 300)])
    shaped = ablation.Crater(*(value.reshape(1, 1, 2) for value in of))
    celsius = 33.0 + ablation.left(shaped, depth[None, :, None], time[:, None, None], ALPHA)
    harmed = np.asarray(log_damage(kinetics("dermis"), celsius, np.diff(time)[:, None])) > 0
    return [*(1e3 * np.asarray(of.depth)), *(1e3 * (harmed * depth[:, None]).max(0))]


CASES = {
    "HT01": surface_step, "HT02": surface_flux, "HT03": robin, "HT04": robin_weak, "HT05": exponential,
    "HT06": lambda: warm(4), "HT07": lambda: warm(2), "HT08": printed, "HT09": printed_long, "HT10": line,
    "TR01": lambda: relaxation((0.03, 0.05, 0.1), (2, 2, 2), (1e3,) * 3),
    "TR02": lambda: relaxation((0.07, 0.2, 0.3), (2, 2, 2), (1e3,) * 3),
    "TR03": lambda: relaxation((0.06, 0.3, 0.5, 0.001), (1, 3, 3, 3), (1e3, 1e3, 1e3, 1e9)),
    "DM01": lambda: omega(kinetics("henriques"), 60.0, 1.0), "DM02": wrong_pair,
    "DM03": lambda: omega(kinetics("henriques"), 44.0, 6 * 3600.0), "DM04": critical,
    "CL01": spurts, "CL02": sapphire, "TH01": vessel_thresholds, "TH01r": purpura_ratios, "TH02": vessel_thresholds,
    "TH02r": purpura_ratios, "TH04": lambda: lesions()[:1], "TH05": lambda: lesions()[1:], "TH05r": lesion_ratio,
    "TH14": craters,
}  # fmt: skip


def compared(ids=None):
    """The table with what is computed: columns `computed`, `error` (relative, or absolute where so gated) and `met`."""
    table = pd.read_csv(TABLE)
    table = table if ids is None else table[table.id.isin(ids)]
    table = table.assign(computed=[value for name in table.id.unique() for value in CASES[name]()])
    gap = np.maximum(table.low - table.computed, 0) - np.maximum(table.computed - table.high, 0)
    error = np.where(table.scale == "relative", -gap / table.low.abs(), -gap)
    return table.assign(error=error, met=np.abs(error) <= table.tolerance)


def markdown(table):
    lines = ["| case | quantity | reference | computed | error | allowed | met |", "|---|---|---|---|---|---|---|"]
    for row in table.itertuples():
        relative = row.scale == "relative"
        error = f"{100 * row.error:+.2f} %" if relative else f"{row.error:+.2f} {row.unit}"
        allowed = f"{100 * row.tolerance:g} %" if relative else f"{row.tolerance:g} {row.unit}"
        unit = "" if row.unit == "1" else f" {row.unit}"
        met = "yes" if row.met else "**no**"
        lines.append(
            f"| {row.id} | {row.quantity} | {row.low:.6g}{unit} | {row.computed:.5g} | {error} | {allowed} | {met} |"
        )
    return "\n".join(lines) + "\n"


def write():
    text = DOCS.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN)
    DOCS.write_text(head + BEGIN + markdown(compared()) + END + rest.split(END)[1], encoding="utf-8")


if __name__ == "__main__":
    write()
