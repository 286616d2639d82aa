"""The protocol as a picture: arms against weeks, doses as ticks, visits as lines."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..study import Study
from .svg import INK, RULE, SOFT, Drawing, Look, blank, drawing, measured, shortened
from .words import count, dose, listed, plural, primary_week, spaced

_WIDTH, _TOP, _ARM, _ROW, _FOOT = 940, 52, 26, 24, 34


def schedule(study: Study, arms: Mapping[str, Look]) -> Drawing:
    """Draw the arms of a study against weeks."""
    courses = {
        arm: [(f"{spaced(item.treatment)} {dose(item.dose)}", item.schedule()) for item in plan.regimen]
        or [("placebo throughout", ())]
        for arm, plan in study.trial.arms.items()
    }
    height = _TOP + _FOOT * (2 if study.trial.conduct.rescue else 1)
    height += sum(_ARM + _ROW * len(rows) + 6 for rows in courses.values())
    words = "; ".join(_spoken(arms[arm].name, rows) for arm, rows in courses.items())

    def draw(figure: Figure) -> None:
        axes = blank(figure, _WIDTH, height)
        left = 36 + min(max(measured(label, 11.5) for rows in courses.values() for label, _ in rows), 300)
        last = study.trial.visits[-1]

        def x(week: float) -> float:
            return left + (_WIDTH - 16 - left) * week / last

        _visits(axes, study, x, left, height)
        y = _TOP
        for arm, rows in courses.items():
            axes.text(8, y + 14, arms[arm].name, color=arms[arm].ink, weight="bold", fontsize=13, va="center")
            y += _ARM
            for label, weeks in rows:
                axes.text(
                    8, y + 8, shortened(label, int((left - 20) / (11.5 * 0.6))), color=SOFT, fontsize=11.5, va="center"
                )
                axes.plot([left, x(last)], [y + 8, y + 8], color=RULE, linewidth=1)
                axes.vlines([x(week) for week in weeks], y, y + 16, color=arms[arm].colour, linewidth=3)
                y += _ROW
            y += 6
        _analyses(axes, study, x, y + 14)
        if study.trial.conduct.rescue:
            _rescue(axes, study, x, y + 14 + _FOOT)

    description = (
        f"Weeks 0 to {study.trial.visits[-1]}, {plural(len(study.trial.visits), 'visit')}. {words}. "
        f"Primary analysis at week {primary_week(study)}."
    )
    return drawing("schedule", "Arms, doses, visits and analyses by week", description, (_WIDTH, height), draw)


def _spoken(arm: str, courses: Sequence[tuple[str, Sequence[int]]]) -> str:
    return f"{arm}: " + ", ".join(f"{label} ({plural(len(weeks), 'dose')})" for label, weeks in courses)


def _visits(axes: Axes, study: Study, x, left: float, height: float) -> None:
    axes.text(8, 28, "Visit, week", color=SOFT, fontsize=11.5, va="center")
    before = -100.0
    for week in study.trial.visits:
        axes.plot([x(week), x(week)], [42, height - 8], color="#e3e8ed", linewidth=1, zorder=0.5)
        if x(week) - before > 24 or week == study.trial.visits[-1]:
            axes.text(x(week), 28, str(week), ha="center", va="center", fontsize=11.5)
            before = x(week)


def _analyses(axes: Axes, study: Study, x, y: float) -> None:
    axes.text(8, y, "Analyses", color=SOFT, fontsize=11.5, va="center")
    primary = {item.week for item in study.trial.analyses.values() if item.role == "primary"}
    for week in sorted({item.week for item in study.trial.analyses.values()}):
        face = INK if week in primary else "white"
        axes.plot([x(week)], [y], "D", markersize=8, markerfacecolor=face, markeredgecolor=INK)


def _rescue(axes: Axes, study: Study, x, y: float) -> None:
    rescue = study.trial.conduct.rescue
    if rescue is None:
        return
    axes.text(8, y, "Rescue possible", color=SOFT, fontsize=11.5, va="center")
    span = [x(rescue.from_week), x(study.trial.visits[-1])]
    axes.plot(span, [y, y], color="#aab4be", linewidth=8, solid_capstyle="butt")


def doses(study: Study) -> Sequence[tuple[str, str, str, str]]:
    """Behind the picture: arm, treatment, dose, weeks."""
    return [
        (spaced(arm), spaced(item.treatment), dose(item.dose), listed(count(week) for week in item.schedule()))
        for arm, plan in study.trial.arms.items()
        for item in plan.regimen
    ]
