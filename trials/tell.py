"""Summaries of twins as lines of text."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from ..population.attributes import Attribute
from . import summary

if TYPE_CHECKING:
    from ..population.matching.balance import Achieved

Column = Callable[[str], np.ndarray]
NO_UNIT = ("", "1")


def attributes(known: Mapping[str, Attribute], column: Column) -> Iterator[str]:
    """A line an attribute: figures of numbers, then shares of levels.

    Args:
      column: gives the values of an attribute, shape (twins,).
    """
    found = {name: summary.summarise(attribute, column(name)) for name, attribute in known.items()}
    numbers = [
        (name, _unit(known[name]), *(f"{figure:.4g}" for figure in (s.mean, s.sd, *s.quartiles)), _missing(s))
        for name, s in found.items()
        if known[name].kind == "number"
    ]
    levels = [
        (name, _unit(known[name]), _shares(known[name], s) + _missing(s))
        for name, s in found.items()
        if known[name].kind != "number"
    ]
    if numbers:
        yield ""
        yield from lines(
            [("attribute", "unit", "mean", "SD", "25 %", "median", "75 %", ""), *numbers], right=range(2, 7)
        )
    if levels:
        yield ""
        yield from lines([("attribute", "unit", "shares"), *levels])


def composition(known: Mapping[str, Attribute], column: Column) -> Iterator[str]:
    """The make-up of twins."""
    found = summary.composition(known, column)
    return counted((kind, level, twins) for kind, counts in found.items() for level, twins in counts.items())


def counted(found: Iterable[tuple[str, str, int]]) -> Iterator[str]:
    """The make-up of twins from counts: what they are counted by, its level, twins."""
    for kind, group in groupby(found, key=lambda row: row[0]):
        tally = [(level, twins) for _, level, twins in group]
        total = max(sum(twins for _, twins in tally), 1)
        yield ""
        rows = [(level, f"{twins:,}", f"{twins / total:.1%}") for level, twins in tally if twins]
        yield from lines([(f"by {kind}", "twins", "share"), *rows], right=(1, 2))


def matched(achieved: "Sequence[Achieved]") -> Iterator[str]:
    """A published baseline table beside what weighted twins have."""
    rows = [
        (a.row.label, f"{a.row.value:.4g}", f"{a.got:.4g}", f"{round(a.difference, 4) + 0.0:.4f}", a.row.status)
        for a in achieved
    ]
    return lines([("row", "published", "twins", "difference in SD", ""), *rows], right=(1, 2, 3))


def lines(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> Iterator[str]:
    """Cells in columns; those numbered in `right` end flush."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = [c.rjust(w) if i in right else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))]
        yield "  ".join(cells).rstrip()


def _unit(attribute: Attribute) -> str:
    return "" if attribute.unit in NO_UNIT else attribute.unit


def _shares(attribute: Attribute, found: summary.Summary) -> str:
    if attribute.kind == "yes/no":
        return f"{found.shares.get('yes', np.nan):.1%}"
    return ", ".join(f"{level} {share:.1%}" for level, share in found.shares.items())


def _missing(found: summary.Summary) -> str:
    return f" ({found.missing:,} missing)" if found.missing else ""
