"""Replicates analysed again by the routines of `cutis run`, and one replicate in full."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import pandas as pd

from ...core.diseases import DISEASES
from ...core.keys import root, stream
from .. import bundle
from ..statistics import analyses as statistics
from ..statistics import completed, pooled, repeated
from ..statistics.imputation.analyse import ancova_design
from ..statistics.imputation.conditional import conditional_mean
from ..statistics.imputation.incomplete import incomplete
from ..statistics.imputation.posterior import IMPUTATIONS
from ..statistics.methods.estimate import Estimate
from ..statistics.offered import METHODS
from ..statistics.proportions import Contrast
from ..statistics.result import Finding, Result
from ..study import Analysis, Study
from .draw import Drawn, draw, keys, seed
from .gaps import imputes
from .imputed import NONE
from .kernels import kernel
from .pool import Columns, Pool
from .repeated import changing
from .replicates import Trials, level_of

COMPARED = ("estimate", "se", "low", "high", "p")


class Agreement(NamedTuple):
    """How far the two ways are apart. largest: of each analysis, the largest difference of any of `COMPARED`, as a
    part of the number where that is above 1. flagged: analyses in which one of the two gives no estimate."""

    analyses: int
    largest: dict[str, float]
    flagged: int


def selected(seed: int, replicates: int, share: float) -> np.ndarray:
    """Numbers of the replicates that are analysed again; at least one if any are wanted."""
    if share <= 0:
        return np.zeros(0, int)
    import jax

    luck = jax.random.uniform(stream(root(seed), "design", "recheck"), (replicates,))
    found = np.flatnonzero(np.asarray(luck) < share)
    return found if len(found) else np.array([0])


def people(trials: Trials, number: int, strata: np.ndarray) -> Drawn:
    """Who takes part in a replicate, and which arm each has, in order of entry."""
    drawn = draw(keys(trials.seed, jnp.asarray([number]))[0], jnp.asarray(strata), trials.allocation, trials.room)
    return Drawn(np.asarray(drawn.people)[: trials.size], np.asarray(drawn.arms)[: trials.size])  # pyright: ignore[reportArgumentType]


def luck_of(trials: Trials, number: int) -> int:
    """The seed by which a study imputes as this replicate does."""
    return int(seed(keys(trials.seed, jnp.asarray([number]), trials.stage)[0]))


def table(
    pool: Pool, columns: Columns, analysis: Analysis, drawn: Drawn, outcomes: Sequence[int], cut: int
) -> pd.DataFrame:  # fmt: skip
    """The analysis table of a replicate at a look, as `statistics.dataset.table` gives it.

    Args:
      outcomes: whose the arm and the comparator have, 0 the arm's own, 1 the comparator's.
    """
    who, given = np.asarray(drawn.people)[:cut], np.asarray(drawn.arms)[:cut]
    about = np.asarray(columns.complete.any(axis=0))  # a subgroup's analysis has no others
    compared = np.isin(given, columns.arms) & about[who]
    who, first = who[compared], given[compared] == columns.arms[0]
    source = np.where(first, *outcomes)
    covariates = np.where(columns.complete[source, who][:, None], columns.covariates[source, who], np.nan)
    frame = pd.DataFrame(covariates, columns=_names(analysis, covariates.shape[1]))
    frame = frame.assign(
        twin=np.flatnonzero(compared), arm=np.where(first, analysis.arm, analysis.comparator),
        stratum=pool.strata[who], value=columns.value[source, who], missing=columns.missing[source, who],
    )  # fmt: skip
    if columns.more is None:
        return frame
    more = columns.more[source, who]
    if imputes(analysis):
        return gaps_of(columns, analysis, frame, more, source, who)
    if METHODS[analysis.method].reads == "times":
        frame["time"] = more[:, 0]
        frame.attrs["until"] = analysis.week - (analysis.options.from_week or 0)
        return frame
    parts = [frame.assign(value=values, missing=np.isnan(values), week=week) for week, values in enumerate(more.T, 1)]
    return pd.concat(parts, ignore_index=True)


def _names(analysis: Analysis, many: int) -> list[str]:
    """Of the covariates; those whose effect differs between visits are known by their names."""
    own = len(changing(analysis)) if METHODS[analysis.method].reads == "visits" or imputes(analysis) else 0
    return [f"{'covariate' if i < many - own else 'baseline'}_{i}" for i in range(many)]


def gaps_of(
    columns: Columns, analysis: Analysis, frame: pd.DataFrame, more: np.ndarray, source: np.ndarray, who: np.ndarray
) -> pd.DataFrame:  # fmt: skip
    """The table of an analysis that imputes: a row a twin and visit, and what `imputed_again` needs beside."""
    counts = columns.counts[source, who]
    visits = more.shape[1] - (1 if analysis.method == "ancova" else 2)
    frame = frame.assign(departure=more[:, visits], largest=more[:, -1])
    if columns.extra is not None:
        frame["baseline_of_imputation"] = columns.extra[source, who][:, 0]
    parts = [frame.assign(value=more[:, t], missing=np.isnan(more[:, t]), week=t + 1) for t in range(visits)]
    return pd.concat([part.loc[counts] for part in parts], ignore_index=True)


def imputed_again(analysis: Analysis, frame: pd.DataFrame, contrast: Contrast, luck: int) -> Finding:
    """The comparison by the routines for imputed outcomes of `cutis run`, with this seed."""
    weeks = tuple(map(str, sorted(frame["week"].unique())))
    extra = [name for name in frame.columns if name == "baseline_of_imputation"]
    model = repeated.model(contrast._replace(covariates=(*contrast.covariates, *extra)), weeks)
    last = frame.loc[frame["week"] == len(weeks)]
    after = {str(t): weeks[int(d)] for t, d in zip(last["twin"], last["departure"], strict=True) if d < len(weeks)}
    if contrast.options.imputations == NONE:
        return _conditional(analysis, frame, contrast, model, after)
    key, number = stream(root(luck), "statistics", analysis.outcome), contrast.options.imputations or IMPUTATIONS
    filled = completed.drawn(key, frame, model, after, analysis.missing or "", number)
    if analysis.method != "ancova" and filled.imputed is not None:
        responds = filled.values <= filled.table["largest"].to_numpy()[None]
        filled = filled._replace(values=responds.astype(float))
    return pooled.analyse(filled, contrast, analysis.method)[0]


def _conditional(
    analysis: Analysis, frame: pd.DataFrame, contrast: Contrast, model: Any, after: dict[str, str]
) -> Finding:
    """The same by conditional means and the jackknife."""
    data = incomplete(frame, model, after)
    own = ancova_design(data, contrast.covariates)
    found = conditional_mean(data, own, completed.APPROACHES[analysis.missing or ""], contrast.level)
    estimate, se, low, high, p = (float(getattr(found, name)) for name in COMPARED)
    return Finding(
        contrast.arm, contrast.comparator, "ancova", {}, "difference in adjusted means", estimate, low, high,
        len(data.arm), se=se, p=p, engine="cutis",
    )  # fmt: skip


def again(analysis: Analysis, frame: pd.DataFrame, luck: int = 0) -> Finding:
    """The comparison by the routine of `cutis run`; `luck` is the seed of its imputations."""
    covariates = tuple(name for name in frame.columns if name.startswith(("covariate_", "baseline_")))
    covariates = tuple(name for name in covariates if name != "baseline_of_imputation")
    options = analysis.options.model_copy(update={"visits": None})
    contrast = Contrast(analysis.arm, analysis.comparator, covariates, level_of(analysis), options)
    if imputes(analysis):
        return imputed_again(analysis, frame, contrast, luck)
    return METHODS[analysis.method].run(frame, contrast)[0]


def recheck(
    trials: Trials, pool: Pool, analyses: Mapping[str, Analysis], numbers: np.ndarray, found: Estimate
) -> Agreement:  # fmt: skip
    """Analyse replicates again, under every hypothesis and at every look.

    Args:
      numbers: of the replicates, (replicates,). found: their estimates, (replicates, hypotheses, looks, analyses).
    """
    largest = dict.fromkeys(analyses, 0.0)
    many = flagged = 0
    for row, number in enumerate(numbers):
        drawn, luck = people(trials, int(number), pool.strata), luck_of(trials, int(number))
        for place, (name, analysis) in enumerate(analyses.items()):
            for h, outcomes in enumerate(trials.hypotheses.values()):
                for look, cut in enumerate(trials.cuts):
                    frame = table(pool, pool.columns[name], analysis, drawn, outcomes[place], cut)
                    ours = Estimate._make(values[row, h, look, place] for values in found)
                    apart = difference(analysis, ours, again(analysis, frame, luck))
                    many, flagged = many + 1, flagged + int(np.isnan(apart))
                    largest[name] = max(largest[name], 0.0 if np.isnan(apart) else apart)
    return Agreement(many, largest, flagged)


def difference(analysis: Analysis, ours: Estimate, theirs: Finding) -> float:
    """The largest difference of any number, as a part of it where it is above 1; NaN if one has no estimate."""
    ratio = kernel(analysis).ratio
    apart = []
    for name in COMPARED:
        one, two = float(getattr(ours, name)), float(getattr(theirs, name))
        if ratio and name in ("estimate", "low", "high"):
            two = float(np.log(two)) if two > 0 else np.nan
        if name == "estimate" and (np.isnan(one) or np.isnan(two)):
            return np.nan
        if name == "p" and np.isnan(two):
            continue  # there is no test, which counts as p = 1 among replicates
        if np.isnan(one) != np.isnan(two) and name != "se":
            return np.inf
        if not (np.isnan(one) or np.isnan(two)):
            apart.append(abs(one - two) / max(1.0, abs(two)))
    return max(apart)


def replay(
    study: Study, trials: Trials, pool: Pool, folder: Path, number: int, drawn: Drawn | None = None
) -> tuple[dict[str, pd.DataFrame], list[Result]]:  # fmt: skip
    """A replicate under the model in full: its tables (twins, observations, events), and all analyses of the study.

    Twins are numbered by entry; `pool_twin` says who each is in the pool.

    Args:
      folder: of the pool. drawn: its people and arms, if not those of the blocks; the arms of a split-body trial are
        those of the left sides.
    """
    drawn = people(trials, number, pool.strata) if drawn is None else drawn
    parts: dict[str, list[pd.DataFrame]] = {kind: [] for kind in bundle.TABLES}
    for place, arm in enumerate(study.trial.arms):
        entry = np.flatnonzero(np.asarray(drawn.arms) == place)
        ids = pool.ids[np.asarray(drawn.people)[entry]]
        who = pd.DataFrame({"pool_twin": ids, "entry": entry})
        for kind, rows in bundle.tables(folder / arm).items():
            mine = who.merge(rows.rename(columns={"twin": "pool_twin"}), on="pool_twin", how="inner")
            parts[kind].append(mine)
    tables = {}
    for kind, frames in parts.items():
        whole = pd.concat(frames, ignore_index=True).sort_values("entry", kind="stable", ignore_index=True)
        tables[kind] = whole.rename(columns={"entry": "twin"})
    twins = tables["twins"]
    for name in twins.columns.intersection(["arm", "left_arm", "right_arm", "stratum"]):
        twins[name] = twins[name].astype(str)
    # Whoever imputes has the replicate's luck; the rest of an analysis knows no seed.
    lucky = study.model_copy(update={"seed": luck_of(trials, number)})
    if not any(map(imputes, study.trial.analyses.values())):
        lucky = study
    results = statistics.analyse(
        lucky, DISEASES[study.trial.disease], twins.drop(columns="pool_twin"),
        tables["observations"].drop(columns="pool_twin"), tables["events"].drop(columns="pool_twin"),
    )  # fmt: skip
    return tables, results
