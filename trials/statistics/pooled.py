"""Analyses of completed outcomes: each imputation by the method, the results pooled by Rubin's rules."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jax import Array

from . import design, standardised
from .completed import Filled
from .proportions import Contrast, empty
from .result import Finding, joined

NORMAL = "normal limits on each imputation, Rubin's rules"


def analyse(filled: Filled, contrast: Contrast, method: str) -> list[Finding]:
    """The comparison and the figure of each arm, each imputation analysed by the method and pooled by Rubin's rules."""
    from .imputation.pool import pool

    table = filled.table.assign(value=np.nan_to_num(filled.values[0]) if len(filled.table) else [])
    data, _, _ = design.read(table, contrast)
    counts = [int((table["arm"] == arm).to_numpy().sum()) for arm in (contrast.arm, contrast.comparator)]
    lacking = [
        int(filled.table["missing"].to_numpy(bool)[(table["arm"] == arm).to_numpy()].sum())
        for arm in (contrast.arm, contrast.comparator)
    ]
    settings = POOLED[method].settings(contrast, data) | {
        "imputations": len(filled.values),
        "imputation_model": "repeated measures, unstructured, one covariance for both arms; draws from the posterior",
        "pooled": "Rubin's rules, degrees of freedom of Barnard and Rubin [1999, Biometrika 86:948]",
    }
    way, arms = POOLED[method], (contrast.arm, contrast.comparator)
    whys = [filled.flag] if "no estimate" in filled.flag else []
    whys += [empty(arm) for arm, n in zip(arms, counts, strict=True) if not n]
    found: list[Any] = [None] * 3
    if not whys:
        each = way.each(filled.values, table, data, contrast)
        found = [pool(estimates, ses**2, df, contrast.level) for estimates, ses, df in each]
    notes = [joined(*whys) if one is None else joined(filled.flag, _about(one)) for one in found]
    events = [0, 0] if way.continuous or whys else _events(filled.values, table, contrast)
    difference = Finding(
        contrast.arm, contrast.comparator, method, settings, way.statistics[0], n=counts[0],
        n_comparator=counts[1], events=events[0], events_comparator=events[1], missing=sum(lacking), engine="cutis",
        note=notes[0], **_numbers(found[0], way.ratio),
    )  # fmt: skip
    each_arm = [
        Finding(
            arm, "", method, settings, statistic, n=counts[i], events=events[i], missing=lacking[i], engine="cutis",
            note=notes[i + 1], **_numbers(found[i + 1], tested=False),
        )
        for i, (arm, statistic) in enumerate(zip(arms, way.statistics[1:], strict=True))
    ]  # fmt: skip
    return [difference, *each_arm, *(_tipped(filled, contrast, settings, found[0]) if contrast.options.tipping else [])]


def _numbers(found: Any, ratio: bool = False, tested: bool = True) -> dict[str, Any]:
    if found is None or math.isnan(found.estimate):
        return dict.fromkeys(("estimate", "low", "high", "se", "p"), math.nan)
    estimate, low, high = (math.exp(x) if ratio else x for x in (found.estimate, found.low, found.high))
    return {"estimate": estimate, "low": low, "high": high, "se": found.se, "p": found.p if tested else math.nan}


def _about(found: Any) -> str:
    if found.flag:
        return f"{'no estimate' if math.isnan(found.estimate) else 'no interval'}: {found.flag}"
    return f"{100 * found.fraction:.0f} % of the variance is due to what is missing"


def _events(values: np.ndarray, table: pd.DataFrame, contrast: Contrast) -> list[int]:
    """Responders of each arm as the mean of the imputations has them, rounded."""
    mean = values.mean(axis=0)
    return [round(float(mean[(table["arm"] == arm).to_numpy()].sum())) for arm in (contrast.arm, contrast.comparator)]


def _tipped(filled: Filled, contrast: Contrast, settings: dict[str, Any], whole: Any) -> list[Finding]:
    """The first shift of the arm's imputed values at which the difference is no longer significant, or turns round.

    Args:
      whole: the pooled difference without a shift.
    """
    if filled.imputed is None or whole is None:
        return []
    from .imputation.analyse import lost, shifted
    from .imputation.pool import pool

    shifts, data = contrast.options.tipping or (), design.read(filled.table.assign(value=0.0), contrast)[0]
    # The arm's shifts as asked for, first with the comparator as imputed; then both shifted, for the map of the report.
    others = tuple(dict.fromkeys((0.0, *shifts)))
    pairs = [(other, shift) for other in others for shift in shifts]
    moved = [shifted(filled.imputed, filled.data, np.array(pair))[:, :, -1] for pair in pairs]
    estimates, ses, df = _ancova(np.concatenate(moved), filled.table, data, contrast)[0]
    parts = zip(np.split(estimates, len(pairs)), np.split(ses, len(pairs)), strict=True)
    found = [pool(mean, se**2, df, contrast.level) for mean, se in parts]
    p = np.array([one.p for one in found]).reshape(len(others), len(shifts))
    means = np.array([one.estimate for one in found]).reshape(p.shape)
    lost_at = lost(means, p, whole.estimate, 1 - contrast.level)
    at, gone = p[0].tolist(), lost_at[0]
    tip = float(shifts[int(gone.argmax())]) if gone.any() else math.nan
    told = ", ".join(f"{shift:g}: p {p:.3g}" for shift, p in zip(shifts, at, strict=True))
    note = joined(f"shift and p: {told}", "" if gone.any() else "at no shift tried is the difference lost")
    n = int((filled.table["arm"] == contrast.arm).to_numpy().sum())
    about = settings | {
        "tipping": "shift of the imputed values of the arm, those of the comparator as imputed",
        GRID: {"arm": list(shifts), "comparator": list(others), "difference": _told(means), "p": _told(p),
               "lost": lost_at.tolist()},
    }  # fmt: skip
    return [Finding(contrast.arm, "", "ancova", about, "tipping point", tip, math.nan, math.nan, n, engine="cutis",
                    note=note)]  # fmt: skip


