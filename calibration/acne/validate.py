"""What the model predicts of trials and classes of treatments that it has not seen, beside what it was fitted to."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pandas as pd

from ..climb import climb
from ..predict import Draws, Figure, Pair, Refit, differences, draws, predictions, receiving, split
from ..report.summary import wilson
from . import likelihood
from .calibrate import LEFT_OUT, Calibrated, Say, groups, quiet
from .evidence.arms import PERCENTS, SHARES, Arm, Readout, Trial
from .evidence.regimens import CLASSES, CONTROLS, drug_class
from .likelihood import error_of, given, seen, term_of
from .table import Table
from .told import TOLD

FOLDS = 10
STEPS = 60  # at most, of a fit that starts at the mode of the fit to all; most are without new slopes
NORMAL = 1.96  # standard errors to either end of 95 % limits
ALL_GONE = -100.0  # per cent, beyond which no change of lesions goes; effects are linear, and would
HELD = {"perfect_2", "sc1402", "dapsone_2", "safa@24", "aviclear@32", "aviclear@58"}  # and all combinations


@dataclass(frozen=True)
class Validated:
    """Predictions and differences of all schemes of `report.frames`."""

    predictions: pd.DataFrame
    differences: pd.DataFrame


def validate(calibrated: Calibrated, folds: int = FOLDS, say: Say = quiet) -> Validated:
    """Predict every arm from a fit to all, from one without its trial, from one without its class of treatments, and
    what was held back beforehand from one without all of that."""
    trials = {trial.key: trial for trial in _followed(calibrated)}
    parts = [fitted(calibrated)]
    folded = split(tuple(trials), min(folds, len(trials)))
    for number, keys in enumerate(folded):
        say(f"fold {number + 1} of {len(folded)}: without {', '.join(keys)}")
        parts.append(_predicted("trials", calibrated, keys, [trials[key] for key in keys], True))
    held = held_back(trials.values())
    if held:
        say("without what was held back beforehand")
        parts.append(_predicted("held", calibrated, held, trials.values()))
    for name, drugs in classes(trials.values()).items():
        say(f"without the class {name}")
        parts.append(_predicted("class", calibrated, receiving(trials.values(), drugs), trials.values()))
    told, between = ([getattr(part, name) for part in parts] for name in ("predictions", "differences"))
    return Validated(pd.concat(told, ignore_index=True), pd.concat(between, ignore_index=True))


def fitted(calibrated: Calibrated) -> Validated:
    """What the fit gives of all trials, those of LEFT_OUT too, which it has not seen."""
    return _told("fitted", _followed(calibrated), Refit(calibrated.table, calibrated.fit))


def classes(trials: Iterable[Trial]) -> dict[str, tuple[str, ...]]:
    """Treatments of each class of which some arm receives one."""
    given_ = {name for trial in trials for arm in trial.arms for name in arm.treatments} - set(CONTROLS)
    names = dict.fromkeys(CLASSES[name] for name in CLASSES if name in given_)
    return {one: tuple(name for name in CLASSES if CLASSES[name] == one and name in given_) for one in names}


def held_back(trials: Iterable[Trial]) -> set[str]:
    """What was to be held back beforehand: arms with several drugs, and some trials and late weeks."""
    known = list(trials)
    combined = {f"{t.key}/{a.name}" for t in known for a in t.arms if len(set(a.treatments) - set(CONTROLS)) > 1}
    return combined | {key for key in HELD if key.split("@")[0] in {trial.key for trial in known}}


def refit(calibrated: Calibrated, left_out: Collection[str]) -> Refit:
    """Estimate without some of the evidence (`likelihood.seen`): parameters from the mode of the fit to all on, what
    trials add from nothing, so that there are steps enough to estimate its spread anew."""
    table, at = calibrated.table, calibrated.fit
    told = likelihood.terms(calibrated.trials, table, {*LEFT_OUT, *left_out})
    begin = groups(table, calibrated.trials)
    return Refit(table, climb(table, told, at.believed, begin, at.vector, most=STEPS, reuse=True))


def figures(trials: Iterable[Trial], table: Table, left_out: Collection[str] | None = None) -> Iterator[Figure]:
    """Each figure of trials' arms that the table has; only those left out of a fit, if that is told."""
    for trial in trials:
        for arm in trial.arms:
            for readout in arm.readouts:
                place = table.place.get((trial.key, arm.name, readout.outcome, readout.week))
                if place is not None and (left_out is None or not seen(trial, arm, readout, left_out)):
                    yield _figure(trial, arm, readout, place)


