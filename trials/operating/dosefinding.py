"""A dose-finding trial by MCP-Mod in many replicates: the signal, the curve that is chosen, and the target dose.

Contrasts, and what p-values become by being several, are those of the people planned, once for each size. Statistics
are contrasts of the means in standard errors from the variance that all doses share, by t with its degrees of freedom.
Curves are fitted to the means where there is a signal [Bretz, Pinheiro and Branson 2005, Biometrics 61:738].
"""

import math
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.stats import norm, t

from ..designs.dosefinding import fit
from ..designs.dosefinding.batched import fits, targets
from ..designs.dosefinding.contrasts import Contrasts, optimal_contrasts
from ..designs.dosefinding.models import Candidate
from ..designs.multivariate import exceed
from ..statistics.methods.estimate import Estimate, Flag
from .arrangements import DoseFinding
from .groups import Groups
from .measures import Cell, Figure, share
from .pool import Columns, Pool

if TYPE_CHECKING:
    from ..study import Analysis, Study

EFFECT = "effect of {}"  # under which true values of doses stand
SCALE = np.linspace(-4.0, 7.0, 45)  # normal quantiles of single p-values at which the joint ones are computed
QUANTILES = {"5th percentile": 0.05, "median": 0.5, "95th percentile": 0.95}


class Test(NamedTuple):
    """Planned contrasts, and the normal quantile of a joint p-value by that of the single one."""

    contrasts: Contrasts
    joint: CubicSpline


def labels(plan: DoseFinding) -> tuple[str, ...]:
    """What the candidates are called."""
    return tuple(guess.candidate().label for guess in plan.candidates)


def chosen(plan: DoseFinding, name: str, analysis: "Analysis") -> dict[str, "Analysis"]:
    """The analyses: the signal, which decides, and each candidate; of this outcome, without covariates."""
    return dict.fromkeys((name, *labels(plan)), analysis.model_copy(update={"covariates": ()}))


def pairs(plan: DoseFinding, analysis: "Analysis") -> dict[str, "Analysis"]:
    """Each dose against placebo."""
    placebo, *others = plan.rising
    plain = analysis.model_copy(update={"covariates": ()})
    return {arm: plain.model_copy(update={"arm": arm, "comparator": placebo}) for arm in others}


def problems(study: "Study", plan: DoseFinding, name: str, analysis: "Analysis") -> Iterator[str]:
    """What keeps the arms from being the doses."""
    for arm in plan.doses:
        if arm not in study.trial.arms:
            yield f"design.dose_finding.doses.{arm}: no such arm; the arms are {', '.join(study.trial.arms)}"
    for arm in study.trial.arms:
        if arm not in plan.doses:
            yield f"design.dose_finding.doses: the arm {arm} has no dose; expected one for each arm, 0 for placebo"
    if analysis.comparator != plan.rising[0]:
        yield (
            f"design.dose_finding: {name} compares with {analysis.comparator}, but the dose 0 has {plan.rising[0]}; "
            "expected an analysis against it"
        )
    if name in labels(plan):
        yield f"design.dose_finding.candidates: {name} is the name of the analysis, too"


def prepared(plan: DoseFinding, pool: Pool, arms: tuple[str, ...], names: tuple[str, ...], arm: str) -> tuple[
    Pool, np.ndarray, tuple[int, ...]
]:  # fmt: skip
    """The pool with the columns of each analysis, the values at the doses as they rise, and the numbers of the arms.

    Args:
      pool: with the columns of `pairs`. arm: whose comparison reports show.
    """
    of = {name: np.where(columns.counts, columns.value, np.nan) for name, columns in pool.columns.items()}
    others = plan.rising[1:]
    values = np.stack([of[others[0]][1], *(of[name][0] for name in others)])
    shown: Columns = pool.columns[arm]
    return pool._replace(columns=dict.fromkeys(names, shown)), values, tuple(arms.index(name) for name in plan.rising)


