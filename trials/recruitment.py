"""Where twins are recruited: regions, and sites that recruit at unequal rates [anisimov2007].

Every candidate belongs to one region by an addressed draw, whoever they are; a region with criteria of its own takes
those who meet them. So the twins of a region are the population's, or that part of it. Sites recruit as independent
Poisson processes whose rates are gamma distributed; given the number of twins of a region, each twin's site is then
drawn in proportion to the rates.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..core.keys import people, stream, uniforms
from ..core.parameters import Table, read_table
from ..population.eligibility import meets
from .errors import BadInput
from .study import Recruitment, Region

HERE = Path(__file__).parent
TABLE: Table = read_table(HERE / "recruitment.yaml", sources=HERE / "sources.yaml")
OUTSIDE = "outside the people of their region"

Levels = Mapping[str, tuple[str, ...]]


class Column(NamedTuple):
    """What enrolment adds to the table of twins. A category is stored as numbers of its levels."""

    values: np.ndarray
    about: str
    unit: str = ""
    levels: tuple[str, ...] = ()


def offers(regions: Mapping[str, Region], columns: Mapping[str, np.ndarray], levels: Levels) -> np.ndarray:
    """Who meets the criteria of each region, shape (regions, people)."""
    people_ = len(next(iter(columns.values())))
    masks = [list(meets(region.only, columns, levels).values()) for region in regions.values()]
    return np.array([np.logical_and.reduce(own) if own else np.ones(people_, dtype=bool) for own in masks])


def chances(regions: Mapping[str, Region], share_open: np.ndarray) -> np.ndarray:
    """The chance of a candidate to belong to each region: all regions fill at about the same time.

    Args:
      share_open: of the eligible candidates, how many meet each region's criteria.

    Raises:
      BadInput: hardly anyone does.
    """
    for (name, region), share in zip(regions.items(), share_open, strict=True):
        if share < TABLE.value("pilot.rarest"):
            criteria = ", ".join(region.only)
            raise BadInput(
                f"population.recruitment.regions.{name}.only: {'only ' * bool(share)}{100 * share:.2g} % of the "
                f"eligible candidates meet it ({criteria}), so the region's places cannot be filled; relax it"
            )
    rate = np.array([region.share for region in regions.values()]) / share_open
    return rate / rate.sum()


def belongs(key: Array, ids: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """The number of each candidate's region, shape (people,)."""
    return np.searchsorted(np.cumsum(chance)[:-1], draws(key, "region", ids), side="right")


def sites(key: Array, plan: Recruitment, ids: np.ndarray, region: np.ndarray) -> Column:
    """The site of each twin."""
    number = draws(key, "site", ids)
    values, names, before = np.zeros(len(ids), dtype=np.int32), [], 0
    for r, (name, its) in enumerate(plan.regions.items()):
        mine = region == r
        own = np.cumsum(_rates(key, name, its.sites))
        values[mine] = before + np.searchsorted(own[:-1] / own[-1], number[mine], side="right")
        width = len(str(its.sites))
        names += [f"{name}_{site:0{width}d}" for site in range(1, its.sites + 1)]
        before += its.sites
    return Column(values, "site that recruited the twin", "", tuple(names))


def told(plan: Recruitment, region: np.ndarray, site: Column) -> list[dict[str, Any]]:
    """For the manifest, a row a region: twins, sites, and the smallest and largest of its sites."""
    sizes = np.bincount(site.values, minlength=len(site.levels))
    found, before = [], 0
    for number, (name, its) in enumerate(plan.regions.items()):
        own = sizes[before : before + its.sites]
        found.append(
            {
                "region": name,
                "wanted": its.share,
                "twins": int((region == number).sum()),
                "sites": its.sites,
                "sites_with_twins": int((own > 0).sum()),
                "largest_site": int(own.max()),
            }
        )
        before += its.sites
    return found


def _rates(key: Array, region: str, count: int) -> np.ndarray:
    shape = jnp.asarray(TABLE.value("sites.shape"), dtype="float64")
    at = stream(key, "recruitment", "rates", region)
    return np.asarray(jax.random.gamma(at, shape, (count,), dtype="float64"))


def draws(key: Array, use: str, ids: np.ndarray, chunk: int = 4096) -> np.ndarray:
    """One uniform number a twin and use, in pieces of one shape, so that one compilation serves all."""
    found = []
    for start in range(0, len(ids), chunk):
        some = ids.take(np.arange(start, start + chunk), mode="clip")
        found.append(np.asarray(_uniform(stream(key, "recruitment", use), jnp.asarray(some))))
    return np.concatenate(found)[: len(ids)] if found else np.zeros(0)


@jax.jit
def _uniform(key: Array, ids: Array) -> Array:
    return uniforms(people(key, ids))
