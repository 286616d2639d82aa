"""The answer: settings whose risks stay below their bounds in every skin type, and the most effective of them."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from .plan import Harm, Sweep
from .surfaces import Surfaces


class Answer(NamedTuple):
    """kept: every event's upper limit is within its bound; worth: the benefit reaches the least that is worth it; both
    (settings, types). best: number of the most effective setting that is kept in every type, None if there is none.
    of_type: the same for each skin type by itself."""

    kept: np.ndarray
    worth: np.ndarray
    best: int | None
    of_type: dict[int, int | None]

    @property
    def common(self) -> np.ndarray:
        """Numbers of the settings that are kept in every skin type."""
        return np.flatnonzero(self.kept.all(axis=1))


def answer(plan: Sweep, found: Surfaces) -> Answer:
    """What the surfaces say; skin types weigh alike, ties go to the first setting."""
    kept = np.all([found.shares[name].high <= most for name, most in plan.risk.most.items()], axis=0)
    benefit = found.shares["efficacy"].mean
    kept &= np.isfinite(benefit)
    worth = np.nan_to_num(benefit) >= plan.efficacy.least
    each = {
        tone: _most(benefit[:, place], kept[:, place]) for place, tone in enumerate(plan.population.skin_types)
    }  # fmt: skip
    return Answer(kept, worth, _most(np.nan_to_num(benefit).mean(axis=1), kept.all(axis=1)), each)


def _most(benefit: np.ndarray, allowed: np.ndarray) -> int | None:
    return int(np.argmax(np.where(allowed, benefit, -np.inf))) if allowed.any() else None


def nearest(plan: Sweep, found: Surfaces) -> tuple[int, int, Harm]:
    """The setting whose worst upper limit is the smallest multiple of its bound; the skin type's place, the event."""
    names = list(plan.risk.most)
    multiples = np.stack([found.shares[name].high / plan.risk.most[name] for name in names], axis=-1)
    setting = int(multiples.max(axis=(1, 2)).argmin())
    place, event = np.unravel_index(int(multiples[setting].argmax()), multiples.shape[1:])
    return setting, int(place), names[int(event)]


def breaking(plan: Sweep, found: Surfaces, setting: int, place: int) -> list[str]:
    """Events whose upper limit exceeds its bound there."""
    return [name for name, most in plan.risk.most.items() if not found.shares[name].high[setting, place] <= most]


def edges(
    doses: np.ndarray, benefit: np.ndarray, least: float, limits: Mapping[float, list[np.ndarray]]
) -> tuple[float, float] | None:
    """Doses between which a skin type's window lies, straight between those computed; None if it has none.

    From where the benefit first reaches `least` to where the first upper limit exceeds its bound.

    Args:
      benefit: (doses,). limits: upper limits, each (doses,), by the bound that they must keep.
    """
    start = _first(doses, benefit - least, at_end=np.inf)
    over = [high - np.nextafter(most, 1.0) for most, highs in limits.items() for high in highs]  # at the bound is kept
    end = min(_first(doses, one, at_end=doses[-1]) for one in over)
    return (start, end) if start < end else None


def _first(doses: np.ndarray, over: np.ndarray, at_end: float) -> float:
    """Where `over` first reaches 0, else `at_end`; what is not known counts as below."""
    known = np.nan_to_num(over, nan=-1.0)
    above = np.flatnonzero(known >= 0)
    if not above.size:
        return float(at_end)
    i = int(above[0])
    if i == 0:
        return float(doses[0])
    before, after = known[i - 1], known[i]
    return float(doses[i - 1] + (doses[i] - doses[i - 1]) * -before / (after - before))
