r"""Psoriasis as five coupled states, each 1 in the untreated plaque, and itch that follows the plaque.

D  IL-23-producing dendritic drive, N  TNF drive, M  tissue-resident memory T17 cells, T  active T17 output,
K  plaque activity (about PASI over baseline PASI), L  plaque activity as felt (itch).

$$\dot D = k_D\,\{[(1-\varphi)+\varphi K]\,[c_0+(1-c_0) N_f]-D\}$$
$$\dot N = k_N\,\{\tfrac12 D+\tfrac12 K-N\}$$
$$\dot M = k_M\,\{m_0+(1-m_0) S_{23}-M\}$$
$$\dot T = k_T\,\{M S_{23} (1-I_{T17})-T\}$$
$$\dot K = k_K\,\{(1-E) S_{17}\,[b_0+(1-b_0) N_f]-K\}-k_{top} K$$

with $N_f = N(1-I_{TNF})$, $S_{23} = D(1-I_{IL23})$ and
$S_{17} = T[(1-f_F)(1-I_{17A})+f_F(1-I_{17F})]$. Inhibition at a site is $I = C/(C+C_{50})$.

The state is stable at 1 without treatment, so relapse after withdrawal follows from the equations.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from ..keys import normals, uniforms
from .endpoints import Lesions, lesions
from .treatments import SITES, Slot, slot

Theta = dict[str, Array]
State = tuple[Array, ...]


class Individual(NamedTuple):
    """Parameters of each person (arrays of people) and those common to all (scalars)."""

    theta: Theta
    plaque_rate: Array
    placebo: Array
    topical_block: Array
    topical_clearing: Array
    slots: tuple[Slot, ...]
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
    exponential = -jnp.log1p(-uniforms(keys, "placebo"))
    return Individual(
        theta,
        theta["model.plaque_rate"] * jnp.exp(theta["model.plaque_rate:sd"] * normals(keys, "plaque_rate")),
        theta["placebo.size"] * exponential - theta["placebo.shift"],
        1 - (1 - theta["topical.input_block"]) ** potency,
        theta["topical.clearing"] * potency,
        tuple(slot(keys, twins, drugs[s], theta) for s in range(drugs.shape[0])),
        lesions(keys, twins, theta),
    )


def start(person: Individual) -> State:
    """The untreated steady state."""
    return (jnp.ones_like(person.plaque_rate),) * 6


def signal(person: Individual, concentrations: tuple[Array, ...], topical: Array) -> tuple[Array, ...]:
    """What drives the model from outside, each between 0 and 1: the share of each site's signal that the drugs
    together block (independent action), in the order of `SITES`, then the use of the topical.

    Args:
      concentrations: serum concentration of each slot, ug/mL. topical: 1 for people on it, else 0.
    """
    left = [jnp.ones_like(topical)] * len(SITES)
    for drug, c in zip(person.slots, concentrations, strict=True):
        blocked = c / (c + drug.half_maximal)
        left = [share * (1 - strength * blocked) for share, strength in zip(left, drug.strength, strict=True)]
    return (*(1 - share for share in left), person.theta["topical.use"] * topical)


def drift(person: Individual, state: State, signal: tuple[Array, ...]) -> State:
    """Time derivative of the state, 1/day, under a `signal`."""

    def p(name: str) -> Array:
        return person.theta[f"model.{name}"]

    D, N, M, T, K, L = state
    I = dict(zip(SITES, signal, strict=False))
    topical = signal[-1]
    N_f = N * (1 - I["tnf"])
    S_23 = D * (1 - I["il23"])
    S_17 = T * ((1 - p("il17f_share")) * (1 - I["il17a"]) + p("il17f_share") * (1 - I["il17f"]))
    drive = (1 - p("feedback") + p("feedback") * K) * (p("tnf_free_drive") + (1 - p("tnf_free_drive")) * N_f)
    plaque = (1 - person.topical_block * topical) * S_17 * (p("tnf_free_plaque") + (1 - p("tnf_free_plaque")) * N_f)
    return (
        p("drive_rate") * (drive - D),
        p("tnf_rate") * (0.5 * D + 0.5 * K - N),
        p("memory_rate") * (p("memory_floor") + (1 - p("memory_floor")) * S_23 - M),
        p("t17_rate") * (M * S_23 * (1 - I["t17"]) - T),
        person.plaque_rate * (plaque - K) - person.topical_clearing * topical * K,
        (K - L) / p("itch_lag"),
    )


def activity(person: Individual, state: State, day: Array) -> tuple[Array, Array]:
    """Plaque activity as seen and as felt, with the improvement that comes under placebo too.

    The placebo part is exp(-p (1 - exp(-k t))) with an individual p that may be below zero.
    """
    placebo = jnp.exp(person.placebo * jnp.expm1(-person.theta["placebo.rate"] * day))
    return state[4] * placebo, state[5] * placebo
