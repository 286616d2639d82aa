r"""Relapse after isotretinoin: what it is, how often it comes, what it depends on; and the estimate that rests on it.

**What counts.** In claims, relapse was another drug by mouth. Such drugs are for acne that is at least moderate, so
relapse is here that the face is at least moderate again: its severity comes over the cut of the investigator's grade 3.
People and their doctors differ in when they act, as investigators differ in their cuts: of people with severity $s$ a
share $\mathrm{expit}((s - c)/\tau)$ has acted, $\tau$ being the scale of the grade, and nobody who has acted undoes it,
so that the highest severity since the end counts. Those above the cut at the end never were clear and are left out.
That isotretinoin is taken again needs more: a part (`relapse.again`) of the inflammatory lesions before treatment. All
of this stands in `Event`; nothing is drawn, so that shares are smooth in the parameters.

**Who.** People with at least moderate acne, on doses and for times that are even between limits (`relapse` in
`checks.yaml`), independent of each other and of the acne. Every person is followed on several of them, evenly spread.

**Hazards** are those of a proportional-hazards model with a hazard constant within four weeks (Poisson regression).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import statsmodels.api as sm
from scipy.optimize import least_squares
from scipy.special import expit, logit

from ...core.acne import reading
from ...core.acne.equilibrium import Counts
from ...core.acne.treatments import number as treatment
from ...core.keys import uniforms
from .enrolled import MODERATE
from .evidence.targets import hazards, relapses
from .follow import WEEK, Crowd, Followed, Plan, Scene, nothing, scene
from .found import given, number

ESTIMATED = ("model.follicle_recovery", "model.follicle_loss")
LIVES = 4  # courses that each person is followed on
PERIOD = 4  # weeks of a constant hazard
NORMAL = 1.96
REACH = 6.0  # most by which an estimate's logarithm moves
STEP = 0.05  # of the logarithm, of differences
SHARE, DOSE = "isotretinoin_claims", "relapse_dose"


class Event(NamedTuple):
    """Something that people do when acne is back. excess: severity over the cut, or likewise, on a logarithmic scale,
    (weeks since the end, people)."""

    excess: np.ndarray
    scale: float

    @property
    def happened(self) -> np.ndarray:
        """Chance that it has happened by each week, of people to whom it would not have at the end."""
        left = 1 - expit(np.maximum.accumulate(self.excess, 0) / self.scale)
        return 1 - left / left[0]

    @property
    def clear(self) -> np.ndarray:
        """Chance that it would not have happened at the end, (people,)."""
        return 1 - expit(self.excess[0] / self.scale)


@dataclass(frozen=True)
class Courses:
    """Everybody's relapse after every course. cumulative: dose, mg/kg, as all that follows (lives * people,).

    relapse, again: of the events. sebum: share of what there was before treatment, a year after its end.
    """

    cumulative: np.ndarray
    daily: np.ndarray
    female: np.ndarray
    relapse: Event
    again: Event
    sebum: np.ndarray

    @cached_property
    def share(self) -> float:
        """Share of people who relapse."""
        return share(self.relapse)

    @cached_property
    def hazard(self) -> dict[str, float]:
        """Logarithms of hazard ratios of relapse."""
        return ratios(self.relapse, self.cumulative, self.female)


@dataclass(frozen=True)
class Estimate:
    """Parameters with which relapse comes as near to what is published as what is believed of them allows.

    errors: of their logarithms. share, hazard: as the model then has them. met: whether both lie within 95 % limits.
    """

    values: Mapping[str, float]
    errors: Mapping[str, float]
    share: float
    hazard: float
    met: bool


def severity(seen: Followed) -> np.ndarray:
    """What the grade goes by, without waxing and waning, (days, people)."""
    names = {"E": "E"} | {name: name for name in Counts._fields}
    at = Counts(**{field: jnp.asarray(seen.states[name]) for field, name in names.items()})
    theta = seen.person.theta
    return np.asarray(reading.severity(at, jnp.ones_like(at.Pa), theta))


def events(seen: Followed, end: np.ndarray, weeks: int) -> tuple[Event, Event]:
    """Relapse and isotretinoin again in these weeks after each person's `end` (a week)."""
    theta, place = seen.person.theta, end[None, :] + np.arange(weeks + 1)[:, None]
    scale = float(theta["iga.scale"])

    def after(values: np.ndarray) -> np.ndarray:
        return np.take_along_axis(values, place, 0)

    left = np.log(seen.inflammatory / seen.inflammatory[0]) - np.log(number("relapse.again"))
    return Event(after(severity(seen)) - float(theta["iga.moderate"]), scale), Event(after(left), scale)


