"""Tables of the report: eligibility, analyses, parameters, sources, settings and files."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ...core.disease import Disease
from ...core.parameters import STATUSES, Parameter, Source, Table
from ..enrol import on_each_side
from ..statistics import estimands
from ..statistics import outcomes as asked
from ..statistics.pooled import GRID
from ..study import Analysis, Study
from .words import (
    DIFFERENCES,
    METHODS,
    NOTHING,
    SHARES,
    count,
    criterion,
    estimate,
    interval,
    known,
    outcome_label,
    p_value,
    plain_number,
    sentence,
    spaced,
    strategy,
    unit,
    units,
    whose,
)

if TYPE_CHECKING:
    from ...population.attributes import Attribute
    from ..statistics.result import Result

_SPREADS = {"lognormal": "log-normal", "normal": "normal", "logit-normal": "logit-normal"}


_BESIDE = ("log.jsonl", "report.html")  # the log tells the time of day; the report cannot contain its own hash


class Item(NamedTuple):
    """A parameter as the report prints it."""

    name: str
    about: str
    value: str
    spread: str
    status: str
    source: str
    note: str


class Described(NamedTuple):
    """What a name in the protocol stands for."""

    about: str
    unit: str


def described(name: str, disease: Disease, attributes: "Mapping[str, Attribute]") -> Described:
    """An attribute of the twins or an endpoint of the disease; a name known to neither stands for itself."""
    found = attributes.get(name) or disease.endpoints.get(name)
    return Described(found.about, found.unit) if found else Described(spaced(name), "")


def rules(
    study: Study, disease: Disease, attributes: "Mapping[str, Attribute]", *, broken: bool = False
) -> dict[str, str]:
    """Each eligibility criterion in words, by its key; when `broken`, what those are who fail it."""
    words: dict[str, str] = {}
    for name, rule in study.trial.eligibility.items():
        about, of = described(name, disease, attributes)
        words[name] = f"{about} {criterion(rule, of, broken=broken)}"
    for name, rule in study.trial.each_side.items():
        about, of = described(name, disease, {})
        side = "of one side" if broken else "of each side"
        words[on_each_side(name)] = f"{about}, {side}, {criterion(rule, of, broken=broken)}"
    return words


def parameters(table: Table, drawn: Mapping[str, float]) -> list[Item]:
    """All parameters, the assumed ones first; those that are `drawn` with the number that stands in for their own."""
    order = {status: i for i, status in enumerate(reversed(STATUSES))}
    chosen = sorted(table.values(), key=lambda item: (order[item.status], item.name))
    return [
        Item(item.name, item.about, _value(item, drawn), _spread(item), item.status, item.source, item.note)
        for item in chosen
    ]


def _value(item: Parameter, drawn: Mapping[str, float]) -> str:
    own = plain_number(item.value) + units(item.unit)
    if item.name not in drawn:
        return own
    return f"{plain_number(drawn[item.name])}{units(item.unit)}, drawn; its own is {own}"


def _spread(item: Parameter) -> str:
    if item.spread is None:
        return NOTHING
    return f"{_SPREADS.get(item.spread.kind, item.spread.kind)}, SD {plain_number(item.spread.sd)}"


def statuses(table: Table) -> dict[str, int]:
    """How many parameters have each status, the assumed ones first."""
    return {status: sum(item.status == status for item in table.values()) for status in reversed(STATUSES)}


def outcomes(study: Study, disease: Disease) -> list[tuple[str, str, str]]:
    """Outcomes named in the study: short name, definition, kind."""
    names = dict.fromkeys([*study.trial.outcomes, *(item.outcome for item in study.trial.analyses.values())])
    rows = []
    for name in names:
        outcome = asked.named(disease, name)
        kind = "" if outcome is None else asked.kind(disease, name)
        kind += f", {unit(outcome)}" if unit(outcome) not in ("", kind) else ""
        rows.append((name, outcome.about if outcome else NOTHING, kind))
    return rows


def plan(study: Study, disease: Disease) -> list[tuple[str, ...]]:
    """The analyses as planned: name, role, what, arms, method, intercurrent events."""
    return [
        (
            spaced(name),
            item.role,
            f"{outcome_label(disease, item.outcome)}, week {item.week}",
            f"{spaced(item.arm)} against {spaced(item.comparator)}",
            METHODS.get(item.method, item.method)
            + (f"; covariates {', '.join(map(spaced, item.covariates))}" if item.covariates else ""),
            sentence(strategy(item.method, item.intercurrent, item.missing)) + _estimand(study, disease, item),
        )
        for name, item in study.trial.analyses.items()
    ]


def _estimand(study: Study, disease: Disease, item: Analysis) -> str:
    """What an analysis is to estimate, where its study says so."""
    if item.estimand is None:
        return ""
    told = estimands.attributes(study, disease, item)
    events = ", ".join(f"{spaced(event)} by {spaced(how)}" for event, how in told.events.items())
    return (
        f". Estimand: {told.treatment}; population: {told.population}; variable: {told.variable}; "
        f"intercurrent events: {events}; summary: {told.summary}"
    )


class Figure(NamedTuple):
    """One statistic of a planned analysis; `how` is its place in the list of methods, from 1, 0 without a result."""

    analysis: str
    outcome: str
    arms: str
    statistic: str
    estimate: str
    interval: str
    p: str
    twins: str
    missing: str
    how: int
    note: str


def analysis_figures(study: Study, disease: Disease, results: "Sequence[Result]") -> tuple[list[Figure], list[str]]:
    """Every figure of every planned analysis, and the methods they refer to; an analysis without a result is named."""
    methods: dict[str, int] = {}
    rows: list[Figure] = []
    for name, planned in study.trial.analyses.items():
        found = [row for row in results if row.analysis == name]
        for row in found:
            how = methods.setdefault(_method(row), len(methods) + 1)
            rows.append(_figure(row, disease, how))
        if not found:
            label = f"{outcome_label(disease, planned.outcome)}, week {planned.week}"
            versus = f"{spaced(planned.arm)} against {spaced(planned.comparator)}"
            none = dict.fromkeys(("statistic", "estimate", "interval", "p", "twins", "missing"), NOTHING)
            rows.append(Figure(spaced(name), label, versus, **none, how=0, note="planned, but there is no result"))
    return rows, list(methods)


def _figure(row: "Result", disease: Disease, how: int) -> Figure:
    known_as = disease.outcomes.get(row.outcome)
    groups = [(row.events, row.n)] + ([(row.events_comparator, row.n_comparator)] if row.comparator else [])
    responders = known_as is not None and known_as.kind == "responder"
    of = whose(row.statistic)
    scaled = " points" if of in DIFFERENCES else " %" if of in SHARES else ""
    return Figure(
        analysis=spaced(row.analysis),
        outcome=f"{outcome_label(disease, row.outcome)}, week {row.week}",
        arms=f"{spaced(row.arm)} against {spaced(row.comparator)}" if row.comparator else spaced(row.arm),
        statistic=row.statistic,
        estimate=f"{estimate(row.estimate, row.statistic)}{scaled if known(row.estimate) else ''}",
        interval=interval(row.low, row.high, row.statistic),
        p=p_value(row.p),
        twins=" and ".join(f"{count(events)} of {count(n)}" if responders else count(n) for events, n in groups),
        missing=count(row.missing),
        how=how,
        note=row.note.strip(),
    )


def _method(row: "Result") -> str:
    """Method, options and engine in words, the same for all figures obtained in the same way."""
    try:
        options = json.loads(row.options or "{}")
    except ValueError:
        options = row.options
    if isinstance(options, dict):
        options.pop(GRID, None)  # a map, which has a figure of its own
    head = f"{sentence(METHODS.get(row.method, spaced(row.method)))} ({row.engine} {row.engine_version})"
    return f"{head}: {_spoken(options)}" if options else head


def _spoken(node: Any) -> str:
    if isinstance(node, Mapping):
        return "; ".join(f"{spaced(str(key))}: {_spoken(child)}" for key, child in node.items())
    if isinstance(node, list):
        return ", ".join(map(_spoken, node))
    return ("yes" if node else "no") if isinstance(node, bool) else str(node)


def files(manifest: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Files of the run that its study determines: path, size in bytes, SHA-256."""
    listing = manifest.get("files") or {}
    return [
        (path, count(entry.get("bytes")), str(entry.get("sha256") or NOTHING))
        for path, entry in sorted(listing.items())
        if path not in _BESIDE
    ]