def sources(plan: DoseFinding, arm: str) -> dict[str, tuple[int, ...]]:
    """Under each hypothesis, whose potential outcomes the doses have."""
    many, top = len(plan.doses), plan.rising.index(arm)
    return {"model": tuple(range(many)), "null as comparator": (0,) * many, "null as arm": (top,) * many}


def truths(plan: DoseFinding, names: tuple[str, ...], arm: str, effects: dict[str, float]) -> dict[str, float]:
    """True values: of the analysis that decides the effect of its arm, and beside the analyses that of each dose."""
    found = dict.fromkeys(names, math.nan) | {names[0]: effects[arm]}
    return found | {EFFECT.format(name): value for name, value in effects.items()}


def planned(plan: DoseFinding, shares: tuple[int, ...], cells: tuple[int, ...], size: int) -> Test:
    """The test of a trial of this size; shares: of all arms."""
    people = tuple(size * shares[cell] / sum(shares) for cell in cells)
    candidates = tuple(guess.candidate() for guess in plan.candidates)
    return _planned(tuple(plan.doses[arm] for arm in plan.rising), candidates, people)


@cache
def _planned(doses: tuple[float, ...], candidates: tuple[Candidate, ...], people: tuple[float, ...]) -> Test:
    contrasts = optimal_contrasts(doses, candidates, 1 / np.array(people))
    df = sum(people) - len(people)
    bounds = np.repeat(t.isf(norm.sf(SCALE), df)[:, None], len(candidates), axis=1)
    chance = np.clip(exceed(bounds, contrasts.correlation, df), norm.sf(SCALE), len(candidates) * norm.sf(SCALE))
    inside = chance < 1 - 1e-9
    return Test(contrasts, CubicSpline(SCALE[inside], norm.isf(chance[inside])))


def analyse(plan: DoseFinding, test: Test, seen: Groups, level: float) -> Estimate:
    """The signal and each candidate, (replicates, 1 + candidates).

    p is twice the joint one-sided p-value, so that it is compared with alpha. An estimate is the target dose: infinite
    if the chosen curve does not reach the effect, NaN without a signal and of candidates that are not chosen.
    """
    sign, doses = math.copysign(1.0, plan.delta), np.array([plan.doses[arm] for arm in plan.rising])
    few = (seen.n < 2).any(axis=1)
    df = np.maximum((seen.n - 1).sum(axis=1), 1)
    variance = np.nansum((seen.n - 1) * seen.variance, axis=1) / df
    bad = few | ~(variance > 0)
    variance = np.where(bad, 1.0, variance)
    rows, mean = test.contrasts.coefficients, sign * np.nan_to_num(seen.mean)
    spread = variance[:, None] / np.maximum(seen.n, 1)
    statistic = mean @ rows.T / np.sqrt(spread @ (rows**2).T)
    joint = _joint(test, t.sf(statistic, df[:, None]))
    joint = np.where(bad[:, None], 1.0, joint)
    target = np.full(joint.shape, np.nan)
    signal = joint <= (1 - level) / 2
    some = np.flatnonzero(signal.any(axis=1))
    if len(some):
        place, dose = _modelled(plan, doses, mean[some], spread[some], signal[some], statistic[some])
        target[some, place] = dose
    first = np.where(np.isnan(target).all(axis=1), np.nan, np.where(np.isnan(target), -1.0, target).max(axis=1))
    p = np.minimum(2 * np.column_stack([joint.min(axis=1), joint]), 1.0)
    statistic = np.column_stack([statistic.max(axis=1), statistic])
    nothing = np.full(p.shape, np.nan)
    flag = np.where(few, int(Flag.TOO_FEW), np.where(bad, int(Flag.NO_VARIATION), 0))
    wide = np.repeat(df[:, None], p.shape[1], axis=1).astype(float)
    return Estimate(
        np.column_stack([first, target]), nothing, nothing, nothing, np.where(bad[:, None], np.nan, statistic), wide, p,
        np.repeat(flag[:, None], p.shape[1], axis=1),
    )  # fmt: skip


