"""The sandwich (empirical) covariance of the coefficients, right even where the covariance of the visits is not."""

from functools import partial
from typing import NamedTuple

import jax
import numpy as np
from jax import Array

from .fit import Fit, named
from .likelihood import Blocks, covariances, inverse
from .panel import Panel, blocks_of
from .structures import Structure

CORRECTIONS = ("none", "bias_reduced", "jackknife")


class Sandwich(NamedTuple):
    """A sandwich covariance and what its degrees of freedom need.

    Args:
      covariance: shape (columns, columns).
      scale: factor on the sum over people.
      reach: whitened rows of each person's part of a coefficient's estimate, (people, visits, columns).
      rows: whitened design, (people, visits, columns).
      bread: inverse information on the coefficients, (columns, columns).
    """

    covariance: np.ndarray
    scale: float
    reach: np.ndarray
    rows: np.ndarray
    bread: np.ndarray

    def freedom(self, contrast: np.ndarray) -> float:
        """Degrees of freedom of a contrast if the fitted covariance is right [Bell and McCaffrey 2002]."""
        mine = self.reach @ contrast  # (people, visits)
        seen = np.einsum("itc,it->ic", self.rows, mine)
        # Products of the people's parts of the estimate, in the space orthogonal to the design.
        products = np.diag((mine**2).sum(axis=1)) - seen @ self.bread @ seen.T
        return float(np.trace(products) ** 2 / (products**2).sum())


def sandwich(panel: Panel, fitted: Fit, structure: str = "unstructured", correction: str = "none") -> Sandwich:
    """The sandwich covariance, by people [Liang and Zeger 1986, Biometrika 73:13].

    `none` is SAS's EMPIRICAL; `bias_reduced` is CR2 [Bell and McCaffrey 2002, Surv Methodol 28:169]; `jackknife` is CR3
    [Mancl and DeRouen 2001, Biometrics 57:126] times (n - 1) / n.

    Raises:
      ValueError: an unknown correction.
    """
    if correction not in CORRECTIONS:
        raise ValueError(f"no correction {correction!r}; choose from {', '.join(CORRECTIONS)}")
    family = named(structure)
    blocks, place = blocks_of(panel, family)
    precision = np.asarray(_precisions(family, fitted.natural, blocks))
    there = place >= 0
    rows = panel.rows()[there]
    half = _root(precision)[place[there]]
    design, outcome = half @ rows[:, :, :-1], np.einsum("its,is->it", half, rows[:, :, -1])
    bread = np.asarray(fitted.covariance)
    rest = outcome - design @ np.asarray(fitted.coefficients)
    bending = np.eye(design.shape[1]) - design @ bread @ design.swapaxes(1, 2)
    power = {"none": 0.0, "bias_reduced": -0.5, "jackknife": -1.0}[correction]
    reach = _power(bending, power) @ design @ bread
    scale = (len(rows) - 1) / len(rows) if correction == "jackknife" else 1.0
    scores = np.einsum("itc,it->ic", reach, rest)
    return Sandwich(scale * scores.T @ scores, scale, reach, design, bread)


@partial(jax.jit, static_argnums=0)
def _precisions(family: Structure, natural: Array, blocks: Blocks) -> Array:
    """Inverse covariance of the visits seen of each block, (blocks, visits, visits)."""
    return jax.vmap(inverse)(covariances(family, natural, blocks), blocks.seen)[0]


def _root(matrices: np.ndarray) -> np.ndarray:
    return _power(matrices, 0.5)


def _power(matrices: np.ndarray, power: float) -> np.ndarray:
    """Symmetric power of positive semidefinite matrices; what is zero stays zero."""
    values, axes = np.linalg.eigh((matrices + matrices.swapaxes(1, 2)) / 2)
    kept = values > 1e-10 * values.max(axis=1, keepdims=True)
    raised = np.where(kept, np.where(kept, values, 1.0) ** power, 0.0)
    return (axes * raised[:, None, :]) @ axes.swapaxes(1, 2)
