"""Predictions of what was fitted and of what was held out beforehand, and the published orders of arms."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd

from ..predict import DRAWS, Draws, Figure, Refit, draws, predictions
from .calibrate import Calibrated
from .crowd import given
from .likelihood import FITTED, error_of, term_of
from .table import Table
from .trials import KINDS, Ranking, rankings

SCHEMES = {"fit": "fitted", "held_out": "held"}
TITLES = {
    "hair": "hair",
    "port_wine": "port-wine stain",
    "pigment": "pigment",
    "columns": "scars and wrinkles",
    "adverse_events": "adverse event",
}


def predicted(calibrated: Calibrated, number: int = DRAWS) -> pd.DataFrame:
    """Each figure with its prediction and 90 % interval, as of a new trial of as many people."""
    found = drawn(calibrated, number)
    parts = []
    for role, scheme in SCHEMES.items():
        told = [figure for figure, of in figures(calibrated.table) if of == role]
        if told:
            errors = [np.nan if figure.error is None else figure.error for figure in told]
            parts.append(predictions(scheme, told, found).assign(error=errors))
    return pd.concat(parts, ignore_index=True)


def drawn(calibrated: Calibrated, number: int = DRAWS) -> Draws:
    """Predictions in draws of the parameters and of what a new trial adds."""
    found = draws(Refit(calibrated.table, calibrated.fit), number)
    usual = {name: given().value(f"misfit.{name}") for name in FITTED}
    return replace(found, variation=usual | dict(found.variation))


def figures(table: Table) -> Iterator[tuple[Figure, str]]:
    """Each published figure, and whether it is fitted or held out."""
    for place, (arm, told) in enumerate(table.entries):
        if told.value is None:
            continue
        device = arm.parts[0].used.device.name
        kind = TITLES[KINDS[told.what]]
        one = Figure(
            *(arm.trial, arm.trial, arm.name, device, kind, told.what, told.day, True, told.n, told.value),
            *(told.status, place, term_of(told), error_of(told)),
        )
        yield one, told.role


def ranked(calibrated: Calibrated, number: int = DRAWS) -> pd.DataFrame:
    """Published orders of arms: whether ours is the same, and in which share of draws of the parameters it is."""
    of = Refit(calibrated.table, replace(calibrated.fit, groups=()))
    found = draws(of, number)
    rows = []
    for one in rankings():
        places = [calibrated.table.place[(one.trial, arm, one.what, one.day)] for arm in one.order]
        value, many = found.value[places], found.drawn[:, places]
        rows.append(
            {
                "trial": one.trial,
                "what": one.what,
                "named": one.named,
                "published": " > ".join(one.order),
                "ours": _order(one, value),
                "kept": bool((np.diff(value) < 0).all()),
                "chance": float((np.diff(many, axis=1) < 0).all(axis=1).mean()),
            }
        )
    return pd.DataFrame(rows)


@cache
def asked() -> float:
    """Share of held-out figures that 90 % intervals are asked to cover."""
    return 0.8


def coverage(told: pd.DataFrame, scheme: str = "held") -> tuple[int, int]:
    """How many figures lie inside their interval, of how many."""
    seen = told.loc[told["scheme"] == scheme]
    inside = (seen["low"] <= seen["observed"]) & (seen["observed"] <= seen["high"])
    return int(inside.sum()), len(seen)


def _order(one: Ranking, value: np.ndarray) -> str:
    best = np.argsort(-value)
    return " > ".join(f"{one.order[i]} {value[i]:.3g}" for i in best)
