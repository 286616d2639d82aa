"""Time to the first visit with an outcome, or to its loss, and the comparisons of such times."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pandas as pd

from ...core.disease import Outcome
from . import design
from .dataset import Records, over_visits
from .proportions import Contrast
from .result import Finding, joined
from .told import compared, numbers, of_arms, reason, strata

FAMILY = {"time": "weeks, to the visit at which it was first seen", "censored": "at the last visit seen"}


def table(
    records: Records, outcome: Outcome, week: int, intercurrent: str, time_to: str = "response", start: int = 0
) -> pd.DataFrame:
    """A row a twin as `dataset.table`, with `value` 1 if it happened and else 0, and `time` in weeks from `start`.

    Twins who had not the outcome at `start`, for a loss, have no value. `treatment_policy`: whatever had happened.
    `hypothetical`: censored at the first intercurrent event. `composite`: who has an event before responding never
    responds; for a loss the event counts as one.
    """
    weeks = [visit for visit in sorted(records.rows) if start < visit <= week]
    strategy = "hypothetical" if intercurrent == "hypothetical" else "treatment_policy"
    seen = over_visits(records, outcome, weeks, strategy)["value"].to_numpy().reshape(len(weeks), -1)
    frame = over_visits(records, outcome, [week], "treatment_policy").drop(columns=["week", "event"])
    wanted = 0.0 if time_to == "loss" else 1.0
    at = np.asarray(weeks, float)[:, None]
    first = np.where(seen == wanted, at, np.inf).min(axis=0)
    last = np.where(np.isnan(seen), start, at).max(axis=0)
    happened, event = np.isfinite(first), records.event
    time = np.where(happened, first, last)
    about = np.full(len(frame), True) if outcome.of is None else np.asarray(outcome.of(records.at(0)), bool)
    if time_to == "loss":
        begun = np.asarray(outcome.derive(records.at(start), records.at(0)), float)
        about = about & (begun == 1)
        if intercurrent == "composite":
            about = about & (event > start)
            sooner = (event <= np.minimum(first, week)) & about
            happened, time = happened | sooner, np.where(sooner, np.minimum(event, time), time)
    elif intercurrent == "composite":
        never = event <= np.minimum(first, week)
        happened, time = happened & ~never, np.where(never, week, time)
    value = np.where(about, happened.astype(float), np.nan)
    missing = about & ~happened & (time <= start)
    return frame.assign(value=value, time=time - start, missing=missing)


def log_rank(table: pd.DataFrame, contrast: Contrast) -> list[Finding]:
    """Events of the arm less those expected if the arms were equal, and each arm's share with the event."""
    from .methods import logrank

    code, number, how = strata(table, contrast)
    settings = _settings(contrast) | {"strata": how, "test": "log-rank, hypergeometric variance", "interval": "none"}
    rows, arm, code, found = _rows(table, contrast, code)
    if found is None:
        time, happened = _columns(rows)
        found = logrank.logrank(*(jnp.asarray(column) for column in (time, happened, arm, code)), strata=number)
    return _findings(table, rows, contrast, "log_rank", settings, "observed minus expected events", found)


def cox(table: pd.DataFrame, contrast: Contrast) -> list[Finding]:
    """Hazard ratio given the covariates, over strata or not, and each arm's share with the event."""
    from .methods import cox as hazards

    code, _, how = strata(table, contrast)
    data, complete, note = design.read(table, contrast)
    columns = design.assemble(data)
    ties = contrast.options.ties or "efron"
    settings = _settings(contrast) | {
        "covariates": data.kinds,
        "interval": "Wald on the log hazard ratio, information matrix",
        "model": "proportional hazards, partial likelihood",
        "strata": how,
        "ties": ties,
    }
    code = code[table.index.get_indexer(complete.index)]
    rows, _, code, found = _rows(complete, contrast, code)
    if found is None and columns.arm is None:
        found = _flagged("DETERMINED")
    if found is None:
        time, happened = _columns(rows)
        fit = hazards.cox(time, happened, columns.columns[:, 1:], stratum=code, ties=ties)
        found = hazards.coefficient(fit, columns.columns.shape[1] - 2, level=contrast.level)
    return _findings(table, rows, contrast, "cox", settings, "hazard ratio", found, note, ratio=True)


def restricted_mean(table: pd.DataFrame, contrast: Contrast) -> list[Finding]:
    """Difference in mean weeks without the event up to the last week, and each arm's mean."""
    from .methods import survival

    tau = float(table.attrs["until"])
    settings = _settings(contrast) | {
        "interval": "Wald, area under the Kaplan-Meier curve [Royston and Parmar 2013, BMC Med Res Methodol 13:152]",
        "up_to": f"week {tau:g} of follow-up",
    }
    rows, arm, _, found = _rows(table, contrast)
    time, happened = _columns(rows)
    if found is None:
        found = survival.restricted_mean_difference(time, happened, arm, tau, level=contrast.level)
    each = [
        survival.restricted_mean(time[arm == a], happened[arm == a], tau, level=contrast.level) if (arm == a).any()
        else _flagged("EMPTY_ARM")
        for a in (1, 0)
    ]  # fmt: skip
    statistic = "difference in restricted mean time"
    first, *_ = _findings(table, rows, contrast, "restricted_mean", settings, statistic, found)
    return [first, *_each(table, rows, contrast, "restricted_mean", settings, "restricted mean time", each)]


