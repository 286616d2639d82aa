"""The posterior mode of the parameters and of the effects of trials, and the spread around it.

Fisher scoring: with slopes of all predicted numbers, each step solves a penalised least-squares problem; it converges
in about ten steps, or in more with the slopes of a place near by. What is spread over something (effects over trials,
potencies over drugs) has its spread estimated in between (empirical Bayes).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, Self

import numpy as np

from .terms import Term

LIMIT = 1e4  # of the damping, beyond which no better step is looked for
GAIN = 0.05  # of the log posterior, below which a step is the last
SETTLED = 0.02  # relative change of a spread, below which it may be the last
SMALL = 0.005  # change of a spread, below which likewise
NARROWEST = 0.02  # of spreads; one that came to nothing would never leave it
ALONE = 3  # steps before spreads are estimated


class Table(Protocol):
    """Predicted numbers, a function of the vector and of effects (all groups in one array, one group after the other).

    What `slopes` returns is a named tuple with the numbers as `value`; the rest is the table's affair, but for `full`.
    """

    def values(self, vector: np.ndarray, effects: np.ndarray) -> np.ndarray:
        """Predicted numbers, (entries,)."""
        ...

    def slopes(self, vector: np.ndarray, effects: np.ndarray, exact: bool = False) -> Any:
        """Predicted numbers with their slopes; `exact`: as they are to stand behind the covariance."""
        ...

    def full(self, slopes: Any) -> np.ndarray:
        """Slopes in every place of the vector and then in every effect, (places + effects, entries)."""
        ...


class Belief(Protocol):
    """What is believed of the vector before."""

    def all(self) -> tuple[np.ndarray, np.ndarray]:
        """Middle and SD of every place."""
        ...

    def adapted(self, vector: np.ndarray, covariance: np.ndarray) -> Self:
        """With whatever distribution is estimated after another step; itself, if none is."""
        ...


class Group(NamedTuple):
    """Effects of one kind, one a trial for instance: normal around 0 with the standard deviation `spread`.

    usual: whether an effect has that spread, (size,); all have, if not given. The others have their own one, `apart`.
    """

    name: str
    size: int
    spread: float = 0.2
    usual: np.ndarray | None = None
    apart: float = 0.2

    @property
    def spreads(self) -> np.ndarray:
        """The standard deviation of each effect, (size,)."""
        return np.full(self.size, self.spread) if self.usual is None else np.where(self.usual, self.spread, self.apart)

    def adapted(self, squares: np.ndarray, known: np.ndarray) -> "Group":
        """With the spreads that these expected squares of effects tell; known: of which effects there is a figure."""
        usual = np.full(self.size, True) if self.usual is None else self.usual
        return self._replace(
            spread=_spread(squares[known & usual], self.spread), apart=_spread(squares[known & ~usual], self.apart)
        )


@dataclass(frozen=True)
class Fit:
    """A calibration: the vector at the mode, effects, and the covariance of both together.

    groups: of effects, with their spreads. variation: of each term, that its figures show around the fit. slopes: of
    the table at the mode.
    """

    vector: np.ndarray
    effects: np.ndarray
    covariance: np.ndarray
    groups: tuple[Group, ...]
    variation: Mapping[str, float]
    believed: Any
    objective: float
    steps: int
    slopes: Any

    @property
    def spreads(self) -> dict[str, float]:
        """SD of the effects of each group."""
        return {group.name: group.spread for group in self.groups}


@dataclass(frozen=True)
class Posterior:
    """The log posterior of a table's vector and effects, up to a constant."""

    table: Table
    terms: Mapping[str, Term]
    believed: Any
    groups: tuple[Group, ...]

    def height(self, value: np.ndarray, vector: np.ndarray, effects: np.ndarray) -> float:
        """Log posterior where the predicted numbers are `value`."""
        middle, sd = self.believed.all()
        fitted = 0.0
        for term in self.terms.values():
            fitted += term.log(value)
        before = 0.5 * (((vector - middle) / sd) ** 2).sum() + 0.5 * ((effects / self.spread) ** 2).sum()
        return float(fitted - before)

    def told(self, slopes: Any) -> tuple[np.ndarray, np.ndarray]:
        """Gradient and expected information of the terms alone, over the vector and the effects."""
        full = self.table.full(slopes)
        gradient, information = np.zeros(len(full)), np.zeros((len(full), len(full)))
        for term in self.terms.values():
            ahead, told = term.climb(slopes.value, full)
            gradient, information = gradient + ahead, information + told
        return gradient, information

    def step(self, slopes: Any, vector: np.ndarray, effects: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Gradient of the log posterior and expected information."""
        gradient, information = self.told(slopes)
        middle, sd = self.believed.all()
        before = np.r_[1 / sd**2, 1 / self.spread**2]
        return gradient - before * np.r_[vector - middle, effects], information + np.diag(before)

    @property
    def spread(self) -> np.ndarray:
        """SD of each effect."""
        return np.array([spread for group in self.groups for spread in group.spreads])


def climb(
    table: Table,
    terms: Mapping[str, Term],
    prior: Belief,
    groups: Sequence[Group],
    start: np.ndarray,
    effects: np.ndarray | None = None,
    most: int = 25,
    adapt: bool = True,
    exact: bool = False,
    reuse: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> Fit:
    """Climb to the posterior mode from `start`.

    Args:
      terms: by name. groups: with the spreads to start from.
      effects: to start from; those that no figure tells of are 0 whatever they were.
      most: steps at most. adapt: whether spreads and what else `prior` adapts are estimated.
      exact: whether the slopes behind the covariance are the exact ones of the table.
      reuse: whether slopes serve as long as steps gain by them, and are worked out again only then: more steps, each
        of which costs next to nothing. Those at the end are of a place less than GAIN below. For a start near the mode.
    Raises:
      ValueError: `effects` are not as many as the groups have.
    """
    at = Posterior(table, terms, prior, tuple(groups))
    vector, size = start.copy(), len(start)
    effects = np.zeros(len(at.spread)) if effects is None else effects
    if len(effects) != len(at.spread):
        raise ValueError(f"effects: expected {len(at.spread)}, as the groups have, got {len(effects)}")
    slopes = table.slopes(vector, effects)
    known = np.diag(at.told(slopes)[1])[size:] > 0
    effects = np.where(known, effects, 0.0)
    damping, number, since = 1e-2, 0, 0.0  # since: what was gained since slopes were worked out
    while True:
        best = at.height(slopes.value, vector, effects)
        ahead, precision = at.step(slopes, vector, effects)
        gained = 0.0
        while damping < LIMIT:
            move = np.linalg.solve(precision + damping * np.diag(np.diag(precision)), ahead)
            tried = (vector + move[:size], effects + move[size:])
            value = table.values(*tried)
            gained = at.height(value, *tried) - best
            if gained > 0:
                vector, effects = tried
                slopes, since = slopes._replace(value=value), since + gained
                damping = max(damping / 10, 1e-6)
                break
            damping *= 10
        number += 1
        spreads = ", ".join(f"{group.name} {group.spread:.3f}" for group in at.groups)
        say(f"step {number}: log posterior {best + gained:.2f} (+{gained:.3f}), spread of effects: {spreads}")
        done = gained < GAIN
        if since and not reuse:
            slopes, since = table.slopes(vector, effects), 0.0
        if adapt and number >= ALONE:
            covariance = np.linalg.inv(at.step(slopes, vector, effects)[1])
            after = _adapted(at, vector, effects, covariance, known)
            done = done and np.all(np.abs(after.spread - at.spread) < np.maximum(SETTLED * at.spread, SMALL))
            at = after
            damping = min(damping, 1e-2)
        if (done and since < GAIN) or number >= most:
            break
        if done:
            slopes, since, damping = table.slopes(vector, effects), 0.0, 1e-2
    if exact or since >= GAIN:
        slopes = table.slopes(vector, effects, exact=exact)
    variation = _variation(terms, slopes.value, size)
    covariance = _covariance(at, slopes, vector, effects, variation)
    best = at.height(slopes.value, vector, effects)
    return Fit(vector, effects, covariance, at.groups, variation, at.believed, best, number, slopes)


def parts(groups: Sequence[Group], of: np.ndarray) -> dict[str, np.ndarray]:
    """What stands one group after the other, by group."""
    found, first = {}, 0
    for group in groups:
        found[group.name] = of[first : first + group.size]
        first += group.size
    return found


def scattered(slope: np.ndarray, place: np.ndarray, size: int) -> np.ndarray:
    """Slopes (size, entries) where an entry depends on one of `size` places alone.

    Args:
      slope: of each entry in its place, (entries,): one directional derivative along all places at once tells them.
      place: (entries,), -1 for none.
    """
    everything = np.zeros((size, len(slope)))
    own = place >= 0
    everything[place[own], np.flatnonzero(own)] = slope[own]
    return everything


def _adapted(
    at: Posterior, vector: np.ndarray, effects: np.ndarray, covariance: np.ndarray, known: np.ndarray
) -> Posterior:
    """With spreads after one step of the EM algorithm over the effects that some figure tells of."""
    size = len(vector)
    squares = parts(at.groups, effects**2 + np.diag(covariance)[size:])
    seen = parts(at.groups, known)
    groups = [group.adapted(squares[group.name], seen[group.name]) for group in at.groups]
    return Posterior(at.table, at.terms, at.believed.adapted(vector, covariance), tuple(groups))


def _spread(squares: np.ndarray, before: float) -> float:
    """Of effects with these expected squares; as before, if there are none."""
    return float(max(np.sqrt(np.mean(squares)), NARROWEST)) if len(squares) else before


def _variation(terms: Mapping[str, Term], value: np.ndarray, places: int) -> dict[str, float]:
    """Variation of each term; the parameters are fitted to the figures of all terms alike."""
    telling = sum(term.telling for term in terms.values())
    return {name: term.variation(value, places * term.telling / max(telling, 1)) for name, term in terms.items()}


def _covariance(
    at: Posterior, slopes: Any, vector: np.ndarray, effects: np.ndarray, variation: Mapping[str, float]
) -> np.ndarray:
    """Covariance of the mode where figures vary as found, and not as they are weighted.

    Nothing makes a parameter less certain than it was before: its standard deviation is at most that of the prior.
    """
    inverse = np.linalg.inv(at.step(slopes, vector, effects)[1])
    full = at.table.full(slopes)
    more = np.zeros_like(inverse)
    for name, term in at.terms.items():
        more = more + term.excess(slopes.value, full, variation[name])
    covariance = inverse + inverse @ more @ inverse
    _, before = at.believed.all()
    known = np.ones(len(covariance))
    known[: len(before)] = np.minimum(before / np.sqrt(np.diag(covariance))[: len(before)], 1.0)
    return covariance * np.outer(known, known)
