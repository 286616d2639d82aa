"""What sessions come to: fewer hairs, paler stains, less ink, and what goes wrong.

Damage of one session goes in, as `treat` and `targets` give it, (..., people); all sessions are alike. `values` are the
numbers of `outcomes.yaml` and `calibrated.yaml`, or others of the same names, for calibration and for gradients. Times
are days.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer
from jax.scipy.special import logit
from jax.scipy.stats import norm
from jax.typing import ArrayLike

from ..parameters import read_table
from . import calibrated
from .damage.kinetics import dead
from .targets import Follicles, Pigment, Vessels, ink_depths, vessel_classes

HERE = Path(__file__).parent
TABLE = read_table(HERE / "outcomes.yaml", calibrated.FILE, sources=HERE / "device_sources.yaml")
VALUES = TABLE.numbers()
LEAST = 1e-9  # probability next to 0 and 1, where log odds are still taken
MIDDLE_TONE = 28.0  # degrees
COLUMN = 5.0  # ln Omega of the epidermis where a column stands


class Events(NamedTuple):
    """Probability of each in a person after one session, (..., people)."""

    blister: Array
    burn: Array
    purpura: Array
    hyperpigmentation: Array


Values = Mapping[str, Any]


def probit(log_omega: Array, omega: ArrayLike, spread: ArrayLike) -> Array:
    """Share of those for whom the damage done is enough: Omega that it takes has the median `omega`, and its log10 the
    SD `spread` between them."""
    return norm.cdf((log_omega - jnp.log(omega)) / (jnp.log(10.0) * spread))


def hair_reduction(
    harmed: Follicles, sessions: int, interval: float, follow_up: ArrayLike, values: Values = VALUES
) -> Array:
    r"""Share of hairs that are missing at times after the last session, (times, ..., people).

    Follicles grow (A), rest with their hair (R), or have shed it (S); a session takes for good a share p of those that
    grow, and sheds a share q of what is left of them. Between sessions
    $\dot A = R/\tau_R + S/\tau_S - A/\tau_A,\ \dot R = A/\tau_A - R/\tau_R,\ \dot S = -S/\tau_S$.

    Args:
      interval: between sessions. follow_up: after the last one, (times,).

    Raises:
      ValueError: no session, a negative time.
    """
    times = _checked(sessions, interval, follow_up)
    v = values
    lost = probit(harmed.bulge, v["hair.permanent_omega"], v["hair.permanent_spread"])
    shed = probit(harmed.bulb, v["hair.temporary_omega"], v["hair.temporary_spread"])
    grows = v["hair.growing"]
    state = (jnp.full_like(lost, grows), jnp.full_like(lost, 1 - grows), jnp.zeros_like(lost))
    for session in range(sessions):
        growing, resting, gone = _cycled(state, interval, v) if session else state
        left = growing * (1 - lost)
        state = (left * (1 - shed), resting, gone + left * shed)
    return jnp.stack([1 - sum(_cycled(state, time, v)[:2], jnp.zeros_like(lost)) for time in times])


def _cycled(state: tuple[Array, Array, Array], days: float, values: Values) -> tuple[Array, Array, Array]:
    """Shares of hairs that grow, rest, are shed, some days on: the closed form of the equations of `hair_reduction`."""
    growing, resting, shed = state
    grows, rest, regrow = values["hair.growing"], 1 / values["hair.resting"], 1 / values["hair.regrowth"]
    exchange = rest / grows  # rate at which growth and rest come to their balance
    whole = growing + resting + shed
    back = shed * jnp.exp(-regrow * days)
    gap = (exchange - regrow) * days
    near = jnp.abs(gap) < 1e-6
    mean = jnp.where(near, 1 - gap / 2, -jnp.expm1(-gap) / jnp.where(near, 1.0, gap))
    later = grows * whole + (regrow - rest) * back * days * mean + (growing - grows * whole) * jnp.exp(-exchange * days)
    return later, whole - back - later, back


def blanching(harmed: Vessels, sessions: int, interval: float, follow_up: ArrayLike, values: Values = VALUES) -> Array:
    """Share of the redness of a port-wine stain that is gone at times after the last session, (times, ..., people).

    Redness is vessel area seen through the skin above it; a session closes a share of the open vessels of each class,
    and closed ones are replaced at a constant rate.
    """
    times = _checked(sessions, interval, follow_up)
    weight = jnp.expand_dims(stain(values)[..., None], tuple(range(harmed.closed.ndim - 3)))
    rate = values["port_wine.regrowth"]
    still = jnp.exp(-rate * interval)
    shut = jnp.zeros_like(harmed.closed)
    for session in range(sessions):
        shut = shut * still if session else shut
        shut = shut + (1 - shut) * harmed.closed
    gone = (shut * weight).sum(axis=(-3, -2))
    return jnp.stack([gone * jnp.exp(-rate * time) for time in times])


def stain(values: Values = VALUES) -> Array:
    """Share of each class of vessels in the redness of a stain, (diameters, depths), of sum 1."""
    v = values
    diameters, depths = (jnp.asarray(part) for part in vessel_classes())
    number = norm.pdf((jnp.log(diameters) - jnp.log(v["port_wine.diameter"])) / v["port_wine.diameter_spread"])
    deep = norm.pdf((depths - v["port_wine.depth"]) / v["port_wine.depth_spread"])
    seen = deep * jnp.exp(-depths / v["port_wine.visible"])
    weight = (number * diameters)[:, None] * seen[None]
    return weight / weight.sum()


def ink_clearance(harmed: Pigment, sessions: int, values: Values = VALUES) -> Array:
    """Share of the darkness of a black tattoo that is gone some weeks after the last session, (..., people)."""
    _checked(sessions, 0.0, 0.0)
    seen = jnp.exp(-jnp.asarray(ink_depths()) / values["pigment.visible"])
    weight = jnp.expand_dims((seen / seen.sum())[:, None], tuple(range(harmed.ink.ndim - 2)))
    left = (1 - values["pigment.carried"] * harmed.ink) ** sessions
    return 1 - (left * weight).sum(axis=-2)


def pigment_clearance(
    harmed: Pigment, sessions: int, interval: float, follow_up: ArrayLike, values: Values = VALUES
) -> Array:
    """Share of the pigment of melasma that is gone at times after the last session, (times, ..., people).

    Broken melanosomes are shed with the epidermis; what is gone comes back at a constant rate, as melanocytes go on
    being active, between sessions and after them.
    """
    times = _checked(sessions, interval, follow_up)
    shed, rate = values["pigment.shed"] * harmed.melanosomes, values["pigment.returning"]
    gone = jnp.zeros_like(shed)
    for _ in range(sessions):
        kept = gone * jnp.exp(-rate * interval)
        gone = kept + (1 - kept) * shed
    return jnp.stack([gone * jnp.exp(-rate * time) for time in times])


def texture(renewed: Array, sessions: int, interval: float, follow_up: ArrayLike, values: Values = VALUES) -> Array:
    r"""Share of scars, or of wrinkles, that is gone at times after the last session, (times, ..., people).

    Of what is left, a session that renews a share r of the dermis takes $1 - e^{-g r (1 - e^{-t/\tau})}$ within t.

    Args:
      renewed: share of the dermis that one session ablates or coagulates, `columns.columns`.
    """
    times = _checked(sessions, interval, follow_up)
    since = times[:, None] + interval * np.arange(sessions)[None]
    shown = -jnp.expm1(-jnp.asarray(since) / values["columns.remodelling"]).sum(axis=1)
    shown = shown.reshape(-1, *(1,) * renewed.ndim)
    return -jnp.expm1(-values["columns.gain"] * renewed[None] * shown)


def cleared(gone: Array, least: float, between: ArrayLike) -> Array:
    """Share of patients or marks of which at least the share `least` is gone, where `gone` is of the median one.

    What sessions clear of what is left, -ln(1 - gone), is log-normal between them: `between` is the SD of its
    logarithm, such as `port_wine.between`, `pigment.between`, `columns.between`.
    """
    done = -jnp.log1p(-jnp.clip(gone, LEAST, 1 - LEAST))
    return norm.cdf((jnp.log(done) - jnp.log(-jnp.log1p(-least))) / between)


def gland_hazard(lost: Array) -> Array:
    """Integral over time of the rate of loss of gland capacity that one session stands for: -ln(1 - lost).

    A session whose exposure begins at 1 and fades with k 1/day takes as much with a rate of loss of k times this.
    """
    return -jnp.log1p(-jnp.minimum(lost, 1 - LEAST))


def events(
    basal: Array,
    typology: ArrayLike,
    sought: ArrayLike,
    over: Array | None = None,
    area: ArrayLike = 1.0,
    values: Values = VALUES,
) -> Events:
    """Risks of one session.

    Args:
      basal: ln Omega of the basal layer, (..., people). typology: angle, degrees, (people,). sought: how events are
        looked for, 0 (read from charts) to 1 (at every visit). over: fluence over that which harms vessels, as
        `targets.purpura` gives it, (..., people); if not given, no purpura is told (NaN).
      area: share of the surface that the light covers, less than 1 for columns (`column_risk`).

    Raises:
      ValueError: `sought` or `area` is outside 0 to 1.
    """
    for name, value in (("sought", sought), ("area", area)):
        if not isinstance(value, Tracer) and not bool(((np.asarray(value) >= 0) & (np.asarray(value) <= 1)).all()):
            raise ValueError(f"{name}: {value}; expected 0 to 1")
    v = values
    tone = jnp.broadcast_to(jnp.asarray(typology, basal.dtype), basal.shape) - MIDDLE_TONE
    shift = v["events.sought"] * jnp.asarray(sought, basal.dtype)
    injured = 100 * dead(basal) * jnp.asarray(area, basal.dtype)
    brown = logit(v["events.pih_base"]) + v["events.pih_injury"] * jnp.log1p(injured) - v["events.pih_tone"] * tone

    def seen(omega: float | Array) -> Array:
        done = probit(basal, omega, v["events.blister_spread"])
        return _expit(logit(jnp.clip(done, LEAST, 1 - LEAST)) + shift)

    purpura = jnp.full_like(basal, jnp.nan) if over is None else purpuric(over, v)  # nobody overlooks it
    blister = v["events.blister_omega"]
    burn = blister * (1 + v["events.burn_deeper"])  # so that nobody burns without a blister
    return Events(seen(blister), seen(burn), purpura, _expit(brown + shift))


def purpuric(over: Array, values: Values = VALUES) -> Array:
    """Share with purpura, of fluence over that which harms the wall of one vessel: it takes more to see it."""
    return norm.cdf(jnp.log(over / values["events.purpura_margin"]) / values["events.purpura_spread"])


def ever(once: Array, sessions: int) -> Array:
    """Chance of an event in at least one of some sessions, each of which has this chance of it.

    Sessions are taken to be independent beyond what a person's own skin does, as where the chances were calibrated.
    """
    _checked(sessions, 0.0, 0.0)
    return once if sessions == 1 else 1 - (1 - once) ** sessions


def column_risk(coverage: Array, typology: ArrayLike, sought: ArrayLike, values: Values = VALUES) -> Array:
    """Chance of hyperpigmentation after one session of columns, (..., people); coverage: of the surface, by columns.

    Columns of dead epidermis are what such a session is for: they are no blister and no burn.
    """
    return events(jnp.full_like(coverage, COLUMN), typology, sought, None, coverage, values).hyperpigmentation


def _expit(x: Array) -> Array:
    return 1 / (1 + jnp.exp(-x))


def _checked(sessions: int, interval: ArrayLike, follow_up: ArrayLike) -> np.ndarray:
    times = np.atleast_1d(np.asarray(follow_up, float))
    if sessions < 1:
        raise ValueError(f"sessions: {sessions}; expected at least 1")
    if not np.asarray(interval) >= 0 or not (times >= 0).all():
        raise ValueError(f"interval, follow_up: {interval}, {follow_up}; expected 0 days or more")
    return times
