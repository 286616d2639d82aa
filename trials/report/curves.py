"""Responders over time: one small panel an outcome, one line an arm, Wilson intervals as bands."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .svg import Drawing, Look, drawing, measured, shortened
from .words import NOTHING, count, estimate, interval, known, percent

if TYPE_CHECKING:
    import pandas as pd

    from ..statistics.methods.estimate import Estimate
    from ..statistics.result import Result

ANALYSES = {"by_visit": "proportion", "mean_by_visit": "mean"}
_WIDTH, _HEIGHT = 460, 300

Course = dict[str, "list[Result]"]


class Times(NamedTuple):
    """Kaplan-Meier curves of one analysis of times.

    shares: of each arm, the share with the event by each of its times, with limits. at_risk: twins at each.
    """

    label: str
    until: float
    shares: "dict[str, list[tuple[float, Estimate]]]"
    at_risk: dict[str, list[int]]


def kaplan_meier(label: str, table: "pd.DataFrame", arms: Sequence[str], level: float) -> Times:
    """Shares with the event by every visit, of a table of `statistics.times`; arms without a twin are left out."""
    from ..statistics.methods import survival

    until, shares, at_risk = float(table.attrs["until"]), {}, {}
    for arm in arms:
        mine = table.loc[(table["arm"] == arm).to_numpy() & table["value"].notna().to_numpy()]
        if mine.empty:
            continue
        time, happened = mine["time"].to_numpy(float), mine["value"].to_numpy(float)
        curve = survival.kaplan_meier(time, happened)
        moments = sorted({0.0, until, *time[time <= until].tolist()})
        found = [(moment, survival.survival_at(curve, moment, level=level)) for moment in moments]
        shares[arm] = [
            (moment, left._replace(estimate=1 - left.estimate, low=1 - left.high, high=1 - left.low))
            for moment, left in found
            if known(left.estimate)
        ]
        at_risk[arm] = [int((time >= moment).sum()) for moment, _ in shares[arm]]
    return Times(label, until, shares, at_risk)


def steps(name: str, found: Times, arms: Mapping[str, Look]) -> Drawing:
    """The share with the event over time, a step at each visit at which some had it, with its limits as a band."""
    shown = {arm: found.shares[arm] for arm in arms if arm in found.shares}
    margin = 12 + min(max((measured(shortened(arms[arm].name, 18), 11.5, bold=True) for arm in shown), default=0), 140)

    def draw(figure: Figure) -> None:
        axes = figure.add_axes((46 / _WIDTH, 42 / _HEIGHT, (_WIDTH - 50 - margin) / _WIDTH, (_HEIGHT - 82) / _HEIGHT))
        for arm, points in shown.items():
            weeks = [week for week, _ in points]
            low, middle, high = (
                [100 * getattr(one, side) for _, one in points] for side in ("low", "estimate", "high")
            )
            axes.fill_between(weeks, low, high, step="post", color=arms[arm].colour, alpha=0.16, linewidth=0)
            axes.step(weeks, middle, where="post", color=arms[arm].colour, linewidth=1.8)
        axes.set(xlim=(0, found.until * 1.02), ylim=(0, 100), yticks=range(0, 101, 25))
        axes.set_yticklabels(["0", "25", "50", "75", "100 %"])
        axes.grid(axis="y")
        axes.spines["left"].set_visible(False)
        axes.set_xlabel("Week", fontsize=11.5)
        figure.text(10 / _WIDTH, 1 - 18 / _HEIGHT, found.label, weight="bold", fontsize=13, va="center")
        _ends(axes, [(100 * points[-1][1].estimate, arm) for arm, points in shown.items()], arms)

    last = "; ".join(f"{arms[arm].name} {percent(points[-1][1].estimate)}" for arm, points in shown.items())
    return drawing(name, f"{found.label}: Kaplan-Meier", f"By week {found.until:g}: {last}.", (_WIDTH, _HEIGHT), draw)


def step_rows(found: Times, arms: Mapping[str, Look]) -> list[list[str]]:
    """Behind the picture: arm, week, twins without the event and still seen before it, share with it, interval."""
    return [
        [arms[arm].name, f"{week:g}", count(left), percent(one.estimate), interval(one.low, one.high, "proportion")]
        for arm in arms
        for (week, one), left in zip(found.shares.get(arm, []), found.at_risk.get(arm, []), strict=True)
    ]


def by_outcome(results: "Sequence[Result]", outcomes: Sequence[str]) -> dict[str, Course]:
    """Outcome -> arm -> its rows by week; the outcomes given come first, those without an estimate are left out."""
    courses: dict[str, Course] = {name: {} for name in outcomes}
    for row in results:
        if ANALYSES.get(row.analysis) == row.statistic and known(row.estimate):
            courses.setdefault(row.outcome, {}).setdefault(row.arm, []).append(row)
    return {
        outcome: {arm: sorted(rows, key=lambda row: row.week) for arm, rows in course.items()}
        for outcome, course in courses.items()
        if course
    }


def panel(name: str, label: str, unit: str, course: Course, arms: Mapping[str, Look], visits: Sequence[int]) -> Drawing:
    """One outcome by visit in each arm: shares of responders in per cent, or means in their unit."""
    shown = {arm: course[arm] for arm in arms if arm in course}
    margin = 12 + min(max(measured(shortened(arms[arm].name, 18), 11.5, bold=True) for arm in shown), 140)
    shares = _are_shares(course)
    factor = 100 if shares else 1

    def draw(figure: Figure) -> None:
        axes = figure.add_axes((46 / _WIDTH, 42 / _HEIGHT, (_WIDTH - 50 - margin) / _WIDTH, (_HEIGHT - 82) / _HEIGHT))
        for arm, rows in shown.items():
            weeks = [row.week for row in rows]
            low, high = [[factor * getattr(row, side) for row in rows] for side in ("low", "high")]
            axes.fill_between(weeks, low, high, color=arms[arm].colour, alpha=0.16, linewidth=0)
            axes.plot(
                weeks, [factor * row.estimate for row in rows], color=arms[arm].colour, marker=arms[arm].marker,
                markersize=4.5, linewidth=1.8,
            )  # fmt: skip
        axes.set(xlim=(0, visits[-1] * 1.02), xticks=_ticks(visits))
        if shares:
            axes.set(ylim=(0, 100), yticks=range(0, 101, 25), yticklabels=["0", "25", "50", "75", "100 %"])
        axes.grid(axis="y")
        axes.spines["left"].set_visible(False)
        axes.set_xlabel("Week", fontsize=11.5)
        title = f"{label}, {unit}" if unit else label
        figure.text(10 / _WIDTH, 1 - 18 / _HEIGHT, title, weight="bold", fontsize=13, va="center")
        _names(axes, shown, arms, factor)

    last = "; ".join(f"{arms[arm].name} {_number(rows[-1])} at week {rows[-1].week}" for arm, rows in shown.items())
    title = f"{label}: responders by visit" if shares else f"{label}: mean by visit"
    return drawing(name, title, f"{last}.", (_WIDTH, _HEIGHT), draw)


def _are_shares(course: Course) -> bool:
    return all(row.statistic == "proportion" for rows in course.values() for row in rows)


def _number(row: "Result") -> str:
    return percent(row.estimate) if row.statistic == "proportion" else estimate(row.estimate, row.statistic)


def _names(axes: Axes, shown: Course, arms: Mapping[str, Look], factor: float) -> None:
    _ends(axes, [(factor * rows[-1].estimate, arm) for arm, rows in shown.items()], arms)


def _ends(axes: Axes, lines: Sequence[tuple[float, str]], arms: Mapping[str, Look]) -> None:
    """Each arm's name at the end of its line, moved apart where lines end close together."""
    bottom, top = axes.get_ylim()
    gap = 0.075 * (top - bottom)  # a line of text at this height
    ends = sorted(lines)
    places: list[float] = []
    for end, _ in ends:
        places.append(max(end, places[-1] + gap) if places else max(end, bottom + gap / 4))
    for i in reversed(range(len(places))):
        ceiling = top - gap / 4 if i == len(places) - 1 else places[i + 1] - gap
        places[i] = min(places[i], ceiling)
    edge = axes.get_xlim()[1]
    for (_, arm), place in zip(ends, places, strict=True):
        axes.annotate(
            shortened(arms[arm].name, 18), (edge, place), (4, 0), textcoords="offset points", color=arms[arm].ink,
            fontsize=11.5, weight="bold", va="center", annotation_clip=False,
        )  # fmt: skip


def _ticks(visits: Sequence[int]) -> list[int]:
    """Visit weeks, thinned until their labels have room."""
    room, last = [], -visits[-1]
    for week in visits:
        if week - last >= visits[-1] / 12:
            room.append(week)
            last = week
    return room


def curve_rows(course: Course, arms: Mapping[str, Look]) -> list[list[str]]:
    """Behind the picture: week, and for each arm responders of twins, share and interval."""
    weeks = sorted({row.week for rows in course.values() for row in rows})
    at = {(arm, row.week): row for arm, rows in course.items() for row in rows}
    return [[str(week), *(_cell(at.get((arm, week))) for arm in arms)] for week in weeks]


def _cell(row: "Result | None") -> str:
    if row is None:
        return NOTHING
    limits = interval(row.low, row.high, row.statistic)
    if row.statistic == "proportion":
        return f"{count(row.events)} of {count(row.n)}: {_number(row)} ({limits})"
    return f"{count(row.n)} twins: {_number(row)} ({limits})"
