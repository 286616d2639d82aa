"""Numbers, names and rules in the words of the report."""

import math
from collections.abc import Iterable

from ...core.disease import Disease, Outcome
from ..regimen import Arm, Course, Move
from ..study import Criterion, Stratum, Study
from ..units import Amount

MINUS, TIMES, NOTHING = "\u2212", "\u00d7", "\u2013"
DIFFERENCES = (
    "risk difference",
    "common risk difference",
    "paired risk difference",
    "standardised risk difference",
    "difference in shares with the event",
)
SHARES = ("proportion", "share with the event")
UNITS = {  # of statistics that are not on the outcome's own scale
    "difference in restricted mean time": "weeks",
    "restricted mean time": "weeks",
    "median time": "weeks",
    "observed minus expected events": "events",
    "Mann-Whitney difference": "",
}
INTERCURRENT = {
    "composite": "stopping treatment, rescue or a missing value counts as non-response (composite)",
    "treatment_policy": "what was observed, whatever happened (treatment policy)",
    "while_on_treatment": "what was observed before treatment stopped or rescue began (while on treatment)",
    "hypothetical": "what would have been observed had treatment not stopped and no rescue begun (hypothetical)",
}
TIMED = {
    "composite": "who stops treatment or begins rescue before never responds, and has lost a response (composite)",
    "hypothetical": "censored where treatment stops or rescue begins (hypothetical)",
}
MISSING = {
    "none": "missing values left out",
    "non_response": "missing values count as non-response",
    "multiple_imputation": "missing values imputed at random",
    "jump_to_reference": "missing values imputed as in the comparator's arm from then on (jump to reference)",
    "copy_reference": "missing values imputed as in the comparator's arm throughout (copy reference)",
    "copy_increments": "missing values imputed with the comparator's changes from then on (copy increments)",
}
IMPUTED = tuple(name for name, told in MISSING.items() if "imputed" in told)
OF_RESPONSES = ("cochran_mantel_haenszel", "logistic", "g_computation")  # that may be made after imputation
CAREFUL = "responses are derived from imputed measurements, which makes intervals wider than need be"
METHODS = {
    "newcombe": "difference of proportions, Newcombe interval",
    "cochran_mantel_haenszel": "Mantel-Haenszel difference of proportions over the strata",
    "logistic": "logistic regression",
    "ancova": "analysis of covariance",
    "paired_t": "mean difference between the two sides of a twin",
    "mcnemar": "difference of paired proportions, Tango interval and McNemar test",
    "miettinen_nurminen": "difference of proportions, Miettinen-Nurminen score interval",
    "g_computation": "standardised difference of proportions, logistic model",
    "mmrm": "mixed model for repeated measures",
    "negative_binomial": "negative binomial regression",
    "proportional_odds": "proportional odds regression",
    "van_elteren": "van Elteren rank test",
    "log_rank": "log-rank test",
    "cox": "proportional hazards regression",
    "restricted_mean": "restricted mean time to the event",
    "kaplan_meier": "Kaplan-Meier estimate",
    "potential_outcomes": "what the same twins would have in both arms",
}
_UNITS = {"year": "years", "month": "months", "week": "weeks", "day": "days", "kg/m2": "kg/m²", "ug/mL": "µg/mL"}


def known(number: object) -> bool:
    """Whether there is a number to print: not None, not NaN."""
    return number is not None and not (isinstance(number, float) and math.isnan(number))


def count(number: object) -> str:
    """An integer with thousands separated: `300 000` twins read wrongly are ten times as many."""
    return f"{int(number):,}".replace(",", "\u202f") if known(number) else NOTHING  # type: ignore[call-overload]


def percent(share: float, digits: int = 1) -> str:
    """A share of 1 as a percentage; `NOTHING` where unknown."""
    return f"{minus(f'{100 * share:.{digits}f}')}\u202f%" if known(share) else NOTHING


def share(part: float, whole: float, digits: int = 1) -> str:
    """`12 (3.4 %)`; only the count when there is nobody."""
    return f"{count(part)} ({percent(part / whole, digits)})" if whole else count(part)


def decimal(number: float, digits: int = 1) -> str:
    """A fixed number of decimals and a true minus sign; `NOTHING` where unknown."""
    if not known(number):
        return NOTHING
    return minus(f"{number:.{digits}f}") if math.isfinite(number) else ("∞" if number > 0 else f"{MINUS}∞")


def plain_number(number: float) -> str:
    """A parameter's value as a person would write it: up to five significant digits."""
    if not known(number) or not math.isfinite(number):
        return decimal(number)
    if number and not 1e-4 <= abs(number) < 1e6:
        mantissa, exponent = f"{number:.4e}".split("e")
        return f"{minus(mantissa.rstrip('0').rstrip('.'))} {TIMES} 10{_superscript(int(exponent))}"
    return minus(f"{number:.5g}")


