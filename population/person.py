"""One person's twins: all that was not measured, drawn given what was. A person is a distribution, not a point."""

from collections.abc import Mapping
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from ..core.keys import root, stream
from .general.condition import Candidates, Measurement, candidates, resampled
from .general.model import shipped
from .skin.condition import condition

CANDIDATES = 20_000


class Twins(NamedTuple):
    """Equally likely versions of a person: attributes, shape (twins,).

    effective: how many candidates the measurements left; few mean a rough answer.
    """

    attributes: dict[str, np.ndarray]
    effective: float


def twins_of(
    known: Mapping[str, int],
    measured: Mapping[str, Measurement],
    skin: Mapping[str, tuple[float | int | str | bool, float]],
    count: int,
    seed: int,
) -> Twins:
    """Twins of a person of whom this is known.

    Args:
      known: level numbers of general categories.
      measured: general numbers, with the SD of their errors, in the units of the attributes.
      skin: skin attributes: a value or level, and the SD of its error.

    Raises:
      ValueError: an attribute does not exist or cannot have this value, or nobody can have all of these.
    """
    rng = np.random.default_rng(seed)
    people = candidates(shipped(), known, measured, CANDIDATES, rng)
    smoker = people.twins["smoking"] == shipped().levels["smoking"].index("current")
    asked = {
        "age": jnp.asarray(people.twins["age"]),
        "male": jnp.asarray(people.twins["male"] == 1),
        "race": jnp.asarray(people.twins["race"].astype(np.int32)),
        "smoker": jnp.asarray(smoker),
    }
    layer = condition(stream(root(seed), "person"), asked, skin)
    everything = people.twins | {"smoker": smoker} | {name: np.asarray(values) for name, values in layer.draws.items()}
    weights = people.log_weight + np.asarray(layer.log_weights)
    if not np.isfinite(weights).any():
        raise ValueError("nobody in us_general can have all of these measurements at once")
    found, effective = resampled(Candidates(everything, np.where(np.isnan(weights), -np.inf, weights)), count, rng)
    found["male"] = found["male"] == 1
    return Twins(found, effective)