def kaplan_meier(table: pd.DataFrame, contrast: Contrast) -> list[Finding]:
    """Difference in the shares with the event by the last week, each arm's share, and each arm's median time."""
    from .methods import survival
    from .methods.estimate import plain, wald

    until = float(table.attrs["until"])
    rows, arm, _, found = _rows(table, contrast)
    settings = _settings(contrast) | {"interval": "Wald, Greenwood's variance of either arm"}
    time, happened = _columns(rows)
    shares = [_share(time[arm == a], happened[arm == a], until, contrast.level) for a in (1, 0)]
    if found is None:
        se = float(np.hypot(shares[0].se, shares[1].se))
        found = plain(wald(shares[0].estimate - shares[1].estimate, se, contrast.level))
        if np.isnan(found.estimate):
            found = found._replace(flag=shares[0].flag | shares[1].flag)
    statistic = "difference in shares with the event"
    first, *each = _findings(table, rows, contrast, "kaplan_meier", settings, statistic, found)
    medians = [
        survival.quantile(survival.kaplan_meier(time[arm == a], happened[arm == a]), level=contrast.level)
        if (arm == a).any() else _flagged("EMPTY_ARM")
        for a in (1, 0)
    ]  # fmt: skip
    about = _settings(contrast) | {"interval": "log-log limits of the curve, inverted"}
    return [first, *each, *_each(table, rows, contrast, "kaplan_meier", about, "median time", medians)]


def _settings(contrast: Contrast) -> dict[str, Any]:
    start = contrast.options.from_week or 0
    lost = contrast.options.time_to == "loss"
    what = f"loss of the outcome, of twins who had it at week {start}" if lost else "the first visit with the outcome"
    return FAMILY | {"time_to": what, "time": f"weeks from week {start}, to the visit at which it was first seen"}


def _rows(
    table: pd.DataFrame, contrast: Contrast, code: np.ndarray | None = None
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray, Any]:
    """Rows that count, whether each is of the arm, its stratum; and a flagged estimate if an arm is empty."""
    one, two = of_arms(table, contrast)
    kept = one | two
    found = None if one.any() and two.any() else _flagged("EMPTY_ARM")
    code = np.zeros(len(table), int) if code is None else code
    return table.loc[kept], one[kept].astype(float), code[kept], found


def _columns(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    return rows["time"].to_numpy(float), rows["value"].to_numpy(float)


def _findings(
    table: pd.DataFrame, rows: pd.DataFrame, contrast: Contrast, method: str, settings: dict[str, Any],
    statistic: str, found: Any, note: str = "", ratio: bool = False,
) -> list[Finding]:  # fmt: skip
    """The comparison, and each arm's share with the event by the last week."""
    masks = of_arms(rows, contrast)
    time, happened = _columns(rows)
    lost = contrast.options.time_to == "loss"
    selected = "compares those who had the outcome then, not all who were randomised" if lost else ""
    first = compared(
        contrast, method, settings, statistic, found, (int(masks[0].sum()), int(masks[1].sum())),
        events=(int(happened[masks[0]].sum()), int(happened[masks[1]].sum())),
        missing=sum(_missing(table, contrast)), note=joined(note, selected), ratio=ratio,
    )  # fmt: skip
    until = float(table.attrs["until"])
    each = [_share(time[mask], happened[mask], until, contrast.level) for mask in masks]
    about = _settings(contrast) | {"interval": "Kaplan-Meier, log-log limits, Greenwood's variance"}
    return [first, *_each(table, rows, contrast, method, about, "share with the event", each)]


def _each(
    table: pd.DataFrame, rows: pd.DataFrame, contrast: Contrast, method: str, settings: dict[str, Any],
    statistic: str, found: list[Any],
) -> list[Finding]:  # fmt: skip
    happened = rows["value"].to_numpy(float)
    return [
        Finding(
            arm, "", method, settings, statistic, n=int(mask.sum()), events=int(happened[mask].sum()), missing=lacking,
            engine="cutis", **numbers(one._replace(p=np.nan)), note=reason(one),
        )
        for arm, mask, lacking, one in zip(
            (contrast.arm, contrast.comparator), of_arms(rows, contrast), _missing(table, contrast), found, strict=True
        )
    ]  # fmt: skip


def _share(time: np.ndarray, happened: np.ndarray, until: float, level: float) -> Any:
    """Share of an arm with the event by a time: one minus the Kaplan-Meier curve."""
    from .methods import survival

    if not len(time):
        return _flagged("EMPTY_ARM")
    left = survival.survival_at(survival.kaplan_meier(time, happened), until, level=level)
    return left._replace(estimate=1 - left.estimate, low=1 - left.high, high=1 - left.low)


def _missing(table: pd.DataFrame, contrast: Contrast) -> list[int]:
    arms, missing = table["arm"].to_numpy(), table["missing"].to_numpy(bool)
    return [int(missing[arms == arm].sum()) for arm in (contrast.arm, contrast.comparator)]


def _flagged(flag: str) -> Any:
    from .methods.estimate import Flag, nothing

    return nothing(Flag[flag])
