"""Multiple imputation of an outcome: the gaps of two arms filled from a model for repeated measures."""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jax import Array

from ...core.disease import Disease, Outcome
from . import repeated
from .dataset import Records, over_visits
from .outcomes import made_of
from .proportions import Contrast
from .result import joined

APPROACHES = {
    "multiple_imputation": "missing_at_random",
    "jump_to_reference": "jump_to_reference",
    "copy_reference": "copy_reference",
    "copy_increments": "copy_increments",
}


class Filled(NamedTuple):
    """The outcome of two arms at a week, completed.

    Args:
      values: shape (imputations, twins).
      table: a row a twin, as `dataset.table`, with the covariates.
      imputed, data: what the values come from, for shifts; None if nothing was imputed.
      flag: why there are no values; empty if there are.
    """

    values: np.ndarray
    table: pd.DataFrame
    imputed: Any
    data: Any
    flag: str


def fill(
    key: Array, records: Records, disease: Disease, outcome: Outcome, contrast: Contrast, week: int,
    intercurrent: str, missing: str,
) -> Filled:  # fmt: skip
    """Fill the gaps of the visits up to a week, and derive the outcome there.

    A continuous outcome is imputed itself; of a responder outcome the measurement that decides it, kept within its
    scale (grades and counts rounded), before the threshold. Under `hypothetical` what was seen after the first
    intercurrent event is left out first; under `composite` who had one does not respond. References apply from the
    first visit after the event, or else after the last visit seen.
    """
    from .imputation.posterior import IMPUTATIONS

    part, inner = measured(disease, outcome)
    weeks = [visit for visit in sorted(records.rows) if 0 < visit <= week]
    strategy = "hypothetical" if intercurrent == "hypothetical" else "treatment_policy"
    wanted = [*contrast.covariates, *([f"baseline_{part}"] if part else [])]
    terms = contrast._replace(covariates=tuple(dict.fromkeys(wanted)))
    whole = over_visits(records, inner, weeks, strategy)
    about = np.full(len(records.twins), True) if outcome.of is None else np.asarray(outcome.of(records.at(0)), bool)
    arms = records.twins["arm"].isin([contrast.arm, contrast.comparator]).to_numpy()
    complete = ~whole.loc[whole["week"] == week, list(terms.covariates)].isna().to_numpy().any(axis=1)
    kept = np.tile(about & arms & complete, len(weeks))
    long = whole.loc[kept].sort_values(["twin", "week"], kind="stable")
    table = long.loc[long["week"] == week].reset_index(drop=True)
    lacking = int((about & arms & ~complete).sum())
    note = f"twins left out for lack of a covariate: {lacking}" if lacking else ""
    model = repeated.model(terms, tuple(map(str, weeks)))
    after = {
        str(twin): str(min(visit for visit in weeks if visit > event))
        for twin, event in zip(table["twin"], table["event"], strict=True)
        if event < week
    }
    number = contrast.options.imputations or IMPUTATIONS
    found = drawn(key, long, model, after, missing, number, note)
    if found.imputed is None:
        return found
    values, table, imputed, data, _ = found
    if part:
        values = _responses(records, disease, outcome, part, table, values, imputed.missing[:, -1])
        if intercurrent == "composite":
            values = np.where((table["event"] <= week).to_numpy()[None], 0.0, values)
    return Filled(values, table, imputed, data, note)


def measured(disease: Disease, outcome: Outcome) -> tuple[str, Outcome]:
    """The measurement that decides a responder outcome (none of a continuous one), and the outcome that is imputed."""
    part = next(iter(made_of(disease, outcome))) if outcome.kind == "responder" else ""
    return part, Outcome(part, "", "continuous", "", lambda now, _: now[part], outcome.of) if part else outcome


def drawn(
    key: Array, long: pd.DataFrame, model: Any, after: dict[str, str], missing: str, number: int, note: str = ""
) -> Filled:
    """Multiple imputation of a long table, whose last visit is the analysis's.

    Args:
      long: a row a twin (a whole number, which addresses its draws) and visit.
      model: `mmrm.model.Model`. after: as `incomplete` has it. note: on what was left out before.
    """
    from .imputation.incomplete import incomplete
    from .imputation.posterior import STEPS, apply, draw

    table = long.loc[long["week"].astype(str) == model.visits[-1]].reset_index(drop=True)
    try:
        data = incomplete(long, model, after)
        order = {str(twin): place for place, twin in enumerate(table["twin"])}
        table = table.iloc[[order[person] for person in data.laid.people]].reset_index(drop=True)
        ids = table["twin"].to_numpy()
        imputed = apply(draw(key, replace(data, ids=ids), number, STEPS), data, APPROACHES[missing])
    except ValueError as error:  # what the data do not tell is no fault of the study
        return Filled(np.full((2, len(table)), np.nan), table, None, None, joined(note, f"no estimate: {error}"))
    if imputed.flag:
        return Filled(imputed.values[:, :, -1], table, None, None, joined(note, f"no estimate: {imputed.flag}"))
    return Filled(imputed.values[:, :, -1], table, imputed, data, note)


def _responses(
    records: Records, disease: Disease, outcome: Outcome, part: str, table: pd.DataFrame, values: np.ndarray,
    missing: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """The responder outcome of each imputation, (imputations, twins)."""
    endpoint = disease.endpoints[part]
    within = np.clip(values, endpoint.low, endpoint.high)
    if endpoint.unit in ("grade", "lesions"):
        within = np.where(missing[None], np.round(within), within)
    place = pd.Index(records.twins["twin"]).get_indexer(pd.Index(table["twin"]))
    baseline = {name: column[place] for name, column in records.at(0).items()}
    return np.stack([np.asarray(outcome.derive(baseline | {part: one}, baseline), float) for one in within])
