"""What the model predicts of trials and drug classes that it has not seen, beside what it was fitted to."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np
import pandas as pd
from scipy.special import expit, logit

from . import readings, readings_fit
from .calibrate import FITTED_RELAPSES, LEFT_OUT, SEED, SPREADS, Calibrated, Say, quiet
from .evidence.arms import Arm, Readout, Trial
from .evidence.comparisons import head_to_head
from .fit import Fit, fit
from .likelihood import Summaries, counts, summaries
from .table import LADDER, RESPONSES, Table, build, followed

FOLDS = 10
DRAWS = 100
STEPS = 8  # at most, of a fit that starts at the mode of the fit to all; after three, that start still shows
LEVEL = 0.90
NEAREST = 1e-6  # to 0 and 1 that a drawn share comes
CLASSES = {
    "TNF": ("adalimumab", "etanercept", "infliximab", "certolizumab"),
    "IL-12/23 p40": ("ustekinumab",),
    "IL-23 p19": ("guselkumab", "tildrakizumab", "risankizumab"),
    "IL-17A": ("secukinumab", "ixekizumab"),
    "IL-17A/F": ("bimekizumab",),
    "IL-17 receptor": ("brodalumab",),
    "PDE4": ("apremilast",),
    "TYK2": ("deucravacitinib",),
    "methotrexate": ("methotrexate",),
}
CLASS_OF = {drug: name for name, drugs in CLASSES.items() for drug in drugs} | {"placebo": "placebo"}


@dataclass(frozen=True)
class Refit:
    """Parameters estimated without some evidence, and the table to predict with."""

    table: Table
    fit: Fit


@dataclass(frozen=True)
class Draws:
    """Predictions of a table in many draws of what is not known: parameters and the effect of a new trial.

    value: (entries,), without trial effects. drawn: (draws, entries). rho: intraclass correlation of counts.
    """

    value: np.ndarray
    drawn: np.ndarray
    rho: float


@dataclass(frozen=True)
class Validated:
    """Predictions and differences of all schemes: `fitted`, `trials` (folds over trials) and `class` (drug classes)."""

    predictions: pd.DataFrame
    differences: pd.DataFrame
    summary: dict[str, float]


def validate(calibrated: Calibrated, folds: int = FOLDS, say: Say = quiet) -> Validated:
    """Predict every arm from a fit to all, from one without its trial, and from one without its drug class."""
    calibrated = replace(calibrated, table=_lean(calibrated))
    trials = {t.key: t for t in calibrated.evidence.trials if any(_rows(t, calibrated.table))}
    seen = fitted(calibrated)
    parts, pairs = [seen.predictions], [seen.differences]
    for number, keys in enumerate(split(tuple(trials), folds)):
        say(f"fold {number + 1} of {folds}: without {', '.join(keys)}")
        unseen = refit(calibrated, keys, read=True)
        found = draws(unseen)
        out = [trials[key] for key in keys]
        parts.append(_frame("trials", out, unseen.table, found))
        pairs.append(_differences("trials", out, unseen.table, found))
    for name, drugs in CLASSES.items():
        say(f"without the class {name}")
        arms = [
            f"{t.key}/{a.name}" for t in trials.values() for a in t.arms if a.treatments and a.treatments[0] in drugs
        ]
        unseen = refit(calibrated, arms)
        parts.append(_frame("class", trials.values(), unseen.table, draws(unseen), drugs))
    predictions, differences = pd.concat(parts, ignore_index=True), pd.concat(pairs, ignore_index=True)
    return Validated(predictions, differences, summarise(predictions, differences))


def fitted(calibrated: Calibrated) -> Validated:
    """What the fit gives of the trials that it has seen."""
    trials = [t for t in calibrated.evidence.trials if any(_rows(t, calibrated.table))]
    known = draws(Refit(calibrated.table, calibrated.fit))
    predictions = _frame("fitted", trials, calibrated.table, known)
    differences = _differences("fitted", trials, calibrated.table, known)
    return Validated(predictions, differences, summarise(predictions, differences))


def _lean(calibrated: Calibrated) -> Table:
    """The table with just what folds need: trials and the relapses that are fitted."""
    table = calibrated.table
    curves = dict(zip(RESPONSES, np.asarray(table.curves), strict=True))
    fitted = [r for r in calibrated.evidence.relapses if r.key in FITTED_RELAPSES]
    people = table.groups[0].arms.known.shape[1]
    return build(calibrated.evidence.trials, (), fitted, table.vector, table.fixed, curves, people)


def split(keys: Sequence[str], folds: int) -> tuple[tuple[str, ...], ...]:
    """Trials divided at random (with a fixed seed) into folds of about equal size."""
    order = np.random.default_rng(SEED).permutation(len(keys))
    return tuple(tuple(keys[int(i)] for i in sorted(order[k::folds])) for k in range(folds))


def refit(calibrated: Calibrated, left_out: Sequence[str], read: bool = False) -> Refit:
    """Estimate without some trials or arms (`trial/arm`), from the mode of the fit to all on.

    Courses of the meta-analysis, which knows the trials, are left out too. read: whether readings are estimated again.
    """
    unseen = {*LEFT_OUT, *left_out}
    table = calibrated.table
    if read:
        seen = [t for t in calibrated.evidence.trials if t.key not in unseen]
        estimated = readings_fit.fit(seen, calibrated.numbers, people=3000).estimates
        numbers = calibrated.numbers | {e.name: e.value for e in estimated if e.name in calibrated.numbers}
        curves = readings.response_curves(numbers, SEED, 15_000)
        stacked = jnp.asarray(np.stack([curves[name] for name in RESPONSES]))
        table = replace(table, curves=stacked)
    rows = counts(calibrated.evidence.trials, table, unseen)
    fitted = [r for r in calibrated.evidence.relapses if r.key in FITTED_RELAPSES]
    told = _without_drugs(summaries((), fitted, table, SPREADS), table, rows.upper)
    start = calibrated.fit
    effects = np.where(np.isin(np.arange(len(table.trials)), rows.trial), start.effects, 0.0)
    return Refit(table, fit(table, rows, told, start.believed, start.vector, effects, start.spread, most=STEPS))


def _without_drugs(told: Summaries, table: Table, seen: np.ndarray) -> Summaries:
    """Summaries of drugs of which some count is seen: relapse after a drug tells of its potency too."""
    drugs = set(table.drugs[seen])
    keep = np.array([table.drugs[i] in drugs for i in told.one], dtype=bool)
    return Summaries(*(column[keep] for column in told))


def draws(of: Refit, number: int = DRAWS, seed: int = SEED) -> Draws:
    """Draw parameters from their posterior, and for each the effect of a new trial."""
    rng = np.random.default_rng(seed)
    size = len(of.fit.vector)
    none = np.zeros(len(of.table.trials))
    root = np.linalg.cholesky(of.fit.covariance[:size, :size] + 1e-10 * np.eye(size))
    value = of.table.values(of.fit.vector, none)
    slope = (logit(_inside(of.table.values(of.fit.vector, none + 1e-3))) - logit(_inside(value))) / 1e-3
    drawn = []
    for _ in range(number):
        p = _inside(of.table.values(of.fit.vector + root @ rng.standard_normal(size), none))
        effect = of.fit.spread * rng.standard_normal(len(none) + 1)
        drawn.append(_inside(expit(logit(p) + slope * effect[of.table.of_trial])))
    return Draws(value, np.stack(drawn), of.fit.rho)


def _inside(share: np.ndarray) -> np.ndarray:
    return np.clip(share, NEAREST, 1 - NEAREST)


def counted(found: Draws, place: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """Shares of `n` people in each draw, with the variation of counts beyond chance."""
    size = 1 / found.rho - 1
    p = found.drawn[:, place]
    return rng.binomial(n, rng.beta(p * size, (1 - p) * size)) / n


def _rows(trial: Trial, table: Table) -> Iterator[tuple[Arm, Readout, int]]:
    """Each arm and response of a trial that the table has: arm, outcome, readout, place."""
    for arm in trial.arms:
        if followed(arm):
            for readout in arm.readouts:
                place = table.place.get((trial.key, arm.name, readout.outcome, readout.week))
                if place is not None and readout.outcome in LADDER:
                    yield arm, readout, place


def drug_of(arm: Arm) -> str:
    """What an arm receives."""
    return arm.treatments[0] if arm.treatments else "placebo"


def _frame(
    scheme: str, trials: Iterable[Trial], table: Table, found: Draws, drugs: Sequence[str] | None = None
) -> pd.DataFrame:
    """Predictions with intervals at each arm's size; only of some drugs if they are told."""
    rng = np.random.default_rng(SEED)
    rows = []
    for trial in trials:
        for arm, readout, place in _rows(trial, table):
            drug = drug_of(arm)
            if drugs is not None and drug not in drugs:
                continue
            low, high = np.quantile(counted(found, place, readout.n, rng), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
            primary = readout.week == trial.main_week() and trial.key not in LEFT_OUT
            rows.append(
                {
                    "scheme": scheme,
                    "trial": trial.key,
                    "title": trial.title,
                    "arm": arm.name,
                    "drug": drug,
                    "drug_class": CLASS_OF[drug],
                    "outcome": readout.outcome,
                    "week": readout.week,
                    "primary": primary,
                    "n": readout.n,
                    "observed": readout.percent / 100,
                    "predicted": float(found.value[place]),
                    "low": low,
                    "high": high,
                    "status": readout.status,
                }
            )
    return pd.DataFrame(rows)


def _differences(scheme: str, trials: Iterable[Trial], table: Table, found: Draws) -> pd.DataFrame:
    """Differences between arms with different drugs."""
    rng = np.random.default_rng(SEED)
    by_key = {trial.key: trial for trial in trials}
    rows = []
    for pair in head_to_head(by_key.values()):
        places = [
            table.place.get((pair.trial, name, pair.outcome, pair.week), -1) for name in (pair.arm, pair.comparator)
        ]
        if not pair.between or min(places) < 0 or pair.trial in LEFT_OUT:
            continue
        trial = by_key[pair.trial]
        one, other = (
            counted(found, place, trial.arm(name).at(pair.week)[pair.outcome].n, rng)
            for place, name in zip(places, (pair.arm, pair.comparator), strict=True)
        )
        low, high = 100 * np.quantile(one - other, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        predicted = 100 * float(found.value[places[0]] - found.value[places[1]])
        rows.append(
            {
                "scheme": scheme,
                "trial": pair.trial,
                "arm": pair.arm,
                "comparator": pair.comparator,
                "outcome": pair.outcome,
                "week": pair.week,
                "observed": pair.points,
                "observed_low": pair.low,
                "observed_high": pair.high,
                "predicted": predicted,
                "low": low,
                "high": high,
                "sign_kept": bool(np.sign(predicted) == np.sign(pair.points)),
                "inside": bool(low <= pair.points <= high),
            }
        )
    return pd.DataFrame(rows)


def summarise(predictions: pd.DataFrame, differences: pd.DataFrame) -> dict[str, float]:
    """Mean absolute errors (percentage points) and coverage over arms at primary time points, PASI 75 and PASI 90."""
    found: dict[str, float] = {}
    main = predictions[predictions.primary & predictions.outcome.isin(["pasi75", "pasi90"])]
    for scheme, part in main.groupby("scheme"):
        error = 100 * (part.predicted - part.observed).abs()
        inside = (part.observed >= part.low) & (part.observed <= part.high)
        found |= {
            f"{scheme}: arms": len(part),
            f"{scheme}: mean absolute error": error.mean(),
            f"{scheme}: mean absolute error, weighted by size": np.average(error, weights=part.n),
            f"{scheme}: mean absolute error, active arms": error[part.drug != "placebo"].mean(),
            f"{scheme}: bias": 100 * (part.predicted - part.observed).mean(),
            f"{scheme}: coverage": inside.mean(),
        }
        sampling = 100 * np.sqrt(2 / np.pi * part.predicted * (1 - part.predicted) / part.n)
        found[f"{scheme}: mean absolute error that chance alone makes"] = sampling.mean()
    for scheme, part in differences.groupby("scheme"):
        found |= {
            f"{scheme}: differences": len(part),
            f"{scheme}: differences with the other sign": int((~part.sign_kept).sum()),
            f"{scheme}: differences outside": int((~part.inside).sum()),
        }
    return found
