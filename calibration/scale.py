"""Estimated parameters as one vector, each on a scale without bounds, and what is believed of them before."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.special import expit
from scipy.special import logit

from .evidence.reading import fields, load, mapping, number, one_of

SCALES = ("log", "logit")
WIDE = 1.5  # mean and SD that an excess starts from


@dataclass(frozen=True)
class Prior:
    """Before the trials: the middle, and one standard deviation on the scale."""

    middle: float
    scale: str
    sd: float
    why: str


@dataclass(frozen=True)
class Vector:
    """Which parameter stands where: first those with a prior of their own, then one of each drug on the logarithm.

    further: its name, such as `half_maximal` in `adalimumab.half_maximal`; its distribution over drugs is estimated.
    """

    names: tuple[str, ...]
    scales: tuple[str, ...]
    drugs: tuple[str, ...] = ()
    further: str = "half_maximal"

    @property
    def size(self) -> int:
        return len(self.names) + len(self.drugs)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of all places."""
        return (*self.names, *(f"{drug}.{self.further}" for drug in self.drugs))

    @property
    def all_scales(self) -> tuple[str, ...]:
        """Scales of all places."""
        return (*self.scales, *("log" for _ in self.drugs))

    def numbers(self, vector: Array) -> dict[str, Array]:
        """Parameters by name."""
        return {
            name: jnp.exp(vector[place]) if scale == "log" else expit(vector[place])
            for place, (name, scale) in enumerate(zip(self.labels, self.all_scales, strict=True))
        }

    def vector(self, numbers: Mapping[str, float]) -> np.ndarray:
        """The vector of parameters by name."""
        both = zip(self.labels, self.all_scales, strict=True)
        return np.array([np.log(numbers[name]) if scale == "log" else logit(numbers[name]) for name, scale in both])


@dataclass(frozen=True)
class Believed:
    """What is believed before, on the vector's scale: middles and standard deviations of the parameters with a prior of
    their own, and of the logarithm by which `reference` exceeds the parameter of each drug (a typical concentration the
    half-maximal one). reference: logarithms, one a drug."""

    middle: np.ndarray
    sd: np.ndarray
    reference: np.ndarray
    excess: float
    excess_sd: float

    def all(self) -> tuple[np.ndarray, np.ndarray]:
        """Middle and SD of the whole vector."""
        drugs = len(self.reference)
        return (
            np.r_[self.middle, self.reference - self.excess],
            np.r_[self.sd, np.full(drugs, self.excess_sd)],
        )

    def adapted(self, vector: np.ndarray, covariance: np.ndarray) -> Self:
        """With the distribution of the excess after one step of the EM algorithm.

        covariance: of the vector and of whatever stands behind it.
        """
        if not len(self.reference):
            return self
        first = len(self.middle)
        excess = self.reference - vector[first:]
        variance = np.diag(covariance)[first : len(vector)]
        middle = float(excess.mean())
        return replace(self, excess=middle, excess_sd=float(np.sqrt(np.mean((excess - middle) ** 2 + variance))))


def believed(priors: Mapping[str, Prior], reference: np.ndarray | None = None) -> Believed:
    """Priors as arrays; the common excess over drugs starts wide."""
    middle = [np.log(p.middle) if p.scale == "log" else logit(p.middle) for p in priors.values()]
    sd = np.array([p.sd for p in priors.values()])
    return Believed(np.array(middle), sd, np.zeros(0) if reference is None else reference, WIDE, WIDE)


def read_priors(file: Path) -> dict[str, Prior]:
    """Priors by parameter.

    Raises:
      ValueError: with its place, what is missing or impossible.
    """
    content = mapping(load(file, ("parameters",))["parameters"], file.name)
    found = {}
    for name, entry in content.items():
        where = f"{file.name}: {name}"
        entry = fields(entry, where, {"middle", "scale", "sd", "why"})
        scale = one_of(entry["scale"], f"{where}.scale", SCALES)
        middle = number(entry["middle"], f"{where}.middle", 1e-9, 1 - 1e-9 if scale == "logit" else 1e9)
        found[name] = Prior(middle, scale, number(entry["sd"], f"{where}.sd", 1e-9), str(entry["why"]))
    return found
