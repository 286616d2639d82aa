"""Shares of the next people by what has been seen: response-adaptive randomisation as a rule, for many replicates.

Neyman; Rosenberger, Stallard, Ivanova et al. 2001, Biometrics 57:909 (fewest failures); Thompson sampling with a power
[Thall and Wathen 2007, Eur J Cancer 43:859].
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import beta

from ..checks import one_of

RULES = ("neyman", "fewest_failures", "thompson")
NODES, WEIGHTS = np.polynomial.legendre.leggauss(128)


def shares(responders: ArrayLike, people: ArrayLike, rule: str, power: float = 0.5, least: float = 0.0) -> np.ndarray:
    """Share of each arm among the next people, shape (..., arms), sum 1.

    Args:
      responders, people: so far, shape (..., arms).
      rule: a name in `RULES`. neyman: as the standard deviation of the arm; fewest_failures: as the square root of its
        rate of response; thompson: as the probability that it is the best, to a power.
      power: of thompson: 0 is even, 1 the probability itself.
      least: no arm gets less than this share.
    """
    yes, n = _counted(responders, people)
    one_of("rule", rule, RULES)
    arms = yes.shape[-1]
    if not 0 <= least <= 1 / arms:
        raise ValueError(f"least: expected 0 to {1 / arms:g} with {arms} arms, got {least!r}")
    if not 0 <= power <= 1:
        raise ValueError(f"power: expected 0 to 1, got {power!r}")
    rate = (yes + 0.5) / (n + 1)  # an arm nobody has entered counts as one half
    if rule == "neyman":
        wanted = np.sqrt(rate * (1 - rate))
    elif rule == "fewest_failures":
        wanted = np.sqrt(rate)
    else:
        wanted = best_probability(yes, n) ** power
    share = wanted / wanted.sum(axis=-1, keepdims=True)
    return least + (1 - arms * least) * share


def best_probability(responders: ArrayLike, people: ArrayLike) -> np.ndarray:
    """Posterior probability that each arm has the highest rate (uniform priors), shape (..., arms)."""
    yes, n = _counted(responders, people)
    rate = (1 + NODES) / 2
    a, b = yes[..., None] + 1, n[..., None] - yes[..., None] + 1
    density, below = beta.pdf(rate, a, b), beta.cdf(rate, a, b)
    chance = np.stack(
        [
            (WEIGHTS / 2 * density[..., arm, :] * np.delete(below, arm, axis=-2).prod(axis=-2)).sum(axis=-1)
            for arm in range(yes.shape[-1])
        ],
        axis=-1,
    )
    return chance / chance.sum(axis=-1, keepdims=True)


def _counted(responders: ArrayLike, people: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    yes, n = np.asarray(responders, dtype=float), np.asarray(people, dtype=float)
    if yes.shape != n.shape or yes.ndim == 0 or not ((yes >= 0) & (yes <= n)).all():
        raise ValueError(f"responders, people: expected shapes (..., arms) and 0 to people, got {yes.shape}, {n.shape}")
    return yes, n