def settings(manifest: Mapping[str, Any], *keys: str) -> list[tuple[str, str]]:
    """Entries of the manifest under these keys as name and value; what is absent is left out."""
    return [pair for key in keys for pair in _flat(spaced(key), manifest.get(key))]


def numerical_error(manifest: Mapping[str, Any]) -> str:
    """The error measured in this run, or else the one the plan estimated, in words; empty where none is recorded."""
    numerics, mesh = manifest.get("numerics") or {}, (manifest.get("plan") or {}).get("mesh") or {}
    error = numerics.get("error_in_this_run", mesh.get("error"))
    if error is None or not known(error):
        return ""
    measure = f" ({numerics['measure']})" if numerics.get("measure") else ""
    steps = f", with {count(mesh['steps'])} time steps" if known(mesh.get("steps")) else ""
    return f"{plain_number(float(error))}{measure}{steps}"


def _flat(name: str, node: Any) -> Iterator[tuple[str, str]]:
    if isinstance(node, Mapping):
        for key, child in sorted(node.items()):  # a manifest read back has its keys in another order
            yield from _flat(f"{name} · {spaced(str(key))}", child)
    elif isinstance(node, bool):
        yield name, "yes" if node else "no"
    elif isinstance(node, float):
        yield name, plain_number(node)
    elif isinstance(node, Sequence) and not isinstance(node, str):
        yield name, ", ".join(str(child) for child in node if known(child)) or NOTHING
    elif known(node) and str(node):
        yield name, str(node)


def cited(table: Table) -> list[Source]:
    """The sources that the parameters cite, in alphabetical order of their keys."""
    keys = {item.source for item in table.values()}
    return [table.sources[key] for key in sorted(keys) if key in table.sources]
