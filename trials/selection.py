"""Which of the eligible enter: matching to a published table, quotas, regions. Worked out before the first one enters.

A study that asks for none of these takes every eligible candidate, in the order of their numbers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from jax import Array

from ..population.fitting.data import effective_size
from ..population.sample import Source
from . import match, places, recruitment
from .errors import BadInput
from .levels import categories
from .places import Quota
from .recruitment import OUTSIDE, Column
from .study import Study

NOT_DRAWN = "turned away to match the table"
Columns = Mapping[str, np.ndarray]


class Pilot(NamedTuple):
    """The first eligible candidates, attributes and screening measurements; and how many were screened for them."""

    columns: Columns
    size: int
    screened: int


@dataclass(frozen=True)
class Selection:
    """Who enters, besides the protocol's criteria.

    room: places by cell. full: what it is called when a cell has no room left.
    """

    study: Study
    source: Source
    key: Array
    room: np.ndarray
    full: str = "full"
    quotas: tuple[Quota, ...] = ()
    weights: np.ndarray | None = None  # of each cell
    chance: np.ndarray | None = None  # of each region
    matched: match.Matched | None = None
    account: dict[str, Any] = field(default_factory=dict)  # for the manifest, as far as known beforehand

    def gates(self, ids: np.ndarray, columns: Columns) -> dict[str, np.ndarray]:
        """Who passes each further gate, by what to call those who do not."""
        found = {}
        if self.matched is not None:
            found[NOT_DRAWN] = match.drawn(self.matched, self.key, ids, columns, self.source.attributes)
        plan = self.study.population.recruitment
        if plan is not None and any(region.only for region in plan.regions.values()):
            open_to = recruitment.offers(plan.regions, columns, categories(self.source.attributes))
            found[OUTSIDE] = open_to[self.region(ids), np.arange(len(ids))]
        return found

    def region(self, ids: np.ndarray) -> np.ndarray:
        """The number of each candidate's region; all 0 where the study names none."""
        if self.chance is None or len(self.chance) == 1:
            return np.zeros(len(ids), dtype=np.int64)
        return recruitment.belongs(self.key, ids, self.chance)

    def cells(self, ids: np.ndarray, columns: Columns) -> np.ndarray:
        """The cell of each candidate."""
        if len(self.room) == 1:
            return np.zeros(len(ids), dtype=np.int64)
        sizes = [1 if self.chance is None else len(self.chance), *(len(q.shares) for q in self.quotas)]
        groups = [self.region(ids), *(q.group(columns[q.attribute.name]) for q in self.quotas)]
        return np.ravel_multi_index(tuple(groups), tuple(sizes))

    @property
    def watched(self) -> tuple[str, ...]:
        """Attributes of the twins that `finish` needs."""
        return self.matched.target.attributes if self.matched else ()

    def finish(self, ids: np.ndarray, cells: np.ndarray, columns: Columns) -> tuple[dict[str, Column], dict[str, Any]]:
        """What the table of twins gains (region and site, design weight), and the account for the manifest.

        Args:
          ids, cells: of those who entered. columns: what is `watched` of them. Each of shape (twins,).
        """
        added, account = {}, dict(self.account)
        plan = self.study.population.recruitment
        if plan is not None:
            region = self.region(ids)
            added["region"] = Column(region.astype(np.int32), "region that recruited the twin", "", tuple(plan.regions))
            added["site"] = recruitment.sites(self.key, plan, ids, region)
            account["regions"] = recruitment.told(plan, region, added["site"])
        if self.quotas and self.weights is not None:
            about = "how many twins it stands for in the mix without quotas, mean 1"
            added["design_weight"] = Column(self.weights[cells], about, "1")
            account["effective_size"] = round(effective_size(self.weights[cells]), 1)
        if self.matched is not None:
            account["match"] = match.told(self.matched, columns, self.source.attributes)
        return added, account


def wanted(study: Study) -> bool:
    """Whether a study selects among the eligible at all."""
    population = study.population
    return bool(population.match or population.quotas or population.recruitment)


def choose(study: Study, source: Source, key: Array, pilot: Callable[[], Pilot]) -> Selection:
    """The selection of a sound study.

    Raises:
      BadInput: it cannot be met by the population's eligible candidates.
    """
    population = study.population
    everyone = Selection(study, source, key, np.array([population.size]))
    if not wanted(study):
        return everyone
    first = pilot()
    matched = match.fit(population.match, first.columns, source.attributes) if population.match else None
    quotas = places.quotas_of(population.quotas, source.attributes)
    regions = population.recruitment.regions if population.recruitment else {}
    open_to, chance = np.ones((1, first.size), dtype=bool), None
    if regions:
        open_to = recruitment.offers(regions, first.columns, categories(source.attributes))
        chance = recruitment.chances(regions, open_to.mean(axis=1))
    shares = [(name, region.share) for name, region in regions.items()] or [("", 1.0)]
    seed = _mix(quotas, first.columns, open_to, np.array([share for _, share in shares]))
    divided = places.divide(seed, quotas, shares, population.size)
    account: dict[str, Any] = {"pilot": {"eligible": first.size, "screened": first.screened}}
    if quotas:
        account["quotas"] = places.told(quotas, divided.places, seed)
    full = "quota full" if quotas else "region full"
    return Selection(study, source, key, divided.places, full, quotas, divided.weights, chance, matched, account)


def _mix(quotas: tuple[Quota, ...], columns: Columns, open_to: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """The mix without quotas: shares of region (first axis) by quota groups, each region with its own people."""
    groups = [quota.group(columns[quota.attribute.name]) for quota in quotas]
    sizes = [len(quota.shares) for quota in quotas]
    return np.stack([
        share * places.natural([group[mask] for group in groups], sizes)
        for mask, share in zip(open_to, shares, strict=True)
    ])  # fmt: skip


def too_few(study: Study, found: int, screened: int) -> BadInput:
    """Not enough people for the pilot."""
    return BadInput(
        f"trial.eligibility: only {found:,} of {screened:,} candidates of population {study.population.source} are "
        "eligible, too few to work out quotas, regions or a match; relax a criterion, or choose another population"
    )


def starved(selection: Selection, room: np.ndarray, screened: int) -> BadInput:
    """Places for which nobody comes."""
    return BadInput(
        f"population: {int(room.sum()):,} of {selection.study.population.size:,} places are still empty after "
        f"{screened:,} candidates, and none of the last ones could take them: people who meet the criteria and belong "
        "to what the match, quotas or regions still need are too rare. Relax one of them, or choose another population"
    )
