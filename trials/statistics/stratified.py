"""The difference in responders that strata have in common, and the Cochran-Mantel-Haenszel test."""

import math
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from .proportions import Contrast, empty, proportion, responders, tally
from .result import Finding, engine_version, joined
from .told import compared, strata

SATO = (
    "Wald with Sato's variance, limits kept within -1 and 1 "
    "[Sato 1989, Biometrics 45:1323; Greenland and Robins 1985, Biometrics 41:55]"
)
NEWCOMBE = "Newcombe's hybrid of two Wilson intervals, for weighted shares of effective size (Sato's variance is zero)"


class Common(NamedTuple):
    """A common risk difference, its test, and what to know about it."""

    estimate: float
    low: float
    high: float
    se: float
    p: float
    interval: str
    note: str


def mantel_haenszel(tables: np.ndarray, level: float = 0.95) -> Common:
    """Mantel-Haenszel risk difference of strata.

    Args:
      tables: twins, shape (strata, 2 arms, responded or not); the first arm is compared with the second.

    A stratum with one arm carries no weight. Where Sato's variance vanishes (no stratum has twins that
    respond and twins that do not, or the arms share no outcome) the limits are `hybrid_limits`.
    """
    from .methods.cmh import common_difference

    both = tables.sum(axis=2).min(axis=1) > 0
    note = "" if both.all() else _one_armed(tables[~both], len(tables))
    tables = tables[both].astype(float)
    if not len(tables):
        return Common(math.nan, math.nan, math.nan, math.nan, math.nan, SATO, "no stratum holds twins of both arms")
    p, p_note = _test(tables)
    # The kernel counts the comparator, and no response, first.
    found = common_difference(tables[:, ::-1, ::-1], level)
    estimate, se = float(found.estimate), float(found.se)
    if not math.isnan(se):
        low, high, interval = max(-1.0, float(found.low)), min(1.0, float(found.high)), SATO
    else:
        interval = NEWCOMBE
        low, high = hybrid_limits(tables, level)
        note = joined(note, "the outcomes leave Sato's variance at zero, so the limits are Newcombe's")
    return Common(estimate, low, high, se, p, interval, joined(note, p_note))


