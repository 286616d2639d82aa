"""The report of a sweep: one HTML text that opens offline, without a script or an outside resource."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from ...core.laser import outcomes, spectra, targets
from ...core.laser.damage import burns
from ...core.laser.device import named
from ...core.laser.heat import tissue
from ...core.parameters import Table
from ...population.sample import POPULATIONS
from ..report import tables
from ..report import words as common
from ..report.svg import Drawing, style
from . import figures, words
from .draws import JOINT, uncertain
from .effects import EFFECTS, behind
from .plan import Sweep, combinations, plain
from .protocols import course, numbered
from .surfaces import Surfaces
from .window import Answer, breaking, nearest

HERE = Path(__file__).parent
CSS = HERE.parent / "report" / "report.css"
SHOWN = 6  # combinations whose windows are drawn


def build(plan: Sweep, found: Surfaces, told: Answer, manifest: Mapping[str, Any]) -> str:
    """The report as HTML: the same bytes for the same sweep."""
    main = _main(plan, told)
    with style():
        windows = [figures.window(plan, found, combination) for combination in _drawn(plan, told, main)]
        heats = _heats(plan, found, told)
    table = behind(plan)
    return _template().render(
        css=Markup(CSS.read_text(encoding="utf-8")),
        plan=plan,
        device=named(plan.device),
        effect=EFFECTS[plan.efficacy.outcome],
        course=course(plan),
        words=common,
        own=words,
        settings=numbered(plan),
        population=POPULATIONS[plan.population.source],
        identity={"version": manifest.get("cutis") or "", "sweep": plan.fingerprint()},
        statements=list(_statements(plan, found, told)),
        windows=windows,
        key=figures.key(plan),
        heats=heats,
        types=_types(plan, found, told, main),
        best=_best(plan, found, told),
        rows=_rows(plan, found, told),
        marks=_marks(plan, found),
        grid=[(common.sentence(name), words.values(name, of)) for name, of in plan.grid.items()],
        limits=_limits(plan),
        statuses=_statuses(table),
        items=tables.parameters(table, {}),
        sources=tables.cited(table),
        calibrated=sum(item.status == "calibrated" for item in table.values()),
        assumed=[item.name for item in table.values() if item.status == "assumed"],
        uncertain=uncertain(table) if plan.draws else [],
        together=JOINT.is_file(),
        plan_text=yaml.safe_dump(plain(plan), sort_keys=False, allow_unicode=True, width=110),
        record=tables.settings(manifest, "plan", "versions", "platform"),
    )  # fmt: skip


def _main(plan: Sweep, told: Answer) -> int:
    """The combination whose window is shown first: of the best setting, else that with most settings kept."""
    count = len(plan.doses())
    if told.best is not None:
        return told.best // count
    kept = [int(told.kept[figures.series(plan, one.number)].sum()) for one in combinations(plan)]
    return kept.index(max(kept))


def _drawn(plan: Sweep, told: Answer, main: int) -> list[int]:
    rest = [one.number for one in combinations(plan) if one.number != main]
    return [main, *rest[: SHOWN - 1]]


def _heats(plan: Sweep, found: Surfaces, told: Answer) -> list[Drawing]:
    """A heat map for each choice of what varies beside the dose and the second setting."""
    name = figures.second(plan)
    if name is None:
        return []
    groups: dict[tuple, list[int]] = {}
    for one in combinations(plan):
        rest = tuple(of for other, of in one.changes.items() if other != name)
        groups.setdefault(rest, []).append(one.number)
    return [figures.heat(plan, found, told, name, those) for those in list(groups.values())[:SHOWN]]


def _statements(plan: Sweep, found: Surfaces, told: Answer) -> list[tuple[str, str, str]]:
    """Role, sentence, figure: for all skin types together, then for each."""
    rows = [("All skin types", *_for_all(plan, found, told))]
    share = found.shares["efficacy"]
    for place, tone in enumerate(plan.population.skin_types):
        best, role = told.of_type[tone], f"Type {words.tone(tone)}"
        if best is None:
            rows.append((role, "No setting keeps every risk within its bound.", "none"))
            continue
        kept = common.plural(int(told.kept[:, place].sum()), "setting")
        benefit = f"{common.percent(share.mean[best, place])} ({_limits_of(share, best, place)})"
        text = f"{kept} kept; the most effective is {words.setting(plan, best)}: {_wanted(plan)} {benefit}."
        if not told.worth[best, place]:
            text += f" That is less than the {common.percent(plan.efficacy.least, 0)} that is worth treating."
        rows.append((role, text, common.percent(share.mean[best, place], 0)))
    return rows


def _for_all(plan: Sweep, found: Surfaces, told: Answer) -> tuple[str, str]:
    """The sentence and the figure for all skin types together."""
    places = list(enumerate(plan.population.skin_types))
    if told.best is None:
        lacking = [words.tone(tone) for place, tone in places if not told.kept[:, place].any()]
        why = f" In skin type {common.listed(lacking)} not one does." if lacking else ""
        number, place, name = nearest(plan, found)
        high = found.shares[name].high[number, place]
        close = (
            f" Nearest to it comes {words.setting(plan, number)}: in skin type "
            f"{words.tone(plan.population.skin_types[place])} the upper limit of {words.event(name)} is "
            f"{common.percent(high)}, {high / plan.risk.most[name]:.1f} times the bound."
        )
        return f"No setting keeps every risk within its bound in every skin type.{why}{close}", "none"
    kept = common.plural(len(told.common), "setting keeps", "settings keep")
    text = (
        f"{kept} every risk within its bound in every skin type. The most effective is "
        f"{words.setting(plan, told.best)}: {words.shares(plan, found, told.best)}."
    )
    weak = [words.tone(tone) for place, tone in places if not told.worth[told.best, place]]
    if weak:
        least = common.percent(plan.efficacy.least, 0)
        text += f" In skin type {common.listed(weak)} that is less than the {least} that is worth treating."
    return text, f"{len(told.common)} of {len(told.kept)}"


def _wanted(plan: Sweep) -> str:
    return common.spaced(plan.efficacy.outcome)


def _limits_of(share: Any, number: int, place: int) -> str:
    return f"{common.percent(share.low[number, place])} to {common.percent(share.high[number, place])}"


def _types(plan: Sweep, found: Surfaces, told: Answer, main: int) -> list[list[str]]:
    """Skin type, twins, window by dose, settings kept."""
    rows = []
    for place, tone in enumerate(plan.population.skin_types):
        span = figures.span(plan, found, main, place)
        doses = f"{span[0]:.1f} to {span[1]:.1f} {words.UNITS[plan.dose]}" if span else "none"
        kept = f"{int(told.kept[:, place].sum())} of {len(told.kept)}"
        rows.append([words.tone(tone), common.count(found.twins[0, place]), doses, kept])
    return rows


def _best(plan: Sweep, found: Surfaces, told: Answer) -> list[list[str]]:
    """What the most effective setting for all does in each skin type."""
    if told.best is None:
        return []
    return [
        [
            words.tone(tone),
            *(
                f"{common.percent(share.mean[told.best, place])} ({_limits_of(share, told.best, place)})"
                for share in found.shares.values()
            ),
        ]
        for place, tone in enumerate(plan.population.skin_types)
    ]


def _rows(plan: Sweep, found: Surfaces, told: Answer) -> list[list[str]]:
    """Every setting in every skin type."""
    rows = []
    for number in range(len(numbered(plan))):
        for place, tone in enumerate(plan.population.skin_types):
            broken = [words.event(name) for name in breaking(plan, found, number, place)]
            shares = [
                f"{common.percent(share.mean[number, place])} ({_limits_of(share, number, place)})"
                for share in found.shares.values()
            ]
            marked = common.percent(1 - found.trusted[number, place] / found.twins[number, place])
            verdict = (
                f"too much: {common.listed(broken)}" if broken else "kept" if told.kept[number, place] else "not known"
            )
            rows.append([words.setting(plan, number), words.tone(tone), *shares, marked, verdict])
    return rows


def _marks(plan: Sweep, found: Surfaces) -> list[list[str]]:
    """Shares of twins that are marked, over all settings, and in the worst one, by skin type."""
    rows = []
    for place, tone in enumerate(plan.population.skin_types):
        twins = found.twins[:, place]
        shares = {name: getattr(found, name)[:, place] / twins for name in ("overheated", "frozen")}
        lost = 1 - found.trusted[:, place] / twins
        cells = [f"{common.percent(x.mean())} (at most {common.percent(x.max())})" for x in (*shares.values(), lost)]
        rows.append([words.tone(tone), *cells])
    return rows


def _limits(plan: Sweep) -> list[list[str]]:
    return [
        [
            common.spaced(name),
            f"{common.plain_number(limit.low)} to {common.plain_number(limit.high)}{common.units(limit.unit)}",
            limit.status,
        ]
        for name, limit in named(plan.device).limits.items()
    ]


def _statuses(own: Table) -> list[tuple[str, dict[str, int]]]:
    """How many parameters of each table have each status; those of this sweep's outcomes first."""
    parts = {
        "Outcomes of this sweep": own,
        "All outcomes": outcomes.TABLE,
        "Targets": targets.TABLE,
        "Damage": burns.TABLE,
        "Heat": tissue.TABLE,
        "Skin optics": spectra.PARAMETERS,
    }
    return [(name, tables.statuses(table)) for name, table in parts.items()]


@cache
def _template() -> Template:
    rooms = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return rooms.get_template("sweep.html.j2")
