"""Adverse events of treatments of acne, and how irritation makes people skip doses.

What a treatment does to the skin where it is applied, cheilitis and laboratory values are read at visits (`reading`);
here are events that happen at a constant rate on a drug.
"""

from collections.abc import Sequence

import jax.numpy as jnp
from jax import Array

from .treatments import LIKE, NAMES

KINDS = {
    "headache": "headache",
    "nausea": "nausea",
    "photosensitivity": "photosensitivity",
    "menstrual_irregularity": "irregular menstruation",
    "venous_thromboembolism": "venous thromboembolism",
}
OF_WOMEN = ("menstrual_irregularity",)
HUNDRED_YEARS = 36525.0  # days


def hazards(drugs: Sequence[Array], treated: Array, women: Array, theta: dict[str, Array]) -> dict[str, Array]:
    """Hazard of each kind of adverse event, 1/day, shape (people,).

    Drugs add up: each brings what it has beyond the background of people on none.

    Args:
      drugs: treatment numbers of each slot, (people,). treated: on that drug now, (slots, people).
      women: of fertile age, (people,). theta: `Table.numbers()`.
    """
    found = {}
    for kind in KINDS:
        excess = _excess(kind, theta)
        rate = jnp.full(treated.shape[1:], theta[f"harms.{kind}.background"])
        for drug, now in zip(drugs, treated, strict=True):
            rate = rate + jnp.where(now, excess[drug], 0.0)
        rate = jnp.maximum(rate, 0.0) / HUNDRED_YEARS
        found[kind] = jnp.where(women, rate, 0.0) if kind in OF_WOMEN else rate
    return found


def willing(irritation: Array, theta: dict[str, Array]) -> Array:
    """Share of the doses otherwise taken that people with this irritation still take."""
    return 1 / (1 + irritation / theta["tolerability.skipping"])


def _excess(kind: str, theta: dict[str, Array]) -> Array:
    """What each treatment number adds, per 100 years; 0 for none and for drugs that do not name the kind."""
    background = jnp.asarray(theta[f"harms.{kind}.background"], dtype="float64")
    drugs = (theta.get(f"harms.{kind}.{LIKE.get(name, name)}", background) for name in NAMES)
    return jnp.stack([jnp.zeros_like(background), *(rate - background for rate in drugs)])