def hybrid_limits(tables: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Limits of the Mantel-Haenszel risk difference that exist for all outcomes.

    Newcombe's hybrid of two Wilson intervals, each for a weighted share and the size of a simple sample with the
    same variance. With one stratum it is Newcombe's interval; it is close to, and not the same as, the stratified
    limits of Yan and Su (2010), which do not exist where Sato's variance vanishes.

    Args:
      tables: twins, shape (strata, 2 arms, responded or not), no arm empty.
    """
    n = tables.sum(axis=2)
    weight = n.prod(axis=1) / n.sum(axis=1)
    weight = weight / weight.sum()
    share = weight @ (tables[:, :, 0] / n)
    # One over the size of a simple sample with the same variance.
    inverse = weight**2 @ (1 / n)
    z2 = _z(level) ** 2
    middle = (share + z2 * inverse / 2) / (1 + z2 * inverse)
    reach = np.sqrt(z2 * inverse * (share * (1 - share) + z2 * inverse / 4)) / (1 + z2 * inverse)
    low, high = np.clip(middle - reach, 0, 1), np.clip(middle + reach, 0, 1)
    below = math.sqrt(z2 * (inverse[0] * low[0] * (1 - low[0]) + inverse[1] * high[1] * (1 - high[1])))
    above = math.sqrt(z2 * (inverse[0] * high[0] * (1 - high[0]) + inverse[1] * low[1] * (1 - low[1])))
    difference = float(share[0] - share[1])
    return max(-1.0, difference - below), min(1.0, difference + above)


def common_risk_difference(table: pd.DataFrame, contrast: Contrast) -> list[Finding]:
    """The common risk difference over the strata of randomisation, and the crude share of each arm."""
    responders(table, "cochran_mantel_haenszel")
    one, two = tally(table, contrast.arm), tally(table, contrast.comparator)
    common = mantel_haenszel(_tables(table, contrast), contrast.level)
    note = "; ".join(empty(a) for a, t in ((contrast.arm, one), (contrast.comparator, two)) if not t.n)
    options = {
        "interval": common.interval,
        "test": "Cochran-Mantel-Haenszel chi-squared, no continuity correction",
        "test_engine": f"statsmodels {engine_version('statsmodels')}",
        "weights": "Mantel-Haenszel",
        "strata": "strata of randomisation",
    }
    difference = Finding(
        contrast.arm, contrast.comparator, "cochran_mantel_haenszel", options, "common risk difference",
        common.estimate, common.low, common.high, one.n, se=common.se, p=common.p, n_comparator=two.n,
        events=one.events, events_comparator=two.events, missing=one.missing + two.missing,
        engine="cutis", note=note or common.note,
    )  # fmt: skip
    return [difference, *(proportion(table, arm, contrast.level) for arm in (contrast.arm, contrast.comparator))]


def miettinen_nurminen(table: pd.DataFrame, contrast: Contrast) -> list[Finding]:
    """Risk difference with its score interval and test, over the strata of randomisation or not, and crude shares."""
    from .methods import score

    responders(table, "miettinen_nurminen")
    one, two = tally(table, contrast.arm), tally(table, contrast.comparator)
    code, _, how = strata(table, contrast)
    counts = _tables(table.assign(stratum=code), contrast)
    counts = counts if len(counts) else np.zeros((1, 2, 2), np.int64)
    sizes = counts.sum(axis=2)
    pair = score.pair(counts[:, 0, 0], sizes[:, 0], counts[:, 1, 0], sizes[:, 1])
    settings = {
        "interval": "score, variance at the limit times n / (n - 1) [Miettinen and Nurminen 1985, Stat Med 4:213]",
        "test": "score, the one that the interval inverts",
        "strata": how,
        "weights": "n1 n0 / (n1 + n0)",
    }
    statistic = "risk difference" if how == "none" else "common risk difference"
    difference = compared(
        contrast, "miettinen_nurminen", settings, statistic, score.binomial(pair, level=contrast.level),
        (one.n, two.n), events=(one.events, two.events), missing=one.missing + two.missing,
        note="; ".join(empty(a) for a, t in ((contrast.arm, one), (contrast.comparator, two)) if not t.n),
    )  # fmt: skip
    return [difference, *(proportion(table, arm, contrast.level) for arm in (contrast.arm, contrast.comparator))]


def _tables(table: pd.DataFrame, contrast: Contrast) -> np.ndarray:
    """Twins by stratum, arm and outcome; only strata with twins of these arms."""
    table = table.loc[table["arm"].isin([contrast.arm, contrast.comparator]) & table["value"].notna()]
    stratum, names = pd.factorize(table["stratum"], sort=True, use_na_sentinel=False)
    cells = np.zeros((len(names), 2, 2), np.int64)
    comparator = (table["arm"] == contrast.comparator).to_numpy().astype(int)
    np.add.at(cells, (stratum, comparator, 1 - table["value"].to_numpy().astype(int)), 1)
    return cells


def _test(tables: np.ndarray) -> tuple[float, str]:
    from scipy.stats import chi2
    from statsmodels.stats.contingency_tables import StratifiedTable

    if not (tables.sum(axis=1).min(axis=1) > 0).any():
        return 1.0, "in each stratum all twins or none responded, which says nothing against equal arms (p is 1)"
    test: Any = StratifiedTable(np.moveaxis(tables, 0, -1)).test_null_odds(correction=False)
    # statsmodels gives 1 - cdf, which is 0 for every p below 1e-16.
    return float(chi2.sf(test.statistic, 1)), ""


def _one_armed(tables: np.ndarray, strata: int) -> str:
    return f"{len(tables)} of {strata} strata hold one arm only and carry no weight (twins: {int(tables.sum())})"


def _z(level: float) -> float:
    from scipy.stats import norm

    return float(norm.isf((1 - level) / 2))
