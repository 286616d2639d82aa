r"""Narrowband UVB: individual sensitivity and common parameters, from patients' weekly PASI under their actual doses.

A patient's share of baseline PASI on day $t$ is the plaque activity $K(t)$ of the disease's own equations plus a
normal error of variance $a^2 + (b K)^2$. Sensitivity to light is log-normal; its median and spread, the parameters
`light.memory`, `light.plaque` and `nb_uvb.clearance` (how fast the effect of a session fades) and the errors $a$,
$b$ maximise the likelihood. What else differs between people
(turnover of the plaque, what needs no IL-23) varies as the parameter table says. All this is integrated over on a grid:
the marginal likelihood is exact but for the grid.

Doses are counted in minimal erythema doses of the patient, times the median one: the first dose is the same share of
it in everybody. The improvement that comes in all arms of a trial, under placebo too, is left out, since the cohort
had no entry threshold from which PASI could regress. `compare` shows what the likelihood says of both choices.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from scipy.interpolate import CubicSpline
from scipy.optimize import minimize

from ...core.psoriasis import model
from .lamp import WEEKS, Patients, at_days, plaques

DEVIATIONS = 3  # nodes of the plaque's turnover, and of what needs no IL-23
IMPROVEMENTS = 7  # nodes of the improvement that comes under placebo too
FOLLOWED = np.linspace(np.log(2e-4), np.log(0.2), 17)  # logarithms of sensitivities whose courses are followed
SENSITIVITIES = np.linspace(
    FOLLOWED[0], FOLLOWED[-1], 113
)  # those between are interpolated: a patient tells theirs well
WIDEST = 2.5  # standard deviations within which people's sensitivities must be among those that are followed
START = {"median": 0.02, "sd": 0.5, "memory": 0.01, "plaque": 3.0, "fading": 0.4, "floor": 0.03, "noise": 0.3}
SHARED = ("memory", "plaque", "fading")  # those on which the courses depend
NAMES = tuple(START)
BOUNDS = [(np.log(1e-3), np.log(10.0))] * len(NAMES)


class Nodes(NamedTuple):
    """What is integrated over.

    sensitivity: its logarithm, (sensitivities,). deviations: of turnover and of what needs no IL-23, (2, people), with
    weights (people,). improvement: as under placebo, with weights.
    """

    sensitivity: np.ndarray
    deviations: np.ndarray
    weights: np.ndarray
    improvement: np.ndarray
    improvement_weights: np.ndarray


def nodes(theta: Mapping[str, float], placebo: bool) -> Nodes:
    """Gauss's nodes of deviations (normal) and of the improvement's quantiles; evenly spaced ones of the sensitivity.

    placebo: whether people improve as under placebo too.
    """
    points, weights = np.polynomial.hermite_e.hermegauss(DEVIATIONS)
    weights = weights / weights.sum()
    places, place_weights = np.polynomial.legendre.leggauss(IMPROVEMENTS)
    numbers = {name: jnp.asarray(value, dtype="float64") for name, value in theta.items()}
    improvement = np.asarray(model.placebo(jnp.asarray((places + 1) / 2), numbers))
    return Nodes(
        SENSITIVITIES,
        np.stack([axis.ravel() for axis in np.meshgrid(points, points, indexing="ij")]),
        np.outer(weights, weights).ravel(),
        improvement if placebo else np.zeros(1),
        place_weights / 2 if placebo else np.ones(1),
    )


@dataclass(frozen=True)
class Fit:
    """Estimates by name (`NAMES`), standard errors of their logarithms where asked for, and the likelihood."""

    values: Mapping[str, float]
    errors: Mapping[str, float]
    log_likelihood: float
    evaluations: int


def shares(table: Array, improvement: Array, theta: Mapping[str, float], days: Array) -> Array:
    """Shares of baseline PASI (patients, sensitivities, people, improvements, times) from plaque activity (..., times).

    days: of each patient and time, (patients, times).
    """
    onset = jnp.expm1(-theta["placebo.rate"] * days)
    factor = jnp.exp(improvement[None, :, None] * onset[:, None, :])
    return table[:, :, :, None, :] * factor[:, None, None, :, :]


def log_weights(median: Any, sd: Any, grid: Nodes) -> Array:
    """Logarithm of the share of people at each node, given the logarithms of the sensitivity's median and SD."""
    z = (jnp.asarray(grid.sensitivity) - median) / jnp.exp(sd)
    spacing = grid.sensitivity[1] - grid.sensitivity[0]
    share = -0.5 * z * z - sd + np.log(spacing / np.sqrt(2 * np.pi))
    others = np.log(grid.weights)[:, None] + np.log(grid.improvement_weights)[None, :]
    return share[:, None, None] + jnp.asarray(others)[None]


