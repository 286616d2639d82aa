r"""Psoriasis as five coupled states, each 1 in the untreated plaque, and itch that follows the plaque.

D  IL-23-producing dendritic drive, N  what TNF drives, M  tissue-resident memory T17 cells, T  active T17 output,
K  plaque activity (about PASI over baseline PASI), L  plaque activity as felt (itch).

$$\dot D = k_D\,\{G\,[(1-\varphi)+\varphi K]\,[c_0+(1-c_0) N]-D\} - uD$$
$$\dot N = k_N\,\{(\tfrac12 D+\tfrac12 K)(1-I_{TNF})-N\}$$
$$\dot M = k_M\,\{m_0+(1-m_0) S_{23}-M\} - w_M uM$$
$$\dot T = k_T\,\{M S_{23} (1-I_{T17})-T\} - uT$$
$$\dot K = k_K\,\{b((1-E) S_{17}\,[b_0+(1-b_0) N])-K\}-w_K uK-k_{top} K$$

with $S_{23} = f_{23} + (1-f_{23}) D(1-I_{IL23})$ and $S_{17} = T[(1-f_F)(1-I_{17A})+f_F(1-I_{17F})]$.
The function b leaves an input of at most 1 as it is and keeps a larger one below 2. Inhibition at a site is
$I = C/(C+C_{50})$. Ultraviolet light kills cells at the rate $u$, a topical blocks the share $E$ of the plaque's input
and clears it at the rate $k_{top}$, infections, stress and season multiply the drive by $G$.

The state is stable at 1 without treatment, so relapse after withdrawal follows from the equations.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array
from jax.scipy.special import expit, logit

from ..keys import normals, uniforms
from .skin import Lesions, lesions
from .treatments import SITES, Slot, slot
from .triggers import Triggers, triggers

Theta = dict[str, Array]
State = tuple[Array, ...]
BLOCKED = ("tnf", "il23", "il17a", "il17f", "t17")  # sites where drugs saturate; light and topicals act in proportion


class Individual(NamedTuple):
    """Parameters of each person (arrays of people) and those common to all (scalars)."""

    theta: Theta
    plaque_rate: Array
    il23_free: Array
    il17f_share: Array
    placebo: Array
    light: Array
    topical_block: Array
    topical_clearing: Array
    slots: tuple[Slot, ...]
    triggers: Triggers
    lesions: Lesions


def individual(keys: Array, twins: dict[str, Array], drugs: Array, theta: Theta) -> Individual:
    """Draw each person's parameters.

    Args:
      keys: one key a person, shape (people,).
      twins: attributes, each (people,).
      drugs: treatment numbers, shape (slots, people).
      theta: values and spreads, `Table.numbers()`.
    """
    potency = jnp.exp(theta["topical.input_block:sd"] * normals(keys, "topical"))
    return Individual(
        theta,
        plaque_rate(normals(keys, "plaque_rate"), theta),
        share("il23_free", normals(keys, "il23_free"), theta),
        share("il17f_share", normals(keys, "il17f_share"), theta),
        placebo(uniforms(keys, "placebo"), theta),
        theta["light.sensitivity"] * jnp.exp(theta["light.sensitivity:sd"] * normals(keys, "light")),
        1 - (1 - theta["topical.input_block"]) ** potency,
        theta["topical.clearing"] * potency,
        tuple(slot(keys, twins, drugs[s], theta) for s in range(drugs.shape[0])),
        triggers(keys, twins, theta),
        lesions(keys, twins, theta),
    )


def plaque_rate(deviation: Array, theta: Theta) -> Array:
    """Turnover of the plaque, 1/day, of people with these standard normal deviations."""
    return theta["model.plaque_rate"] * jnp.exp(theta["model.plaque_rate:sd"] * deviation)


def share(name: str, deviation: Array, theta: Theta) -> Array:
    """A share of the model in people with these standard normal deviations (on the logit scale)."""
    return expit(logit(theta[f"model.{name}"]) + theta[f"model.{name}:sd"] * deviation)


def placebo(chance: Array, theta: Theta) -> Array:
    """Improvement under placebo too, on the logarithm of plaque activity, of people with these uniform draws.

    Some improve, by exponential amounts with a long tail; the others worsen, by exponential amounts too (asymmetric
    Laplace).
    """
    improving = theta["placebo.improving"]
    better = -theta["placebo.size"] * jnp.log((1 - chance) / improving)
    worse = theta["placebo.worsening"] * jnp.log(jnp.maximum(chance, 1e-12) / (1 - improving))
    return jnp.where(chance > 1 - improving, better, worse)


def start(person: Individual) -> State:
    """The untreated steady state."""
    return (jnp.ones_like(person.plaque_rate),) * 6


def signal(person: Individual, concentrations: tuple[Array, ...], topical: Array, day: Array) -> tuple[Array, ...]:
    """What drives the model from outside: the share of each site's signal that the drugs together block (independent
    action), in the order of `BLOCKED`, the rate at which light kills (1/day), the use of topicals (0 to 1), and the
    factor of the dendritic drive.

    Args:
      concentrations: of each slot (ug/mL, or as its treatment says), then of each trigger.
      topical: 1 for people on a topical as rescue, else 0. day: since the first visit.
    """
    left = [jnp.ones_like(topical)] * len(BLOCKED)
    light, applied = jnp.zeros_like(topical), topical
    for drug, c in zip(person.slots, concentrations, strict=False):
        at = dict(zip(SITES, drug.strength, strict=True))
        blocked = c / (c + drug.half_maximal)
        left = [share * (1 - at[site] * blocked) for share, site in zip(left, BLOCKED, strict=True)]
        light = light + at["light"] * c
        applied = jnp.maximum(applied, at["topical"] * c)
    drive = person.triggers.drive(concentrations[len(person.slots) :], day)
    return (*(1 - share for share in left), person.light * light, person.theta["topical.use"] * applied, drive)


def drift(person: Individual, state: State, signal: tuple[Array, ...]) -> State:
    """Time derivative of the state, 1/day, under a `signal`."""

    def p(name: str) -> Array:
        return person.theta[f"model.{name}"]

    D, N, M, T, K, L = state
    I = dict(zip(BLOCKED, signal, strict=False))
    u, topical, G = signal[len(BLOCKED) :]
    S_23 = person.il23_free + (1 - person.il23_free) * D * (1 - I["il23"])
    S_17 = T * ((1 - person.il17f_share) * (1 - I["il17a"]) + person.il17f_share * (1 - I["il17f"]))
    drive = G * (1 - p("feedback") + p("feedback") * K) * (p("tnf_free_drive") + (1 - p("tnf_free_drive")) * N)
    plaque = (1 - person.topical_block * topical) * S_17 * (p("tnf_free_plaque") + (1 - p("tnf_free_plaque")) * N)
    cleared = person.topical_clearing * topical + person.theta["light.plaque"] * u
    memory = p("memory_floor") + (1 - p("memory_floor")) * S_23
    return (
        p("drive_rate") * (drive - D) - u * D,
        p("tnf_rate") * ((0.5 * D + 0.5 * K) * (1 - I["tnf"]) - N),
        p("memory_rate") * (memory - M) - person.theta["light.memory"] * u * M,
        p("t17_rate") * (M * S_23 * (1 - I["t17"]) - T) - u * T,
        person.plaque_rate * (bounded(plaque) - K) - cleared * K,
        (K - L) / p("itch_lag"),
    )


def bounded(plaque: Array) -> Array:
    """The plaque's input as it acts: as it is up to that of the untreated plaque, 1, beyond which it tends to 2.

    Triggers would otherwise feed on themselves without limit.
    """
    return jnp.where(plaque < 1, plaque, 2 - 1 / jnp.maximum(plaque, 1.0))


def activity(person: Individual, state: State, day: Array) -> tuple[Array, Array]:
    """Plaque activity as seen and as felt, with the improvement that comes under placebo too.

    The placebo part is exp(-p (1 - exp(-k t))) with an individual p that may be below zero, and what the trial adds.
    """
    size = person.placebo + person.theta["trial.effect"]
    improved = jnp.exp(size * jnp.expm1(-person.theta["placebo.rate"] * day))
    return state[4] * improved, state[5] * improved
