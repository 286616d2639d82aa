"""What an analysis may be about: outcomes of the disease, and counts and grades as they are read at a visit."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...core.disease import Disease, Outcome

KINDS = {"lesions": "count", "grade": "grade"}  # of a measurement, by its unit


def named(disease: Disease, name: str) -> Outcome | None:
    """The outcome of this name, or the count or grade; None if there is neither."""
    if name in disease.outcomes:
        return disease.outcomes[name]
    endpoint = disease.endpoints.get(name)
    if endpoint is None or getattr(endpoint, "unit", "") not in KINDS:
        return None
    return Outcome(name, endpoint.about, "continuous", endpoint.unit, lambda now, _: now[name])


def kind(disease: Disease, name: str) -> str:
    """Of an outcome that exists: responder, continuous, count or grade."""
    if name in disease.outcomes:
        return disease.outcomes[name].kind
    return KINDS[disease.endpoints[name].unit]


def made_of(disease: Disease, outcome: Outcome) -> tuple[str, ...]:
    """The measurements from which an outcome is derived."""
    asked = _Asked({name: np.zeros(1) for name in disease.endpoints})
    with np.errstate(all="ignore"):
        outcome.derive(asked, asked)
    return tuple(sorted(asked.read))


class _Asked(dict[str, Any]):
    """Columns that remember which of them were asked for."""

    def __init__(self, columns: Mapping[str, Any]) -> None:
        super().__init__(columns)
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.read.add(name)
        return super().__getitem__(name)