def courses(of: Scene, lives: int = LIVES) -> Courses:
    """Follow usual patients of isotretinoin on `lives` courses each."""
    crowd, weeks = of.crowd(MODERATE), int(number("relapse.observed"))
    found = []
    for life in range(lives):
        daily, end = assigned(crowd, life, lives)
        seen = of.on(crowd, course(crowd, daily, end, int(number("relapse.longest")) + weeks), supervised=True)
        relapse, again = events(seen, end, weeks)
        last = np.take_along_axis(seen.states["G"], (end + weeks)[None, :], 0)[0]
        female = ~np.asarray(crowd.twins["male"])
        found.append(Courses(daily * WEEK * end, daily, female, relapse, again, last / seen.states["G"][0]))

    def event(name: str) -> Event:
        each = [getattr(one, name) for one in found]
        return Event(np.concatenate([e.excess for e in each], 1), each[0].scale)

    flat = ("cumulative", "daily", "female")
    same = {name: np.concatenate([getattr(one, name) for one in found]) for name in flat}
    return Courses(
        **same, relapse=event("relapse"), again=event("again"), sebum=np.concatenate([one.sebum for one in found])
    )


def assigned(crowd: Crowd, life: int, lives: int) -> tuple[np.ndarray, np.ndarray]:
    """Each person's dose, mg/kg a day, and week in which it ends, in one of their lives, evenly spread over them."""
    first, second = np.asarray(uniforms(crowd.keys, "isotretinoin", shape=(2,)))
    one, other = (first + life / lives) % 1, (second + (3 * life % lives) / lives + 0.5 * (life % 2) / lives) % 1
    lowest, highest = number("relapse.lowest"), number("relapse.highest")
    shortest, longest = number("relapse.shortest"), number("relapse.longest")
    return lowest + (highest - lowest) * one, np.rint(shortest + (longest - shortest) * other).astype(int)


def course(crowd: Crowd, daily: np.ndarray, end: np.ndarray, weeks: int) -> Plan:
    """Isotretinoin with meals at each person's own dose (mg/kg a day) up to their own week."""
    of = nothing(crowd, weeks)
    of.drugs[0] = treatment("isotretinoin")
    of.inputs[:, 0] = np.where(np.arange(weeks)[:, None] < end[None, :], daily * np.asarray(crowd.twins["weight"]), 0.0)
    return of


def share(of: Event) -> float:
    """Share of people to whom it has happened by the last week."""
    return float((of.clear @ of.happened[-1]) / of.clear.sum())


def ratios(of: Event, cumulative: np.ndarray, female: np.ndarray) -> dict[str, float]:
    """Logarithms of the hazard ratios of 1 mg/kg more and of women over men."""
    edges = np.arange(0, len(of.excess), PERIOD)
    reached = of.happened
    starts, ends = edges[:-1], edges[1:]
    occurred = of.clear * (reached[ends] - reached[starts])
    left = of.clear * (1 - reached)
    exposed = np.stack([(left[a : b + 1].sum(0) - (left[a] + left[b]) / 2) for a, b in zip(starts, ends, strict=True)])
    periods = np.repeat(np.arange(len(starts)), len(cumulative))
    design = np.column_stack(
        [np.tile(cumulative, len(starts)), np.tile(female.astype(float), len(starts)), np.eye(len(starts))[periods]]
    )
    happens = np.add.reduceat(occurred, np.arange(len(starts)), 0).sum(1) > 0
    kept = happens[periods]
    design = design[:, np.r_[True, True, happens]]
    at_risk = np.maximum(exposed.ravel()[kept], 1e-12)
    model = sm.GLM(occurred.ravel()[kept], design[kept], family=sm.families.Poisson(), offset=np.log(at_risk))
    fitted = model.fit()
    return {"cumulative_dose": float(fitted.params[0]), "female": float(fitted.params[1])}


