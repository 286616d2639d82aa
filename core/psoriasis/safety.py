"""Adverse events of treatments: serious infections, injection-site reactions, infections with Candida.

A hazard is constant while somebody is on a drug. That suits infections; injection-site reactions are most frequent in
the first weeks, so over years the model has too many of them.
"""

from collections.abc import Sequence

import jax.numpy as jnp
from jax import Array

from .treatments import NAMES, TREATMENTS

KINDS = {
    "serious_infection": "serious infection",
    "injection_site_reaction": "injection-site reaction",
    "candidiasis": "infection with Candida",
}
NEEDLE = "injection_site_reaction"
HUNDRED_YEARS = 36525.0  # days


def hazards(drugs: Sequence[Array], treated: Array, theta: dict[str, Array]) -> dict[str, Array]:
    """Hazard of each kind of adverse event, 1/day, shape (people,).

    Drugs add up: each brings its rate less that of its control to the background of people on none. Who gets light,
    tablets or infusions alone has no injection that could bring a reaction.

    Args:
      drugs: treatment numbers of each slot, (people,). treated: on that drug now, (slots, people).
      theta: `Table.numbers()`.
    """
    found = {}
    for kind in KINDS:
        excess = _excess(kind, theta)
        rate = jnp.full(treated.shape[1:], theta[f"{kind}.background"])
        if kind == NEEDLE:
            rate = jnp.where(_uninjected(drugs, rate), 0.0, rate)
        for drug, now in zip(drugs, treated, strict=True):
            rate = rate + jnp.where(now, excess[drug], 0.0)
        found[kind] = jnp.maximum(rate, 0.0) / HUNDRED_YEARS
    return found


def _uninjected(drugs: Sequence[Array], like: Array) -> Array:
    """Who is to get something, but nothing under the skin, (people,)."""
    under = jnp.array([False, *(t.route == "subcutaneous" for t in TREATMENTS.values())])
    some, needle = jnp.zeros_like(like, dtype=bool), jnp.zeros_like(like, dtype=bool)
    for drug in drugs:
        some, needle = some | (drug > 0), needle | under[drug]
    return some & ~needle


def _excess(kind: str, theta: dict[str, Array]) -> Array:
    """What each treatment number adds, per 100 years; 0 for none and for drugs that do not name the kind."""
    background = jnp.asarray(theta[f"{kind}.background"], dtype="float64")

    def of(name: str) -> Array:
        control = theta.get(f"{kind}.{name}.control", background)
        return theta.get(f"{kind}.{name}.rate", control) - control

    return jnp.stack([jnp.zeros_like(background), *map(of, NAMES)])
