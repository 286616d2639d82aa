"""What is wrong with the analyses of a study, known before anything is simulated."""

from collections.abc import Iterable

from ...core.disease import Disease, Outcome
from ..study import Analysis, Study
from . import estimands
from .completed import APPROACHES
from .offered import ADJUSTS, IMPUTES, METHODS, PAIRED
from .outcomes import kind, made_of, named

BY_VISIT, MEAN_BY_VISIT = "by_visit", "mean_by_visit"


def check(study: Study, disease: Disease, attributes: Iterable[str] = ()) -> list[str]:
    """What is wrong with the analyses, known before anything is simulated: one sentence a problem.

    Args:
      attributes: what is known of each twin besides the disease's own attributes (those of its population).
    """
    split = study.trial.split
    measured = [name for name, endpoint in disease.endpoints.items() if study.trial.details or not endpoint.detail]
    if split and disease.sides is not None:
        measured = [name for name in measured if name in disease.sides.shares]
    baseline = {f"baseline_{name}" for name in measured}
    covariates = {"stratum", *disease.attributes, *baseline, *attributes}
    covariates = baseline if split else covariates - {"twin", "arm"}
    problems = [
        f"outcomes: {disease.name} has no outcome {name!r}; choose from {_names(disease.outcomes)}"
        for name in study.trial.outcomes
        if name not in disease.outcomes
    ]
    for name, analysis in study.trial.analyses.items():
        if name in (BY_VISIT, MEAN_BY_VISIT):
            problems.append(f"analyses.{name}: this name is kept for the description of each visit; choose another")
        problems += _outcome_problems(name, analysis, study, disease, measured)
        problems += _covariate_problems(name, analysis, covariates)
        problems += _option_problems(name, analysis, study.trial.visits)
    return problems + estimands.check(study, disease)


def _outcome_problems(name: str, analysis: Analysis, study: Study, disease: Disease, measured: list[str]) -> list[str]:
    outcome = named(disease, analysis.outcome)
    if outcome is None:
        choices = _names(disease.outcomes)
        return [f"analyses.{name}.outcome: {disease.name} has no outcome {analysis.outcome!r}; choose from {choices}"]
    if analysis.outcome not in disease.outcomes and analysis.outcome not in measured:
        why = "is recorded only with details: true" if not study.trial.details else "is not measured of one side"
        return [f"analyses.{name}.outcome: {analysis.outcome} {why}"]
    of = kind(disease, analysis.outcome)
    problems = _mismatches(name, analysis, of, study.trial.split)
    return problems or _strategy_problems(name, analysis, outcome, of, disease)


def _mismatches(name: str, analysis: Analysis, of: str, split: bool) -> list[str]:
    problems = []
    method = METHODS[analysis.method]
    choices = _names(m for m, known in METHODS.items() if of in known.serves and known.paired == split)
    if method.paired != split:
        why = (
            "compares different people, but with design: split_body every twin has both arms"
            if split
            else "compares two sides of the same twins, but with design: parallel the arms are different people"
        )
        problems.append(f"analyses.{name}.method: {analysis.method} {why}; choose from {choices}")
    elif of not in method.serves:
        problems.append(
            f"analyses.{name}.method: {analysis.method} is for a {' or '.join(method.serves)} outcome, "
            f"but {analysis.outcome} is a {of} outcome; choose from {choices}"
        )
    if analysis.intercurrent == "composite" and of != "responder":
        problems.append(
            f"analyses.{name}.intercurrent: composite counts an intercurrent event as non-response, "
            f"but {analysis.outcome} is a {of} outcome; choose treatment_policy or while_on_treatment"
        )
    return problems


def _strategy_problems(name: str, analysis: Analysis, outcome: Outcome, of: str, disease: Disease) -> list[str]:
    """Intercurrent events and missing values: combinations that make no sense."""
    events, values = f"analyses.{name}.intercurrent", f"analyses.{name}.missing"
    strategy, missing, method = analysis.intercurrent, analysis.missing, METHODS[analysis.method]
    imputed = missing in APPROACHES
    if method.reads != "visit" and strategy == "while_on_treatment":
        why = (
            "censoring at the event asks what would have happened without it; choose hypothetical"
            if method.reads == "times"
            else f"{analysis.method} reads every visit, not the last; choose treatment_policy or hypothetical"
        )
        return [f"{events}: {why}"]
    if method.reads != "visit" and missing not in (None, "none"):
        why = "censors times" if method.reads == "times" else "takes missing values as missing at random by itself"
        return [f"{values}: {analysis.method} {why}; leave missing out"]
    if method.paired and (missing not in (None, "none") or strategy == "hypothetical"):
        return [f"{values}: {analysis.method} needs values on both sides; leave missing and hypothetical out"]
    if missing == "non_response" and of != "responder":
        return [f"{values}: non_response is for a responder outcome, but {analysis.outcome} is a {of} outcome"]
    if missing == "none" and strategy == "composite" and method.reads == "visit":
        return [f"{values}: composite counts a missing value as non-response; choose treatment_policy to leave it out"]
    if strategy == "while_on_treatment" and imputed:
        return [f"{events}: while_on_treatment takes the last value, so nothing is left to impute; choose another"]
    if strategy == "hypothetical" and method.reads == "visit" and not imputed:
        return [
            f"{values}: hypothetical asks what would have been seen without the event; choose one of "
            f"{_names(APPROACHES)}, or method: mmrm for a continuous outcome"
        ]
    if strategy == "composite" and imputed and missing != "multiple_imputation":
        return [f"{values}: composite counts who stops as non-responder, so that no reference applies; "
                "choose multiple_imputation"]  # fmt: skip
    if imputed and analysis.method not in IMPUTES:
        return [f"{values}: {analysis.method} cannot be pooled over imputations; choose from {_names(IMPUTES)}"]
    parts = made_of(disease, outcome) if imputed and of == "responder" else ("one",)
    if len(parts) != 1:
        return [f"{values}: {analysis.outcome} is made of {', '.join(parts)}; only one measurement can be imputed"]
    return []


