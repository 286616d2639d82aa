"""What the model predicts of trials and drug classes that it has not seen, beside what it was fitted to."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np
import pandas as pd

from ..climb import climb
from ..predict import Figure, Pair, Refit, differences, draws, predictions, receiving, split
from ..terms import Summaries, subset
from . import readings, readings_fit
from .calibrate import FITTED_RELAPSES, LEFT_OUT, SEED, SPREADS, Calibrated, Say, quiet
from .evidence.arms import Arm, Readout, Trial
from .evidence.comparisons import head_to_head
from .likelihood import counts, summaries
from .table import LADDER, RESPONSES, Table, build, followed

FOLDS = 10
STEPS = 60  # at most, of a fit that starts at the mode of the fit to all; most are without new slopes
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
class Validated:
    """Predictions and differences of all schemes: `fitted`, `trials` (folds over trials) and `class` (drug classes)."""

    predictions: pd.DataFrame
    differences: pd.DataFrame
    summary: dict[str, float]


def validate(calibrated: Calibrated, folds: int = FOLDS, say: Say = quiet) -> Validated:
    """Predict every arm from a fit to all, from one without its trial, and from one without its drug class."""
    calibrated = replace(calibrated, table=_lean(calibrated))
    trials = {trial.key: trial for trial in _followed(calibrated)}
    seen = fitted(calibrated)
    rows, between = [seen.predictions], [seen.differences]
    for number, keys in enumerate(split(tuple(trials), folds)):
        say(f"fold {number + 1} of {folds}: without {', '.join(keys)}")
        unseen = refit(calibrated, keys, read=True)
        found = draws(unseen)
        out = [trials[key] for key in keys]
        rows.append(predictions("trials", figures(out, unseen.table), found))
        between.append(differences("trials", pairs(out, unseen.table), found))
    for name, drugs in CLASSES.items():
        say(f"without the class {name}")
        unseen = refit(calibrated, receiving(trials.values(), drugs))
        rows.append(predictions("class", figures(trials.values(), unseen.table, drugs), draws(unseen)))
    return _validated(pd.concat(rows, ignore_index=True), pd.concat(between, ignore_index=True))


def fitted(calibrated: Calibrated) -> Validated:
    """What the fit gives of the trials that it has seen."""
    trials = _followed(calibrated)
    known = draws(Refit(calibrated.table, calibrated.fit))
    return _validated(
        predictions("fitted", figures(trials, calibrated.table), known),
        differences("fitted", pairs(trials, calibrated.table), known),
    )


def _validated(told: pd.DataFrame, between: pd.DataFrame) -> Validated:
    """Shares of people have no standard error of their own; all differences are between active arms."""
    told, between = told.assign(error=np.nan), between.assign(against="active")
    return Validated(told, between, summarise(told, between))


def _followed(calibrated: Calibrated) -> list[Trial]:
    """Trials of which the table has a response."""
    return [trial for trial in calibrated.evidence.trials if any(figures([trial], calibrated.table))]


def _lean(calibrated: Calibrated) -> Table:
    """The table with just what folds need: trials and the relapses that are fitted."""
    table = calibrated.table
    curves = dict(zip(RESPONSES, np.asarray(table.curves), strict=True))
    fitted = [r for r in calibrated.evidence.relapses if r.key in FITTED_RELAPSES]
    people = table.groups[0].arms.known.shape[1]
    return build(calibrated.evidence.trials, (), fitted, table.vector, table.fixed, curves, people)


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
    told = _of_seen(summaries((), fitted, table, SPREADS), table, rows.upper)
    terms, at = {"counts": rows, "summaries": told}, calibrated.fit
    return Refit(table, climb(table, terms, at.believed, at.groups, at.vector, at.effects, most=STEPS, reuse=True))


def _of_seen(told: Summaries, table: Table, seen: np.ndarray) -> Summaries:
    """Summaries of drugs of which some count is seen: relapse after a drug tells of its potency too."""
    drugs = set(table.drugs[seen])
    return subset(told, np.array([table.drugs[i] in drugs for i in told.one], dtype=bool))


def drug_of(arm: Arm) -> str:
    """What an arm receives."""
    return arm.treatments[0] if arm.treatments else "placebo"


def figures(trials: Iterable[Trial], table: Table, drugs: Collection[str] | None = None) -> Iterator[Figure]:
    """Each PASI response of trials' arms that the table has; only of some drugs if they are told."""
    for trial in trials:
        for arm in trial.arms:
            if followed(arm) and (drugs is None or drug_of(arm) in drugs):
                for readout in arm.readouts:
                    place = table.place.get((trial.key, arm.name, readout.outcome, readout.week))
                    if place is not None and readout.outcome in LADDER:
                        yield _figure(trial, arm, readout, place)


def _figure(trial: Trial, arm: Arm, readout: Readout, place: int) -> Figure:
    primary = readout.week == trial.main_week() and trial.key not in LEFT_OUT
    drug, observed = drug_of(arm), readout.percent / 100
    return Figure(
        *(trial.key, trial.title, arm.name, drug, CLASS_OF[drug], readout.outcome, readout.week),
        *(primary, readout.n, observed, readout.status, place, "counts"),
    )


def pairs(trials: Iterable[Trial], table: Table) -> Iterator[Pair]:
    """Differences between arms with different drugs."""
    by_key = {trial.key: trial for trial in trials}
    told = {(f.trial, f.arm, f.outcome, f.week): f for f in figures(by_key.values(), table)}
    for pair in head_to_head(by_key.values()):
        one, other = (told.get((pair.trial, arm, pair.outcome, pair.week)) for arm in (pair.arm, pair.comparator))
        if pair.between and one and other and pair.trial not in LEFT_OUT:
            yield Pair(one, other, pair.points, pair.low, pair.high)


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
