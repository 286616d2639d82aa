r"""Damage as a rate process, in logarithms.

$$\Omega = \int A\,e^{-E/(RT)}\,dt,\qquad \ln\dot\Omega = \ln k_{60} + \frac{E}{R}\,\frac{T - T_{60}}{T\,T_{60}}$$

A and E of one source belong together: A = 3.1e98 1/s with the E of another (6.28e5 J/mol instead of 75,000 K x R) makes
Omega five times too small. So a pair cannot be put together from two numbers: it comes from the table by name, or from
`pair` with the temperature that its own source states for it.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.core import Tracer
from jax.typing import ArrayLike

from ...parameters import read_table
from ..heat.column import Moment

HERE = Path(__file__).parent
TABLE = read_table(HERE / "kinetics.yaml", sources=HERE / "sources.yaml")
NAMES = tuple(dict.fromkeys(name.split(".")[0] for name in TABLE))
GAS = 8.314462618  # J/mol/K
ZERO = 273.15  # K at 0 C
REFERENCE = 60.0 + ZERO  # K; logarithms are small there, so 32 bits do
AGREE = 0.3  # C, within which a pair must meet the temperature stated with it
NEVER = -1e30  # logarithm of no damage


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Kinetics:
    """A matched pair: logarithm of the rate at 60 C, 1/s, shift included, and E/R, K; numbers or (columns,).

    then: a second step that has to follow, if there is one; whichever is slower sets the pace.
    """

    log_rate: ArrayLike
    activation: ArrayLike
    name: str = field(metadata={"static": True})
    then: "Kinetics | None" = None


def kinetics(name: str, shift: ArrayLike = 0.0) -> Kinetics:
    """The pair of a name in the table, `shift` added to ln A (a calibrated offset), a number or (columns,).

    Raises:
      ValueError: no such name.

    >>> round(float(critical_temperature(kinetics("henriques"), 1.0)), 1)
    57.6
    """
    if name not in NAMES:
        raise ValueError(f"kinetics: {name!r} is none of {', '.join(NAMES)}")
    value = {part: TABLE.value(f"{name}.{part}") for part in ("frequency", "activation", "threshold")}
    found = pair(name, value["frequency"], value["activation"], "K", seconds=1.0, celsius=value["threshold"])
    return Kinetics(found.log_rate + shift, found.activation, name)


def pair(name: str, frequency: float, activation: float, unit: str, *, seconds: float, celsius: float) -> Kinetics:
    """A pair of one's own.

    Args:
      frequency: A, 1/s. activation: E/R in K or E in J/mol, as `unit` says ("K", "J/mol").
      seconds, celsius: a time and the constant temperature at which Omega is 1 in it, as stated by the same source.

    Raises:
      ValueError: the pair does not meet that temperature, or is not positive.
    """
    if unit not in ("K", "J/mol"):
        raise ValueError(f"{name}: unit {unit!r} is neither 'K' (E/R) nor 'J/mol' (E)")
    if not (frequency > 0 and activation > 0 and seconds > 0):
        raise ValueError(f"{name}: expected positive constants and time, got {frequency}, {activation}, {seconds}")
    kelvin = activation if unit == "K" else activation / GAS
    found = Kinetics(float(np.log(frequency) - kelvin / REFERENCE), float(kelvin), name)
    with jax.ensure_compile_time_eval():  # numbers also where the caller is being traced
        at = float(critical_temperature(found, seconds))
    if not abs(at - celsius) <= AGREE:
        raise ValueError(
            f"{name}: A = {frequency:.4g} 1/s with E/R = {kelvin:.6g} K makes Omega 1 in {seconds} s at {at:.1f} C, "
            f"its source says {celsius} C: A and E are not of one set"
        )
    return found


def critical_temperature(of: Kinetics, seconds: ArrayLike) -> Array:
    """Constant temperature, C, at which Omega comes to 1 in a time, s, by the first step alone."""
    lack = (-jnp.log(jnp.asarray(seconds)) - of.log_rate) / of.activation  # 1/T60 - 1/T
    return 1 / (1 / REFERENCE - lack) - ZERO


def in_pulses(
    of: Kinetics, activation: ArrayLike, seconds: ArrayLike, celsius: ArrayLike, shift: ArrayLike = 0.0
) -> Kinetics:
    """A pair of long exposures with a second step of lower activation, which is the slower one in hot, short pulses.

    Args:
      activation: E/R of the second step, K. seconds, celsius: a time and the constant temperature at which its Omega is
        1 in it, before `shift` is added to its ln A.
    """
    kelvin = jnp.asarray(celsius) + ZERO
    at_reference = shift - jnp.log(jnp.asarray(seconds)) + activation * (1 / kelvin - 1 / REFERENCE)
    return replace(of, then=Kinetics(at_reference, activation, f"{of.name} in pulses"))


def log_rate(of: Kinetics, celsius: Array) -> Array:
    """Logarithm of the rate of damage, 1/s, at a temperature, C; last axis columns."""
    kelvin = celsius + ZERO
    activation, level = (_like(value, celsius) for value in (of.activation, of.log_rate))
    first = level + activation * ((celsius - (REFERENCE - ZERO)) / (kelvin * REFERENCE))
    return first if of.then is None else -jnp.logaddexp(-first, -log_rate(of.then, celsius))


def log_increment(of: Kinetics, before: Array, after: Array, step: Array) -> Array:
    """Logarithm of the damage done in a step in which the logarithm of the rate runs straight.

    Args:
      before, after: temperatures, C. step: s, of a shape that broadcasts with theirs.
    """
    first, last = log_rate(of, before), log_rate(of, after)
    gap = jnp.abs(last - first)
    flat = gap < 1e-3
    mean = jnp.where(flat, -gap / 2, jnp.log(-jnp.expm1(-gap) / jnp.where(flat, 1.0, gap)))
    return jnp.maximum(first, last) + mean + jnp.log(step)


def log_damage(of: Kinetics, temperature: Array, step: ArrayLike) -> Array:
    """ln Omega over a history.

    Args:
      temperature: C, (steps + 1, ..., columns). step: s, (steps, columns) or (steps, 1).

    Raises:
      ValueError: numbers of steps that do not go together, a step that is not positive.
    """
    shape = (len(temperature) - 1, *(1,) * (temperature.ndim - 2), -1)
    if len(np.shape(step)) != 2 or np.shape(step)[0] != shape[0]:
        raise ValueError(f"step: expected the shape ({shape[0]}, columns), got {np.shape(step)}")
    if not isinstance(step, Tracer) and not (np.asarray(step) > 0).all():
        raise ValueError(f"step: expected positive times, got {np.min(step)} s")
    return _accumulated(of, temperature, jnp.asarray(step, temperature.dtype).reshape(shape))


@jax.jit
def _accumulated(of: Kinetics, temperature: Array, steps: Array) -> Array:
    def add(total: Array, now: tuple[Array, Array, Array]) -> tuple[Array, None]:
        return jnp.logaddexp(total, log_increment(of, *now)), None

    nothing = jnp.full(temperature.shape[1:], NEVER, temperature.dtype)
    return lax.scan(add, nothing, (temperature[:-1], temperature[1:], steps))[0]


def observe(seen: tuple[Kinetics, Array], moment: Moment) -> tuple[Kinetics, Array]:
    """Observer for `heat.column.watch` and `heat.axisymmetric.simulate`; begins with `(of, undamaged(...))`.

    The first axis of `undamaged` may be shorter than the cells: then it follows those next to the surface (or axis).
    """
    of, total = seen
    step = moment.step.reshape((1,) * (total.ndim - 1) + (-1,))
    sides = (side[:, 0] if side.ndim > total.ndim else side for side in (moment.before, moment.after))
    before, after = (side[: len(total)] for side in sides)
    return of, jnp.logaddexp(total, log_increment(of, before, after, step))


def undamaged(shape: tuple[int, ...], dtype: str = "float64") -> Array:
    """ln Omega before the first step."""
    return jnp.full(shape, NEVER, dtype)


def dead(log_omega: ArrayLike) -> Array:
    """Share of cells, or of protein, that a damage integral leaves changed: 1 - exp(-Omega)."""
    return -jnp.expm1(-jnp.exp(jnp.minimum(jnp.asarray(log_omega), 50.0)))


def _like(value: ArrayLike, temperature: Array) -> Array:
    value = jnp.asarray(value, temperature.dtype)
    return value.reshape((1,) * (temperature.ndim - 1) + (-1,)) if value.ndim else value
