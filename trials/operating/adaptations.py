"""What a design may do beside looking: share alpha among analyses, drop arms, choose its size at a look. As data."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, field_validator, model_validator

from ..criterion import Criterion
from ..regimen import Frozen, Name

if TYPE_CHECKING:
    from ..designs.multiplicity.graph import Graph

SLACK = 1e-9
Share = Annotated[float, Field(ge=0, le=1)]


SEQUENTIAL = ("graph", "holm", "fixed_sequence")  # tests that are graphs, whose shares can be spent over looks


class Family(Frozen):
    """Analyses that are tested together.

    test: `graph` (Bonferroni's test of the graph's intersections), `simes` (Simes' test of them), `holm`, `hochberg`,
      `fixed_sequence` (in the order given), or `co_primary`: all must be shown.
      At several looks `graph`, `holm` and `fixed_sequence` spend each share of alpha over the looks
      [Maurer and Bretz 2013], and `co_primary` spends alpha.
    weights, transitions: of the graph: each analysis's share of alpha, and where it goes once the analysis is shown.
    success: a trial is one if `any` of its analyses is, or `all`.
    """

    analyses: tuple[Name, ...]
    test: Literal["graph", "simes", "holm", "hochberg", "fixed_sequence", "co_primary"] = "graph"
    weights: tuple[Share, ...] = ()
    transitions: tuple[tuple[Share, ...], ...] = ()
    success: Literal["any", "all"] = "any"

    @field_validator("analyses")
    @classmethod
    def each_once(cls, analyses: tuple[str, ...]) -> tuple[str, ...]:
        return _once(analyses, "its share of alpha would be spent twice")

    @model_validator(mode="after")
    def graph_is_one(self) -> "Family":
        many = len(self.analyses)
        if self.test not in ("graph", "simes"):
            if self.weights or self.transitions:
                raise ValueError(f"weights, transitions: {self.test} has none; they belong to test: graph or simes")
            return self
        if self.weights and len(self.weights) != many:
            raise ValueError(f"weights: expected one for each of {many} analyses, got {len(self.weights)}")
        if self.weights and abs(sum(self.weights) - 1) > SLACK:
            raise ValueError(f"weights: sum to {sum(self.weights):g}; the shares of alpha must sum to 1")
        if self.transitions and not self.weights:
            raise ValueError("transitions: give weights, too")
        self.graph()  # whose errors say what is wrong
        return self

    def graph(self) -> "Graph":
        """The graph; that of the fixed sequence, or without weights that of Holm's test."""
        from ..designs.multiplicity import graph, presets  # deferred: most studies have no family

        many = len(self.analyses)
        if self.test == "fixed_sequence":
            return presets.fixed_sequence(many)
        if not self.weights:
            return presets.holm(many)
        return graph.graph(self.weights, self.transitions or [[0.0] * many] * many, self.analyses)


class Selection(Frozen):
    """Arms dropped at the first look, the people to come going to those that are kept and to the comparator.

    analyses: one for each arm, all against the comparator. keep: the `best` arm, or those `within` a `margin` of its
      statistic. least: statistic of the first stage below which an arm is dropped anyway.
    test: of the intersections; both stages are combined, so that the familywise error holds whatever is dropped.
    """

    analyses: tuple[Name, ...]
    keep: Literal["best", "within"] = "best"
    margin: Annotated[float, Field(gt=0)] | None = None
    least: float | None = None
    test: Literal["dunnett", "simes", "bonferroni"] = "dunnett"

    @field_validator("analyses")
    @classmethod
    def each_once(cls, analyses: tuple[str, ...]) -> tuple[str, ...]:
        return _once(analyses, "an arm can be kept or dropped once")

    @model_validator(mode="after")
    def margin_belongs(self) -> "Selection":
        if (self.keep == "within") != (self.margin is not None):
            raise ValueError("margin: expected a number with keep: within, and with no other")
        return self


class Enrichment(Frozen):
    """Who goes on at the first look: everybody, or the people of a subgroup alone, or nobody.

    subgroup: by attribute, who belongs to it. everybody_from: statistic of everybody from which all go on.
    subgroup_from: statistic of the subgroup from which it goes on alone, if not all do.
    test: of the intersection (`nested` knows how the two statistics correlate); both stages are combined, so that the
      familywise error holds whoever goes on.
    """

    subgroup: Annotated[dict[Name, Criterion], Field(min_length=1)]
    everybody_from: float
    subgroup_from: float = 0.0
    test: Literal["nested", "simes", "bonferroni"] = "nested"


class Adaptation(Frozen):
    """Shares of the people to come that follow the responders so far.

    analyses: one for each arm, all against the comparator, of a response. updates: fractions of the people after which
      the shares are set again; before the first they are those of the study.
    rule: `neyman`, `fewest_failures` or `thompson`, see `designs.adaptive.response`. power: of thompson.
    least: no arm gets less. test: of several analyses, at the end: `each` at the level, `holm` or `bonferroni`.
    """

    analyses: Annotated[tuple[Name, ...], Field(min_length=1, max_length=6)]
    updates: Annotated[tuple[Annotated[float, Field(gt=0, lt=1)], ...], Field(min_length=1, max_length=50)]
    rule: Literal["neyman", "fewest_failures", "thompson"] = "thompson"
    power: Annotated[float, Field(ge=0, le=1)] = 0.5
    least: Share = 0.1
    test: Literal["each", "holm", "bonferroni"] = "holm"

    @field_validator("updates")
    @classmethod
    def rise(cls, updates: tuple[float, ...]) -> tuple[float, ...]:
        if list(updates) != sorted(set(updates)):
            raise ValueError(f"expected fractions that rise, such as [0.25, 0.5, 0.75], got {list(updates)}")
        return updates

    @field_validator("analyses")
    @classmethod
    def each_once(cls, analyses: tuple[str, ...]) -> tuple[str, ...]:
        return analyses if len(analyses) == 1 else _once(analyses, "an arm has one share")


class Platform(Frozen):
    """Arms that open and close over time, with a control that all share.

    analyses: one for each arm, all against the control. enter, leave: fractions of the people at which the arms open
      and close; all close at 1 if nothing is said. Each is compared with its concurrent controls.
    test: `each` arm at the level, as if in a trial of its own, `holm` or `bonferroni`.
    """

    analyses: tuple[Name, ...]
    enter: tuple[Annotated[float, Field(ge=0, lt=1)], ...]
    leave: tuple[Annotated[float, Field(gt=0, le=1)], ...] = ()
    test: Literal["each", "holm", "bonferroni"] = "each"

    @field_validator("analyses")
    @classmethod
    def each_once(cls, analyses: tuple[str, ...]) -> tuple[str, ...]:
        return _once(analyses, "an arm opens once")

    @model_validator(mode="after")
    def opens_before_it_closes(self) -> "Platform":
        many = len(self.analyses)
        for word, times in (("enter", self.enter), ("leave", self.leaves)):
            if len(times) != many:
                raise ValueError(f"{word}: expected one for each of {many} analyses, got {len(times)}")
        for name, enter, leave in zip(self.analyses, self.enter, self.leaves, strict=True):
            if enter >= leave:
                raise ValueError(f"enter, leave: the arm of {name} opens at {enter:g} and closes at {leave:g}")
        if min(self.enter) > 0:
            raise ValueError(f"enter: expected an arm that is open from 0, the first opens at {min(self.enter):g}")
        return self

    @property
    def leaves(self) -> tuple[float, ...]:
        """When each arm closes."""
        return self.leave or (1.0,) * len(self.analyses)


class Reestimation(Frozen):
    """The second stage's size, chosen at the first look by the promising zone [Mehta and Pocock 2011].

    most: times the second stage as planned that it may reach. low, target: conditional powers between which it grows.
    """

    most: Annotated[float, Field(gt=1, le=10)]
    low: Annotated[float, Field(gt=0, lt=1)] = 0.3
    target: Annotated[float, Field(gt=0, lt=1)] = 0.9

    @model_validator(mode="after")
    def rises(self) -> "Reestimation":
        if self.low >= self.target:
            raise ValueError(f"low, target: expected rising conditional powers, got {self.low:g} and {self.target:g}")
        return self


def _once(analyses: tuple[str, ...], why: str) -> tuple[str, ...]:
    if len(analyses) < 2:
        raise ValueError(f"expected two analyses or more, got {list(analyses)}")
    for name in analyses:
        if analyses.count(name) > 1:
            raise ValueError(f"{name} is listed twice: {why}")
    if len(analyses) > 6:
        raise ValueError(f"expected 6 analyses at most, got {len(analyses)}")
    return analyses
