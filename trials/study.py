"""The study as data: what it asks, of whom, what is done to them and how it is analysed.

The classes are the schema of `conf/`, of a study file and of the JSON Schema for editors.
Weeks count from the first dose (baseline is week 0); one week is 7 days.
"""

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from .criterion import Criterion as Criterion
from .operating.settings import Design
from .regimen import DAYS, Arm, Frozen, Name, Week, rising
from .regimen import Course as Course


def _shares(shares: dict[str, float]) -> dict[str, float]:
    total = sum(shares.values())
    if total > 1 + SLACK:
        raise ValueError(f"the shares sum to {total:g}, more than 1")
    return shares


Share = Annotated[float, Field(ge=0, le=1)]
SLACK = 1e-6  # by which shares that must sum to 1 may miss it, as written decimals do
Shares = Annotated[dict[str, Share], Field(min_length=1), AfterValidator(_shares)]


class Stratum(Frozen):
    """One factor of stratification: a twin's attribute, cut at `above` if it is a number."""

    attribute: Name
    above: float | None = None


class Randomisation(Frozen):
    """Stratified permuted blocks."""

    allocation: dict[Name, Annotated[int, Field(ge=1, le=20)]]
    block_size: Annotated[int, Field(ge=1, le=200)]
    stratify_by: tuple[Stratum, ...] = ()


class Adherence(Frozen):
    """Each dose is taken with a probability that varies between twins: `spread` is an SD on the logit scale."""

    probability: Annotated[float, Field(gt=0, lt=1)]
    spread: Annotated[float, Field(ge=0, le=5)]


class Discontinuation(Frozen):
    """Weekly hazards of stopping treatment, by reason; a share of those who stop stays under observation.

    Lack of efficacy acts from `lack_of_efficacy_from` on, on twins who miss the disease's response threshold.
    """

    adverse_event: Share
    other: Share
    lack_of_efficacy: Share
    lack_of_efficacy_from: Week
    followed_up: Share


class Rescue(Frozen):
    """Non-responders receive `treatment` (topical) from a visit at or after `from_week`, with this chance a visit."""

    treatment: Name
    from_week: Week
    chance: Share


class Conduct(Frozen):
    """What happens between the protocol and the data; `basis` says what these numbers rest on."""

    adherence: Adherence
    discontinuation: Discontinuation
    missed_visit: Share
    rescue: Rescue | None = None
    basis: str = ""


class Options(Frozen):
    """Settings of a method; what is left out is the method's own default, and what it does not know is refused.

    variance: `HC3` or `classical` (ancova), `ye`, `ge`, `hc0` or `hc3` (g_computation), `observed` or `expected`
      (negative_binomial).
    structure, degrees_of_freedom, visits: of mmrm; visits are all after baseline up to the analysis's week if left out.
    stratified: by the strata of randomisation (miettinen_nurminen, van_elteren, log_rank, cox), which is the default.
    ties: of cox.
    time_to: the first visit with the outcome (`response`), or the first without it (`loss`) of those who had it at
      `from_week`; times count from that week.
    imputations: number of them.
    tipping: shifts of the imputed values of the arm (ancova), in the order in which they get worse.
    """

    variance: Literal["HC3", "classical", "ye", "ge", "hc0", "hc3", "observed", "expected"] | None = None
    structure: Name | None = None
    degrees_of_freedom: (
        Literal["satterthwaite", "kenward_roger", "kenward_roger_linear", "between_within", "residual"] | None
    ) = None
    visits: tuple[Week, ...] | None = None
    stratified: bool | None = None
    ties: Literal["efron", "breslow"] | None = None
    time_to: Literal["response", "loss"] | None = None
    from_week: Week | None = None
    imputations: Annotated[int, Field(ge=2, le=10_000)] | None = None
    tipping: Annotated[tuple[float, ...], Field(min_length=1)] | None = None

    def given(self) -> tuple[str, ...]:
        """Names of the settings that are not left out."""
        return tuple(name for name in type(self).model_fields if getattr(self, name) is not None)


class Estimand(Frozen):
    """What an analysis is to estimate (ICH E9(R1)); what is left out follows from the analysis.

    treatment, population, variable, summary: in words, for the report.
    events: the strategy for one kind of intercurrent event, where it is not the analysis's own (`intercurrent`);
      `principal_stratum` is of twins who would have no such event in either arm.
    true_value: follow the same twins through both arms, and set the true value beside the estimate.
    """

    treatment: str = ""
    population: str = ""
    variable: str = ""
    summary: str = ""
    events: dict[
        Literal["treatment_stopped", "rescue_started"],
        Literal["composite", "treatment_policy", "while_on_treatment", "hypothetical", "principal_stratum"],
    ] = Field(default={})
    true_value: bool = False


