"""Estimated parameters with their covariance as a calibration writes it, and draws of what is not known of them."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np


class Estimates(NamedTuple):
    """Names of estimated parameters, the scales (log, logit) that they were estimated on, and the lower triangular root
    of their covariance on these scales."""

    names: tuple[str, ...]
    scales: tuple[str, ...]
    root: np.ndarray


def read_estimates(file: Path) -> Estimates:
    """Estimates of a covariance file.

    Raises:
      ValueError: rows and columns differ.
    """
    with file.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.reader(lines))
    names = tuple(row[0] for row in rows[1:])
    if tuple(rows[0][2:]) != names:
        raise ValueError(f"{file.name}: rows and columns must name the same parameters")
    covariance = np.array([[float(number) for number in row[2:]] for row in rows[1:]])
    return Estimates(names, tuple(row[1] for row in rows[1:]), np.linalg.cholesky(covariance))


def varied(of: Estimates, values: Mapping[str, float], rng: np.random.Generator) -> dict[str, float]:
    """The estimated parameters, drawn together around their values."""
    found = {}
    for name, scale, change in zip(of.names, of.scales, of.root @ rng.standard_normal(len(of.names)), strict=True):
        if scale == "log":
            found[name] = float(values[name] * np.exp(change))
        else:
            odds = values[name] / (1 - values[name]) * np.exp(change)
            found[name] = float(odds / (1 + odds))
    return found
