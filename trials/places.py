"""The places of a trial: how many of them each kind of twin may take.

Kinds are cells of region by quota group. Within a cell the first candidates enter, so its twins are those of the
population; only the mix of cells is changed, and each twin's design weight says by how much.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..population.attributes import Attribute
from ..population.messages import nearest
from .errors import BadInput
from .levels import levels, named, place
from .recruitment import TABLE
from .study import SLACK

ROUNDS, CLOSE = 10_000, 1e-9  # of raking: most rounds, and how near the margins must come


class Quota(NamedTuple):
    """One attribute's quotas. `shares` of the named levels and, last, of everyone else; all together 1."""

    attribute: Attribute
    names: tuple[str, ...]
    shares: np.ndarray

    def group(self, values: np.ndarray) -> np.ndarray:
        """The number of each twin's group: that of its level, or the last; shape (twins,)."""
        lookup = np.full(len(levels(self.attribute)) + 1, len(self.names))  # its last entry answers to -1
        for number, name in enumerate(self.names):
            lookup[levels(self.attribute).index(name)] = number
        return lookup[place(self.attribute, values)]


class Places(NamedTuple):
    """Cells, flattened. places: twins that each takes. weights: what a twin of each stands for, mean 1 over places."""

    places: np.ndarray
    weights: np.ndarray


def quota_problems(where: str, quotas: Mapping[str, Mapping[str, float]], known: Mapping[str, Attribute]) -> list[str]:
    """What is wrong with shares by attribute and level (quotas, or a target), a sentence each."""
    found: list[str] = []
    for name, given in quotas.items():
        attribute = known.get(name)
        if attribute is None:
            found.append(f"{where}.{name}: no such attribute; {nearest(name, known)}")
        elif not levels(attribute):
            found.append(f"{where}.{name}: {name} is a number without levels; shares need a category, grade or yes/no")
        else:
            found += _level_problems(f"{where}.{name}", named(given, attribute), levels(attribute))
    return found


def _level_problems(where: str, given: Mapping[str, float], there: Sequence[str]) -> list[str]:
    unknown = [level for level in given if level not in there]
    if unknown:
        return [f"{where}: no level {unknown[0]!r}; {nearest(unknown[0], there)}"]
    total = sum(given.values())
    if set(given) == set(there) and total < 1 - SLACK:
        return [f"{where}: the shares of all levels sum to {total:g}; make them sum to 1, or leave a level out"]
    return []


def quotas_of(given: Mapping[str, Mapping[str, float]], known: Mapping[str, Attribute]) -> tuple[Quota, ...]:
    """The quotas of a sound study."""
    found = []
    for name, entry in given.items():
        own = named(entry, known[name])
        shares = np.array([*own.values(), max(0.0, 1 - sum(own.values()))])
        found.append(Quota(known[name], tuple(own), shares / shares.sum()))
    return tuple(found)


def natural(groups: Sequence[np.ndarray], sizes: Sequence[int]) -> np.ndarray:
    """The share of each combination of groups among candidates, shape `sizes`."""
    if not sizes:
        return np.ones(())
    flat = np.ravel_multi_index(tuple(groups), tuple(sizes))
    return np.bincount(flat, minlength=int(np.prod(sizes))).reshape(sizes) / max(len(flat), 1)


def rake(seed: np.ndarray, margins: Sequence[np.ndarray]) -> np.ndarray:
    """Shares nearest to `seed` (in relative entropy) that have these margins, one an axis.

    Raises:
      ValueError: there are none, as `seed` is zero where the margins need someone.
    """
    cells = seed.copy()
    for _ in range(ROUNDS):
        off = 0.0
        for axis, wanted in enumerate(margins):
            others = tuple(a for a in range(cells.ndim) if a != axis)
            have = cells.sum(axis=others)
            off = max(off, float(np.abs(have - wanted).max()))
            factor = np.divide(wanted, have, out=np.zeros_like(wanted), where=have > 0)
            cells = cells * np.expand_dims(factor, others)
        if off < CLOSE:
            return cells
    raise ValueError("no mix has all these shares at once")


