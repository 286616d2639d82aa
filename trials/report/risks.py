"""The figure of privacy: how much each attack gains, beside what chance gives and what is allowed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .likeness import drawing
from .svg import INK, RULE, SOFT, Drawing, blank
from .words import decimal, minus, sentence, spaced

if TYPE_CHECKING:
    from ...population.privacy.assess import Risk

_WIDTH, _LEFT, _RIGHT, _TOP, _ROW, _FOOT = 940, 300, 660, 40, 30, 50
_GOOD, _BAD = "#0072B2", "#D55E00"


def line(risk: "Risk") -> str:
    """The estimate with its interval."""
    return f"{decimal(risk.risk, 3)} ({decimal(risk.low, 3)} to {decimal(risk.high, 3)})"


def forest(number: int, risks: "Sequence[Risk]", title: str) -> Drawing:
    """Risks on one scale: interval as a line, chance as a grey bar, the threshold as a tick where it is asked."""
    height = _TOP + _ROW * len(risks) + _FOOT
    values = [v for r in risks for v in (r.low, r.high, r.null_low, r.null_high, r.blind)]
    values += [r.threshold for r in risks if r.asked]
    ticks = MaxNLocator(6).tick_values(min(values), max(values))
    low, high = float(ticks[0]), float(ticks[-1])

    def x(value: float) -> float:
        return _LEFT + (_RIGHT - _LEFT) * (value - low) / (high - low)

    def draw(figure: Figure) -> None:
        axes = blank(figure, _WIDTH, height)
        bottom = _TOP + _ROW * len(risks)
        for place, text in ((8, "Attack"), (_RIGHT + 24, "Risk (95 % interval)"), (_RIGHT + 196, "Passed")):
            axes.text(place, 24, text, color=SOFT, fontsize=11, va="center")
        axes.plot([8, _WIDTH - 8], [_TOP, _TOP], color=RULE, linewidth=1)
        for tick in ticks:
            axes.plot([x(tick)] * 2, [bottom, bottom + 4], color=SOFT, linewidth=0.8)
            axes.text(x(tick), bottom + 15, minus(f"{tick:g}"), color=SOFT, fontsize=10.5, ha="center", va="center")
        axes.plot([_LEFT, _RIGHT], [bottom, bottom], color=SOFT, linewidth=0.8)
        axes.text((_LEFT + _RIGHT) / 2, bottom + 36, title, color=SOFT, fontsize=11, ha="center", va="center")
        for i, risk in enumerate(risks):
            y = _TOP + _ROW * (i + 0.5)
            colour = _GOOD if risk.passed else _BAD
            axes.fill_between([x(risk.null_low), x(risk.null_high)], y - 8, y + 8, color="#e3e8ed", linewidth=0)
            if risk.asked:
                axes.plot([x(risk.threshold)] * 2, [y - 10, y + 10], color=INK, linewidth=1.6)
            axes.plot([x(risk.low), x(risk.high)], [y, y], color=colour, linewidth=2, solid_capstyle="butt")
            axes.plot([x(risk.risk)], [y], "o", markersize=6.5, color=colour)
            axes.text(8, y, sentence(spaced(risk.name)), fontsize=12, va="center")
            axes.text(_RIGHT + 24, y, line(risk), fontsize=12, va="center")
            axes.text(_RIGHT + 196, y, "yes" if risk.passed else "no", fontsize=12, va="center", color=colour)

    words = "; ".join(f"{spaced(risk.name)} {line(risk)}, threshold {decimal(risk.threshold, 2)}" for risk in risks)
    return drawing(f"risks-{number}", f"Privacy: {title}, from twins", f"{words}.", (_WIDTH, height), draw)
