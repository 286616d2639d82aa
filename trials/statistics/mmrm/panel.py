"""Repeated measures as arrays, checked, and their sums by what was observed."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from .likelihood import Blocks
from .structures import Structure


@dataclass(frozen=True)
class Panel:
    """People by planned visits.

    Args:
      outcome: NaN where not observed, shape (people, visits).
      design: shape (people, visits, columns); rows without an outcome are not looked at.
      columns: names of the columns.
      visits: names of the visits, in order.
      group: whose covariance a person has, whole numbers from 0, shape (people,); all 0 if None.
      weight: of each observation, above zero; the variance is divided by it, shape (people, visits); all 1 if None.
      time: of each visit, for spatial structures, shape (people, visits) or (people, visits, coordinates).

    Raises:
      ValueError: shapes that do not fit, a value that is not finite, a visit without data, columns that depend on
        each other.
    """

    outcome: np.ndarray
    design: np.ndarray
    columns: tuple[str, ...]
    visits: tuple[str, ...]
    group: np.ndarray | None = None
    weight: np.ndarray | None = None
    time: np.ndarray | None = None

    def __post_init__(self) -> None:
        people, visits = self.outcome.shape if self.outcome.ndim == 2 else (0, 0)
        wanted = {
            "outcome": (people, len(self.visits)),
            "design": (people, len(self.visits), len(self.columns)),
            "group": (people,),
            "weight": (people, visits),
        }
        for name, shape in wanted.items():
            array = getattr(self, name)
            if array is not None and array.shape != shape:
                raise ValueError(f"{name} has shape {array.shape}; expected {shape} (people, visits, columns)")
        if self.time is not None and self.time.shape[:2] != (people, visits):
            raise ValueError(f"time has shape {self.time.shape}; expected {(people, visits)} and coordinates, if any")
        if np.isinf(self.outcome).any():
            raise ValueError(
                "the outcome is infinite somewhere; expected numbers, or NaN where there is no observation"
            )
        for t, visit in enumerate(self.visits):
            if not self.seen[:, t].any():
                raise ValueError(f"visit {visit!r} has no observation; leave it out")
        self._check_seen_rows()
        self._check_rank()

    def _check_seen_rows(self) -> None:
        bad = np.argwhere(self.seen[:, :, None] & ~np.isfinite(self.design))
        if len(bad):
            person, visit, column = bad[0]
            raise ValueError(
                f"{self.columns[column]!r} is missing or infinite in {len(bad)} observations, the first of person "
                f"{person} at visit {self.visits[visit]!r}; complete it or leave these out"
            )
        if self.weight is not None and not (self.weight[self.seen] > 0).all():
            raise ValueError("a weight is not above zero; weights divide the variance, so leave such observations out")
        if self.group is not None:
            groups = np.unique(self.group)
            if not np.array_equal(groups, np.arange(len(groups))):
                raise ValueError(f"groups are {groups.tolist()}; expected whole numbers from 0 without a gap")

    def _check_rank(self) -> None:
        rows = self.design[self.seen]
        scale = np.sqrt((rows**2).sum(axis=0))
        upper = np.linalg.qr(rows / np.where(scale > 0, scale, 1), mode="r")
        diagonal = np.zeros(len(self.columns))
        diagonal[: len(upper)] = np.abs(np.diagonal(upper))
        # A column's own part is what the columns before it leave of it.
        lost = [name for name, own in zip(self.columns, diagonal, strict=True) if own < 1e-9]
        if lost:
            raise ValueError(
                f"{', '.join(lost)}: zero in all observations, or a combination of the columns before; an empty cell "
                "of arm and visit, a constant covariate or one that is listed twice does this; leave it out"
            )
        if len(rows) <= len(self.columns):
            raise ValueError(f"{len(rows)} observations cannot tell {len(self.columns)} coefficients and a variance")

    @property
    def seen(self) -> np.ndarray:
        """Whether there is an observation, shape (people, visits)."""
        return ~np.isnan(self.outcome)

    @property
    def groups(self) -> np.ndarray:
        """The group of each person."""
        return np.zeros(len(self.outcome), int) if self.group is None else self.group.astype(int)

    @property
    def n(self) -> int:
        """People with an observation."""
        return int(self.seen.any(axis=1).sum())

    def rows(self) -> np.ndarray:
        """Design and outcome, zero where not seen, scaled by the root of the weight: (people, visits, columns + 1)."""
        both = np.concatenate([self.design, self.outcome[:, :, None]], axis=2)
        root = 1.0 if self.weight is None else np.sqrt(self.weight)[:, :, None]
        return np.where(self.seen[:, :, None], both, 0.0) * np.where(self.seen[:, :, None], root, 0.0)

    def distances(self) -> np.ndarray:
        """Between the visits of each person, shape (people, visits, visits); by number of visits without `time`."""
        people, visits = self.outcome.shape
        time = np.broadcast_to(np.arange(visits, dtype=float), (people, visits)) if self.time is None else self.time
        time = np.where(self.seen.reshape(people, visits, *[1] * (time.ndim - 2)), time, 0.0)
        time = time.reshape(people, visits, -1)
        return np.sqrt(((time[:, :, None] - time[:, None, :]) ** 2).sum(axis=3))


def blocks_of(panel: Panel, structure: Structure) -> tuple[Blocks, np.ndarray]:
    """Sums over people who share visits and group (and distances, if these enter), and the block of each person.

    A person without observations is in no block: -1.

    Raises:
      ValueError: fewer visits than the structure needs.
    """
    visits = len(panel.visits)
    if visits < structure.fewest:
        raise ValueError(f"{structure.name} needs {structure.fewest} visits, there are {visits}; use unstructured")
    seen, distance = panel.seen, panel.distances()
    if not structure.spatial:
        distance = np.zeros_like(distance)
    signature = np.concatenate(
        [panel.groups[:, None], seen, (distance * (seen[:, :, None] & seen[:, None, :])).reshape(len(seen), -1)], axis=1
    )
    there = np.flatnonzero(seen.any(axis=1))
    kinds, first, block = np.unique(signature[there], axis=0, return_index=True, return_inverse=True)
    block = block.reshape(-1)
    rows = panel.rows()[there].reshape(len(there), -1)
    products = np.stack([rows[block == b].T @ rows[block == b] for b in range(len(kinds))])
    size = (visits, len(panel.columns) + 1)
    weights = 0.0 if panel.weight is None else float(np.log(panel.weight[seen]).sum())
    place = np.full(len(seen), -1)
    place[there] = block
    chosen = there[first]
    blocks = Blocks(
        jnp.asarray(seen[chosen]),
        jnp.asarray(panel.groups[chosen]),
        jnp.asarray(distance[chosen]),
        jnp.asarray(np.bincount(block, minlength=len(kinds)).astype(float)),
        jnp.asarray(products.reshape(len(kinds), *size, *size)),
        jnp.asarray(weights),
    )
    return blocks, place
