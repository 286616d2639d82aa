"""The protocol as a picture: arms against weeks, doses as ticks, visits as lines."""

from collections.abc import Iterator, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..regimen import DAYS, ONLY, Course
from ..schedule import plans
from ..study import Study
from .svg import INK, RULE, SOFT, Drawing, Look, blank, drawing, measured, shortened
from .words import amounts, brief, count, listed, plural, primary_week, spaced, when

Row = tuple[str, Sequence[float], str]  # what is given; the weeks of doses; how many, or how often

_WIDTH, _TOP, _ARM, _ROW, _FOOT = 940, 52, 26, 24, 34


def schedule(study: Study, arms: Mapping[str, Look], untreated: str = "placebo") -> Drawing:
    """Draw the arms of a study against weeks; `untreated` is what an arm without courses is given."""
    courses = {arm: list(_rows(study, number, untreated)) for number, arm in enumerate(study.trial.arms)}
    height = _TOP + _FOOT * (2 if study.trial.conduct.rescue else 1)
    height += sum(_ARM + _ROW * len(rows) + 6 for rows in courses.values())
    words = "; ".join(_spoken(arms[arm].name, rows) for arm, rows in courses.items())

    def draw(figure: Figure) -> None:
        axes = blank(figure, _WIDTH, height)
        left = 36 + min(max(measured(label, 11.5) for rows in courses.values() for label, _, _ in rows), 300)
        last = study.trial.visits[-1]

        def x(week: float) -> float:
            return left + (_WIDTH - 16 - left) * week / last

        _visits(axes, study, x, left, height)
        y = _TOP
        for arm, rows in courses.items():
            axes.text(8, y + 14, arms[arm].name, color=arms[arm].ink, weight="bold", fontsize=13, va="center")
            y += _ARM
            for label, weeks, _ in rows:
                axes.text(
                    8, y + 8, shortened(label, int((left - 20) / (11.5 * 0.6))), color=SOFT, fontsize=11.5, va="center"
                )
                axes.plot([left, x(last)], [y + 8, y + 8], color=RULE, linewidth=1)
                axes.vlines([x(week) for week in weeks], y, y + 16, color=arms[arm].colour, linewidth=3)
                y += _ROW
            y += 6
        if study.trial.analyses:
            _analyses(axes, study, x, y + 14)
        if study.trial.conduct.rescue:
            _rescue(axes, study, x, y + 14 + _FOOT)

    description = f"Weeks 0 to {study.trial.visits[-1]}, {plural(len(study.trial.visits), 'visit')}. {words}." + (
        f" Primary analysis at week {primary_week(study)}." if study.trial.analyses else ""
    )
    return drawing("schedule", "Arms, doses, visits and analyses by week", description, (_WIDTH, height), draw)


def _rows(study: Study, number: int, untreated: str) -> Iterator[Row]:
    """The rows of an arm: one a course, of a later stage where it can first be entered."""
    arm = list(study.trial.arms.values())[number]
    for stage, (name, courses) in enumerate(arm.parts().items()):
        begins = min((plan.day for plan in plans(study.trial) if (plan.arm, plan.stage) == (number, stage)), default=0)
        head = f"{spaced(name)}: " if arm.stages else ""
        if not courses:
            yield f"{head}no treatment" if head else f"{untreated} throughout", (), plural(0, "dose")
        for item in courses:
            weeks = _weeks(item, begins, study.trial.visits[-1])
            said = when(item) if item.times_a_day else plural(len(weeks), "dose")
            yield f"{head}{spaced(item.treatment)} {brief(item)}", weeks, said


def _weeks(item: Course, begins: int, last: int) -> Sequence[float]:
    """Weeks of doses up to the last visit; a treatment taken every day is ticked once a week."""
    end = item.end()
    days = range(item.start(), end, DAYS) if item.times_a_day and end is not None else item.dose_days()
    return [(begins + day) / DAYS for day in days if begins + day <= DAYS * last]


def _spoken(arm: str, courses: Sequence[Row]) -> str:
    return f"{arm}: " + ", ".join(f"{label} ({said})" for label, _, said in courses)


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
    """Behind the picture: arm and stage, treatment, dose, weeks; those of a later stage count from entering it."""
    return [
        (_place(arm, stage, number), spaced(item.treatment), amounts(item), _listed(item))
        for arm, plan in study.trial.arms.items()
        for number, (stage, regimen) in enumerate(plan.parts().items())
        for item in regimen
    ]


def _place(arm: str, stage: str, number: int) -> str:
    if stage == ONLY:
        return spaced(arm)
    return f"{spaced(arm)}, {spaced(stage)}{' (weeks from entering it)' if number else ''}"


def _listed(item: Course) -> str:
    """The weeks of doses; of what is given more often than once a week, its rhythm."""
    often = item.times_a_day or item.times_a_week or item.sessions_a_week or item.days
    return when(item) if often else listed(count(week) for week in item.schedule())
