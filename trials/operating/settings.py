"""What `cutis design` is asked for, as data, and what makes it impossible."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, field_validator, model_validator

from ..regimen import Frozen, Name

if TYPE_CHECKING:
    from ..study import Analysis, Study

Size = Annotated[int, Field(ge=2, le=1_000_000)]
Fraction = Annotated[float, Field(gt=0, le=1)]
Family = Literal["obrien_fleming", "pocock", "hwang_shih_decani", "kim_demets"]
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
    power: wanted; the size that reaches it is searched for, and the bounds of futility are made for it.
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
    spending: Family = "obrien_fleming"
    spending_parameter: float | None = None
    futility: Family | None = None
    futility_parameter: float | None = None
    binding: bool = False
    power: Annotated[float, Field(gt=0.5, lt=1)] | None = None
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
        if self.futility is not None and self.power is None:
            raise ValueError("futility spends the chance to miss the power that is wanted: give power, such as 0.9")
        if self.futility is not None and len(self.looks) == 1:
            raise ValueError("futility needs a look before the last, such as looks: [0.5, 1]")
        if self.binding and self.futility is None:
            raise ValueError("binding says how futility binds: give futility, or leave it out")
        return self


def decisive(study: "Study", design: Design) -> str:
    """Name of the analysis that decides; empty if the study has none."""
    if design.analysis is not None:
        return design.analysis
    analyses = study.trial.analyses
    primary = [name for name, analysis in analyses.items() if analysis.role == "primary"]
    return next(iter([*primary, *analyses]), "")


def chosen(study: "Study", design: Design) -> dict[str, "Analysis"]:
    """The analyses that every replicate is given, the decisive one first."""
    names = dict.fromkeys((decisive(study, design), *design.also))
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
    from .kernels import KERNELS

    analyses = study.trial.analyses
    for where, name in (("analysis", decisive(study, design)), *(("also", name) for name in design.also)):
        analysis = analyses.get(name)
        if analysis is None:
            yield f"design.{where}: the trial has no analysis {name!r}; {nearest(name, analyses)}"
            continue
        if analysis.method not in KERNELS:
            known = ", ".join(sorted(KERNELS))
            yield f"design.{where}: {name} is by {analysis.method}, which replicates cannot use; methods are {known}"
        if analysis.missing not in (None, "none", "non_response"):
            yield f"design.{where}: {name} imputes ({analysis.missing}), which replicates cannot; choose another"


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
