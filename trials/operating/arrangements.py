"""How else people may be arranged in a trial: in a factorial, beside earlier controls, in periods, after a response,
or given several doses."""

from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from ..regimen import Frozen, Name, Week

if TYPE_CHECKING:
    from ..designs.dosefinding.models import Candidate

BORROWING = {"none": "no borrowing", "pooled": "pooled", "power": "power prior", "map": "robust MAP prior"}
"""How earlier controls may count, and how it is called."""


class Factorial(Frozen):
    """Two treatments, each given or not, in four arms; the effect of either is read at the margins.

    neither, first, second, both: the arms. The outcome and its week are those of the design's analysis.
    test: of the two main effects: `each` at the level, as if in a trial of its own, `holm` or `bonferroni`.
    """

    neither: Name
    first: Name
    second: Name
    both: Name
    test: Literal["each", "holm", "bonferroni"] = "each"

    @model_validator(mode="after")
    def four(self) -> "Factorial":
        if len(set(self.cells)) < 4:
            raise ValueError(f"expected four different arms, got {', '.join(self.cells)}")
        return self

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """The arms in the order neither, first, second, both."""
        return self.neither, self.first, self.second, self.both


class External(Frozen):
    """Controls of earlier trials, beside the concurrent ones or, without `concurrent`, in their place.

    people: of each earlier trial. shifts: of their mean outcome from that of the controls of this trial, each tried
      beside none. between: standard deviation between the earlier trials about the shift.
    borrow: what decides; all ways that there are stand beside it: `none`, `pooled`, `power` (people of earlier trials
      count with `weight`) and `map` (robust meta-analytic-predictive prior).
    spread: scale of the half-normal prior of the standard deviation between trials, of `map`. trust: prior weight of
      the history there. All on the scale of the outcome; of a response, of its share.
    """

    people: Annotated[tuple[Annotated[int, Field(ge=2, le=100_000)], ...], Field(min_length=1, max_length=20)]
    spread: Annotated[float, Field(gt=0)]
    shifts: Annotated[tuple[float, ...], Field(max_length=20)] = ()
    between: Annotated[float, Field(ge=0)] = 0.0
    borrow: Literal["none", "pooled", "power", "map"] = "map"
    weight: Annotated[float, Field(gt=0, le=1)] = 0.5
    trust: Annotated[float, Field(ge=0, le=1)] = 0.5
    concurrent: bool = True

    @field_validator("shifts")
    @classmethod
    def each_once(cls, shifts: tuple[float, ...]) -> tuple[float, ...]:
        if 0.0 in shifts or len(set(shifts)) < len(shifts):
            raise ValueError(f"expected shifts other than 0 (which is tried anyway), each once, got {list(shifts)}")
        return shifts

    @model_validator(mode="after")
    def there_are_controls(self) -> "External":
        if self.borrow == "none" and not self.concurrent:
            raise ValueError("borrow: none leaves no control at all without concurrent ones; borrow, or have some")
        return self

    @property
    def ways(self) -> tuple[str, ...]:
        """How earlier controls count, the way that decides first."""
        others = [way for way in BORROWING if way != self.borrow and (self.concurrent or way != "none")]
        return self.borrow, *others


class Withdrawal(Frozen):
    """Who responds to the treatment that all are given first is randomised to stay on it or not.

    outcome, week: the response, and when it is looked at. Both arms are the same until then. The sizes of the design
    are of people randomised.
    """

    outcome: Name
    week: Annotated[Week, Field(ge=1)]


class Crossover(Frozen):
    """Two sequences of two treatments: the arm has A first, its comparator B.

    first: week at which the first period's outcome is measured; the second period's is at the week of the analysis.
    """

    first: Annotated[Week, Field(ge=1)]


class Guess(Frozen):
    """A candidate curve of a dose-finding trial: its family, and guesses of its shape's parameters in their order."""

    family: Literal["linear", "log_linear", "emax", "sigmoid_emax", "exponential", "quadratic", "logistic", "beta"]
    parameters: tuple[float, ...] = ()

    @model_validator(mode="after")
    def complete(self) -> "Guess":
        self.candidate()
        return self

    def candidate(self) -> "Candidate":
        """As the routines for dose-finding have it."""
        from ..designs.dosefinding.models import Candidate  # deferred: most designs find no dose

        return Candidate(self.family, self.parameters)


class DoseFinding(Frozen):
    """MCP-Mod: is there a dose-response signal, by which curve, and which dose has the effect that matters.

    doses: of each arm, 0 of placebo. candidates: curves, each with a contrast of its own. delta: the effect over
      placebo that the target dose has; below 0 where the outcome should fall. select: of the families with a signal
      that with the least `aic`, or that of the largest `statistic`.
    """

    doses: Annotated[dict[Name, Annotated[float, Field(ge=0)]], Field(min_length=3, max_length=20)]
    candidates: Annotated[tuple[Guess, ...], Field(min_length=1, max_length=10)]
    delta: float
    select: Literal["aic", "statistic"] = "aic"

    @model_validator(mode="after")
    def can_be_told_apart(self) -> "DoseFinding":
        from ..designs.dosefinding.contrasts import optimal_contrasts
        from ..designs.dosefinding.models import SHAPES

        doses = sorted(self.doses.values())
        if doses[0] != 0 or len(set(doses)) < len(doses):
            raise ValueError(f"doses: expected 0 (placebo) and others above it, each once, got {doses}")
        if not np.isfinite(self.delta) or self.delta == 0:
            raise ValueError(f"delta: expected a number above 0 (below it, for outcomes that fall), got {self.delta:g}")
        found = [guess.candidate() for guess in self.candidates]
        labels = [candidate.label for candidate in found]
        if len(set(labels)) < len(labels):
            raise ValueError(f"candidates: expected each once, got {', '.join(labels)}")
        for one in found:
            needs = len(SHAPES[one.family].names) + 2
            if len(doses) < needs:
                raise ValueError(f"candidates: {one.family} has {needs} parameters, more than the {len(doses)} doses")
        optimal_contrasts(doses, tuple(found), np.ones(len(doses)))  # whose errors say which is flat
        return self

    @property
    def rising(self) -> tuple[str, ...]:
        """The arms, by their doses."""
        return tuple(sorted(self.doses, key=lambda arm: self.doses[arm]))