class Analysis(Frozen):
    """One comparison of two arms.

    `paired_t` and `mcnemar` compare the two sides of the same twins (design `split_body`), all others different twins.
    outcome: of the disease; for counts and grades, a measurement as it is read at the visit.
    `intercurrent`: `composite` counts stopping, rescue or a missing value as non-response;
    `treatment_policy` takes what was observed, whatever happened; `while_on_treatment` what was observed before;
    `hypothetical` asks what would have been observed without the event.
    `missing`: what stands for values that are missing, or that a hypothetical strategy leaves out: nothing (`none`),
    non-response (the default of `composite`), or multiple imputation, at random or by the comparator's arm.
    `estimand`: what it is to estimate, where a study wants to say so, or to see its true value.
    """

    outcome: Name
    week: Week
    arm: Name
    comparator: Name
    method: Literal[
        "newcombe", "cochran_mantel_haenszel", "logistic", "ancova", "paired_t", "mcnemar",
        "miettinen_nurminen", "g_computation", "mmrm", "negative_binomial", "proportional_odds", "van_elteren",
        "log_rank", "cox", "restricted_mean", "kaplan_meier",
    ]  # fmt: skip
    covariates: tuple[Name, ...] = ()
    intercurrent: Literal["composite", "treatment_policy", "while_on_treatment", "hypothetical"] = "composite"
    role: Literal["primary", "secondary", "exploratory"] = "exploratory"
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.05
    missing: (
        Literal["none", "non_response", "multiple_imputation", "jump_to_reference", "copy_reference", "copy_increments"]
        | None
    ) = None
    options: Options = Options()
    estimand: Estimand | None = None


class Trial(Frozen):
    """The protocol.

    design: in a `parallel` trial each twin is given one arm; in a `split_body` trial both of its two arms at once, one
      on each side of the body, which are randomised: what happens to the person (leaving, missed visits) happens to
      both sides, and what acts on the whole body must be the same in both arms.
    each_side: of a split_body trial, what both sides must meet at screening, by what is measured of a side.
    details: record what measurements are made of, too, such as the signs and areas of PASI by region, or the
      lesions of each kind.
    """

    title: str
    question: str
    disease: Name
    design: Literal["parallel", "split_body"] = "parallel"
    arms: dict[Name, Arm] = Field(min_length=1)
    visits: tuple[Week, ...] = Field(min_length=2)
    eligibility: dict[Name, Criterion]
    each_side: dict[Name, Criterion] = Field(default={})
    randomisation: Randomisation
    conduct: Conduct
    outcomes: tuple[Name, ...] = Field(min_length=1)
    analyses: dict[Name, Analysis] = Field(default={})
    details: bool = False

    @field_validator("visits")
    @classmethod
    def baseline_first(cls, visits: tuple[int, ...]) -> tuple[int, ...]:
        if visits and visits[0] != 0:
            raise ValueError(f"the first visit must be baseline, week 0; got week {visits[0]}")
        rising(visits, "visits")
        return visits

    @model_validator(mode="after")
    def arms_agree(self) -> "Trial":
        named = set(self.randomisation.allocation)
        if named != set(self.arms):
            raise ValueError(
                f"randomisation.allocation names {_names(named)}, but the arms are {_names(self.arms)}: "
                "name each arm once"
            )
        total = sum(self.randomisation.allocation.values())
        if self.randomisation.block_size % total:
            raise ValueError(
                f"randomisation.block_size {self.randomisation.block_size} is not a multiple of "
                f"the allocation's sum, {total}"
            )
        for name, analysis in self.analyses.items():
            for arm in (analysis.arm, analysis.comparator):
                if arm not in self.arms:
                    raise ValueError(f"analyses.{name}: no arm {arm!r}; the arms are {_names(self.arms)}")
            if analysis.arm == analysis.comparator:
                raise ValueError(f"analyses.{name}: compares {analysis.arm!r} with itself")
            if analysis.week not in self.visits or analysis.week == 0:
                raise ValueError(f"analyses.{name}: week {analysis.week} is not a visit after baseline")
        for name, arm in self.arms.items():
            _fits(name, arm, self.visits)
        if self.split:
            _two_sides(self)
        elif self.each_side:
            raise ValueError("'each_side' asks for sides of the body: it belongs to design: split_body")
        return self

    @property
    def split(self) -> bool:
        """Whether each twin is given both arms, one on each side."""
        return self.design == "split_body"


class Region(Frozen):
    """A part of the recruitment: its share of those randomised, its sites, and who lives there (`only`)."""

    share: Annotated[float, Field(gt=0, le=1)]
    sites: Annotated[int, Field(ge=1, le=2000)]
    only: dict[Name, Criterion] = Field(default={})