def minus(text: str) -> str:
    """Typographic minus; and no minus before a zero."""
    text = text.lstrip("-") if text.startswith("-") and not text.strip("-0.") else text
    return text.replace("-", MINUS)


def _superscript(exponent: int) -> str:
    return str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def p_value(p: float) -> str:
    """`< 0.001`, `0.012`, `> 0.999`; `NOTHING` where there was no test."""
    if not known(p):
        return NOTHING
    return "< 0.001" if p < 0.001 else "> 0.999" if p > 0.999 else f"{p:.3f}"


def scale(statistic: str) -> tuple[float, int]:
    """Factor and decimals in which a statistic is printed: risk differences in percentage points."""
    statistic = whose(statistic)
    return (100.0, 1) if statistic in DIFFERENCES or statistic in SHARES else (1.0, 2)


def whose(statistic: str) -> str:
    """The statistic of which this is the true value, or itself."""
    return statistic.removeprefix("true ")


def interval(low: float, high: float, statistic: str) -> str:
    """`64.9 to 75.1`, in the units of `scale`; `NOTHING` where it could not be estimated."""
    factor, digits = scale(statistic)
    if not (known(low) and known(high)):
        return NOTHING
    return f"{decimal(low * factor, digits)} to {decimal(high * factor, digits)}"


def estimate(value: float, statistic: str) -> str:
    """A statistic in the units of `scale`."""
    factor, digits = scale(statistic)
    return decimal(value * factor, digits) if known(value) else NOTHING


def spaced(name: str) -> str:
    """`psoriatic_arthritis` as words."""
    return name.replace("_", " ")


def listed(items: Iterable[str], join: str = "and") -> str:
    """`a, b and c`."""
    *head, last = list(items) or [NOTHING]
    return f"{', '.join(head)} {join} {last}" if head else last


def plural(number: int, one: str, many: str = "") -> str:
    """`1 twin`, `2 twins`."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def sentence(text: str) -> str:
    """With a capital, without changing the rest."""
    return text[:1].upper() + text[1:]


def outcome_label(disease: Disease, name: str) -> str:
    """A short name: what precedes a colon in the outcome's description, or all of it if short, or its key."""
    known_as = disease.outcomes.get(name) or disease.endpoints.get(name)
    if known_as is None:
        return spaced(name)
    about = known_as.about
    for text in (about.split(":")[0], about):
        if len(text) <= 32:
            return text
    return spaced(name)


def unit(outcome: Outcome | None) -> str:
    """The unit of a continuous outcome, empty for a responder outcome or a pure number."""
    return outcome.unit if outcome is not None and outcome.unit not in ("", "1", "-") else ""


def scale_unit(statistic: str, outcome: Outcome | None) -> str:
    """The unit of a statistic: the outcome's, unless it is of time, of events or a pure number."""
    return UNITS.get(whose(statistic), unit(outcome))


def strategy(method: str, intercurrent: str, missing: str | None = None) -> str:
    """How an analysis deals with intercurrent events and, where the study says so, with missing values."""
    told = INTERCURRENT.get(intercurrent, spaced(intercurrent))
    if method in ("log_rank", "cox", "restricted_mean", "kaplan_meier"):
        told = TIMED.get(intercurrent, told)
    elif intercurrent == "composite" and missing not in (None, "non_response"):
        told = "stopping treatment or rescue counts as non-response (composite)"
    parts = [told, MISSING.get(missing, spaced(missing))] if missing else [told]
    # Who imputes measurements knows more than who analyses responses: Rubin's variance is too large [Meng 1994].
    return "; ".join([*parts, CAREFUL] if missing in IMPUTED and method in OF_RESPONSES else parts)


def units(unit: str) -> str:
    """A unit after a number, with its space: years, nothing for a pure number or a grade."""
    return "" if unit in ("", "1", "-", "grade", "type") else f" {_UNITS.get(unit, unit)}"


def criterion(rule: Criterion, unit: str = "", *, broken: bool = False) -> str:
    """`at least 12`, `18 to 80 years`, `white or black`; when `broken`, what a twin outside is: `below 12`."""
    low, high = (plain_number(bound) + units(unit) if bound is not None else "" for bound in (rule.min, rule.max))
    parts: list[str] = []
    if low and high and rule.min is not None:
        parts.append(f"{'outside ' if broken else ''}{plain_number(rule.min)} to {high}")
    elif low:
        parts.append(f"{'below' if broken else 'at least'} {low}")
    elif high:
        parts.append(f"{'above' if broken else 'at most'} {high}")
    if rule.one_of is not None:
        chosen = [("yes" if item else "no") if isinstance(item, bool) else str(item) for item in rule.one_of]
        parts.append(f"{'other than ' if broken else ''}{listed(chosen, 'or')}")
    return ", or ".join(parts) if broken else ", and ".join(parts)


