"""Replicates analysed again by the routines of `cutis run`, and one replicate in full."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import pandas as pd

from ...core.diseases import DISEASES
from ...core.keys import root, stream
from .. import bundle
from ..statistics import analyses as statistics
from ..statistics.methods.estimate import Estimate
from ..statistics.offered import METHODS
from ..statistics.proportions import Contrast
from ..statistics.result import Finding, Result
from ..study import Analysis, Study
from .draw import Drawn, draw, keys
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


def table(
    pool: Pool, columns: Columns, analysis: Analysis, drawn: Drawn, outcomes: Sequence[int], cut: int
) -> pd.DataFrame:  # fmt: skip
    """The analysis table of a replicate at a look, as `statistics.dataset.table` gives it.

    Args:
      outcomes: whose the arm and the comparator have, 0 the arm's own, 1 the comparator's.
    """
    who, given = np.asarray(drawn.people)[:cut], np.asarray(drawn.arms)[:cut]
    compared = np.isin(given, columns.arms)
    who, first = who[compared], given[compared] == columns.arms[0]
    source = np.where(first, *outcomes)
    covariates = np.where(columns.complete[source, who][:, None], columns.covariates[source, who], np.nan)
    frame = pd.DataFrame(covariates, columns=_names(analysis, covariates.shape[1]))
    frame = frame.assign(
        twin=np.arange(len(who)), arm=np.where(first, analysis.arm, analysis.comparator),
        stratum=pool.strata[who], value=columns.value[source, who], missing=columns.missing[source, who],
    )  # fmt: skip
    if columns.more is None:
        return frame
    more = columns.more[source, who]
    if METHODS[analysis.method].reads == "times":
        frame["time"] = more[:, 0]
        frame.attrs["until"] = analysis.week - (analysis.options.from_week or 0)
        return frame
    parts = [frame.assign(value=values, missing=np.isnan(values), week=week) for week, values in enumerate(more.T, 1)]
    return pd.concat(parts, ignore_index=True)


def _names(analysis: Analysis, many: int) -> list[str]:
    """Of the covariates; those whose effect differs between visits are known by their names."""
    own = len(changing(analysis)) if METHODS[analysis.method].reads == "visits" else 0
    return [f"{'covariate' if i < many - own else 'baseline'}_{i}" for i in range(many)]


def again(analysis: Analysis, frame: pd.DataFrame) -> Finding:
    """The comparison by the routine of `cutis run`."""
    covariates = tuple(name for name in frame.columns if name.startswith(("covariate_", "baseline_")))
    options = analysis.options.model_copy(update={"visits": None})
    contrast = Contrast(analysis.arm, analysis.comparator, covariates, level_of(analysis), options)
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
        drawn = people(trials, int(number), pool.strata)
        for place, (name, analysis) in enumerate(analyses.items()):
            for h, outcomes in enumerate(trials.hypotheses.values()):
                for look, cut in enumerate(trials.cuts):
                    frame = table(pool, pool.columns[name], analysis, drawn, outcomes[place], cut)
                    ours = Estimate._make(values[row, h, look, place] for values in found)
                    apart = difference(analysis, ours, again(analysis, frame))
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
    study: Study, trials: Trials, pool: Pool, folder: Path, number: int
) -> tuple[dict[str, pd.DataFrame], list[Result]]:  # fmt: skip
    """A replicate under the model in full: its tables (twins, observations, events), and all analyses of the study.

    Twins are numbered by entry; `pool_twin` says who each is in the pool.

    Args:
      folder: of the pool.
    """
    drawn = people(trials, number, pool.strata)
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
    for name in ("arm", "stratum"):
        twins[name] = twins[name].astype(str)
    results = statistics.analyse(
        study, DISEASES[study.trial.disease], twins.drop(columns="pool_twin"),
        tables["observations"].drop(columns="pool_twin"), tables["events"].drop(columns="pool_twin"),
    )  # fmt: skip
    return tables, results