def whole_numbers(shares: np.ndarray, total: int) -> np.ndarray:
    """Numbers that sum to `total` and are nearest to its shares: the largest remainders are rounded up."""
    exact = shares * total
    found = np.floor(exact + CLOSE).astype(np.int64)
    order = np.argsort(-(exact - found).ravel(), kind="stable")
    found.ravel()[order[: total - int(found.sum())]] += 1
    return found


def divide(seed: np.ndarray, quotas: Sequence[Quota], regions: Sequence[tuple[str, float]], size: int) -> Places:
    """Places and weights from the mix as it would be without quotas.

    Args:
      seed: shares of the combinations of region (first axis) and quota groups; sums to 1.
      regions: name and share of each.

    Raises:
      BadInput: a level hardly exists, the quotas contradict each other, or people who meet them all hardly exist.
    """
    rarest, costliest = TABLE.value("pilot.rarest"), TABLE.value("pilot.costliest")
    for axis, quota in enumerate(quotas, start=1):
        have = seed.sum(axis=tuple(a for a in range(seed.ndim) if a != axis))
        for name, wanted, share in zip((*quota.names, "everyone else"), quota.shares, have, strict=True):
            if wanted > 0 and share < rarest:
                raise BadInput(
                    f"population.quotas.{quota.attribute.name}: {name!r} is to be {wanted:.3g} of those randomised, "
                    f"but {_percent(share)} of the eligible candidates are; drop that quota, change the criteria, or "
                    "choose a population that has such people"
                )
    margins = [np.array([share for _, share in regions]), *(quota.shares for quota in quotas)]
    try:
        wanted = rake(seed, margins)
    except ValueError:
        both = " and ".join([*(f"{q.attribute.name}" for q in quotas), *(["the regions"] if len(regions) > 1 else [])])
        raise BadInput(
            f"population.quotas: the shares of {both} cannot hold at once, as some of the people they need together "
            "do not exist among the eligible candidates; relax one of them"
        ) from None
    places = whole_numbers(wanted, size)
    cost = np.divide(places, seed * size, out=np.zeros_like(seed), where=places > 0)
    if cost.max() > costliest:
        cell = np.unravel_index(int(cost.argmax()), cost.shape)
        who = ", ".join(f"{q.attribute.name} {(*q.names, 'other')[at]}" for q, at in zip(quotas, cell[1:], strict=True))
        raise BadInput(
            f"population.quotas: people with {who} are so rare that {cost.max():,.0f} eligible candidates would be "
            f"needed for every twin randomised (at most {costliest:,.0f} are allowed); relax a quota"
        )
    weights = np.divide(seed, places, out=np.zeros_like(seed), where=places > 0)
    mean = float((weights * places).sum()) / size
    return Places(places.ravel(), (weights / mean).ravel())


def _percent(share: float) -> str:
    return f"only {100 * share:.2g} %" if share else "none"


def fill(cells: np.ndarray, may_enter: np.ndarray, room: np.ndarray) -> np.ndarray:
    """Positions of the candidates who enter: of each cell the first, as many as there is room for; rising."""
    at = np.flatnonzero(may_enter)
    if len(room) == 1:
        return at[: room[0]]
    order = np.argsort(cells[at], kind="stable")
    ranked = cells[at][order]
    first = np.searchsorted(ranked, ranked)  # where each one's cell begins
    return np.sort(at[order[np.arange(len(at)) - first < room[ranked]]])


def told(quotas: Sequence[Quota], places: np.ndarray, seed: np.ndarray) -> list[dict[str, Any]]:
    """For the manifest, a row a level: the places, and the share there would be without quotas."""
    found = []
    cells = places.reshape(seed.shape)
    for axis, quota in enumerate(quotas, start=1):
        others = tuple(a for a in range(seed.ndim) if a != axis)
        rows = zip(quota.names, quota.shares, cells.sum(axis=others), seed.sum(axis=others), strict=False)
        for name, wanted, number, share in rows:
            what = {"attribute": quota.attribute.name, "level": name, "wanted": float(wanted), "places": int(number)}
            found.append(what | {"without_quotas": round(float(share), 6)})
    return found
