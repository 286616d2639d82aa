"""What the reports of psoriasis alone show: the course of PASI under phototherapy, relapse after it, other trials."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from ....calibration.report.told import Told
from .. import words
from ..likeness import drawing
from ..svg import INK, Drawing
from ..words import decimal
from .names import called
from .plots import framed
from .strips import BAND, BEYOND

Row = tuple[str, ...]
_WIDE = (460, 268)


def shown(found: Mapping[str, Sequence[Any]], told: Told) -> dict[str, Any]:
    """Figures, and tables as text, from the rows of the tables of phototherapy."""
    days = found["phototherapy"]
    return {
        "figures": [
            course("phototherapy-unseen", "Unseen: patients left out", days, "unseen"),
            course("phototherapy-fitted", "Seen: all patients fitted", days, "predicted"),
        ]
        if days
        else [],
        "weeks": weeks(days),
        "relapses": relapses(found["phototherapy_relapse"]),
        "trials": trials(found["phototherapy_trials"], told),
    }


def course(name: str, title: str, found: Sequence[Any], what: str) -> Drawing:
    """Median and quartiles of PASI over baseline PASI by week: observed in grey, predicted (`what`) as lines."""
    at = [row.week for row in found]

    def column(head: str) -> list[float]:
        return [100 * getattr(row, head) for row in found]

    def draw(figure: Figure) -> None:
        axes = framed(figure, _WIDE, title)
        axes.fill_between(at, column("observed_low"), column("observed_high"), color=BAND, alpha=0.6, linewidth=0)
        axes.plot(at, column("observed"), "o", color=INK, markersize=5)
        axes.plot(at, column(what), color=BEYOND, linewidth=2)
        for end in ("_low", "_high"):
            axes.plot(at, column(f"{what}{end}"), color=BEYOND, linewidth=1.1, linestyle=(0, (4, 2)))
        axes.set(ylim=(0, None), xticks=at)
        axes.set_xlabel("week", fontsize=11)
        axes.set_ylabel("PASI, % of baseline", fontsize=11)
        axes.grid(visible=True, axis="y")

    gap = max(abs(a - b) for a, b in zip(column("observed"), column(what), strict=True))
    about = f"Largest gap between the medians {decimal(gap)} % of baseline PASI."
    return drawing(name, f"{title}: PASI under NB-UVB", about, _WIDE, draw)


def weeks(found: Iterable[Any]) -> list[Row]:
    """Medians by week, observed, predicted and predicted for patients left out, with the errors of both."""
    return [
        (
            words.count(row.week),
            *(words.percent(value) for value in (row.observed, row.predicted, row.predicted - row.observed)),
            *(words.percent(value) for value in (row.unseen, row.unseen - row.observed)),
        )
        for row in found
    ]


def trials(found: Iterable[Any], told: Told) -> list[Row]:
    """Response rates of other trials of light."""
    return [
        (
            f"{row.trial}: {words.spaced(row.arm)}",
            called(row.outcome, told),
            words.count(row.week),
            words.count(row.n),
            words.percent(row.observed),
            words.percent(row.predicted),
        )
        for row in found
    ]


def relapses(found: Iterable[Any]) -> list[Row]:
    """Shares of patients who lost half of their improvement."""
    return [
        (
            words.sentence(row.fit),
            words.count(row.patients),
            words.decimal(row.month),
            words.percent(row.observed),
            words.percent(row.predicted),
        )
        for row in found
    ]
