r"""The reference problem derm12: twelve states of a plaque under a subcutaneous drug, of stiffness up to 10,000.

Three amounts of drug (depot, central, peripheral), IL-23 X1, IL-17 X2, IL-22 X3, memory T cells T, keratinocytes Kp,
K1, K2, thickness P, severity S; all but the drug are 1 before it. `MODEL` is the problem as the engine takes it,
`field` the same twelve equations, written apart, for solvers that take a field.
"""

from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np

from cutis.core.engine.mesh import graded
from cutis.core.engine.pharmacokinetics import rates

DOSE, SHARE = 100.0, 0.7  # mg; of it enters
DOSES = 7.0 * np.array([0, 4, 12, 20, 28, 36, 44])  # days
VISITS = 7.0 * np.array([1, 2, 4, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32, 36, 40, 44, 46, 48, 50, 52])
TYPICAL = {
    **{"ka": (0.25, 0.4), "CL": (0.3, 0.3), "V1": (3.5, 0.25), "V2": (2.5, 0.25), "IC50": (0.5, 0.5)},
    **{"k1": (20.0, 0.3), "k2": (5.0, 0.3), "kT": (0.02, 0.4), "kp": (0.5, 0.3), "ko": (0.07, 0.3)},
}  # value, standard deviation of its logarithm
FLOOR = 1e-3  # below it, errors of states count as absolute
FLOW = 0.5  # L/day between the compartments


def people(n):
    """Parameters of n people, {name: (n,)}; person i is the same for any n."""
    deviations = np.random.Generator(np.random.Philox(20240601)).standard_normal((n, len(TYPICAL)))
    return {name: v * np.exp(sd * deviations[:, i]) for i, (name, (v, sd)) in enumerate(TYPICAL.items())}


def start(person):
    return (jnp.ones_like(person["ka"]),) * 9


def pharmacokinetics(person, day, saturable):
    one = jnp.ones_like(person["ka"])
    return (rates(person["ka"], person["CL"], person["V1"], FLOW * one, person["V2"], SHARE * one),)


def signal(person, concentrations, topical, day):
    present = jnp.maximum(concentrations[0], 1e-30) ** 1.3
    return (0.95 * present / (person["IC50"] ** 1.3 + present),)


def drift(person, state, signal):
    X1, X2, X3, T, Kp, K1, K2, P, S = state
    g = 2 * X1 / (1 + X1)
    Z = 0.6 * X2 + 0.4 * X3
    growth = (1 + 3 * Z * Z / (1 + Z * Z)) / 2.5
    return (
        person["k1"] * ((1 - signal[0]) * (1 + 0.3 * (T - 1) + 0.2 * (Kp - 1)) - X1),
        person["k2"] * (T * g - X2),
        10 * (0.5 * T + 0.5 * g - X3),
        person["kT"] * (0.2 + 0.8 * X1 - T),
        person["kp"] * (growth - Kp),
        0.25 * (Kp - K1),
        0.25 * (K1 - K2),
        person["ko"] * (K2 * 1.5 / (1 + 0.5 * P) - P),
        0.15 * (P * (0.4 + 0.6 * X2) - S),
    )


MODEL = SimpleNamespace(start=start, pharmacokinetics=pharmacokinetics, signal=signal, drift=drift)


def plan(n, scale=1.0):
    """Mesh of that scale, and what `respond` takes of it: doses, daily doses, days; then which rows are visits."""
    mesh = graded([0.0], DOSES, VISITS, scale)
    given = np.zeros((len(mesh.breaks), 1, n))
    given[np.isin(mesh.breaks, DOSES)] = DOSE
    return mesh, (given, np.zeros_like(given), mesh.breaks), np.isin(mesh.breaks[1:], VISITS)


def field(t, y, p, xp=np):
    """All twelve rates of change; p in the order of TYPICAL."""
    ka, CL, V1, V2, IC50, k1, k2, kT, kp, ko = p
    Ad, Ac, Ap, X1, X2, X3, T, Kp, K1, K2, P, S = y
    c = xp.maximum(Ac, 1e-30) / V1
    c = c**1.3
    left = 1 - 0.95 * c / (IC50**1.3 + c)
    g = 2 * X1 / (1 + X1)
    Z = 0.6 * X2 + 0.4 * X3
    return [
        -ka * Ad,
        ka * Ad - (CL + FLOW) / V1 * Ac + FLOW / V2 * Ap,
        FLOW / V1 * Ac - FLOW / V2 * Ap,
        k1 * (left * (1 + 0.3 * (T - 1) + 0.2 * (Kp - 1)) - X1),
        k2 * (T * g - X2),
        10 * (0.5 * T + 0.5 * g - X3),
        kT * (0.2 + 0.8 * X1 - T),
        kp * ((1 + 3 * Z * Z / (1 + Z * Z)) / 2.5 - Kp),
        0.25 * (Kp - K1),
        0.25 * (K1 - K2),
        ko * (K2 * 1.5 / (1 + 0.5 * P) - P),
        0.15 * (P * (0.4 + 0.6 * X2) - S),
    ]


def error(states, exact):
    """The largest relative error of each person; arrays (visits, states, people)."""
    off = np.abs(np.asarray(states) - exact) / np.maximum(np.abs(exact), FLOOR)
    return off.max((0, 1))
