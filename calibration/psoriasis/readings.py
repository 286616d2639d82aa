"""How often a rater sees a response, given plaque activity: what joins the model's state to the results of trials."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from ...core.keys import people as keys_of
from ...core.keys import root, stream
from ...core.psoriasis.endpoints import OUTCOMES
from ...core.psoriasis.skin import Lesions, lesions, read
from ...population.psoriasis import twin

GRID = np.arange(-140, 31) * 0.05  # logarithm of plaque activity, -7 to 1.5
RESPONSES = ("pasi50", "pasi75", "pasi90", "pasi100", "iga01", "dlqi01")
ENTRY = {"pasi": 12.0, "bsa": 10.0, "iga": 3.0}  # the least at screening, the usual rule of trials

Theta = Mapping[str, Any]


def response_curves(numbers: Theta, seed: int, people: int = 40_000) -> dict[str, np.ndarray]:
    """Share of trial participants who reach each of RESPONSES at each plaque activity of GRID.

    Everybody keeps the same skin and the same luck at every activity, so the curves are smooth in the parameters as
    far as `people` go: the standard error of a share is at most 0.5 / sqrt(people).

    Args:
      numbers: parameters of the disease by name, `Table.numbers()`.
      people: candidates; those who do not fulfil ENTRY at a screening visit are left out.
    """
    severity = severities(seed, people)
    shares = _responses(arrays(numbers), root(seed), severity, jnp.asarray(GRID))
    return {name: np.asarray(values) for name, values in shares.items()}


def severities(seed: int, people: int) -> Array:
    """True PASI of candidates of trials, (people,)."""
    return _severities(root(seed), jnp.arange(people))


@jax.jit
def _severities(key: Array, ids: Array) -> Array:
    return jax.vmap(lambda i: twin(key, i)["severity"])(ids)


def arrays(numbers: Theta) -> dict[str, Array]:
    return {name: jnp.asarray(value, dtype="float64") for name, value in numbers.items()}


@jax.jit
def _responses(theta: Theta, key: Array, severity: Array, grid: Array) -> dict[str, Array]:
    now, baseline, entered = visits(theta, key, severity)

    def shares(activity: Array) -> dict[str, Array]:
        seen = now(jnp.exp(activity))
        return {name: mean(OUTCOMES[name].derive(seen, baseline), entered) for name in RESPONSES}

    return lax.map(shares, grid)


def visits(
    theta: Theta, key: Array, severity: Array
) -> tuple[Callable[[Array], dict[str, Array]], dict[str, Array], Array]:
    """A visit as a function of plaque activity, the baseline visit, and who fulfils ENTRY at screening, (people,)."""
    keys = keys_of(key, jnp.arange(len(severity)))
    skin = lesions(keys, {"severity": severity}, dict(theta))
    visit = partial(_visit, keys, skin, theta)
    screened = visit("screening", jnp.asarray(1.0))
    entered = jnp.stack([screened[name] >= least for name, least in ENTRY.items()]).all(0)
    return partial(visit, "visit"), visit("baseline", jnp.asarray(1.0)), entered


def mean(values: Array, among: Array) -> Array:
    """Mean over those of `among` who have a value."""
    counted = among & ~jnp.isnan(values)
    return jnp.where(counted, values, 0.0).sum() / counted.sum(dtype="float64")


def _visit(keys: Array, skin: Lesions, theta: Theta, name: str, activity: Array) -> dict[str, Array]:
    level = jnp.full(keys.shape, activity)
    return read(jax.vmap(lambda key: stream(key, name))(keys), skin, level, level, dict(theta))