class Recruitment(Frozen):
    """Where twins are recruited."""

    regions: dict[Name, Region] = Field(min_length=1)

    @field_validator("regions")
    @classmethod
    def whole(cls, regions: dict[str, Region]) -> dict[str, Region]:
        total = sum(region.share for region in regions.values())
        if abs(total - 1) > SLACK:
            raise ValueError(f"the shares of the regions sum to {total:g}; they must sum to 1")
        return regions


class Population(Frozen):
    """Which people, and how many of them are randomised (all arms together).

    match: a published baseline table that the randomised resemble, e.g. `psoriasis/erasure`.
    quotas: shares of the randomised that levels of an attribute must have, e.g. `{fitzpatrick: {"5": 0.2}}`.
    target: shares in the people whom the trial should speak for, to compare with; default is the population itself.
    """

    source: Name
    size: Annotated[int, Field(ge=1, le=100_000_000)]
    match: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*(/[a-z0-9_]+)?$", max_length=80)] | None = None
    quotas: dict[Name, Shares] = Field(default={})
    recruitment: Recruitment | None = None
    target: dict[Name, Shares] = Field(default={})

    @model_validator(mode="after")
    def one_mix(self) -> "Population":
        if self.match is None:
            return self
        if self.quotas:
            raise ValueError("'match' and 'quotas' both fix the mix of the randomised: give one of them")
        for name, region in self.recruitment.regions.items() if self.recruitment else ():
            if region.only:
                raise ValueError(
                    f"'match' and recruitment.regions.{name}.only both fix the mix of the randomised: give one of them"
                )
        return self


class Model(Frozen):
    """With which numbers the disease's model computes: its estimates, or the `draw`-th draw of their uncertainty."""

    draw: Annotated[int, Field(ge=0, lt=2**31)] | None = None


class Study(Frozen):
    """The whole plan. Equal studies give equal bytes, wherever they run."""

    seed: Annotated[int, Field(ge=0, lt=2**63)]
    population: Population
    trial: Trial
    model: Model = Model()
    design: Design = Design()  # of `cutis design`; a run knows nothing of it

    def fingerprint(self) -> str:
        """SHA-256 of the plan, by which a run knows its own study."""
        return hashlib.sha256(canonical(self).encode()).hexdigest()


def canonical(study: Study) -> str:
    """The study as JSON: one text for one plan. The order of arms and criteria is part of it, since draws and counts
    follow it."""
    return json.dumps(plain(study), separators=(",", ":"))


def plain(study: Study) -> dict[str, Any]:
    """The study as nested built-in types, defaults left out, ready for YAML."""
    return study.model_dump(mode="json", exclude_defaults=True)


def _fits(name: str, arm: Arm, visits: tuple[int, ...]) -> None:
    """Raises a ValueError unless the arm's first stage ends, and its rules decide, within the trial.

    Later stages may be cut short by the end of the trial: when they are entered is not known beforehand.
    """
    last = visits[-1]
    for course in arm.opening():
        day, end = course.dose_days()[-1], course.end()
        if day > DAYS * last:
            when = f"day {day}" if day % DAYS else f"week {day // DAYS}"
            raise ValueError(f"arms.{name}: a dose of {course.treatment} at {when}, after the last visit (week {last})")
        if course.times_a_day and end is not None and end > DAYS * last:
            raise ValueError(f"arms.{name}: {course.treatment} goes on after the last visit (week {last})")
    for number, rule in enumerate(arm.rules):
        where = f"arms.{name}.rules.{number}"
        if rule.at is not None and (rule.at not in visits or rule.at == 0):
            raise ValueError(f"{where}: at: week {rule.at} is not a visit after baseline")
        if rule.after is not None and rule.after >= last:
            raise ValueError(f"{where}: after: there is no visit later than week {rule.after}")


def _two_sides(trial: Trial) -> None:
    """Raises a ValueError unless a split-body trial asks only for what can be done to two sides of one person."""
    if len(trial.arms) != 2:
        raise ValueError(f"design: split_body needs two arms, one for each side; there are {len(trial.arms)}")
    shares = trial.randomisation.allocation
    if len(set(shares.values())) > 1:
        told = ", ".join(f"{name} {share}" for name, share in shares.items())
        raise ValueError(
            f"randomisation.allocation ({told}): with design: split_body every twin has both arms, and which side is "
            "left is randomised evenly; give both the same number"
        )
    for name, arm in trial.arms.items():
        if arm.stages:
            raise ValueError(f"arms.{name}.stages: with design: split_body a side keeps its regimen; give 'regimen'")
    if trial.conduct.rescue is not None:
        raise ValueError("conduct.rescue: with design: split_body there is no rescue of a side; leave it out")
    if trial.conduct.discontinuation.lack_of_efficacy > 0:
        raise ValueError(
            "conduct.discontinuation.lack_of_efficacy: with design: split_body a side that fails does not make its "
            "twin stop; set it to 0"
        )


def _names(names: Any) -> str:
    return ", ".join(sorted(names))