GRID = "shifts"  # the option that holds what each pair of shifts gives, rows the comparator's


def _told(numbers: np.ndarray) -> list[list[float | None]]:
    """To five digits, which a map can show; None where there is no number."""
    return [[float(f"{number:.5g}") if math.isfinite(number) else None for number in row] for row in numbers]


Each = list[tuple[np.ndarray, np.ndarray, float]]  # of the comparison and of each arm: estimates, SEs, complete df


def _mapped(kernel: Callable[[Array], Any], values: np.ndarray) -> Any:
    """A kernel on all imputations, as NumPy arrays."""
    import jax
    import jax.numpy as jnp

    found = jax.jit(lambda rows: jax.lax.map(kernel, rows))(jnp.asarray(values, float))
    return jax.tree.map(np.asarray, found)


def _ancova(values: np.ndarray, table: pd.DataFrame, data: design.Data, contrast: Contrast) -> Each:
    import jax.numpy as jnp

    from .methods.ancova import ancova

    arm, wide = jnp.asarray(data.arms[:, -1]), standardised.covariates(data)
    columns = None if wide is None else jnp.asarray(wide)
    covariance = contrast.options.variance or "HC3"
    found = _mapped(lambda y: tuple(ancova(y, arm, columns, covariance=covariance, level=contrast.level)), values)  # pyright: ignore[reportArgumentType]
    return [(one.estimate, one.se, float(one.df[0])) for one in found]


def _g_computation(values: np.ndarray, table: pd.DataFrame, data: design.Data, contrast: Contrast) -> Each:
    import jax.numpy as jnp

    from .methods.logistic import standardised_difference

    arm, wide = jnp.asarray(data.arms[:, -1]), standardised.covariates(data)
    columns = None if wide is None else jnp.asarray(wide)
    variance: Any = contrast.options.variance or "ye"
    found = _mapped(lambda y: standardised_difference(y, arm, columns, variance=variance, level=contrast.level), values)
    return [(found.estimate, found.se, math.inf), *_shares(values, table, contrast)]


def _logistic(values: np.ndarray, table: pd.DataFrame, data: design.Data, contrast: Contrast) -> Each:
    import jax.numpy as jnp

    from .methods.logistic import logistic

    arm, wide = jnp.asarray(data.arms[:, -1]), standardised.covariates(data)
    columns = None if wide is None else jnp.asarray(wide)
    found = _mapped(lambda y: logistic(y, arm, columns, level=contrast.level), values)
    return [(found.estimate, found.se, math.inf), *_shares(values, table, contrast)]


def _common(values: np.ndarray, table: pd.DataFrame, data: design.Data, contrast: Contrast) -> Each:
    import jax.numpy as jnp

    from .methods.cmh import common_difference, tabulate

    arm = jnp.asarray(data.arms[:, -1].astype(int))
    code, names = pd.factorize(table["stratum"], sort=True, use_na_sentinel=False)
    stratum, shape = jnp.asarray(code), (len(names), 2, 2)
    found = _mapped(lambda y: common_difference(tabulate(arm, y, stratum, shape), contrast.level), values)
    return [(found.estimate, found.se, math.inf), *_shares(values, table, contrast)]


def _shares(values: np.ndarray, table: pd.DataFrame, contrast: Contrast) -> Each:
    parts = [values[:, (table["arm"] == arm).to_numpy()] for arm in (contrast.arm, contrast.comparator)]
    shares = [part.mean(axis=1) for part in parts]
    ses = [np.sqrt(s * (1 - s) / part.shape[1]) for s, part in zip(shares, parts, strict=True)]
    return [(share, se, math.inf) for share, se in zip(shares, ses, strict=True)]


class Way(NamedTuple):
    """How a method takes part in multiple imputation."""

    each: Callable[[np.ndarray, pd.DataFrame, design.Data, Contrast], Each]
    statistics: tuple[str, str, str]
    settings: Callable[[Contrast, design.Data], dict[str, Any]]
    continuous: bool = False
    ratio: bool = False


def _plain(words: dict[str, str]) -> Callable[[Contrast, design.Data], dict[str, Any]]:
    return lambda contrast, data: words | {"covariates": data.kinds}


SHARES = ("proportion", "proportion")
MEANS = ("adjusted mean", "adjusted mean")
POOLED: dict[str, Way] = {
    "ancova": Way(
        _ancova, ("difference in adjusted means", *MEANS),
        lambda contrast, data: {"covariates": data.kinds, "covariance": contrast.options.variance or "HC3"},
        continuous=True,
    ),
    "g_computation": Way(
        _g_computation, ("standardised risk difference", *SHARES),
        lambda contrast, data: standardised.settings(contrast, data.kinds),
    ),
    "logistic": Way(
        _logistic, ("odds ratio", *SHARES),
        _plain({"estimand": "odds ratio given the covariates (conditional)", "interval": NORMAL}), ratio=True,
    ),
    "cochran_mantel_haenszel": Way(
        _common, ("common risk difference", *SHARES),
        _plain({"interval": NORMAL, "variance": "Sato [1989]", "strata": "strata of randomisation"}),
    ),
}  # fmt: skip
