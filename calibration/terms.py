"""How well predicted numbers agree with published ones: the terms of a log-likelihood.

Each term is a table of figures with their places among the predicted numbers. What its figures vary by beside chance
(and beside what a trial adds to all of its arms) is told before, as a weight: were it estimated on the way, misfit
would discount the figures that show it. What they show around the fit is found afterwards, and widens its errors and
the intervals of predictions.
"""

from dataclasses import dataclass, fields, replace
from typing import Any, Protocol, TypeVar

import numpy as np
from scipy.optimize import root_scalar
from scipy.special import betaln, digamma, logit

RECALLED = 4.0  # how many times more than a read number's a recalled one's variance is taken to be
DISCOUNT = 0.005  # an arm of 200 counts like one of 100
LEAST = 1.0  # variance of a count by chance alone, from which it tells of more
NEAREST = 1e-6  # to 0 and 1 that a share comes
MEDIAN = np.sqrt(np.pi / 2)  # standard error of a median of normal numbers over that of their mean


class Term(Protocol):
    """Figures of one kind.

    Everywhere `value` are the predicted numbers, (entries,), and `slopes` theirs, (places, entries).
    """

    @property
    def telling(self) -> int:
        """How many figures can tell of variation beside chance."""
        ...

    def log(self, value: np.ndarray) -> float:
        """Log-likelihood up to a constant."""
        ...

    def climb(self, value: np.ndarray, slopes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Gradient (places,) of the log-likelihood and expected information (places, places)."""
        ...

    def variation(self, value: np.ndarray, places: float) -> float:
        """Variation beside chance around predictions to which so many places were fitted."""
        ...

    def excess(self, value: np.ndarray, slopes: np.ndarray, variation: float) -> np.ndarray:
        """Variance (places, places) of the gradient beyond the information, if the figures vary by so much."""
        ...


T = TypeVar("T", bound=Any)


def subset(term: T, keep: np.ndarray) -> T:
    """A term with some of its figures: those that `keep` is true of."""
    columns = {field.name: getattr(term, field.name) for field in fields(term)}
    return replace(term, **{name: x[keep] for name, x in columns.items() if isinstance(x, np.ndarray)})


@dataclass(frozen=True, eq=False)
class Counts:
    """Counts of nested responses; arrays of figures.

    Who reaches PASI 90 has reached PASI 75. So the chance of each response among those with the next lower one that is
    told is compared with its count, which multiplies to the multinomial likelihood of the arm. Counts vary more than
    binomially: they are beta-binomial.

    upper, lower: places of the response and of the one below it (-1: everybody). n: who had the lower one, x: of them,
    who had the upper one. inflation: by which the variance is taken to be larger. rho: intraclass correlation.
    """

    upper: np.ndarray
    lower: np.ndarray
    n: np.ndarray
    x: np.ndarray
    inflation: np.ndarray
    rho: float = DISCOUNT

    @property
    def telling(self) -> int:
        return len(self.n)

    def log(self, value: np.ndarray) -> float:
        return float(self.log_likelihood(self.conditional(value)).sum())

    def climb(self, value: np.ndarray, slopes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        q, steep = self._steep(value, slopes)
        return steep @ self.score(q), (steep * self.information(q, self.rho)) @ steep.T

    def variation(self, value: np.ndarray, places: float) -> float:
        """Intraclass correlation at which squared residuals are as large as they should be (Williams 1982).

        Counts that could hardly be other than none or all (a few responders to placebo) tell nothing of it, but one of
        them by chance would count for much.
        """
        q = self.conditional(value)
        keep = self.n * q * (1 - q) >= LEAST
        rows, q = subset(self, keep), q[keep]
        free = len(q) * (1 - places / max(len(keep), 1))

        def excess(rho: float) -> float:
            return float((rows.information(q, rho) * (rows.x / rows.n - q) ** 2).sum() - free)

        if excess(1e-5) < 0:
            return 1e-5
        return float(root_scalar(excess, bracket=(1e-5, 0.5)).root) if excess(0.5) < 0 else 0.5

    def excess(self, value: np.ndarray, slopes: np.ndarray, variation: float) -> np.ndarray:
        q, steep = self._steep(value, slopes)
        weight = self.information(q, self.rho)
        more = weight * (weight / self.information(q, variation) - 1)
        return (steep * np.maximum(more, 0)) @ steep.T

    def conditional(self, value: np.ndarray) -> np.ndarray:
        """Chance of each count's response among those with the lower one."""
        below = np.where(self.lower < 0, 1.0, value[self.lower])
        return np.clip(value[self.upper] / below, NEAREST, 1 - NEAREST)

    def log_likelihood(self, q: np.ndarray) -> np.ndarray:
        """Beta-binomial log-likelihood of each count, tempered by its inflation, up to a constant."""
        a, b = self._shapes(q)
        return (betaln(self.x + a, self.n - self.x + b) - betaln(a, b)) / self.inflation

    def score(self, q: np.ndarray) -> np.ndarray:
        """Slope of `log_likelihood` in each chance."""
        a, b = self._shapes(q)
        reached, missed = digamma(self.x + a) - digamma(a), digamma(self.n - self.x + b) - digamma(b)
        return (1 / self.rho - 1) * (reached - missed) / self.inflation

    def information(self, q: np.ndarray, rho: float) -> np.ndarray:
        """What each count tells of its chance: the inverse of its variance as a share."""
        return self.n / (q * (1 - q) * (1 + (self.n - 1) * rho) * self.inflation)

    def conditional_slopes(self, value: np.ndarray, slopes: np.ndarray) -> np.ndarray:
        """Slopes of the logarithm of `conditional`."""
        return _between(self.upper, self.lower, slopes / value)

    def _steep(self, value: np.ndarray, slopes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`conditional` and its slopes."""
        value = np.clip(value, 1e-9, 1.0)
        q = self.conditional(value)
        return q, self.conditional_slopes(value, slopes) * q

    def _shapes(self, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        size = 1 / self.rho - 1
        return q * size, (1 - q) * size


@dataclass(frozen=True, eq=False)
class Summaries:
    """Shares of which no count is known; arrays of figures: logit of entry `one`, less that of `other` (-1: nothing).

    sd: of all that a figure may miss by, so that nothing is found beside it.
    """

    one: np.ndarray
    other: np.ndarray
    value: np.ndarray
    sd: np.ndarray

    @property
    def telling(self) -> int:
        return 0

    def log(self, value: np.ndarray) -> float:
        return float(-0.5 * (((self.logits(value) - self.value) / self.sd) ** 2).sum())

    def climb(self, value: np.ndarray, slopes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        steep = self.logit_slopes(value, slopes)
        return steep @ ((self.value - self.logits(value)) / self.sd**2), (steep / self.sd**2) @ steep.T

    def variation(self, value: np.ndarray, places: float) -> float:
        return 0.0

    def excess(self, value: np.ndarray, slopes: np.ndarray, variation: float) -> np.ndarray:
        return np.zeros((len(slopes), len(slopes)))

    def logits(self, value: np.ndarray) -> np.ndarray:
        """What is predicted of each figure."""
        return _between(self.one, self.other, logit(np.clip(value, NEAREST, 1 - NEAREST)))

    def logit_slopes(self, value: np.ndarray, slopes: np.ndarray) -> np.ndarray:
        """Slopes of `logits`."""
        inside = np.clip(value, NEAREST, 1 - NEAREST)
        return _between(self.one, self.other, slopes / (inside * (1 - inside)))


@dataclass(frozen=True, eq=False)
class Means:
    """Means or medians of people, such as the change of a count in per cent; arrays of figures in one unit.

    one, other: entry `one`, less entry `other` (-1: nothing).

    error: standard error by chance alone, see `standard_error`. inflation: by which the variance is taken to be larger.
    misfit: SD of what arms vary by beside chance, in the same unit.
    """

    one: np.ndarray
    other: np.ndarray
    value: np.ndarray
    error: np.ndarray
    inflation: np.ndarray
    misfit: float

    @property
    def telling(self) -> int:
        return len(self.value)

    def log(self, value: np.ndarray) -> float:
        return float(-0.5 * (self._missed(value) ** 2 * self.information(self.misfit)).sum())

    def climb(self, value: np.ndarray, slopes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        steep, weight = _between(self.one, self.other, slopes), self.information(self.misfit)
        return steep @ (weight * self._missed(value)), (steep * weight) @ steep.T

    def variation(self, value: np.ndarray, places: float) -> float:
        """SD beside chance at which squared residuals are as large as they should be (Paule and Mandel 1982)."""
        squares = self._missed(value) ** 2
        free = max(len(squares) - places, 1.0)

        def excess(sd: float) -> float:
            return float((squares * self.information(sd)).sum() - free)

        most = np.sqrt((squares / self.inflation).sum() / free)
        if most == 0 or excess(1e-9 * most) < 0:
            return 0.0
        return float(root_scalar(excess, bracket=(1e-9 * most, most)).root)

    def excess(self, value: np.ndarray, slopes: np.ndarray, variation: float) -> np.ndarray:
        steep, weight = _between(self.one, self.other, slopes), self.information(self.misfit)
        more = weight * (weight / self.information(variation) - 1)
        return (steep * np.maximum(more, 0)) @ steep.T

    def information(self, misfit: float) -> np.ndarray:
        """What each figure tells: the inverse of its variance."""
        return 1 / ((self.error**2 + misfit**2) * self.inflation)

    def _missed(self, value: np.ndarray) -> np.ndarray:
        return self.value - _between(self.one, self.other, value)


def standard_error(sd: float, n: int, median: bool = False) -> float:
    """Of the mean, or about that of the median, of `n` people with this standard deviation between them."""
    return float(sd / np.sqrt(n) * (MEDIAN if median else 1.0))


def _between(one: np.ndarray, other: np.ndarray, of: np.ndarray) -> np.ndarray:
    """Entries `one` less entries `other` (-1: nothing), along the last axis."""
    return of[..., one] - np.where(other < 0, 0.0, of[..., other])
