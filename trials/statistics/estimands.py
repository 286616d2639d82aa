"""What an analysis estimates, in the five attributes of ICH E9(R1): in the study's words, or as its analysis says."""

from collections.abc import Iterable
from typing import NamedTuple

from ...core.disease import Disease
from ..events import RESCUED, STOPPED
from ..study import Analysis, Study
from .outcomes import kind, named

EVENTS = {"treatment_stopped": STOPPED, "rescue_started": RESCUED}
SUMMARIES = {
    "newcombe": "risk difference",
    "cochran_mantel_haenszel": "common risk difference",
    "miettinen_nurminen": "common risk difference",
    "g_computation": "standardised risk difference",
    "logistic": "odds ratio",
    "ancova": "difference in adjusted means",
    "mmrm": "difference in adjusted means",
    "negative_binomial": "count ratio",
    "proportional_odds": "cumulative odds ratio",
    "van_elteren": "Mann-Whitney difference",
    "cox": "hazard ratio",
    "restricted_mean": "difference in restricted mean time",
    "kaplan_meier": "difference in shares with the event",
    "paired_t": "mean difference between sides",
    "mcnemar": "paired risk difference",
    "log_rank": "observed minus expected events",
}
DIFFERENCES = (  # which are the mean difference between what the same twin has in either arm
    "newcombe", "cochran_mantel_haenszel", "miettinen_nurminen", "g_computation", "ancova", "mmrm",
)  # fmt: skip
TIMES = ("log_rank", "cox", "restricted_mean", "kaplan_meier")


class Attributes(NamedTuple):
    """The five attributes of an estimand; `events` has a strategy for each kind of intercurrent event."""

    treatment: str
    population: str
    variable: str
    events: dict[str, str]
    summary: str


def attributes(study: Study, disease: Disease, analysis: Analysis) -> Attributes:
    """The estimand of an analysis: what the study says of it, and where it is silent what follows from the analysis."""
    given = analysis.estimand
    outcome = named(disease, analysis.outcome)
    about = outcome.about if outcome else analysis.outcome
    when = f"by week {analysis.week}" if analysis.method in TIMES else f"at week {analysis.week}"
    arms = f"{analysis.arm} against {analysis.comparator}, as randomised".replace("_", " ")
    everyone = "all randomised twins" if outcome is None or outcome.of is None else "the randomised twins it is about"
    strategies = events(study, analysis)
    stratum = [name.replace("_", " ") for name, strategy in strategies.items() if strategy == "principal_stratum"]
    if stratum:
        everyone = f"{everyone} who in neither arm would have {' or '.join(stratum)}"
    return Attributes(
        (given and given.treatment) or arms,
        (given and given.population) or everyone,
        (given and given.variable) or f"{about}, {when}",
        strategies,
        (given and given.summary) or SUMMARIES[analysis.method],
    )


def events(study: Study, analysis: Analysis) -> dict[str, str]:
    """The strategy for each kind of intercurrent event that the trial knows."""
    own: dict[str, str] = {**analysis.estimand.events} if analysis.estimand else {}
    known = [name for name in EVENTS if name != "rescue_started" or study.trial.conduct.rescue is not None]
    return {name: own.get(name, analysis.intercurrent) for name in known}


def check(study: Study, disease: Disease) -> list[str]:
    """What is wrong with the estimands: one sentence a problem."""
    return [
        problem
        for name, analysis in study.trial.analyses.items()
        if analysis.estimand is not None
        for problem in _problems(f"analyses.{name}.estimand", study, disease, analysis)
    ]


def _problems(where: str, study: Study, disease: Disease, analysis: Analysis) -> Iterable[str]:
    given = analysis.estimand
    assert given is not None
    if "rescue_started" in given.events and study.trial.conduct.rescue is None:
        yield f"{where}.events.rescue_started: this trial has no rescue (conduct.rescue); leave it out"
    of = kind(disease, analysis.outcome) if named(disease, analysis.outcome) is not None else "responder"
    for event, strategy in given.events.items():
        if strategy == "composite" and of != "responder":
            yield (
                f"{where}.events.{event}: composite counts the event as non-response, "
                f"but {analysis.outcome} is a {of} outcome; choose another strategy"
            )
        if strategy == "while_on_treatment" and analysis.method in TIMES:
            yield (
                f"{where}.events.{event}: a time that ends with the event is no time to the outcome; "
                "choose hypothetical or composite"
            )
    if not given.true_value:
        return
    if study.trial.split:
        yield f"{where}.true_value: with design: split_body every twin has both arms already; leave it out"
    elif analysis.method == "log_rank":
        yield (
            f"{where}.true_value: log_rank counts events of this trial and estimates nothing that people have; "
            "choose cox, restricted_mean or kaplan_meier, or leave it out"
        )