def figures(plan: DoseFinding, cell: Cell, names: tuple[str, ...], truth: dict[str, float]) -> Iterator[Figure]:
    """Which candidates are shown and chosen, and the target dose.

    Args:
      cell: whose `found` is of all analyses, (replicates, analyses). truth: with the true effects of the doses.
    """
    found, many = cell.found, len(cell.found.p)

    def figure(analysis: str, measure: str, value: tuple[float, float], rests_on: int = many) -> Figure:
        return Figure(cell.size, cell.hypothesis, analysis, measure, 0, *value, rests_on)

    for place, name in enumerate(names[1:], 1):
        yield figure(name, "shown", share(found.p[:, place] <= cell.alpha))
        yield figure(name, "chosen", share(~np.isnan(found.estimate[:, place])))
    dose = found.estimate[:, 0]
    reached = np.isfinite(dose)
    yield figure(names[0], "target dose found", share(reached))
    some = np.sort(dose[reached])
    for called, q in QUANTILES.items():
        yield figure(names[0], f"target dose, {called}", _quantile(some, q), len(some))
    others = plan.rising[1:]
    doses = np.array([plan.doses[arm] for arm in others])
    after = np.searchsorted(doses, np.minimum(dose[reached], doses[-1]))
    for place, arm in enumerate(others):
        hits = np.zeros(many, bool)
        hits[reached] = after == place
        yield figure(names[0], f"target dose rounded up to {arm}", share(hits))
    if len(some):
        null = cell.hypothesis != "model"
        effects = np.array([0.0 if null else truth[EFFECT.format(arm)] for arm in others])
        enough = effects * np.sign(plan.delta) >= abs(plan.delta)
        yield figure(names[0], "dose rounded up has the effect", share(enough[after]), len(some))


def notes(
    study: "Study", plan: DoseFinding, truth: dict[str, float], sizes: tuple[int, ...], alpha: float
) -> list[str]:  # fmt: skip
    """What a reader should know."""
    arms, size = list(study.trial.arms), sizes[-1]
    shares = tuple(study.trial.randomisation.allocation[arm] for arm in arms)
    test = planned(plan, shares, tuple(map(arms.index, plan.rising)), size)
    effects = {arm: truth[EFFECT.format(arm)] for arm in plan.rising[1:]}
    told = ", ".join(f"{arm} ({plan.doses[arm]:g}) {value:.4g}" for arm, value in effects.items())
    enough = [arm for arm, value in effects.items() if value * np.sign(plan.delta) >= abs(plan.delta)]
    least = f"{enough[0]} is the lowest dose studied that has it" if enough else "no dose studied has it"
    single = norm.sf(float(np.interp(norm.isf(alpha / 2), test.joint(SCALE), SCALE)))
    return [
        f"true effects over {plan.rising[0]}: {told}; wanted {plan.delta:g}: {least}",
        "between the doses studied the true curve is not known, so a target dose has no true value; the next dose "
        "studied has one",
        f"one-sided at {alpha / 2:g}: a single contrast is shown at p {single:.4f} or less ({size:,} people), with the "
        "contrasts and degrees of freedom of the people planned",
    ]


