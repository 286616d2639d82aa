"""Adverse events of treatments: serious infections, injection-site reactions, infections with Candida.

A hazard is constant while somebody is on a drug. That suits infections; injection-site reactions are most frequent in
the first weeks, so over years the model has too many of them.
"""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
from jax import Array

from ..parameters import read_table
from .treatments import NAMES

HERE = Path(__file__).parent
SAFETY = read_table(HERE / "safety.yaml", sources=HERE / "safety_sources.yaml")

KINDS = {
    "serious_infection": "serious infection",
    "injection_site_reaction": "injection-site reaction",
    "candidiasis": "infection with Candida",
}
HUNDRED_YEARS = 36525.0  # days


def hazards(drugs: Array, treated: Array) -> dict[str, Array]:
    """Hazard of each kind of adverse event, 1/day, shape (people,).

    Drugs add up: each brings its rate less that of its control to the background of people on none.

    Args:
      drugs: treatment numbers, shape (slots, people). treated: on that drug now, of the same shape.
    """
    found = {}
    for kind in KINDS:
        added = jnp.where(treated, jnp.asarray(EXCESS[kind])[drugs], 0.0).sum(0)
        found[kind] = jnp.maximum(SAFETY.value(f"{kind}.background") + added, 0.0) / HUNDRED_YEARS
    return found


def _excess(kind: str) -> np.ndarray:
    """What each treatment number adds, per 100 years; 0 for none and for drugs that do not name the kind."""
    told = SAFETY.within(kind)
    background = told["background"].value

    def of(name: str) -> float:
        if f"{name}.rate" not in told:
            return 0.0
        control = told[f"{name}.control"].value if f"{name}.control" in told else background
        return told[f"{name}.rate"].value - control

    return np.array([0.0, *(of(name) for name in NAMES)])


EXCESS = {kind: _excess(kind) for kind in KINDS}