def stratum(factor: Stratum, about: str, unit: str) -> str:
    """`body weight (above 90 kg or not)`."""
    if factor.above is None:
        return about
    return f"{about} (above {plain_number(factor.above)}{units(unit)} or not)"


def dose(amount: Amount) -> str:
    """A dose in the unit that keeps it readable."""
    if amount.unit == "mg" and amount.value < 0.1:
        return f"{amount.value * 1000:.12g} µg"
    if amount.unit in ("application", "session", "tablet"):
        return plural(round(amount.value), amount.unit) if amount.value == round(amount.value) else str(amount)
    return str(amount).replace("cm2", "cm²")


def amounts(course: Course) -> str:
    """`100 mg`, `45 mg up to 100 kg, 90 mg above`, `0.4 J/cm² to 2 J/cm², by session`."""
    if course.tiers:
        parts = [
            f"{dose(tier.dose)} up to {tier.up_to:g} kg" if tier.up_to is not None else f"{dose(tier.dose)} above"
            for tier in course.tiers
        ]
        return ", ".join(parts)
    if course.doses:
        low, high = min(course.doses), max(course.doses)
        return f"{dose(low)} to {dose(high)}, by session" if low != high else dose(low)
    given = dose(course.amounts()[0])
    if course.raise_by is None:
        return given
    limit = f" to at most {dose(course.at_most)}" if course.at_most else ""
    return f"{given}, raised by {percent(course.raise_by, 0)} each {course.raise_each}{limit}"


def brief(course: Course) -> str:
    """`100 mg`, `45 mg or 90 mg`, `from 0.4 J/cm²`: the doses where there is little room."""
    if course.raise_by is not None or len(course.doses) > 1:
        return f"from {dose(course.amounts()[0])}"
    return listed((dose(amount) for amount in course.amounts()), "or")


def when(course: Course) -> str:
    """`at weeks 0 and 4, then every 8 weeks (last dose week 44)`, `twice a day from week 0 until week 16`."""
    listed_days = [f"day {day}" for day in course.days]
    weeks = f"week{'s' if len(course.weeks) > 1 else ''} {listed(str(week) for week in course.weeks)}"
    start = listed(listed_days) if listed_days else weeks
    for number, rhythm in (
        (course.times_a_day, f"{_times(course.times_a_day)} a day"),
        (course.times_a_week, f"{_times(course.times_a_week)} a week"),
        (course.sessions_a_week, f"in {plural(course.sessions_a_week or 0, 'session')} a week"),
    ):
        if number is not None:
            return f"{rhythm} from {start} {_end(course)}"
    if course.every is None:
        return f"at {start}"
    rhythm = "every week" if course.every == 1 else f"every {course.every} weeks"
    return f"at {start}, then {rhythm} (last dose week {course.schedule()[-1]})"


def _times(number: int | None) -> str:
    return {1: "once", 2: "twice"}.get(number or 0, f"{number} times")


def _end(course: Course) -> str:
    if course.until is not None:
        return f"until week {course.until}"
    if course.until_day is not None:
        return f"until day {course.until_day}"
    return f"({plural(len(course.doses), 'session')})"


def course(course: Course) -> str:
    """`guselkumab 100 mg at weeks 0 and 4, then every 8 weeks until week 48`."""
    return f"{spaced(course.treatment)} {amounts(course)} {when(course)}"


def regimen(arm: Arm, untreated: str = "placebo") -> str:
    """All courses of an arm; of an arm with stages, those of each stage, and who goes there.

    untreated: what an arm without courses is given.
    """
    if not arm.stages:
        return "; ".join(course(item) for item in arm.regimen) or f"{untreated} throughout"
    told = []
    for name, stage in arm.stages.items():
        rules = listed((_rule(rule) for rule in arm.rules if rule.target == name), "or")
        given = "; ".join(course(item) for item in stage.regimen) or "no treatment"
        told.append(f"{spaced(name)}{f' ({rules})' if rules != NOTHING else ''}: {given}")
    return ". Stage ".join([f"stage {told[0]}", *told[1:]])


def _rule(rule: Move) -> str:
    who = f"{percent(rule.share, 0)} of those" if rule.share < 1 else "those"
    why = f" with {rule.reached}" if rule.reached else f" without {rule.missed}" if rule.missed else ""
    time = f"at week {rule.at}" if rule.at is not None else f"at visits after week {rule.after}"
    return f"{who}{why} {time}, from {spaced(rule.source)}"


def primary_week(study: Study) -> int:
    """The week of the first primary analysis, or of the first analysis where none is primary, or the last visit."""
    analyses = list(study.trial.analyses.values())
    weeks = [item.week for item in sorted(analyses, key=lambda item: item.role != "primary")]
    return weeks[0] if weeks else study.trial.visits[-1]
