"""What `cutis design` is asked for, as data, and what makes it impossible."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, field_validator, model_validator

from ..regimen import Frozen, Name
from .adaptations import Family, Reestimation, Selection

if TYPE_CHECKING:
    from ..study import Analysis, Study

Size = Annotated[int, Field(ge=2, le=1_000_000)]
Fraction = Annotated[float, Field(gt=0, le=1)]
Spends = Literal["obrien_fleming", "pocock", "hwang_shih_decani", "kim_demets"]
PARAMETRIC = ("hwang_shih_decani", "kim_demets")


class Design(Frozen):
    """Which trials are tried out, and how often.

    analysis: the one whose test decides; the first primary one if not given. also: others, whose figures are shown.
    sizes: people randomised, all arms together, as in `population.size`, which is the default.
    replicates: trials simulated of each size, under the model and under each null hypothesis.
    pool: twins that are put through every arm, and from whom the replicates draw their people.
    looks: fractions of the people who have completed the analysis's visit at each look; the last is 1.
    spending: of alpha over the looks. futility: of beta, over the same looks; then the test is one-sided at alpha / 2.
    binding: trials always stop for futility, and the bounds of success reckon with it.
    spending_table: of `table`, pairs of a fraction and the level used up by then, both rising; it ends at [1, alpha].
    power: wanted; the size that reaches it is searched for, and the bounds of futility are made for it.
    family: several analyses that share alpha. select: arms dropped at a look. reestimate: a size chosen at a look.
    draws: of the model's parameters, for the assurance; each needs a pool of its own.
    recheck: share of replicates analysed again by the routines of `cutis run`.
    replay: number of a replicate (from 0) whose data set and analyses are written out.
    """

    analysis: Name | None = None
    also: tuple[Name, ...] = ()
    sizes: tuple[Size, ...] = ()
    replicates: Annotated[int, Field(ge=100, le=10_000_000)] = 10_000
    pool: Annotated[int, Field(ge=100, le=10_000_000)] = 20_000
    looks: Annotated[tuple[Fraction, ...], Field(min_length=1, max_length=20)] = (1.0,)
    spending: Spends | Literal["table"] = "obrien_fleming"
    spending_parameter: float | None = None
    spending_table: tuple[tuple[float, float], ...] = ()
    futility: Spends | None = None
    futility_parameter: float | None = None
    binding: bool = False
    power: Annotated[float, Field(gt=0.5, lt=1)] | None = None
    family: Family | None = None
    select: Selection | None = None
    reestimate: Reestimation | None = None
    draws: Annotated[int, Field(ge=0, le=1000)] = 0
    recheck: Annotated[float, Field(ge=0, le=1)] = 0.005
    replay: Annotated[int, Field(ge=0)] | None = None

    @field_validator("looks")
    @classmethod
    def rise_to_one(cls, looks: tuple[float, ...]) -> tuple[float, ...]:
        if list(looks) != sorted(set(looks)) or looks[-1] != 1:
            raise ValueError(f"expected fractions that rise to 1, such as [0.5, 1], got {list(looks)}")
        return looks

    @field_validator("sizes")
    @classmethod
    def once(cls, sizes: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(sizes)) < len(sizes):
            raise ValueError(f"a size is listed twice: {list(sizes)}")
        return tuple(sorted(sizes))

    @model_validator(mode="after")
    def parts_agree(self) -> "Design":
        for word, family, parameter in (
            ("spending", self.spending, self.spending_parameter),
            ("futility", self.futility, self.futility_parameter),
        ):
            if family in PARAMETRIC and parameter is None:
                raise ValueError(f"{word}_parameter: {family} needs one")
            if family not in PARAMETRIC and parameter is not None:
                raise ValueError(f"{word}_parameter: {family or 'no spending'} has none, got {parameter:g}")
        self._adapts()
        if (self.spending == "table") != bool(self.spending_table):
            raise ValueError("spending_table: expected pairs with spending: table, and with no other")
        if self.spending_table:
            from ..designs.sequential.spending import Spending  # deferred: most studies have no table

            Spending("table", None, self.spending_table)  # whose errors say what is wrong
        if self.futility is not None and self.power is None:
            raise ValueError("futility spends the chance to miss the power that is wanted: give power, such as 0.9")
        if self.futility is not None and len(self.looks) == 1:
            raise ValueError("futility needs a look before the last, such as looks: [0.5, 1]")
        if self.binding and self.futility is None:
            raise ValueError("binding says how futility binds: give futility, or leave it out")
        return self

    def _adapts(self) -> None:
        """Refuse what cannot go together."""
        ways = [word for word in ("family", "select", "reestimate") if getattr(self, word) is not None]
        if len(ways) > 1:
            raise ValueError(f"{ways[0]} and {ways[1]}: a design has one of the two; leave one out")
        if (self.select or self.reestimate) and len(self.looks) != 2:
            raise ValueError(f"{ways[0]} takes place at the first of two looks: give looks such as [0.5, 1]")
        if self.select and self.futility:
            raise ValueError("futility of arms is said by select.least; leave futility out")
        if self.family and self.family.test != "co_primary" and len(self.looks) > 1:
            raise ValueError(
                f"family.test {self.family.test} shares alpha among analyses at one look; "
                "with several looks alpha would be spent twice: take looks [1] or co_primary"
            )

    @property
    def hypotheses(self) -> tuple[str, ...]:
        """Names of the analyses that are tested together; none if one decides alone."""
        return self.family.analyses if self.family else self.select.analyses if self.select else ()


def decisive(study: "Study", design: Design) -> str:
    """Name of the analysis that decides; empty if the study has none."""
    if design.analysis is not None:
        return design.analysis
    if design.hypotheses:
        return design.hypotheses[0]
    analyses = study.trial.analyses
    primary = [name for name, analysis in analyses.items() if analysis.role == "primary"]
    return next(iter([*primary, *analyses]), "")


def chosen(study: "Study", design: Design) -> dict[str, "Analysis"]:
    """The analyses that every replicate is given: those tested together in their order, else the decisive one first."""
    names = dict.fromkeys((*design.hypotheses, decisive(study, design), *design.also))
    return {name: study.trial.analyses[name] for name in names}


def sizes(study: "Study", design: Design) -> tuple[int, ...]:
    """Sizes that are tried, rising."""
    return design.sizes or (study.population.size,)


def cuts(size: int, design: Design) -> tuple[int, ...]:
    """People randomised up to each look."""
    return tuple(round(size * look) for look in design.looks)


def problems(study: "Study", design: Design) -> list[str]:
    """Everything that makes the design impossible for a sound study, one sentence each."""
    trial = study.trial
    if trial.split:
        return ["trial.design: the replicates of a split_body trial are not built; choose a parallel trial"]
    if not trial.analyses:
        return ["design.analysis: the trial has no analysis to decide by; give trial.analyses"]
    return [*_analyses(study, design), *_sizes(study, design), *_rest(study, design)]


def _analyses(study: "Study", design: Design) -> Iterator[str]:
    from ...population.messages import nearest
    from ..statistics.offered import METHODS
    from .kernels import KERNELS

    analyses = study.trial.analyses
    together = "family.analyses" if design.family else "select.analyses"
    asked = [("analysis", decisive(study, design)), *(("also", name) for name in design.also)]
    asked += [(together, name) for name in design.hypotheses]
    if design.hypotheses and decisive(study, design) not in design.hypotheses:
        yield f"design.analysis: {decisive(study, design)} is not among {together}; leave it out"
    for where, name in dict.fromkeys(asked):
        analysis = analyses.get(name)
        if analysis is None:
            yield f"design.{where}: the trial has no analysis {name!r}; {nearest(name, analyses)}"
            continue
        if analysis.method not in KERNELS:
            known = ", ".join(sorted(KERNELS))
            yield f"design.{where}: {name} is by {analysis.method}, which replicates cannot use; methods are {known}"
        elif METHODS[analysis.method].reads == "visits":
            yield from _repeated(f"design.{where}: {name}", analysis, study.trial.visits)
        if analysis.missing not in (None, "none", "non_response"):
            yield f"design.{where}: {name} imputes ({analysis.missing}), which replicates cannot; choose another"

    yield from _together(study, design)


def _together(study: "Study", design: Design) -> Iterator[str]:
    """What keeps analyses from being tested together."""
    found = [study.trial.analyses[name] for name in design.hypotheses if name in study.trial.analyses]
    if len({analysis.alpha for analysis in found}) > 1:
        told = ", ".join(f"{analysis.alpha:g}" for analysis in found)
        yield f"design.family: its analyses have different levels ({told}); alpha is shared, so give them one"
    if design.select is None:
        return
    if len({analysis.comparator for analysis in found}) > 1 or len({analysis.arm for analysis in found}) < len(found):
        yield "design.select.analyses: expected one analysis an arm, all against one comparator"
    if len({(analysis.outcome, analysis.week, analysis.method) for analysis in found}) > 1:
        yield "design.select.analyses: arms are compared by one outcome, week and method; these differ"
    outside = set(study.trial.arms) - {analysis.arm for analysis in found} - {a.comparator for a in found}
    if outside:
        yield f"design.select.analyses: no analysis of the arm {sorted(outside)[0]}; expected one for each arm"


def _repeated(where: str, analysis: "Analysis", visits: tuple[int, ...]) -> Iterator[str]:
    """What keeps replicates from a model for repeated measures."""
    from ..statistics.mmrm.replicates import MOST_VISITS
    from .pool import weeks
    from .repeated import FREEDOM

    many = len(weeks(analysis, visits))
    if many > MOST_VISITS:
        yield f"{where} reads {many} visits; replicates can use {MOST_VISITS}: give analyses' options.visits"
    if analysis.options.degrees_of_freedom not in (None, *FREEDOM):
        yield f"{where}: degrees_of_freedom of replicates are {' or '.join(FREEDOM)}"


def _sizes(study: "Study", design: Design) -> Iterator[str]:
    block = study.trial.randomisation.block_size
    for size in sizes(study, design):
        first = cuts(size, design)[0]
        if first < block:
            when = "" if len(design.looks) == 1 else f" at the first look ({design.looks[0]:g} of {size})"
            yield (
                f"design.sizes: {first} people{when} do not fill one block of the randomisation; "
                f"expected at least {block}{' there' if when else ''}"
            )
        elif len(set(cuts(size, design))) < len(design.looks):
            yield f"design.looks: of {size} people two looks have as many, {list(cuts(size, design))}; take fewer looks"


def _rest(study: "Study", design: Design) -> Iterator[str]:
    from ...core.diseases import DISEASES

    if design.replay is not None and design.replay >= design.replicates:
        yield f"design.replay: expected a replicate from 0 to {design.replicates - 1}, got {design.replay}"
    if design.replay is not None and (design.select or design.reestimate):
        yield "design.replay: a trial whose second stage depends on the first cannot be written out; leave it out"
    disease = DISEASES[study.trial.disease]
    if design.draws and disease.draw is None:
        yield f"design.draws: the uncertainty of the parameters of {disease.name} is not known; leave it out"
    if design.draws and study.model.draw is not None:
        yield f"design.draws: model.draw {study.model.draw} fixes the parameters; give one of the two"
