"""What there is: trials, sweeps, treatments, models, endpoints, populations, baseline tables of published trials."""

from collections.abc import Callable, Iterator

import yaml

from ..core.diseases import DISEASES
from ..population.messages import nearest
from ..population.sample import POPULATIONS
from .compose import CONF, options
from .errors import BadInput


def lines(what: str) -> Iterator[str]:
    """One line an item of a kind.

    Raises:
      BadInput: there is no such kind.
    """
    if what not in KINDS:
        raise BadInput(f"list {what}: no such list; {nearest(what, KINDS)}")
    return KINDS[what]()


def _trials() -> Iterator[str]:
    for option in options("trial"):
        yield f"trial={option}  {yaml.safe_load((CONF / 'trial' / f'{option}.yaml').read_text())['title']}"


def _sweeps() -> Iterator[str]:
    for option in options("sweep"):
        yield f"sweep={option}  {yaml.safe_load((CONF / 'sweep' / f'{option}.yaml').read_text())['title']}"


def _treatments() -> Iterator[str]:
    for disease in DISEASES.values():
        for treatment in disease.treatments.values():
            yield f"{disease.name}  {treatment.name}  {treatment.about}, {treatment.route}"


def _models() -> Iterator[str]:
    for disease in DISEASES.values():
        assumed = sum(p.status == "assumed" for p in disease.parameters.values())
        yield f"{disease.name}  {disease.title}: {len(disease.parameters)} parameters, {assumed} of them assumed"


def _endpoints() -> Iterator[str]:
    for disease in DISEASES.values():
        for endpoint in disease.endpoints.values():
            when = ", with details: true" if endpoint.detail else ""
            yield f"{disease.name}  {endpoint.name}  {endpoint.about} ({endpoint.low:g} to {endpoint.high:g}){when}"
        for outcome in disease.outcomes.values():
            yield f"{disease.name}  {outcome.name}  {outcome.about} [{outcome.kind}]"


def _populations() -> Iterator[str]:
    for source in POPULATIONS.values():
        yield f"{source.name}  {source.about}"


def _baselines() -> Iterator[str]:
    from ..population.baselines.tables import BASELINES

    for name, table in BASELINES.items():
        yield f"{name}  {table.trial}, {table.n:,} people: {', '.join(table.attributes)}"


KINDS: dict[str, Callable[[], Iterator[str]]] = {
    "trials": _trials,
    "sweeps": _sweeps,
    "treatments": _treatments,
    "models": _models,
    "endpoints": _endpoints,
    "populations": _populations,
    "baselines": _baselines,
}