def _option_problems(name: str, analysis: Analysis, visits: tuple[int, ...]) -> list[str]:
    """Settings that the method does not know, or that do not fit the trial."""
    where, options, known = f"analyses.{name}.options", analysis.options, METHODS[analysis.method].settings
    problems = []
    for setting in options.given():
        if setting not in known:
            told = f"it knows {_names(known)}" if known else "it has none"
            problems.append(f"{where}.{setting}: {analysis.method} has no such setting; {told}")
        elif known[setting] and getattr(options, setting) not in known[setting]:
            said = getattr(options, setting)
            problems.append(
                f"{where}.{setting}: {analysis.method} has no {said!r}; choose from {_names(known[setting])}"
            )
    if problems:
        return problems
    if (options.imputations or options.tipping) and analysis.missing not in APPROACHES:
        asked = "imputations" if options.imputations else "tipping"
        problems.append(f"{where}.{asked}: nothing is imputed; give missing: one of {_names(APPROACHES)}")
    if METHODS[analysis.method].reads == "visits":
        problems += _repeated_problems(where, analysis, visits)
    return problems + _time_problems(where, analysis, visits)


def _repeated_problems(where: str, analysis: Analysis, visits: tuple[int, ...]) -> list[str]:
    from .mmrm.structures import STRUCTURES

    options, problems = analysis.options, []
    structure = options.structure or "unstructured"
    possible = {name for name, family in STRUCTURES.items() if not family.spatial}
    if structure not in possible:
        return [f"{where}.structure: no covariance {structure!r}; choose from {_names(possible)}"]
    chosen = options.visits or tuple(week for week in visits if 0 < week <= analysis.week)
    unknown = [week for week in chosen if week not in visits or week == 0]
    if unknown:
        return [f"{where}.visits: week {unknown[0]} is not a visit after baseline"]
    if sorted(set(chosen)) != list(chosen) or chosen[-1] != analysis.week:
        problems.append(f"{where}.visits: expected weeks that rise to the analysis's own, {analysis.week}")
    elif len(chosen) < STRUCTURES[structure].fewest:
        fewest = STRUCTURES[structure].fewest
        problems.append(f"{where}.structure: {structure} needs {fewest} visits, there are {len(chosen)}")
    return problems


def _time_problems(where: str, analysis: Analysis, visits: tuple[int, ...]) -> list[str]:
    options = analysis.options
    start = options.from_week or 0
    if start and (start not in visits or start >= analysis.week):
        return [f"{where}.from_week: week {start} is not a visit before week {analysis.week}"]
    if options.time_to == "loss" and not start:
        return [f"{where}.from_week: a loss is of those who had the outcome at a later visit; say at which week"]
    if start and options.time_to != "loss":
        return [f"{where}.from_week: the time to a response counts from baseline; leave it out, or give time_to: loss"]
    return []


def _covariate_problems(name: str, analysis: Analysis, known: set[str]) -> list[str]:
    where = f"analyses.{name}.covariates"
    if analysis.covariates and analysis.method not in ADJUSTS:
        given = ", ".join(analysis.covariates)
        others = _names(m for m in ADJUSTS if (m in PAIRED) == (analysis.method in PAIRED))
        return [f"{where}: {analysis.method} would ignore {given}; leave them out, or choose from {others}"]
    problems = [
        f"{where}: no covariate {covariate!r}; choose from {_names(known)}"
        for covariate in dict.fromkeys(analysis.covariates)
        if covariate not in known
    ]
    twice = sorted({covariate for covariate in analysis.covariates if analysis.covariates.count(covariate) > 1})
    return problems + [f"{where}: {covariate!r} is listed twice; list it once" for covariate in twice]


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
