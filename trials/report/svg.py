"""Figures as inline SVG: fixed bytes, no outside reference, a title and a description for those who cannot see them."""

import html
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any, NamedTuple

from markupsafe import Markup
from matplotlib import rc_context, rcParamsDefault
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

INK, SOFT, RULE, MARK = "#1c2530", "#56616d", "#c9d1d9", "#f0f3f6"

# Okabe & Ito, Color Universal Design (2008), without yellow, which is too pale on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DARKER = ("#005F94", "#A84A00", "#00704F", "#93476F", "#855B00", "#1B6A98", "#000000")  # 4.5:1 on white, for text
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
UNTREATED = "#6b7480"

# Text is measured in the face that matplotlib carries, which is wider than a reader's: it never outgrows its place.
_STYLE: dict[Any, Any] = {key: value for key, value in rcParamsDefault.items() if key != "backend"} | {
    "svg.fonttype": "none",
    "svg.hashsalt": "cutis",
    "text.parse_math": False,
    "font.family": ["DejaVu Sans"],
    "font.size": 12,
    "text.color": INK,
    "axes.edgecolor": RULE,
    "axes.labelcolor": SOFT,
    "axes.facecolor": "none",
    "axes.titlesize": 13,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "grid.color": "#e3e8ed",
    "grid.linewidth": 0.8,
    "path.simplify": False,
}


_MARK = "SIMULATED"
_NOISE = tuple(
    re.compile(pattern, re.DOTALL)
    for pattern in (
        r"<!--.*?-->",
        r"<metadata>.*?</metadata>",
        r"<style[^>]*>.*?</style>",
        r'(?<=<g) id="[^"]*"',
        r'(?: transform="rotate\(-0 [^)]*\)")',
        r"font-family: [^;\"]*(?:; )?",
    )
)


class Look(NamedTuple):
    """How one arm is drawn, in every figure; `ink` is its colour for text."""

    name: str
    colour: str
    ink: str
    marker: str


class Drawing(NamedTuple):
    """A finished figure: inline SVG, its caption and its natural width in CSS pixels."""

    svg: Markup
    caption: str
    width: int


def looks(first_doses: dict[str, int | None]) -> dict[str, Look]:
    """A colour and a marker for each arm, given the week of its first dose.

    The first arm that starts untreated (no dose at week 0) is grey, so that a placebo control recedes.
    """
    control = next((arm for arm, week in first_doses.items() if week != 0), None) if len(first_doses) > 1 else None
    drawn: dict[str, Look] = {}
    for arm in first_doses:
        i = (len(drawn) - (control in drawn)) % len(COLOURS)
        colour, ink = (UNTREATED, UNTREATED) if arm == control else (COLOURS[i], DARKER[i])
        drawn[arm] = Look(arm.replace("_", " "), colour, ink, MARKERS[len(drawn) % len(MARKERS)])
    return drawn


@contextmanager
def style() -> Iterator[None]:
    """Our drawing style, whatever the user's own matplotlib settings are."""
    with rc_context(_STYLE), warnings.catch_warnings():
        # The reader's typeface draws the text; matplotlib only measures it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def canvas(width: float, height: float) -> Figure:
    """An empty figure of `width` by `height` CSS pixels that carries the watermark."""
    figure = Figure(figsize=(width / 72, height / 72), dpi=72)
    behind = min(width / 9, height / 3.2)
    figure.text(0.5, 0.5, _MARK, color=MARK, fontsize=behind, weight="bold", ha="center", va="center", zorder=-5)
    corner = (1 - 8 / width, 1 - 9 / height)
    figure.text(*corner, _MARK, color=SOFT, fontsize=8.5, weight="bold", ha="right", va="center")
    return figure


def blank(figure: Figure, width: float, height: float) -> Axes:
    """Axes over the whole figure in CSS pixels, y downwards, nothing drawn."""
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.axis("off")
    return axes


def drawing(
    name: str, title: str, description: str, size: tuple[float, float], draw: Callable[[Figure], None]
) -> Drawing:
    """Draw on a canvas of `size` CSS pixels; `name` is unique on the page and prefixes every id in it."""
    figure = canvas(*size)
    draw(figure)
    return Drawing(inline(figure, name, title, description), title, round(size[0]))


def inline(figure: Figure, name: str, title: str, description: str) -> Markup:
    """The figure as an `<svg>` element to stand in HTML, labelled for screen readers."""
    text = StringIO()
    FigureCanvasSVG(figure).print_svg(text, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    viewbox = re.search(r'viewBox="([^"]+)"', svg)
    if viewbox is None:
        raise RuntimeError("matplotlib wrote an SVG without a viewBox: this version is not supported")
    body = svg[svg.index(">") + 1 :]
    for noise in _NOISE:
        body = noise.sub("", body)
    body = re.sub(r"<[^>]+>", _rounded, body)
    body = re.sub(r'\bid="', f'id="{name}-', body)
    body = re.sub(r">\s+<", "><", body).strip()
    body = body.replace("url(#", f"url(#{name}-").replace('xlink:href="#', f'href="#{name}-')
    return Markup(
        f'<svg role="img" viewBox="{viewbox[1]}" aria-labelledby="{name}-title {name}-desc">'
        f'<title id="{name}-title">{html.escape(title)} (simulated)</title>'
        f'<desc id="{name}-desc">{html.escape(description)}</desc>{body}'
    )


def _rounded(tag: re.Match[str]) -> str:
    """A hundredth of a pixel is enough, and keeps the file small."""
    return re.sub(r"\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}".rstrip("0").rstrip("."), tag[0])


def measured(text: str, size: float = 12, *, bold: bool = False) -> float:
    """Width of a line in CSS pixels, on the safe side: 0.6 em a character, 0.66 em in bold."""
    return len(text) * size * (0.66 if bold else 0.6)


def shortened(text: str, letters: int) -> str:
    """At most so many letters; the whole text stands in the table behind the figure."""
    return text if len(text) <= letters else text[: letters - 1] + "…"
