"""Sample size and power for responders: two groups (superiority to equivalence), pairs, a trend over doses.

Sizes are real numbers: round up where they are used.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm

from ..checks import one_of, positive, powered, probabilities, probability, sides
from ..root import root


class Constrained(NamedTuple):
    """Proportions that are most likely at a given difference."""

    treatment: np.ndarray
    control: np.ndarray


def constrained(treatment: ArrayLike, control: ArrayLike, difference: float, ratio: float = 1.0) -> Constrained:
    """Likeliest proportions with treatment - control = difference [Farrington and Manning 1990, Stat Med 9:1447].

    Args:
      treatment, control: proportions seen. ratio: people on treatment for each one on control.
    """
    p1, p2 = probabilities("treatment", treatment), probabilities("control", control)
    # The likelihood's slope is a cubic in the treatment's proportion; its right root by Cardano.
    theta = 1 / ratio
    a = 1 + theta
    b = -(1 + theta + p1 + theta * p2 + difference * (theta + 2))
    c = difference**2 + difference * (2 * p1 + theta + 1) + p1 + theta * p2
    d = -p1 * difference * (1 + difference)
    v = b**3 / (27 * a**3) - b * c / (6 * a**2) + d / (2 * a)
    u = np.sign(np.where(v == 0, 1.0, v)) * np.sqrt(np.maximum(b**2 / (9 * a**2) - c / (3 * a), 0))
    with np.errstate(divide="ignore", invalid="ignore"):
        cosine = np.where(u == 0, 0.0, v / u**3)
    angle = (np.pi + np.arccos(np.clip(cosine, -1, 1))) / 3
    root = np.clip(2 * u * np.cos(angle) - b / (3 * a), max(0.0, difference), min(1.0, 1.0 + difference))
    return Constrained(root, root - difference)


def two_groups(
    treatment: float, control: float, alpha: float, power: float, sided: int = 1, ratio: float = 1.0,
    margin: float = 0.0, variance: str = "constrained",
) -> float:  # fmt: skip
    """People in the control group to show that treatment - control exceeds the margin.

    Args:
      margin: difference under the null hypothesis: 0 for superiority, below 0 for non-inferiority.
      variance: under the null: `constrained` by it (Farrington-Manning; for margin 0 the usual pooled one), or
        `unpooled`.
    """
    probability("treatment", treatment)
    probability("control", control)
    positive("ratio", ratio)
    powered(alpha / sides(sided), power)
    if not -1 < margin < 1:
        raise ValueError(f"margin: expected a number between -1 and 1, got {margin!r}")
    if (distance := treatment - control - margin) == 0:
        raise ValueError(f"margin: {margin:g} is the true difference, so there is nothing to detect")
    alternative = control * (1 - control) + treatment * (1 - treatment) / ratio
    null = alternative
    if one_of("variance", variance, ("constrained", "unpooled")) == "constrained":
        there = constrained(treatment, control, margin, ratio)
        null = float(there.control * (1 - there.control) + there.treatment * (1 - there.treatment) / ratio)
    z = norm.isf(alpha / sided) * np.sqrt(null) + norm.ppf(power) * np.sqrt(alternative)
    return float((z / distance) ** 2)


def two_group_power(
    n: float, treatment: float, control: float, alpha: float, sided: int = 1, ratio: float = 1.0, margin: float = 0.0
) -> float:
    """Power with n people in the control group, of the test whose size `two_groups` gives (one direction counts)."""
    probability("treatment", treatment)
    probability("control", control)
    positive("n", n)
    probability("alpha", alpha)
    there = constrained(treatment, control, margin, ratio)
    null = there.control * (1 - there.control) + there.treatment * (1 - there.treatment) / ratio
    alternative = control * (1 - control) + treatment * (1 - treatment) / ratio
    distance = abs(treatment - control - margin) * np.sqrt(n)
    return float(norm.cdf((distance - norm.isf(alpha / sides(sided)) * np.sqrt(null)) / np.sqrt(alternative)))


def equivalence(
    treatment: float, control: float, margin: float, alpha: float, power: float, ratio: float = 1.0
) -> float:
    """People in the control group so that two one-sided tests show a difference within the margin (unpooled)."""
    probability("treatment", treatment)
    probability("control", control)
    positive("margin", margin)
    powered(alpha, power)
    if not abs(difference := treatment - control) < margin:
        raise ValueError(f"margin: expected more than the true difference {difference:g}, got {margin:g}")
    spread = control * (1 - control) + treatment * (1 - treatment) / positive("ratio", ratio)

    def lacking(log_n: float) -> float:
        scale = np.sqrt(spread / np.exp(log_n))
        z = norm.isf(alpha)
        inside = norm.cdf((margin - difference) / scale - z) - norm.cdf((-margin - difference) / scale + z)
        return power - max(0.0, float(inside))

    return float(np.exp(root(lacking, 0.0, 40.0, xtol=1e-12)))


def pairs(better: float, worse: float, alpha: float, power: float, sided: int = 2) -> float:
    """Pairs for McNemar's test [Connor 1987, Biometrics 43:207].

    Args:
      better, worse: probabilities of the two kinds of discordant pairs.
    """
    for name, value in (("better", better), ("worse", worse)):
        probability(name, value)
    if better + worse > 1 or better == worse:
        raise ValueError(f"better, worse: expected two numbers that differ with a sum up to 1, got {better}, {worse}")
    powered(alpha / sides(sided), power)
    discordant, difference = better + worse, better - worse
    z = norm.isf(alpha / sided) * np.sqrt(discordant) + norm.ppf(power) * np.sqrt(discordant - difference**2)
    return float((z / difference) ** 2)


def trend(
    responses: ArrayLike, scores: ArrayLike, alpha: float, power: float, shares: ArrayLike | None = None, sided: int = 1
) -> float:
    """People in all groups for the Cochran-Armitage trend test, uncorrected [Nam 1987, Biometrics 43:701].

    Args:
      responses: of each group, shape (groups,). scores: doses or ranks. shares: of the people; equal if not given.
    """
    p, x = np.asarray(responses, dtype=float), np.asarray(scores, dtype=float)
    weight = np.ones_like(p) if shares is None else np.asarray(shares, dtype=float)
    if not (p.ndim == 1 and p.shape == x.shape == weight.shape and len(p) > 1):
        raise ValueError(
            f"responses, scores, shares: expected one number a group, got {p.shape}, {x.shape}, {weight.shape}"
        )
    if not ((p > 0) & (p < 1)).all() or not (weight > 0).all():
        raise ValueError(f"responses: expected numbers between 0 and 1 and shares above 0, got {p.tolist()}")
    powered(alpha / sides(sided), power)
    if shares is not None and not np.isclose(weight.sum(), 1, rtol=0, atol=1e-6):
        raise ValueError(f"shares: sum to {weight.sum():g}; expected 1")
    weight = weight / weight.sum()
    centred, mean = x - weight @ x, weight @ p
    slope = weight @ (centred * p)
    if slope == 0:
        raise ValueError("responses: there is no trend in them to detect")
    null = np.sqrt(mean * (1 - mean) * (weight @ centred**2))
    alternative = np.sqrt(weight @ (centred**2 * p * (1 - p)))
    return float(((norm.isf(alpha / sided) * null + norm.ppf(power) * alternative) / slope) ** 2)