def again(plan: DoseFinding, test: Test, values: np.ndarray, who: np.ndarray, given: np.ndarray,
          cells: tuple[int, ...], level: float) -> Estimate:  # fmt: skip
    """One replicate by other routines: statsmodels' least squares, and the curves and target doses of `fit`.

    Args:
      values: (doses, pool). who, given: (people,).
    """
    import statsmodels.api as sm

    sign, doses = math.copysign(1.0, plan.delta), np.array([plan.doses[arm] for arm in plan.rising])
    cell = np.select([given == arm for arm in cells], range(len(cells)))
    y = values[cell, who]
    there = np.isfinite(y)
    dummies = (cell[there, None] == np.arange(len(cells))).astype(float)
    many, nothing = len(plan.candidates), np.full(1 + len(plan.candidates), np.nan)
    if (dummies.sum(axis=0) < 2).any():
        return Estimate(nothing, nothing, nothing, nothing, nothing, nothing, np.ones(1 + many), nothing)
    model = sm.OLS(sign * y[there], dummies).fit()
    statistic = np.ravel(model.t_test(test.contrasts.coefficients).tvalue)
    joint = exceed(np.repeat(statistic[:, None], many, axis=1), test.contrasts.correlation, model.df_resid)
    target = nothing.copy()
    signal = joint <= (1 - level) / 2
    if signal.any():
        spread = model.scale / dummies.sum(axis=0)
        curves = {family: fit.fit(family, doses, model.params, spread)
                  for family in {plan.candidates[c].family for c in np.flatnonzero(signal)}}  # fmt: skip
        order = [(curves[plan.candidates[c].family].aic if plan.select == "aic" else 0.0, -statistic[c], c)
                 for c in np.flatnonzero(signal)]  # fmt: skip
        best = min(order)[-1]
        dose = fit.target_dose(curves[plan.candidates[best].family], abs(plan.delta))
        target[[0, 1 + best]] = np.inf if np.isnan(dose) else dose
    p = np.minimum(2 * np.append(joint.min(), joint), 1.0)
    return Estimate(target, nothing, nothing, nothing, nothing, nothing, p, nothing)


def difference(plan: DoseFinding, ours: Estimate, theirs: Estimate) -> float:
    """How far two ways are apart: of p, or of the target dose as a part of the largest; infinite if one has none."""
    apart = abs(float(ours.p) - float(theirs.p))
    one, other = float(ours.estimate), float(theirs.estimate)
    if (np.isnan(one) and np.isnan(other)) or one == other:
        return apart
    if not (np.isfinite(one) and np.isfinite(other)):
        return math.inf
    return max(apart, abs(one - other) / max(plan.doses.values()))


def _joint(test: Test, single: np.ndarray) -> np.ndarray:
    """Joint p-values of single ones; beyond the scale as at its ends."""
    z = norm.isf(single)
    low, high = float(test.joint.x[0]), float(test.joint.x[-1])
    found = norm.sf(test.joint(np.clip(z, low, high)))
    found = np.where(z > high, found / norm.sf(high) * single, found)
    return np.clip(np.where(z < low, 1.0, found), single, 1.0)


def _modelled(
    plan: DoseFinding, doses: np.ndarray, mean: np.ndarray, spread: np.ndarray, signal: np.ndarray,
    statistic: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Of replicates with a signal, the number of the candidate that is chosen, and the target dose."""
    families = [guess.family for guess in plan.candidates]
    found = {family: fits(family, doses, mean, spread) for family in dict.fromkeys(families)}
    aic = np.stack([found[family].aic for family in families], axis=1)
    if plan.select == "aic":
        aic = np.where(signal, aic, np.inf)
        best = aic == aic.min(axis=1, keepdims=True)  # guesses of one family have one curve
    else:
        best = signal
    place = np.where(best & signal, statistic, -np.inf).argmax(axis=1)
    dose = np.stack([targets(found[family], abs(plan.delta)) for family in families], axis=1)
    return place, dose[np.arange(len(place)), place]


def _quantile(rising: np.ndarray, q: float) -> tuple[float, float]:
    """A quantile, and its standard error by the order statistics one standard error of the rank away."""
    many = len(rising)
    if many < 2:
        return (float(rising[0]) if many else math.nan), math.nan
    rank, reach = q * (many - 1), math.sqrt(many * q * (1 - q))
    low, high = np.interp([rank - reach, rank + reach], np.arange(many), rising)
    return float(np.quantile(rising, q)), float(high - low) / 2