def refined(table: Array) -> Array:
    """Courses (patients, sensitivities, ...) at SENSITIVITIES from those at FOLLOWED: splines of the logarithm."""
    weights = CubicSpline(FOLLOWED, np.eye(len(FOLLOWED)))(SENSITIVITIES)
    return jnp.exp(jnp.einsum("fc,nc...->nf...", jnp.asarray(weights), jnp.log(table)))


class Likelihood:
    """Minus the log-likelihood of patients and its gradient, for an optimiser.

    The courses depend on the parameters SHARED only; they are followed once, with all tangents.
    Weekly PASI under treatment counts always, relapse (half of the improvement lost when last seen) if asked for.
    """

    def __init__(
        self,
        patients: Patients,
        theta: Mapping[str, float],
        relapse: bool = False,
        own_erythema: bool = True,
        placebo: bool = False,
    ) -> None:
        """own_erythema: doses in minimal erythema doses, else in J/cm2. placebo: with improvement as under placebo."""
        self.patients, self.theta, self.grid, self.relapse = patients, theta, nodes(theta, placebo), relapse
        self.doses = patients.relative_doses() if own_erythema else patients.doses
        self._followed = jax.jit(self._follow)
        self._summed = jax.jit(self._sum)
        self._last: tuple[bytes, tuple[Array, Array]] | None = None

    def courses(self, values: Mapping[str, float]) -> tuple[Array, Array]:
        """Plaque activity (patients, sensitivities, people, times) and its derivatives by the logarithms of SHARED.

        Times are the ends of the weeks, then `last_day`.
        """
        logs = np.log([values[name] for name in SHARED])
        if self._last is None or self._last[0] != logs.tobytes():
            self._last = logs.tobytes(), self._followed(jnp.asarray(logs))
        return self._last[1]

    def _follow(self, logs: Array) -> tuple[Array, Array]:
        last = self.last_day()
        weeks = int(np.ceil(last.max() / 7)) + 1
        sensitivities, deviations = jnp.exp(jnp.asarray(FOLLOWED)), jnp.asarray(self.grid.deviations)

        def follow(logs: Array) -> Array:
            course = plaques(self.doses, self.theta, jnp.exp(logs), sensitivities, deviations, weeks)
            return refined(jnp.concatenate([course[..., 1 : WEEKS + 1], at_days(course, last)[..., None]], axis=-1))

        course, slopes = jax.vmap(lambda direction: jax.jvp(follow, (logs,), (direction,)), out_axes=(None, 0))(
            jnp.eye(len(SHARED))
        )
        return course, slopes

    def last_day(self) -> np.ndarray:
        """Day until which each patient is followed, (patients,): when last seen, if relapse counts."""
        if not self.relapse:
            return np.full(self.patients.size, 7.0 * WEEKS)
        return np.where(np.isnan(self.patients.relapse_day), 7.0 * WEEKS, self.patients.relapse_day)

    def expected(self, table: Array) -> Array:
        """Expected shares of baseline PASI at every node and time, from `courses`."""
        weekly = np.broadcast_to(7.0 * np.arange(1, WEEKS + 1), (self.patients.size, WEEKS))
        days = np.concatenate([weekly, self.last_day()[:, None]], axis=1)
        return shares(table, jnp.asarray(self.grid.improvement), self.theta, jnp.asarray(days))

    def posterior(self, fit: Fit) -> tuple[Array, np.ndarray]:
        """Expected shares at every node, and how likely each node is for a patient given their weekly PASI.

        Shapes: (patients, nodes..., times) and (patients, nodes...).
        """
        logs = jnp.log(jnp.array([fit.values[name] for name in NAMES]))
        table, _ = self.courses(fit.values)
        at = dict(zip(NAMES, logs, strict=True))
        weighted = self.at_nodes(logs, table, False) + log_weights(at["median"], at["sd"], self.grid)[None]
        return self.expected(table), np.asarray(jax.nn.softmax(weighted, axis=(1, 2, 3)))

    def at_nodes(self, logs: Array, table: Array, relapse: bool) -> Array:
        """Logarithm of each patient's likelihood at every node, (patients, sensitivities, people, improvements)."""
        at = dict(zip(NAMES, logs, strict=True))
        expected = self.expected(table)
        each = _density(jnp.asarray(self.patients.weekly), expected[..., :-1], at).sum(-1)
        if relapse:
            lost = self.patients.lost_half()
            chance = exceeds((1 + self.patients.end) / 2, expected[..., -1], at)
            right = jnp.where(jnp.asarray(lost == 1)[:, None, None, None], chance, 1 - chance)
            counts = jnp.asarray(~np.isnan(lost))[:, None, None, None]
            each = each + jnp.where(counts, jnp.log(jnp.clip(right, 1e-6)), 0.0)
        return each

    def _sum(self, logs: Array, table: Array, used: Array) -> tuple[Array, tuple[Array, Array]]:
        def total(logs: Array, table: Array) -> Array:
            at = dict(zip(NAMES, logs, strict=True))
            weighted = self.at_nodes(logs, table, self.relapse) + log_weights(at["median"], at["sd"], self.grid)[None]
            return -(used * jax.scipy.special.logsumexp(weighted, axis=(1, 2, 3))).sum()

        return jax.value_and_grad(total, argnums=(0, 1))(logs, table)

    def __call__(self, logs: np.ndarray, used: np.ndarray) -> tuple[float, np.ndarray]:
        """Minus log-likelihood of the patients marked in `used` (1 or 0), and its gradient."""
        shared = [NAMES.index(name) for name in SHARED]
        table, tangents = self.courses(dict(zip(NAMES, np.exp(logs).tolist(), strict=True)))
        value, (direct, through) = self._summed(jnp.asarray(logs), table, jnp.asarray(used))
        gradient = np.array(direct)
        gradient[shared] += [float((through * tangent).sum()) for tangent in tangents]
        return float(value), gradient


