"""Participant flow: how many were screened, randomised, stopped, rescued, left and completed."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..events import LEFT, MOVED, RESCUED, STOPPED
from .svg import INK, RULE, SOFT, Drawing, Look, blank, drawing, measured, shortened
from .words import count, plural, spaced

_LINE, _PAD, _GAP = 18, 10, 16


class ArmFlow(NamedTuple):
    """What became of the twins of one arm. moved: at least once to each stage."""

    randomised: int
    dosed: int | None
    stopped: dict[str, int]
    rescued: int
    left: int
    completed: int
    taken: int
    planned: int
    moved: dict[str, int]


class Flow(NamedTuple):
    """From screening to the last visit; `excluded` counts each twin once, None if screening was not recorded."""

    screened: int | None
    excluded: dict[str, int]
    randomised: int
    arms: dict[str, ArmFlow]


def tally(
    arms: Sequence[str], criteria: Sequence[str], twins: pd.DataFrame, events: pd.DataFrame, screening: Mapping
) -> Flow:
    """Count the flow. A twin counts once for an event, under the reason given first; criteria keep their order."""
    first = events.sort_values(["twin", "week"], kind="stable").drop_duplicates(["twin", "event"])
    screened = screening.get("screened")
    failed = screening.get("excluded") or {}
    order = [*(name for name in criteria if name in failed), *sorted(set(failed) - set(criteria))]
    excluded = {name: int(failed[name]) for name in order}
    fates = {arm: _fate(twins.loc[twins["arm"] == arm], first.loc[first["arm"] == arm]) for arm in arms}
    return Flow(None if screened is None else int(screened), excluded, len(twins), fates)


def _fate(twins: pd.DataFrame, events: pd.DataFrame) -> ArmFlow:
    planned, taken = twins["doses_planned"].to_numpy(int), twins["doses_taken"].to_numpy(int)
    counts: dict[str, int] = events["event"].value_counts().to_dict()
    why = events.loc[events["event"] == STOPPED, "reason"].fillna("reason not recorded")
    stopped: dict[str, int] = why.astype(str).value_counts().to_dict()
    left = counts.get(LEFT, 0)
    return ArmFlow(
        randomised=len(twins),
        dosed=int((taken > 0).sum()) if planned.any() else None,
        stopped=dict(sorted(stopped.items(), key=lambda item: (-item[1], item[0]))),
        rescued=counts.get(RESCUED, 0),
        left=left,
        completed=len(twins) - left,
        taken=int(taken.sum()),
        planned=int(planned.sum()),
        moved={name.removeprefix(MOVED): counts[name] for name in sorted(counts) if name.startswith(MOVED)},
    )


def diagram(flow: Flow, arms: Mapping[str, Look], last_week: int, criteria: Mapping[str, str], rescue: bool) -> Drawing:
    """Boxes from screening to completion; `criteria` puts each exclusion in words."""
    columns = {arm: _arm_lines(flow.arms[arm], last_week, rescue) for arm in arms}
    column = max([210.0, *(measured(line, 11.5) + 2 * _PAD + 6 for lines in columns.values() for line in lines)])
    reasons = [f"{count(number)}  {criteria.get(name, spaced(name))}" for name, number in flow.excluded.items()]
    aside = max([180.0, *(measured(line, 11.5) + 2 * _PAD for line in reasons)])
    width = max(len(columns) * (column + _GAP) + _GAP, 2 * (aside + 3 * _GAP), 620.0)
    column = min(max(column, (width - _GAP) / len(columns) - _GAP), max(column, 320.0))
    side = 3 * _PAD + _LINE * (1 + len(reasons)) if flow.screened is not None else 0
    top = 44 + side + _GAP if flow.screened is not None else 0
    body = 2 * _PAD + 24 + _LINE * max(len(lines) for lines in columns.values())
    height = top + 44 + 2 * _GAP + body + 24

    def draw(figure: Figure) -> None:
        axes, middle = blank(figure, width, height), width / 2
        if flow.screened is not None:
            _box(axes, middle - 100, 8, 200, 36, [f"Screened  {count(flow.screened)}"], bold=True, centre=True)
            axes.plot([middle, middle], [44, top + 8], color=SOFT, linewidth=1)
            axes.plot([middle, middle + _GAP * 1.5], [60 + side / 2] * 2, color=SOFT, linewidth=1)
            eligible = any(name not in criteria for name in flow.excluded)  # turned away by a match, quotas, regions
            what = "Not eligible, or turned away" if eligible else "Not eligible"
            lines = [f"{what}  {count(sum(flow.excluded.values()))}", *reasons]
            _box(axes, middle + _GAP * 1.5, 60, aside, side - _PAD, lines, bold=True)
        _box(axes, middle - 100, top + 8, 200, 36, [f"Randomised  {count(flow.randomised)}"], bold=True, centre=True)
        start = (width - len(columns) * (column + _GAP) + _GAP) / 2
        centres = [start + i * (column + _GAP) + column / 2 for i in range(len(columns))]
        branch, boxes = top + 44 + _GAP, top + 44 + 2 * _GAP
        axes.plot([middle, middle], [top + 44, branch], color=SOFT, linewidth=1)
        axes.plot([min(centres), max(centres)], [branch, branch], color=SOFT, linewidth=1)
        for (arm, lines), x in zip(columns.items(), centres, strict=True):
            axes.plot([x, x], [branch, boxes], color=SOFT, linewidth=1)
            _box(axes, x - column / 2, boxes, column, body, ["", *lines], colour=arms[arm].colour)
            axes.text(
                x - column / 2 + _PAD, boxes + _PAD + 11, shortened(arms[arm].name, 24), color=arms[arm].ink,
                fontsize=13, weight="bold", va="center",
            )  # fmt: skip

    words = "; ".join(
        f"{arms[arm].name}: {', '.join(line.strip() for line in lines)}" for arm, lines in columns.items()
    )
    screened = f"{plural(flow.screened, 'twin')} screened, " if flow.screened is not None else ""
    return drawing(
        "flow", "Participant flow", f"{screened}{count(flow.randomised)} randomised. {words}.", (width, height), draw
    )


def _arm_lines(arm: ArmFlow, last_week: int, rescue: bool) -> list[str]:
    lines = [f"Allocated  {count(arm.randomised)}"]
    if arm.dosed is not None:
        lines.append(f"Took at least one dose  {count(arm.dosed)}")
    lines += [f"Moved to {spaced(stage)}  {count(number)}" for stage, number in arm.moved.items()]
    lines.append(f"Stopped treatment  {count(sum(arm.stopped.values()))}")
    lines += [f"    {count(number)}  {reason}" for reason, number in arm.stopped.items()]
    if rescue or arm.rescued:
        lines.append(f"Started rescue  {count(arm.rescued)}")
    return [*lines, f"Left the study  {count(arm.left)}", f"In the study to week {last_week}  {count(arm.completed)}"]


def _box(
    axes: Axes, x: float, y: float, width: float, height: float, lines: Sequence[str], *, bold: bool = False,
    centre: bool = False, colour: str = RULE,
) -> None:  # fmt: skip
    axes.add_patch(Rectangle((x, y), width, height, facecolor="none", edgecolor=RULE, linewidth=1.2))
    if colour != RULE:
        axes.plot([x, x + width], [y, y], color=colour, linewidth=3, solid_capstyle="butt")
    for i, line in enumerate(lines):
        below_name = 6 * (not bold and i > 0)
        place = (x + width / 2, y + height / 2) if centre else (x + _PAD, y + _PAD + 8 + i * _LINE + below_name)
        indent = len(line) - len(line.lstrip())
        axes.text(
            place[0] + 4 * indent, place[1], line.strip(), fontsize=12.5 if bold and i == 0 else 11.5,
            weight="bold" if bold and i == 0 else "normal", color=SOFT if indent else INK,
            ha="center" if centre else "left", va="center",
        )  # fmt: skip


def flow_rows(flow: Flow, arms: Mapping[str, Look]) -> list[list[str]]:
    """Behind the picture: one row a fate, one column an arm."""
    reasons = sorted({reason for arm in flow.arms.values() for reason in arm.stopped})
    chosen = [flow.arms[arm] for arm in arms]
    rows = [["Allocated", *(count(arm.randomised) for arm in chosen)]]
    rows.append(["Took at least one dose", *(_dosed(arm) for arm in chosen)])
    rows.append(["Doses taken of those planned", *(_doses(arm) for arm in chosen)])
    for stage in sorted({stage for arm in chosen for stage in arm.moved}):
        rows.append([f"Moved to {spaced(stage)}", *(count(arm.moved.get(stage, 0)) for arm in chosen)])
    rows.append(["Stopped treatment", *(count(sum(arm.stopped.values())) for arm in chosen)])
    rows += [[f"… {reason}", *(count(arm.stopped.get(reason, 0)) for arm in chosen)] for reason in reasons]
    rows.append(["Started rescue", *(count(arm.rescued) for arm in chosen)])
    rows.append(["Left the study", *(count(arm.left) for arm in chosen)])
    rows.append(["In the study to the last visit", *(count(arm.completed) for arm in chosen)])
    return rows


def _dosed(arm: ArmFlow) -> str:
    return "no dose planned" if arm.dosed is None else count(arm.dosed)


def _doses(arm: ArmFlow) -> str:
    if not arm.planned:
        return "no dose planned"
    return f"{count(arm.taken)} of {count(arm.planned)} ({100 * arm.taken / arm.planned:.1f}\u202f%)"
