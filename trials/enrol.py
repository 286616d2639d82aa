"""Who enters the trial: candidates screened in the order of their numbers, then randomised in permuted blocks.

A twin is its candidate's number, so no one is used twice, and a larger trial of the same seed begins with the twins of
the smaller one (unless quotas or regions divide its places).
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..core.disease import Disease
from ..population.attributes import Attribute
from ..population.eligibility import meets
from ..population.sample import POPULATIONS, Source
from .conduct import parameters_of, screening, screening_of_sides
from .designs.allocation.blocks import permuted, whole_block
from .errors import BadInput
from .levels import categories
from .places import fill
from .recruitment import TABLE, Column
from .selection import Pilot, choose, starved, too_few
from .study import Stratum, Study, Trial

CHUNK = 4096  # candidates screened at once
PATIENCE = 200_000  # candidates among whom at least one in RAREST must be eligible
RAREST = 10_000


class Enrolment(NamedTuple):
    """The randomised twins, in order of entry.

    ids: twin numbers. arms: arm numbers. strata: stratum numbers, into `labels`. Each (twins,).
    screened: candidates seen until the last place was filled. excluded: how many of them failed each criterion first,
    or were turned away by the match, the quotas or the regions.
    added: what selection adds to the table of twins. account: how it went, for the manifest.
    """

    ids: np.ndarray
    arms: np.ndarray
    strata: np.ndarray
    labels: tuple[str, ...]
    screened: int
    excluded: dict[str, int]
    added: dict[str, Column]
    account: dict[str, Any]


class Screened(NamedTuple):
    """CHUNK candidates: numbers, attributes, attributes and measurements, and who meets each criterion."""

    ids: np.ndarray
    twins: dict[str, np.ndarray]
    columns: dict[str, np.ndarray]
    masks: dict[str, np.ndarray]


def enrol(study: Study, disease: Disease, key: Array, progress: Callable[[int], None] = lambda done: None) -> Enrolment:
    """Screen until `study.population.size` twins are in, and randomise them.

    Raises:
      BadInput: hardly anyone is eligible, or a match, quota or region cannot be met.
    """
    source = POPULATIONS[study.population.source]
    look = _screening(study, disease, source, key)
    selection = choose(study, source, key, partial(_pilot, study, look))
    room, wanted = selection.room.copy(), study.population.size
    found: list[np.ndarray] = []
    strata: list[np.ndarray] = []
    cells: list[np.ndarray] = []
    watched: dict[str, list[np.ndarray]] = {name: [] for name in selection.watched}
    excluded: dict[str, int] = {}
    passed = dict.fromkeys((*study.trial.eligibility, *map(on_each_side, study.trial.each_side)), 0)
    screened = have = eligible = entered = 0
    while have < wanted:
        ids, twins, columns, masks = look(screened)
        cell, gates = selection.cells(ids, columns), selection.gates(ids, columns)
        chosen = fill(cell, _all(masks | gates), room)
        room -= np.bincount(cell[chosen], minlength=len(room))
        seen = CHUNK if room.any() else int(chosen[-1]) + 1  # up to the candidate who fills the last place
        left = np.ones(CHUNK, dtype=bool)
        for name, mask in (masks | gates).items():
            excluded[name] = excluded.get(name, 0) + int((left & ~mask)[:seen].sum())
            left &= mask
        for name in passed:
            passed[name] += int(masks[name].sum())
        if turned_away := int(left[:seen].sum()) - len(chosen):
            excluded[selection.full] = excluded.get(selection.full, 0) + turned_away
        found.append(ids[chosen])
        cells.append(cell[chosen])
        for name, parts in watched.items():
            parts.append(columns[name][chosen])
        strata.append(_stratum(study.trial.randomisation.stratify_by, twins, source.attributes)[chosen])
        have, screened, eligible = have + len(chosen), screened + seen, eligible + int(_all(masks)[:seen].sum())
        entered = screened if len(chosen) else entered
        if screened >= PATIENCE and eligible * RAREST < screened:
            raise BadInput(_nobody(study, screened, eligible, passed))
        if screened - entered >= PATIENCE:
            raise starved(selection, room, screened)
        progress(have)
    ids, codes = np.concatenate(found), np.concatenate(strata)
    arms, labels = allocate(study, key, codes), _labels(study, source.attributes)
    of_twins = {name: np.concatenate(parts) for name, parts in watched.items()}
    added, account = selection.finish(ids, np.concatenate(cells), of_twins)
    return Enrolment(ids, arms, codes, labels, screened, excluded, added, account)


def _screening(study: Study, disease: Disease, source: Source, key: Array) -> Callable[[int], Screened]:
    """Screens CHUNK candidates from a number on."""
    trial = study.trial
    levels, theta = categories(source.attributes), parameters_of(disease, study.model.draw, trial.split)
    examine = (screening_of_sides if trial.split else screening)(disease.name, source.name)

    def look(start: int) -> Screened:
        ids = np.arange(start, start + CHUNK)
        twins, measured, *sides = jax.tree.map(np.asarray, examine(key, jnp.asarray(ids), theta))
        columns = twins | measured
        masks = meets(trial.eligibility, columns, levels)
        for of_side in sides:
            masks |= _of_each(trial, of_side)
        return Screened(ids, twins, columns, masks)

    return look


def on_each_side(criterion: str) -> str:
    """What a criterion that both sides must meet is called."""
    return f"each_side.{criterion}"


def _of_each(trial: Trial, measured: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Whose sides both meet each criterion; measured: of the sides, (2, twins)."""
    found = [meets(trial.each_side, {name: values[side] for name, values in measured.items()}, {}) for side in (0, 1)]
    return {on_each_side(name): found[0][name] & found[1][name] for name in trial.each_side}


