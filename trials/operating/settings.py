"""What `cutis design` is asked for, as data, and what makes it impossible."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, field_validator, model_validator

from ..regimen import Frozen, Name
from .adaptations import SEQUENTIAL, Adaptation, Enrichment, Family, Platform, Reestimation, Selection
from .arrangements import Crossover, DoseFinding, External, Factorial, Withdrawal

if TYPE_CHECKING:
    from ..study import Analysis, Study

Size = Annotated[int, Field(ge=2, le=1_000_000)]
Fraction = Annotated[float, Field(gt=0, le=1)]
Spends = Literal["obrien_fleming", "pocock", "hwang_shih_decani", "kim_demets"]
PARAMETRIC = ("hwang_shih_decani", "kim_demets")


ARRANGED = ("factorial", "external", "withdraw", "crossover", "dose_finding")
WAYS = ("family", "select", "reestimate", "enrich", "adapt", "platform", *ARRANGED)  # of which a design has one
IN_SUBGROUP = "{} in the subgroup"  # what the analysis of a subgroup is called


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
    enrich: a subgroup chosen at a look. adapt: shares that follow the responders. platform: arms that open over time.
    factorial: two treatments in four arms. external: controls of earlier trials. withdraw: responders are randomised to
      go on or not. crossover: two sequences of two treatments. dose_finding: MCP-Mod.
    draws: of the model's parameters, for the assurance; each needs a pool of its own.
    imputations: of each replicate, in place of those of a study's analyses; 0 for conditional means with the jackknife.
    recheck: share of replicates analysed again by the routines of `cutis run`.
    replay: number of a replicate (from 0) whose data set and analyses are written out.
    """

    analysis: Name | None = None
    also: tuple[Name, ...] = ()
    sizes: tuple[Size, ...] = ()
    replicates: Annotated[int, Field(ge=100, le=10_000_000)] = 10_000
    pool: Annotated[int, Field(ge=100, le=10_000_000)] = 20_000
    looks: Annotated[tuple[Fraction, ...], Field(min_length=1, max_length=20)] = (1.0,)
    spending: Literal[Spends, "table"] = "obrien_fleming"
    spending_parameter: float | None = None
    spending_table: tuple[tuple[float, float], ...] = ()
    futility: Spends | None = None
    futility_parameter: float | None = None
    binding: bool = False
    power: Annotated[float, Field(gt=0.5, lt=1)] | None = None
    family: Family | None = None
    select: Selection | None = None
    reestimate: Reestimation | None = None
    enrich: Enrichment | None = None
    adapt: Adaptation | None = None
    platform: Platform | None = None
    factorial: Factorial | None = None
    external: External | None = None
    withdraw: Withdrawal | None = None
    crossover: Crossover | None = None
    dose_finding: DoseFinding | None = None
    draws: Annotated[int, Field(ge=0, le=1000)] = 0
    imputations: Annotated[int, Field(ge=0, le=10_000)] = 20
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
        ways = [word for word in WAYS if getattr(self, word) is not None]
        if len(ways) > 1:
            raise ValueError(f"{ways[0]} and {ways[1]}: a design has one of the two; leave one out")
        if (self.select or self.reestimate or self.enrich) and len(self.looks) != 2:
            raise ValueError(f"{ways[0]} takes place at the first of two looks: give looks such as [0.5, 1]")
        if self.select and self.futility:
            raise ValueError("futility of arms is said by select.least; leave futility out")
        once = self.adapt or self.platform or self.factorial or self.external or self.dose_finding
        if once and len(self.looks) > 1:
            raise ValueError(f"{ways[0]} is tested at one look, got looks {list(self.looks)}; take looks [1]")
        if self.enrich and self.futility:
            raise ValueError("who goes on is said by enrich.subgroup_from; leave futility out")
        if self.family and len(self.looks) > 1 and self.family.test not in ("co_primary", *SEQUENTIAL):
            raise ValueError(
                f"family.test {self.family.test} shares alpha among analyses at one look; with several looks "
                f"alpha would be spent twice: take looks [1], or one of {', '.join(SEQUENTIAL)}, co_primary"
            )
        if self.family and self.futility and self.family.test != "co_primary":
            raise ValueError(
                f"futility: not of a family tested by {self.family.test}; take co_primary, or leave it out"
            )

    @property
    def staged(self) -> bool:
        """Whether what the second stage is depends on the first: its people are then drawn apart."""
        return self.select is not None or self.reestimate is not None or self.enrich is not None

    @property
    def arranged(self) -> bool:
        """Whether people are arranged otherwise than in arms side by side that begin together."""
        return self.way in ARRANGED

    @property
    def hypotheses(self) -> tuple[str, ...]:
        """Names of the analyses that are tested together; none if one decides alone."""
        of = self.family or self.select or self.adapt or self.platform
        return () if of is None else of.analyses

    @property
    def way(self) -> str:
        """Which of `WAYS` the design has; empty if none."""
        return next((word for word in WAYS if getattr(self, word) is not None), "")


def together(design: Design, names: Sequence[str]) -> tuple[str, ...]:
    """Of the analyses that replicates are given, those that are tested together; none if one decides alone."""
    return tuple(names[:2]) if design.enrich or design.factorial else design.hypotheses


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
    first = decisive(study, design)
    if design.arranged and design.withdraw is None:
        return _of_arrangement(first, study.trial.analyses[first], design)
    names = dict.fromkeys((*design.hypotheses, first, *design.also))
    found = {name: _imputed(study.trial.analyses[name], design) for name in names}
    return {first: found[first], IN_SUBGROUP.format(first): found[first]} | found if design.enrich else found


