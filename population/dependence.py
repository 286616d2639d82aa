"""How attributes go together: a Gaussian copula in which the disease cannot be older than the person allows.

Scores of age, body mass index and severity are normal with the wanted rank correlations. The score of disease duration
is drawn last, given the three, and truncated so that onset is not before the first birthday. Truncation shortens
durations and ties them to age, so the gamma distribution and the latent correlation that go in are solved for: what
comes out has the published mean, standard deviation and rank correlation.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from scipy import special

from .margins import Quantiles, gamma, solve

ORDER = ("age", "bmi", "severity", "duration")


class Duration(NamedTuple):
    """What disease duration (years) is drawn with, and the models of earlier treatments that depend on it."""

    quantiles: Quantiles
    factor: np.ndarray  # lower Cholesky factor of the scores' correlations in ORDER, shape (4, 4)
    treated: Mapping[str, tuple[float, float]]  # probit of each earlier treatment: intercept, slope on the score
    early: float  # share of people whose disease began before the age that was asked for


class Wanted(NamedTuple):
    """What durations (years) shall be like, given ages."""

    mean: float
    sd: float
    low: float
    first_onset: float  # earliest age at onset, years
    early_onset: float  # age before which onset counts as early, years
    age_at: Callable[[np.ndarray], np.ndarray]  # age (years) at a score


class Nodes(NamedTuple):
    """Quadrature nodes: ranks of age and duration (0 to 1), score of duration, and weights that sum to 1."""

    age_rank: np.ndarray
    score: np.ndarray
    rank: np.ndarray
    weight: np.ndarray


def latent(spearman: float) -> float:
    """The Pearson correlation of normal scores whose rank correlation is `spearman`."""
    return float(2 * np.sin(np.pi * spearman / 6))


def cholesky(correlations: Mapping[tuple[str, str], float]) -> np.ndarray:
    """Lower factor of the latent correlation matrix in ORDER.

    Raises:
      ValueError: no set of four attributes can have these correlations at once.
    """
    matrix = np.eye(len(ORDER))
    for (a, b), r in correlations.items():
        i, j = ORDER.index(a), ORDER.index(b)
        matrix[i, j] = matrix[j, i] = r
    try:
        return np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        given = ", ".join(f"{a}-{b} {r:.2f}" for (a, b), r in correlations.items())
        raise ValueError(f"these correlations exclude each other: {given}") from None


def fit_duration(
    wanted: Wanted, spearman: Mapping[tuple[str, str], float], treated: Mapping[str, tuple[float, float]]
) -> Duration:
    """The model before truncation whose durations after truncation have the wanted summaries.

    Args:
      spearman: rank correlations of all pairs of ORDER; that of age and duration holds after truncation.
      treated: share treated before and its rank correlation with duration, of each treatment.

    Raises:
      ValueError: there is no such model.
    """
    latents = {pair: latent(rho) for pair, rho in spearman.items()}
    rho_wanted = spearman["age", "duration"]
    cholesky(latents)

    def parts(x: np.ndarray) -> tuple[float, float, np.ndarray]:
        mean, sd = np.exp(x[0]), np.exp(x[1])
        return (mean / sd) ** 2, sd**2 / mean, cholesky(latents | {("age", "duration"): np.tanh(x[2])})

    def miss(x: np.ndarray) -> list[float]:
        try:
            shape, scale, factor = parts(x)
        except ValueError:  # the search has left the correlations that can be
            return [1.0, 1.0, 1.0]
        nodes = _nodes(shape, scale, factor[3], wanted)
        years = scale * special.gammaincinv(shape, special.ndtr(nodes.score))
        mean = float(np.sum(nodes.weight * years))
        sd = float(np.sqrt(np.sum(nodes.weight * (years - mean) ** 2)))
        rho = 12 * float(np.sum(nodes.weight * (nodes.age_rank - 0.5) * (nodes.rank - 0.5)))
        return [mean / wanted.mean - 1, sd / wanted.sd - 1, rho - rho_wanted]

    start = [float(np.log(1.1 * wanted.mean)), float(np.log(1.2 * wanted.sd)), latent(rho_wanted) / 2]
    about = (
        f"model of durations of mean {wanted.mean:g} and SD {wanted.sd:g} years, correlated with age by {rho_wanted:g}"
    )
    shape, scale, factor = parts(solve(miss, start, about))
    nodes = _nodes(shape, scale, factor[3], wanted)
    onset = wanted.age_at(special.ndtri(nodes.age_rank)) - scale * special.gammaincinv(shape, special.ndtr(nodes.score))
    return Duration(
        gamma(shape, scale),
        factor,
        {name: _probit(nodes, share, rho) for name, (share, rho) in treated.items()},
        float(np.sum(nodes.weight * (onset < wanted.early_onset))),
    )


def _nodes(shape: float, scale: float, row: np.ndarray, wanted: Wanted) -> Nodes:
    """Quadrature over age, over the other scores' pull on duration, and over duration given both."""
    age_rank, age_weight = _legendre(64)
    pull, pull_weight = np.polynomial.hermite_e.hermegauss(5)
    share, share_weight = _legendre(48)
    age = wanted.age_at(special.ndtri(age_rank))[:, None, None]
    centre = row[0] * special.ndtri(age_rank)[:, None, None] + np.hypot(row[1], row[2]) * pull[:, None]
    ends = (special.ndtri(special.gammainc(shape, years / scale)) for years in (wanted.low, age - wanted.first_onset))
    floor, ceiling = (special.ndtr((end - centre) / row[3]) for end in ends)
    score = centre + row[3] * special.ndtri(floor + share * (ceiling - floor))
    given = age_weight[:, None, None] * (pull_weight / pull_weight.sum())[:, None]
    grid = np.linspace(score.min(), score.max(), 301)
    below = (special.ndtr((grid - centre) / row[3]) - floor) / (ceiling - floor)
    rank = np.interp(score, grid, np.sum(given * np.clip(below, 0, 1), axis=(0, 1)))
    return Nodes(np.broadcast_to(age_rank[:, None, None], score.shape), score, rank, given * share_weight)


def _probit(nodes: Nodes, share: float, spearman: float) -> tuple[float, float]:
    def miss(x: np.ndarray) -> list[float]:
        chance = special.ndtr(x[0] + x[1] * nodes.score)
        covariance = float(np.sum(nodes.weight * chance * (nodes.rank - 0.5)))
        return [
            float(np.sum(nodes.weight * chance)) - share,
            covariance * np.sqrt(12 / (share * (1 - share))) - spearman,
        ]

    wanted = f"chance of a yes of {share:g} whose rank correlation with duration is {spearman:g}"
    intercept, slope = solve(miss, [special.ndtri(share), spearman], wanted)
    return float(intercept), float(slope)


def _legendre(n: int) -> tuple[np.ndarray, np.ndarray]:
    x, weight = np.polynomial.legendre.leggauss(n)
    return (x + 1) / 2, weight / 2
