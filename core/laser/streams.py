"""The directions in which light is followed through a stack of layers, and how scattering joins them.

A direction keeps n sin(angle) from layer to layer (Snell), so one set of values of it serves all layers. The values
between two neighbouring refractive indices of the stack make a band; a band's nodes are Gaussian in the cosine that
the direction has in the medium where the band ends at grazing [jin1994]. Directions that a layer cannot hold are
switched off in it. The last direction is the beam, straight down.
"""

from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np

LEAK = 1 - 1e-7  # most that an interface mirrors, so that light caught in a clear layer has an end


class Streams(NamedTuple):
    """Directions of light in each layer; NumPy arrays, `N` directions.

    cosine: of the angle to the depth axis in each layer, (layers, N); 1 where switched off.
    weight: of each direction in a mean over a hemisphere, (layers, N); 0 for the beam and where switched off.
    active: (layers, N). mirror: share of light reflected at each interface from the top, (layers + 1, N).
    entering: share of the incident light that comes in each direction, before the surface reflects, (N,); it sums to
    1 - `lost`, the share in directions that no layer holds.
    """

    cosine: np.ndarray
    weight: np.ndarray
    active: np.ndarray
    mirror: np.ndarray
    entering: np.ndarray
    lost: float


def fresnel(sine: np.ndarray, n_from: float, n_into: float) -> np.ndarray:
    """Share of unpolarised light reflected at an interface; `sine` is n sin(angle), the same on both sides.

    >>> [round(float(x), 4) for x in fresnel(np.array([0.0, 1.2]), 1.4, 1.0)]
    [0.0278, 1.0]
    """
    inner, outer = (np.sqrt(np.maximum(1 - (sine / n) ** 2, 0.0)) for n in (n_from, n_into))
    if n_from == n_into:
        return np.where(sine < n_from, 0.0, 1.0)
    normal, steep = n_from * inner + n_into * outer, n_from * outer + n_into * inner
    with np.errstate(divide="ignore", invalid="ignore"):
        across = (n_from * inner - n_into * outer) / normal
        along = (n_from * outer - n_into * inner) / steep
        share = 0.5 * (across**2 + along**2)
    return np.where(sine < min(n_from, n_into), share, 1.0)


@lru_cache(maxsize=64)
def streams(n_above: float, inside: tuple[float, ...], n_below: float, count: int, diffuse: bool) -> Streams:
    """The directions for a stack with these refractive indices.

    Args:
      count: Gaussian nodes if there is one band; half of them in each if there are two, at least 3 in each of more.
      diffuse: light comes from all directions above (Lambertian) instead of straight down.
    """
    top = max(inside)
    ends = sorted({n for n in (n_above, *inside, n_below) if n < top} | {top})
    each = count if len(ends) == 1 else max(-(-count // len(ends)), 3)
    node, share = np.polynomial.legendre.leggauss(each)
    squares, spans = [], []  # of n sin(angle); and what a node stands for, as a span of that square
    for low, high in zip([0.0, *ends[:-1]], ends, strict=True):
        widest = np.sqrt(1 - (low / high) ** 2)
        cosine = (node + 1) / 2 * widest
        squares.append(high**2 * (1 - cosine**2))
        spans.append(2 * high**2 * cosine * share / 2 * widest)
    square, span = np.append(np.concatenate(squares), 0.0), np.append(np.concatenate(spans), 0.0)
    sine = np.sqrt(square)
    n = np.array(inside)[:, None]
    active = sine < n
    cosine = np.where(active, np.sqrt(np.maximum(1 - square / n**2, 1e-30)), 1.0)
    weight = np.where(active, span / (2 * n**2 * cosine), 0.0)
    borders = (n_above, *inside, n_below)
    mirror = np.minimum(np.stack([fresnel(sine, a, b) for a, b in pairwise(borders)]), LEAK)
    entering = np.where(sine < n_above, span / n_above**2, 0.0) if diffuse else np.append(0 * span[:-1], 1.0)
    return Streams(cosine, weight, active, mirror, entering, float(1 - entering.sum()))


def polynomials(cosine: np.ndarray, orders: int) -> np.ndarray:
    """Legendre polynomials of orders below `orders`, (orders, N)."""
    values = [np.ones_like(cosine), cosine]
    for l in range(1, orders - 1):
        values.append(((2 * l + 1) * cosine * values[l] - l * values[l - 1]) / (l + 1))
    return np.stack(values)


@lru_cache(maxsize=64)
def moments(n_above: float, inside: tuple[float, ...], n_below: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """What each Legendre order of scattering sends from direction j to direction i, forward and back.

    Both of shape (layers, orders, N, N): w_i (2 l + 1) P_l(cosine_i) P_l(cosine_j) / 2; sums over forward and back of
    order 0 are 1. Nothing is scattered into the beam or into a direction that is switched off.
    """
    rays = streams(n_above, inside, n_below, count, False)
    orders = 2 * (rays.cosine.shape[1] - 1)
    values = np.stack([polynomials(c, orders) for c in rays.cosine])  # layers, orders, N
    l = np.arange(orders)
    forward = 0.5 * (2 * l + 1)[:, None, None] * values[..., :, None] * values[..., None, :]
    forward = forward * rays.weight[:, None, :, None] * rays.active[:, None, None, :]
    return forward, forward * ((-1.0) ** l)[:, None, None]
