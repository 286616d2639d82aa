"""What happens at the skin's surface over time, as steps: cooling, pulses and pauses, restarted at each edge.

Every phase begins with small steps that grow in proportion, the first two of them damped (backward Euler), since an
edge excites all wavelengths and Crank-Nicolson lets the short ones ring.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .tissue import VALUES

FINEST = 2e-5  # s; a tenth of the time in which heat crosses a cell of 5 um
DAMPED = 2  # steps after each edge
STEEPEST = 2.0  # growth from step to step beyond which a phase is under-resolved
FIRST_SHARE = 0.02  # first step over the shorter of a phase and the one before it


class Surface(NamedTuple):
    """What touches the skin: conductance to it, kW/m2/K, and its temperature, C; each a number or (columns,).

    contact: conductance of the film under a contact window, kW/m2/K; 0 while the window is lifted.
    """

    coefficient: ArrayLike = 0.0
    temperature: ArrayLike = 0.0
    contact: ArrayLike = 0.0


AIR = Surface(VALUES["air.coefficient"], VALUES["air.temperature"])
COLD_AIR = Surface(VALUES["air.forced_coefficient"], VALUES["air.forced_temperature"])
CRYOGEN = Surface(VALUES["cryogen.coefficient"], VALUES["cryogen.temperature"])
FILM = Surface(VALUES["cryogen.film"], VALUES["cryogen.temperature"])  # of cryogen, no more of which is sprayed
CONTACT = Surface(contact=VALUES["sapphire.film"])
INSULATED = Surface()


class Phase(NamedTuple):
    """A stretch of time in which nothing switches.

    duration: s, a number or (columns,). energy: share of the fluence that it brings, at constant power. steps: number.
    """

    duration: ArrayLike
    surface: Surface = AIR
    energy: ArrayLike = 0.0
    steps: int = 24


class Timeline(NamedTuple):
    """All steps of a course; (steps, columns), or (steps, 1) where columns share a clock.

    step: length, s. implicitness: 1 where damped, else 1/2. pulse: share of the fluence per second.
    coefficient, coolant, contact: see `Surface`. edges: step at which each phase ends, (phases,).
    """

    step: np.ndarray
    implicitness: np.ndarray
    pulse: np.ndarray
    coefficient: np.ndarray
    coolant: np.ndarray
    contact: np.ndarray
    edges: np.ndarray

    @property
    def times(self) -> np.ndarray:
        """Times of the states, s, shape (steps + 1, columns), 0 first."""
        return np.concatenate([np.zeros_like(self.step[:1]), np.cumsum(self.step, 0)])


def pulses(
    duration: ArrayLike, count: int = 1, gap: ArrayLike = 0.0, surface: Surface = AIR, steps: int = 24
) -> tuple[Phase, ...]:
    """A pulse of `count` equal parts of `duration` s each, with pauses of `gap` s between them."""
    if count < 1:
        raise ValueError(f"count: expected at least one sub-pulse, got {count}")
    if count > 1 and not np.all(np.asarray(gap) > 0):
        raise ValueError(f"gap: expected a positive pause between {count} sub-pulses, got {gap} s")
    on, off = Phase(duration, surface, 1 / count, steps), Phase(gap, surface, 0.0, steps)
    return (on, off) * (count - 1) + (on,)


def timeline(phases: Sequence[Phase], finest: float = FINEST) -> Timeline:
    """Steps of the phases, one after the other.

    Args:
      phases: at least one.
      finest: the shortest first step that is worth while, s; in phases too short for it all steps are equal.

    Raises:
      ValueError: a duration, energy or conductance that is negative or not finite, energies that do not add up to 0
        or 1, a phase with too few steps for its length.
    """
    if not phases:
        raise ValueError("phases: expected at least one")
    columns = {np.size(value) for phase in phases for value in _settings(phase)} - {1}
    if len(columns) > 1:
        raise ValueError(f"phases: settings for {', '.join(map(str, sorted(columns)))} columns do not go together")
    n = columns.pop() if columns else 1
    checked = [_checked(phase, f"phase {number}", n) for number, phase in enumerate(phases)]
    total = sum(settings["energy"] for settings in checked)
    if not np.all(np.isclose(total, 1) | (total == 0)):
        raise ValueError(f"energy: shares of the phases add up to {total}, expected 1 (or 0 without light)")
    parts, before = [], None
    for number, (phase, settings) in enumerate(zip(phases, checked, strict=True)):
        duration = settings["duration"]
        shortest = duration if before is None else np.minimum(duration, before)
        parts.append(_steps(duration, shortest, phase.steps, finest, f"phase {number}"))
        before = duration
    counts = [phase.steps for phase in phases]

    def over(name: str) -> np.ndarray:
        return np.concatenate([np.repeat(s[name][None], k, 0) for s, k in zip(checked, counts, strict=True)])

    return Timeline(
        np.concatenate(parts),
        np.concatenate([np.where(np.arange(k) < DAMPED, 1.0, 0.5) for k in counts]),
        over("energy") / over("duration"),
        over("coefficient"),
        over("temperature"),
        over("contact"),
        np.cumsum(counts),
    )


def _settings(phase: Phase) -> tuple[ArrayLike, ...]:
    return (phase.duration, phase.energy, *phase.surface)


def _checked(phase: Phase, where: str, columns: int) -> dict[str, np.ndarray]:
    names = ("duration", "energy", "coefficient", "temperature", "contact")
    settings = {}
    for name, value in zip(names, _settings(phase), strict=True):
        value = np.atleast_1d(np.asarray(value, dtype=float))
        if not np.isfinite(value).all():
            raise ValueError(f"{where}: {name} is {value}, expected finite numbers")
        if name == "duration" and (value <= 0).any():
            raise ValueError(
                f"{where}: duration is {value.min()} s, expected a positive time (leave the phase out if none)"
            )
        if name in ("energy", "coefficient", "contact") and (value < 0).any():
            raise ValueError(f"{where}: {name} is {value.min()}, expected 0 or more")
        settings[name] = np.broadcast_to(value, (columns,))
    if phase.steps <= DAMPED:
        raise ValueError(f"{where}: {phase.steps} steps, expected more than the {DAMPED} damped ones")
    if (settings["temperature"] < -273.15).any():
        raise ValueError(f"{where}: temperature is {settings['temperature'].min()} C, below absolute zero")
    return settings


def _steps(duration: np.ndarray, shortest: np.ndarray, count: int, finest: float, where: str) -> np.ndarray:
    """Steps that grow in proportion and add up to the duration, (count, columns)."""
    first = np.minimum(np.maximum(FIRST_SHARE * shortest, finest), duration / count)
    low, high = np.zeros_like(first), np.full_like(first, np.log(STEEPEST) + 1e-6)
    powers = np.arange(count)[:, None]
    if (first * np.exp(high * powers).sum(0) < duration).any():
        raise ValueError(
            f"{where}: {count} steps are too few for {duration.max():.3g} s after steps of {first.min():.3g} s"
        )
    for _ in range(60):
        middle = (low + high) / 2
        below = first * np.exp(middle * powers).sum(0) < duration
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    steps = first * np.exp(high * powers)
    return steps * (duration / steps.sum(0))