def _pilot(study: Study, look: Callable[[int], Screened]) -> Pilot:
    """The first eligible candidates."""
    parts: list[dict[str, np.ndarray]] = []
    size = screened = 0
    while size < TABLE.value("pilot.people") and screened < TABLE.value("pilot.screened"):
        _, _, columns, masks = look(screened)
        eligible = _all(masks)
        parts.append({name: values[eligible] for name, values in columns.items()})
        size, screened = size + int(eligible.sum()), screened + CHUNK
        if screened >= PATIENCE and size * RAREST < screened:
            raise too_few(study, size, screened)
    return Pilot({name: np.concatenate([part[name] for part in parts]) for name in parts[0]}, size, screened)


def _all(masks: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.logical_and.reduce(list(masks.values()) or [np.ones(CHUNK, dtype=bool)])


def allocate(study: Study, key: Array, strata: np.ndarray) -> np.ndarray:
    """Arm numbers by permuted blocks within strata, shape (twins,).

    The place of a twin in its stratum names its block and its position in it; each block is a permutation of its own.
    """
    plan = study.trial.randomisation
    shares = tuple(plan.allocation[name] for name in study.trial.arms)
    block = jnp.asarray(whole_block(shares, plan.block_size))
    place = np.zeros(len(strata), dtype=np.int64)
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        place[members] = np.arange(len(members))
    number, position = divmod(place, plan.block_size)
    named, which = np.unique(np.stack([strata, number]), axis=1, return_inverse=True)
    blocks = []
    for start in range(0, named.shape[1], CHUNK):
        some = named.take(np.arange(start, start + CHUNK), axis=1, mode="clip")  # one shape, one compilation
        blocks.append(np.asarray(_blocks(key, *map(jnp.asarray, some), block)))
    return np.concatenate(blocks)[which.ravel(), position]


@jax.jit
def _blocks(key: Array, strata: Array, numbers: Array, block: Array) -> Array:
    """The arms of each block, shape (blocks, block size)."""
    return jax.vmap(lambda stratum, number: permuted(key, stratum, number, block))(strata, numbers)


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
