"""Who enters the trial: candidates screened in the order of their numbers, then randomised in permuted blocks.

A twin is its candidate's number, so no one is used twice, and a larger trial of the same seed begins with the twins of
the smaller one.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..core.disease import Disease
from ..core.keys import stream
from ..population.attributes import Attribute
from ..population.eligibility import meets
from ..population.sample import POPULATIONS, Source
from .conduct import parameters_of, screening
from .errors import BadInput
from .study import Stratum, Study

CHUNK = 4096  # candidates screened at once
PATIENCE = 200_000  # candidates among whom at least one in RAREST must be eligible
RAREST = 10_000


class Enrolment(NamedTuple):
    """The randomised twins, in order of entry.

    ids: twin numbers. arms: arm numbers. strata: stratum numbers, into `labels`. Each (twins,).
    screened: candidates seen until the last place was filled. excluded: how many of them failed each criterion first.
    """

    ids: np.ndarray
    arms: np.ndarray
    strata: np.ndarray
    labels: tuple[str, ...]
    screened: int
    excluded: dict[str, int]


def enrol(study: Study, disease: Disease, key: Array, progress: Callable[[int], None] = lambda done: None) -> Enrolment:
    """Screen until `study.population.size` twins are in, and randomise them.

    Raises:
      BadInput: hardly anyone is eligible.
    """
    source = POPULATIONS[study.population.source]
    criteria, wanted = study.trial.eligibility, study.population.size
    levels = categories(source)
    examine = screening(disease.name, source.name)
    theta = parameters_of(disease)
    found: list[np.ndarray] = []
    strata: list[np.ndarray] = []
    excluded = dict.fromkeys(criteria, 0)
    passed = dict.fromkeys(criteria, 0)
    screened = have = 0
    while have < wanted:
        ids = np.arange(screened, screened + CHUNK)
        twins, measured = jax.tree.map(np.asarray, examine(key, jnp.asarray(ids), theta))
        masks = meets(criteria, twins | measured, levels)
        eligible = np.logical_and.reduce(list(masks.values()) or [np.ones(CHUNK, dtype=bool)])
        last = int(np.searchsorted(np.cumsum(eligible), wanted - have)) + 1  # the candidate who fills the last place
        left = np.ones(CHUNK, dtype=bool)
        for name, mask in masks.items():
            excluded[name] += int((left & ~mask)[:last].sum())
            passed[name] += int(mask.sum())
            left &= mask
        chosen = np.flatnonzero(eligible)[: wanted - have]
        found.append(ids[chosen])
        strata.append(_stratum(study.trial.randomisation.stratify_by, twins, source.attributes)[chosen])
        have, screened = have + len(chosen), screened + min(last, CHUNK)
        if screened >= PATIENCE and have * RAREST < screened:
            raise BadInput(_nobody(study, screened, have, passed))
        progress(have)
    ids, codes = np.concatenate(found), np.concatenate(strata)
    return Enrolment(ids, allocate(study, key, codes), codes, _labels(study, source.attributes), screened, excluded)


def categories(source: Source) -> dict[str, tuple[str, ...]]:
    """The levels of the attributes that are stored as level numbers."""
    return {name: a.levels for name, a in source.attributes.items() if a.kind == "category" and a.levels}


def allocate(study: Study, key: Array, strata: np.ndarray) -> np.ndarray:
    """Arm numbers by permuted blocks within strata, shape (twins,).

    The place of a twin in its stratum names its block and its position in it; each block is a permutation of its own.
    """
    plan = study.trial.randomisation
    shares = np.array([plan.allocation[name] for name in study.trial.arms])
    block = jnp.asarray(np.repeat(np.arange(len(shares)), shares * (plan.block_size // shares.sum())))
    place = np.zeros(len(strata), dtype=np.int64)
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        place[members] = np.arange(len(members))
    number, position = divmod(place, plan.block_size)
    named, which = np.unique(np.stack([strata, number]), axis=1, return_inverse=True)
    permuted = []
    for start in range(0, named.shape[1], CHUNK):
        some = named.take(np.arange(start, start + CHUNK), axis=1, mode="clip")  # one shape, one compilation
        permuted.append(np.asarray(_permute(stream(key, "randomise"), *map(jnp.asarray, some), block)))
    return np.concatenate(permuted)[which.ravel(), position]


@jax.jit
def _permute(key: Array, strata: Array, numbers: Array, block: Array) -> Array:
    """The arms of each block, shape (blocks, block size)."""
    return jax.vmap(lambda s, b: jax.random.permutation(stream(key, s, b), block))(strata, numbers)


def _stratum(factors: tuple[Stratum, ...], twins: dict[str, np.ndarray], known: Mapping[str, Attribute]) -> np.ndarray:
    code = np.zeros(CHUNK, dtype=np.int64)
    for factor in factors:
        values = twins[factor.attribute]
        level = values > factor.above if factor.above is not None else values.astype(np.int64)
        code = code * len(_levels(factor, known[factor.attribute])) + level
    return code


def _labels(study: Study, known: Mapping[str, Attribute]) -> tuple[str, ...]:
    labels = [""]
    for factor in study.trial.randomisation.stratify_by:
        labels = [f"{a}, {b}".strip(", ") for a in labels for b in _levels(factor, known[factor.attribute])]
    return tuple(label or "all" for label in labels)


def _levels(factor: Stratum, attribute: Attribute) -> tuple[str, ...]:
    name = factor.attribute.replace("_", " ")
    if factor.above is not None:
        return tuple(f"{name} {sign} {factor.above:g} {attribute.unit}".strip() for sign in ("up to", "above"))
    levels = ("no", "yes") if attribute.kind == "yes/no" else attribute.levels or ()
    return tuple(f"{name}: {level}" for level in levels)


def _nobody(study: Study, screened: int, have: int, passed: dict[str, int]) -> str:
    rates = ", ".join(f"{name} {100 * count / screened:.3g} %" for name, count in passed.items())
    return (
        f"trial.eligibility: {have or 'none'} of {screened:,} candidates of population {study.population.source} meet "
        f"all criteria, so the trial cannot be filled. Share meeting each criterion alone: {rates}. "
        "Relax a criterion, or choose another population."
    )