def pairs(found: Iterable[Figure]) -> Iterator[Pair]:
    """Differences of what is judged at primary time points, between arms of one trial with other treatments: of active
    ones against those on control, and of active ones."""
    alike: dict[tuple[str, str, int], list[Figure]] = {}
    for figure in found:
        if figure.primary and figure.outcome in TOLD.judged:
            alike.setdefault((figure.trial, figure.outcome, figure.week), []).append(figure)
    for together in alike.values():
        for one, other in combinations(sorted(together, key=_is_control), 2):
            if not _is_control(one) and one.drug != other.drug:
                yield _pair(one, other)


def _predicted(
    scheme: str, calibrated: Calibrated, left_out: Collection[str], trials: Iterable[Trial], pairs_: bool = False
) -> Validated:
    """Predictions of what is left out, from a fit without it."""
    return _told(scheme, trials, refit(calibrated, left_out), left_out, pairs_)


def _told(
    scheme: str, trials: Iterable[Trial], unseen: Refit, left_out: Collection[str] | None = None, pairs_: bool = True
) -> Validated:
    found, told = _with_scores(draws(unseen)), list(figures(trials, unseen.table, left_out))
    errors = [np.nan if figure.error is None else figure.error for figure in told]
    between = list(pairs(told)) if pairs_ else []
    against = ["control" if _is_control(pair.other) else "active" for pair in between]
    return Validated(
        predictions(scheme, told, found).assign(error=errors),
        differences(scheme, between, found).assign(against=against),
    )


def _with_scores(found: Draws) -> Draws:
    """With what scores, of which one trial alone tells, are taken to vary by beside chance."""
    return replace(found, variation={**found.variation, "score": given().value("misfit.score")})


def _followed(calibrated: Calibrated) -> list[Trial]:
    """Trials of which the table has a figure."""
    return [trial for trial in calibrated.trials if any(figures([trial], calibrated.table))]


def _figure(trial: Trial, arm: Arm, readout: Readout, place: int) -> Figure:
    primary = readout.week == trial.week and trial.key not in LEFT_OUT
    primary = primary and trial.design != "single" and readout.n >= given().value("judged.people")
    share = readout.outcome in SHARES
    return Figure(
        *(trial.key, trial.title, arm.name, " + ".join(arm.treatments), drug_class(arm.courses)),
        *(readout.outcome, readout.week, primary, readout.n, readout.value / 100 if share else readout.value),
        *(readout.status, place, term_of(readout), error_of(readout)),
        least=ALL_GONE if readout.outcome in PERCENTS else -np.inf,
    )


def _is_control(figure: Figure) -> bool:
    return figure.drug_class in TOLD.controls


def _pair(one: Figure, other: Figure) -> Pair:
    """The published difference, with limits after Newcombe (1998) for shares and normal ones for means."""
    if one.error is None or other.error is None:
        (low, high), (low_, high_) = (wilson(f.observed * f.n, f.n, 0.95) for f in (one, other))
        off = one.observed - other.observed
        below = np.hypot(one.observed - low, high_ - other.observed)
        above = np.hypot(high - one.observed, other.observed - low_)
        return Pair(one, other, 100 * off, 100 * (off - below), 100 * (off + above))
    off, half = one.observed - other.observed, NORMAL * np.hypot(one.error, other.error)
    return Pair(one, other, off, off - half, off + half)
