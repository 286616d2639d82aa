"""A trial whose twins resemble a published baseline table: each eligible candidate enters with a chance of its own.

The chances are those of entropy balancing, worked out on the first eligible candidates. No twin is copied, and twins
stay independent of each other.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jax import Array

from ..population.attributes import Attribute
from ..population.messages import nearest
from .errors import BadInput
from .recruitment import TABLE, draws

if TYPE_CHECKING:
    from ..population.baselines.tables import Baseline
    from ..population.matching.balance import Balance

Columns = Mapping[str, np.ndarray]
Attributes = Mapping[str, Attribute]


class Matched(NamedTuple):
    """A table (its rows on what twins have), the weights that reproduce it, and attributes that twins lack."""

    target: "Baseline"
    balance: "Balance"
    left_out: tuple[str, ...]


def problems(name: str, source: str, attributes: Attributes, disease: str) -> list[str]:
    """What is wrong with the name of a table, as sentences; `source` is the name of the population."""
    from ..population.baselines.tables import BASELINES

    if name not in BASELINES:
        return [f"population.match: no baseline table {name!r}; {nearest(name, BASELINES)}"]
    if not name.startswith(f"{disease}/"):
        return [f"population.match: {name} is no table of {disease}; see `cutis list baselines`"]
    if not BASELINES[name].only(attributes).rows:
        told = ", ".join(BASELINES[name].attributes)
        return [f"population.match: {name} tells {told}, and population {source} has none of them"]
    return []


def fit(name: str, columns: Columns, attributes: Attributes) -> Matched:
    """The weights that give the eligible candidates the table's numbers.

    Raises:
      BadInput: there are too few candidates, or no weights do it; the message says which row is out of reach.
    """
    from ..population.baselines.tables import BASELINES
    from ..population.matching import balance

    table = BASELINES[name]
    target = table.only(attributes)
    size, fewest = len(columns[target.attributes[0]]), TABLE.value("pilot.fewest")
    if size < fewest:
        raise BadInput(
            f"population.match: only {size:,} eligible candidates were found to match {name} with, at least "
            f"{fewest:,.0f} are needed; relax a criterion"
        )
    try:
        found = balance.match(_used(columns, target), target, attributes)
    except ValueError as error:
        raise BadInput(f"population.match: the eligible candidates cannot be made to match: {error}") from None
    return Matched(target, found, tuple(a for a in table.attributes if a not in attributes))


def drawn(matched: Matched, key: Array, ids: np.ndarray, columns: Columns, attributes: Attributes) -> np.ndarray:
    """Which candidates enter, by an addressed draw each; shape (people,)."""
    from ..population.matching.tilt import acceptance

    chance = acceptance(_used(columns, matched.target), matched.balance, attributes)
    return draws(key, "match", ids) < chance


def told(matched: Matched, columns: Columns, attributes: Attributes) -> dict[str, Any]:
    """For the manifest: each row of the table as wanted and as the trial has it, and what the match costs.

    Args:
      columns: the twins of the trial.
    """
    from ..population.matching.balance import achieved

    target, balance = matched.target, matched.balance
    everyone = np.ones(len(columns[target.attributes[0]]))
    rows = achieved(target, _used(columns, target), everyone, attributes)
    return {
        "table": target.name,
        "trial": target.trial,
        "citation": target.citation,
        "read_in": target.read_in,
        "people": target.n,
        "rows": [
            {
                "row": entry.row.label,
                "attribute": entry.row.attribute,
                "kind": entry.row.kind,
                "wanted": entry.row.value,
                "got": float(f"{entry.got:.6g}"),
                "difference_in_sd": round(entry.difference, 4),
                "status": entry.row.status,
            }
            for entry in rows
        ],
        "left_out": list(matched.left_out),
        "effective_size": round(balance.effective, 1),
        "acceptance_rate": float(f"{balance.rate:.4g}"),
        "worst_in_pilot": float(f"{balance.worst:.2g}"),
        "warnings": list(balance.warnings),
    }


def _used(columns: Columns, target: "Baseline") -> dict[str, np.ndarray]:
    return {name: columns[name] for name in target.attributes}
