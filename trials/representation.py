"""Whom a trial speaks for: its make-up beside that of the people it is meant for, and where it rests on too few."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..core.disease import Disease
from ..population.attributes import Attribute
from ..population.sample import Source
from .conduct import parameters_of, screening
from .enrol import CHUNK  # as in screening, so that its compiled program serves
from .levels import named, shares
from .recruitment import TABLE
from .study import Study

COMPOSITION = ("male", "race", "fitzpatrick", "age")
Z = 1.959963984540054  # of a 95 % interval


class Member(NamedTuple):
    """One subgroup of the randomised beside its share of the target.

    target, ratio: None where the target does not tell. few: too few twins to speak for.
    off: its share is outside what counts as represented. precision: half the width of the 95 % interval of a response
    of 50 %, as a share; 0.5 where there is no one.
    """

    number: int
    share: float
    target: float | None
    ratio: float | None
    few: bool
    off: bool
    precision: float


def target(study: Study, disease: Disease, source: Source, key: Array) -> dict[str, Any]:
    """The people whom the trial should speak for: candidates before any screening, or what the study says.

    Returns:
      basis: what it is, in words. shares: by attribute and level. given: the attributes that the study gives.
    """
    count = int(TABLE.value("representation.people")) // CHUNK * CHUNK
    examine = screening(disease.name, source.name)
    theta = parameters_of(disease, study.model.draw)
    there = [name for name in COMPOSITION if name in source.attributes]
    parts: dict[str, list[np.ndarray]] = {name: [] for name in there}
    for start in range(0, count, CHUNK):
        twins, _ = examine(key, jnp.arange(start, start + CHUNK), theta)
        for name in there:
            parts[name].append(np.asarray(jax.device_get(twins[name])))
    told = {name: shares(source.attributes[name], np.concatenate(parts[name])) for name in there}
    given = study.population.target
    told |= {name: named(entry, source.attributes[name]) for name, entry in given.items()}
    return {
        "basis": f"the first {count:,} candidates of the population, before any screening",
        "given": list(given),
        "shares": told,
    }


def member(number: int, twins: int, wanted: float | None) -> Member:
    """A subgroup of `number` among `twins`, beside the share that the target has.

    >>> member(10, 100, 0.2).ratio
    0.5
    """
    share = number / max(twins, 1)
    ratio = share / wanted if wanted else None
    low, high = TABLE.value("representation.low"), TABLE.value("representation.high")
    off = ratio is not None and twins > 0 and not low <= round(ratio, 2) <= high
    return Member(number, share, wanted, ratio, number < TABLE.value("representation.few"), off, precision(number))


def precision(number: int) -> float:
    """Half the width of Wilson's 95 % interval when half of `number` respond.

    >>> round(precision(30), 3)
    0.168
    """
    return Z / (2 * math.sqrt(number + Z * Z))


def outside(disease: Disease, attributes: Mapping[str, Attribute], twins: Mapping[str, Any]) -> dict[str, int] | None:
    """How many twins lie outside the data that the model was calibrated on, by range in words; None if none is named.

    Args:
      twins: columns, each of shape (twins,).
    """
    if not disease.evidence.ranges:
        return None
    found: dict[str, int] = {}
    for name, (low, high) in disease.evidence.ranges.items():
        if name in attributes and name in twins:
            values = np.asarray(twins[name], dtype=float)
            words = f"{name.replace('_', ' ')} {low:g} to {high:g} {attributes[name].unit}"
            found[words.strip()] = int(((values < low) | (values > high)).sum())
    return found
