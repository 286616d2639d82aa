"""The law of the test statistics of successive looks, by recursive integration.

Standardised statistics $Z_k$ of looks with fractions $t_k$ of the information form a Brownian motion at these times:
$\\sqrt{t_k} Z_k$ has independent increments with mean $\\Delta t\\, d$ and variance $\\Delta t$, where the drift $d$ is
the mean of $Z$ at full information (Armitage, McPherson and Rowe 1969, J R Stat Soc A 132:235). The density among
trials that go on is carried from look to look on the nodes of Jennison and Turnbull (1999, Group Sequential Methods,
ch. 19): dense within three standard deviations of the mean, sparse in the tails. Between two of their points stand four
Gauss-Legendre nodes instead of Simpson's middle, which is as quick and correct to about 1e-12.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

COARSEST = 12  # Jennison and Turnbull's r: panels of 0.125 standard deviations at the centre
NODES, WEIGHTS = np.polynomial.legendre.leggauss(4)


class Going(NamedTuple):
    """Trials that go on after a look: nodes in z, and the probability that each stands for."""

    z: np.ndarray
    mass: np.ndarray
    time: float


def fineness(times: np.ndarray) -> int:
    """Jennison and Turnbull's r: panels no wider than 1.5 standard deviations of the narrowest increment."""
    narrowest = np.sqrt(np.diff(times, prepend=0.0) / times).min()
    return max(COARSEST, int(np.ceil(1 / narrowest)))


def nodes(centre: float, low: float, high: float, r: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights for integrals over z from low to high of a density about the centre."""
    tail = 3 + 4 * np.log(r / np.arange(1, r))
    middle = 3 * np.arange(-2 * r, 2 * r + 1) / (2 * r)
    edges = np.concatenate([-tail, middle, tail[::-1]]) + centre
    low, high = max(low, edges[0]), min(high, edges[-1])
    if low >= high:
        return np.empty(0), np.empty(0)
    edges = np.concatenate([[low], edges[(edges > low) & (edges < high)], [high]])
    half = np.diff(edges)[:, None] / 2
    z = edges[:-1, None] + half * (1 + NODES)
    return z.ravel(), (half * WEIGHTS).ravel()


def first(time: float, low: float, high: float, drift: float, r: int) -> Going:
    """Trials that go on after the first look, whose statistic lies between low and high."""
    mean = drift * np.sqrt(time)
    z, weight = nodes(mean, low, high, r)
    return Going(z, weight * _density(z - mean), time)


def onward(going: Going, time: float, low: float, high: float, drift: float, r: int) -> Going:
    """Trials that go on after the next look as well."""
    step = time - going.time
    z, weight = nodes(drift * np.sqrt(time), low, high, r)
    reach = (np.sqrt(time) * z[:, None] - np.sqrt(going.time) * going.z - drift * step) / np.sqrt(step)
    return Going(z, weight * np.sqrt(time / step) * (_density(reach) @ going.mass), time)


def above(going: Going | None, time: float, bound: np.ndarray | float, drift: float) -> np.ndarray:
    """Probability of reaching a look with a statistic above the bound; shape of the bound. None: the first look."""
    bound = np.asarray(bound, dtype=float)
    if going is None:
        return ndtr(drift * np.sqrt(time) - bound)
    return _reach(going, time, bound, drift, 1.0)


def below(going: Going | None, time: float, bound: np.ndarray | float, drift: float) -> np.ndarray:
    """Probability of reaching a look with a statistic below the bound; shape of the bound. None: the first look."""
    bound = np.asarray(bound, dtype=float)
    if going is None:
        return ndtr(bound - drift * np.sqrt(time))
    return _reach(going, time, bound, drift, -1.0)


def advance(going: Going | None, time: float, low: float, high: float, drift: float, r: int) -> Going:
    """`first` or `onward`, whichever the look is."""
    return first(time, low, high, drift, r) if going is None else onward(going, time, low, high, drift, r)


def _reach(going: Going, time: float, bound: np.ndarray, drift: float, sign: float) -> np.ndarray:
    step = time - going.time
    mean = np.sqrt(going.time) * going.z + drift * step
    return ndtr(sign * (mean - np.sqrt(time) * bound[..., None]) / np.sqrt(step)) @ going.mass


def _density(x: np.ndarray) -> np.ndarray:
    return np.exp(-0.5 * x * x) / np.sqrt(2 * np.pi)