def error(expected: Array, at: Mapping[str, Any]) -> Array:
    """Standard deviation of a share around its expectation; `at` holds logarithms of the parameters."""
    return jnp.sqrt(jnp.exp(2 * at["floor"]) + jnp.exp(2 * at["noise"]) * expected**2)


def exceeds(threshold: np.ndarray, expected: Array, at: Mapping[str, Any]) -> Array:
    """Chance that a patient's share, (patients, nodes...), is above a threshold, (patients,)."""
    return jax.scipy.special.ndtr((expected - jnp.asarray(threshold)[:, None, None, None]) / error(expected, at))


def _density(seen: Array, expected: Array, at: Mapping[str, Any]) -> Array:
    """Logarithm of the density of shares (patients, weeks) at every node; 0 where nothing was seen."""
    known = ~jnp.isnan(seen)[:, None, None, None, :]
    sd = error(expected, at)
    gap = (jnp.nan_to_num(seen)[:, None, None, None, :] - expected) / sd
    return jnp.where(known, -0.5 * gap * gap - jnp.log(sd * np.sqrt(2 * np.pi)), 0.0)


def estimate(
    likelihood: Likelihood, used: np.ndarray | None = None, start: Mapping[str, float] = START, errors: bool = False
) -> Fit:
    """Maximise the likelihood of the patients marked in `used` (all, if none is given).

    Raises:
      RuntimeError: the optimiser did not converge, or people are more sensitive than any that are followed, or less.
    """
    marked = np.ones(likelihood.patients.size) if used is None else used.astype(float)
    begin = np.log([start[name] for name in NAMES])
    options = {"ftol": 1e-9, "gtol": 1e-3}
    done = minimize(likelihood, begin, args=(marked,), jac=True, method="L-BFGS-B", bounds=BOUNDS, options=options)
    if not done.success:
        raise RuntimeError(f"phototherapy: the fit did not converge: {done.message}")
    spread = _errors(likelihood, done.x, marked) if errors else {}
    values = dict(zip(NAMES, map(float, np.exp(done.x)), strict=True))
    ends = np.log(values["median"]) + values["sd"] * np.array([-WIDEST, WIDEST])
    if ends[0] < FOLLOWED[0] or ends[1] > FOLLOWED[-1]:
        raise RuntimeError(f"phototherapy: sensitivities {np.exp(ends).round(5)} are beyond those that are followed")
    return Fit(values, spread, -float(done.fun), int(done.nfev))


def _errors(likelihood: Likelihood, logs: np.ndarray, used: np.ndarray, step: float = 1e-3) -> dict[str, float]:
    """Standard errors of the logarithms, from differences of the gradient; parameters at a bound have none."""
    inside = [n for n, (low, high) in enumerate(BOUNDS) if low + step < logs[n] < high - step]
    rows = []
    for number in inside:
        shift = step * (np.arange(len(logs)) == number)
        rows.append((likelihood(logs + shift, used)[1] - likelihood(logs - shift, used)[1])[inside] / (2 * step))
    curvature = (np.array(rows) + np.array(rows).T) / 2
    variances = np.diag(np.linalg.inv(curvature))
    return {NAMES[n]: float(np.sqrt(v)) for n, v in zip(inside, variances, strict=True) if v > 0}


def compare(patients: Patients, theta: Mapping[str, float]) -> dict[str, Fit]:
    """Fits of weekly PASI alone: as chosen, with doses in J/cm2, and with improvement as under placebo."""
    chosen = estimate(Likelihood(patients, theta))
    return {
        "chosen": chosen,
        "J/cm2": estimate(Likelihood(patients, theta, own_erythema=False), start=chosen.values),
        "placebo": estimate(Likelihood(patients, theta, placebo=True), start=chosen.values),
    }