def _of_arrangement(name: str, analysis: "Analysis", design: Design) -> dict[str, "Analysis"]:
    """The analyses of an arrangement that has its own, of the outcome of this one."""
    from . import crossing, dosefinding, external, factorial  # deferred: they need the study

    if design.factorial is not None:
        return factorial.chosen(design.factorial, analysis)
    if design.dose_finding is not None:
        return dosefinding.chosen(design.dose_finding, name, analysis)
    return external.chosen(design.external, name, analysis) if design.external else crossing.chosen(name, analysis)


def _imputed(analysis: "Analysis", design: Design) -> "Analysis":
    """The analysis with as many imputations as replicates make, if it imputes."""
    from ..statistics.completed import APPROACHES

    if analysis.missing not in APPROACHES:
        return analysis
    return analysis.model_copy(update={"options": analysis.options.model_copy(update={
        "imputations": design.imputations, "tipping": None,
    })})  # fmt: skip


def sizes(study: "Study", design: Design) -> tuple[int, ...]:
    """Sizes that are tried, rising."""
    return design.sizes or (study.population.size,)


def cuts(size: int, design: Design) -> tuple[int, ...]:
    """People randomised up to each look."""
    return tuple(round(size * look) for look in design.looks)


def problems(study: "Study", design: Design) -> list[str]:
    """Everything that makes the design impossible for a sound study, one sentence each."""
    trial = study.trial
    if not trial.analyses:
        return ["design.analysis: the trial has no analysis to decide by; give trial.analyses"]
    return [*_analyses(study, design), *_sizes(study, design), *_rest(study, design)]


def _analyses(study: "Study", design: Design) -> Iterator[str]:
    from ...population.messages import nearest
    from ..statistics.completed import APPROACHES
    from ..statistics.offered import METHODS

    analyses = study.trial.analyses
    together = f"{design.way}.analyses"
    asked = [("analysis", decisive(study, design)), *(("also", name) for name in design.also)]
    asked += [(together, name) for name in design.hypotheses]
    if design.hypotheses and decisive(study, design) not in design.hypotheses:
        yield f"design.analysis: {decisive(study, design)} is not among {together}; leave it out"
    for where, name in dict.fromkeys(asked):
        analysis = analyses.get(name)
        if analysis is None:
            yield f"design.{where}: the trial has no analysis {name!r}; {nearest(name, analyses)}"
            continue
        if METHODS[analysis.method].reads == "visits":
            yield from _repeated(f"design.{where}: {name}", analysis, study.trial.visits)
        if analysis.missing in APPROACHES:
            yield from _imputing(f"design.{where}: {name}", analysis, study.trial.visits, design.imputations)

    yield from _together(study, design)
    from . import adapting, arranged, enriching, platforms, sided  # deferred: they need the analyses

    if study.trial.split:
        yield from sided.problems(study, design)
        return
    yield from arranged.problems(study, design)
    if design.enrich is not None:
        yield from enriching.problems(study, design.enrich)
    if design.adapt is not None:
        yield from adapting.problems(study, design.adapt, sizes(study, design))
    if design.platform is not None:
        yield from platforms.problems(study, design.platform, sizes(study, design))


def _together(study: "Study", design: Design) -> Iterator[str]:
    """What keeps analyses from being tested together."""
    found = [study.trial.analyses[name] for name in design.hypotheses if name in study.trial.analyses]
    if len({analysis.alpha for analysis in found}) > 1:
        told = ", ".join(f"{analysis.alpha:g}" for analysis in found)
        yield f"design.{design.way}: its analyses have different levels ({told}); alpha is shared, so give them one"
    if not (design.select or design.adapt or design.platform):
        return
    where = f"design.{design.way}.analyses"
    if len({analysis.comparator for analysis in found}) > 1 or len({analysis.arm for analysis in found}) < len(found):
        yield f"{where}: expected one analysis an arm, all against one comparator"
    if len({(analysis.outcome, analysis.week, analysis.method) for analysis in found}) > 1:
        yield f"{where}: arms are compared by one outcome, week and method; these differ"
    outside = set(study.trial.arms) - {analysis.arm for analysis in found} - {a.comparator for a in found}
    if outside:
        yield f"{where}: no analysis of the arm {sorted(outside)[0]}; expected one for each arm"


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


def _imputing(where: str, analysis: "Analysis", visits: tuple[int, ...], imputations: int) -> Iterator[str]:
    """What keeps replicates from imputing."""
    from ..statistics.mmrm.replicates import MOST_VISITS

    many = sum(0 < week <= analysis.week for week in visits)
    if many > MOST_VISITS:
        yield (
            f"{where} imputes by all {many} visits up to its week; replicates can use {MOST_VISITS}: "
            "plan fewer visits (trial.visits), or choose an analysis of an earlier week"
        )
    if imputations == 1:
        yield "design.imputations: one tells nothing of its own error; expected 2 or more, or 0 for conditional means"
    if imputations == 0 and analysis.method != "ancova":
        yield (
            f"design.imputations: 0 (conditional means) serves ancova, but {where.split(': ')[-1]} is by "
            f"{analysis.method}; expected 2 or more"
        )


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
    disease = DISEASES[study.trial.disease]
    if design.draws and disease.draw is None:
        yield f"design.draws: the uncertainty of the parameters of {disease.name} is not known; leave it out"
    if design.draws and study.model.draw is not None:
        yield f"design.draws: model.draw {study.model.draw} fixes the parameters; give one of the two"
