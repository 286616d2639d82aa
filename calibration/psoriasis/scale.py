"""The estimated parameters as one vector, each on a scale without bounds, and what is believed of them before."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.special import expit
from scipy.special import logit

from ..evidence.reading import fields, load, mapping, number, one_of

HERE = Path(__file__).parent
SCALES = ("log", "logit")


@dataclass(frozen=True)
class Prior:
    """Before the trials: the middle, and one standard deviation on the scale."""

    middle: float
    scale: str
    sd: float
    why: str


@dataclass(frozen=True)
class Vector:
    """Which parameter stands where: first those of the model, then a half-maximal concentration for each drug."""

    names: tuple[str, ...]
    scales: tuple[str, ...]
    drugs: tuple[str, ...]

    @property
    def size(self) -> int:
        return len(self.names) + len(self.drugs)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of all places."""
        return (*self.names, *(f"{drug}.half_maximal" for drug in self.drugs))

    def numbers(self, vector: Array) -> dict[str, Array]:
        """Parameters by name."""
        found = {
            name: jnp.exp(vector[place]) if scale == "log" else expit(vector[place])
            for place, (name, scale) in enumerate(zip(self.names, self.scales, strict=True))
        }
        return found | {
            f"{drug}.half_maximal": jnp.exp(vector[len(self.names) + place]) for place, drug in enumerate(self.drugs)
        }

    def vector(self, numbers: Mapping[str, float]) -> np.ndarray:
        """The vector of parameters by name."""
        scales = (*self.scales, *("log" for _ in self.drugs))
        return np.array(
            [
                np.log(numbers[name]) if scale == "log" else logit(numbers[name])
                for name, scale in zip(self.labels, scales, strict=True)
            ]
        )


def read_priors(file: Path = HERE / "priors.yaml") -> dict[str, Prior]:
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