def targets() -> tuple[tuple[float, float], tuple[float, float]]:
    """The logit of the share of relapse and the logarithm of the hazard ratio of the dose, each with its error."""
    claims = {fact.key: fact for fact in relapses()}[SHARE]
    dose = {fact.key: fact for fact in hazards()}[DOSE]
    (told,) = claims.relapsed.values()
    error = float(np.log(dose.high / dose.low)) / (2 * NORMAL)
    return (float(logit(told / 100)), number("relapse.share_error")), (float(np.log(dose.hazard_ratio)), error)


def estimate(
    numbers: Mapping[str, float],
    people: int = 1024,
    names: tuple[str, ...] = ESTIMATED,
    lives: int = LIVES,
    say: Callable[[str], None] = print,
) -> Estimate:
    """The parameters `names` (at most two) by the share of relapse and its dependence on dose: the posterior mode.

    What is believed before stands in `checks.yaml` (`prior`); the model's own values of them are not used.

    Raises:
      ValueError: there are none or more than two parameters, or nothing is told of one before.
    """
    if not 1 <= len(names) <= 2 or len(set(names)) < len(names):
        raise ValueError(f"one or two parameters can be estimated, not {', '.join(names) or 'none'}")
    told = given().within("prior")
    for name in names:
        if name.removeprefix("model.") not in told or name not in numbers:
            raise ValueError(f"{name}: of what relapse may estimate there is only model.{', model.'.join(told)}")
    aims = targets()
    stage = scene(numbers, people)
    before = np.log([given().value(f"prior.{name.removeprefix('model.')}") for name in names])
    spread = np.array([given().sd(f"prior.{name.removeprefix('model.')}") for name in names])

    def off(logs: np.ndarray) -> np.ndarray:
        changed = dict(zip(names, np.exp(logs).tolist(), strict=True))
        found = courses(Scene(dict(numbers) | changed, people, stage.candidates, stage.seen), lives)
        values = float(logit(np.clip(found.share, 1e-9, 1 - 1e-9))), found.hazard["cumulative_dose"]
        now = ", ".join(f"{name} {value:.3g}" for name, value in changed.items())
        say(f"{now}: {100 * found.share:.1f} % relapse, hazard ratio {np.exp(values[1]):.4f} per mg/kg")
        missed = [(value - aim) / error for value, (aim, error) in zip(values, aims, strict=True)]
        return np.r_[missed, (logs - before) / spread]

    ends = (before - REACH, before + REACH)
    found: Any = least_squares(off, before, bounds=ends, diff_step=_relative(before), xtol=1e-3, ftol=1e-3, max_nfev=20)
    covariance = np.linalg.pinv(found.jac.T @ found.jac)
    missed = found.fun
    (aim, error), (dose, dose_error) = aims
    return Estimate(
        dict(zip(names, np.exp(found.x).tolist(), strict=True)),
        dict(zip(names, np.sqrt(np.diag(covariance)).tolist(), strict=True)),
        float(expit(aim + error * missed[0])),
        float(np.exp(dose + dose_error * missed[1])),
        bool(np.abs(missed[:2]).max() <= NORMAL),
    )


def _relative(logs: np.ndarray) -> np.ndarray:
    """Steps of STEP, as `least_squares` wants them: relative to the value."""
    return STEP / np.maximum(np.abs(logs), 1e-9)


def notes(found: Estimate) -> dict[str, str]:
    """What is said of each estimate in the table of parameters."""
    met = "with both" if found.met else "as near as they come,"
    told = f"{100 * found.share:.0f} % relapse within a year (22.5 in Lai and Barbieri 2025)"
    note = f"by relapse after isotretinoin; {met} {told}, hazard ratio {found.hazard:.4f} per mg/kg (0.996)"
    return {name: f"{note}; standard deviation of its logarithm {found.errors[name]:.2f}" for name in found.values}


def before() -> dict[str, float]:
    """What is believed of the estimated parameters before."""
    return {name: given().value(f"prior.{name.removeprefix('model.')}") for name in ESTIMATED}
