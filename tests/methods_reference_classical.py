"""Published values of classical tests that our methods are, in another guise: pairs and blocks as strata, means as
least squares, the chi-squared test as a test of association.
"""

import jax.numpy as jnp
import numpy as np
import pandas as pd
from scipy.stats import chi2
from scipy.stats import f as f_distribution

from cutis.trials.statistics import means, paired
from cutis.trials.statistics.methods import ancova, cmh, linear
from cutis.trials.statistics.proportions import Contrast

from .reference_data import codes, frame, numbers

COLDS = (212, 144, 256, 707)  # children with colds at 12 and 14 years, at 12 only, at 14 only, at neither
CROSSED = (20, 15, 6, 5)  # responders in both periods, on the active treatment only, on placebo only, in neither


def of_pairs(both: int, first: int, second: int, neither: int) -> np.ndarray:
    """Each pair as a stratum of its own: (pairs, 2, 2)."""
    cells = {(1, 1): both, (1, 0): first, (0, 1): second, (0, 0): neither}
    return np.concatenate([np.tile([[1.0 - b, b], [1.0 - a, a]], (n, 1, 1)) for (a, b), n in cells.items()])


def mcnemar(inputs: str) -> dict[str, float]:
    tables, (_, first, second, _) = of_pairs(*COLDS), COLDS
    plain, corrected = (cmh.mantel_haenszel(tables, correction=c) for c in (False, True))
    return {
        "chisq": float(plain.statistic) ** 2, "chisq_cc": float(corrected.statistic) ** 2,
        "p": paired.tango(*COLDS).p, "exact_p": paired.exact_p(first, second),
    }  # fmt: skip


def crossed(inputs: str) -> dict[str, float]:
    # What ratesci calls Tango's interval allows for bias and skewness besides.
    found, score = cmh.common_difference(of_pairs(*CROSSED)), paired.tango(*CROSSED, unbiased=True, skewness=True)
    return {
        "mh_value": float(found.estimate), "mh_se": float(found.se), "mh_lower": float(found.low),
        "mh_upper": float(found.high), "lower": score.low, "upper": score.high,
    }  # fmt: skip


def counted(data: pd.DataFrame, stratum: str, arm: str, outcome: np.ndarray) -> np.ndarray:
    """Counts (strata, arms, outcomes) of rows."""
    of = [codes(data[stratum]) if stratum else np.zeros(len(data), int), codes(data[arm]), outcome.astype(int)]
    found = np.zeros([column.max() + 1 for column in of])
    np.add.at(found, tuple(of), 1.0)
    return found


def tested(found) -> dict[str, float]:
    return {"chisq": float(found.statistic), "H": float(found.statistic), "p": float(found.p)}


def media(inputs: str) -> dict[str, float]:
    """Cochran's Q: the same cases under every medium."""
    data = frame("cochranq_diphtheria.csv")
    return tested(cmh.row_means(counted(data, "case", "media", data.diphtheria.to_numpy())))


def diets(inputs: str) -> dict[str, float]:
    """Friedman's test: ranks within people."""
    data = frame("friedman_diet.csv")
    ranks = data.groupby("subjid").weight.rank().to_numpy() * 2
    found = counted(data, "subjid", "diet", ranks)
    return tested(cmh.row_means(found, jnp.arange(found.shape[2], dtype=float)))


def species(inputs: str) -> dict[str, float]:
    """Kruskal and Wallis: ridits in one stratum."""
    data = frame("kw_iris_sub.csv")
    return tested(cmh.row_means(counted(data, "", "Species", codes(data.Sepal_Width)), "ridit"))


def pearson(data: pd.DataFrame, rows: str, columns: str) -> dict[str, float]:
    """Pearson's chi-squared: that of general association in one stratum, times n / (n - 1)."""
    data = data.dropna(subset=[rows, columns])
    found, n = cmh.general_association(counted(data, "", rows, codes(data[columns]))), len(data)
    statistic = float(found.statistic) * n / (n - 1)
    return {"chisq": statistic, "p": float(chi2.sf(statistic, float(found.df)))}


def performance(inputs: str) -> dict[str, float]:
    return pearson(frame("lung.csv"), "ph.ecog", "ph.karno")


def fitted(y: np.ndarray, *columns) -> linear.Fit:
    return linear.least_squares(jnp.asarray(numbers(np.ones(len(y)), *columns)), jnp.asarray(y), jnp.ones(len(y)))


def reading(inputs: str) -> dict[str, float]:
    """One mean, against 30."""
    y = frame("ttest1_read.csv").score.to_numpy(float)
    found = linear.combination(fitted(y - 30), jnp.ones(1))
    return {"t": float(found.statistic), "p": float(found.p), "lower": 30 + float(found.low),
            "upper": 30 + float(found.high)}  # fmt: skip


def weight_gain(inputs: str) -> dict[str, float]:
    data = frame("ttest2_wtgain.csv")
    placebo = data.trt_grp.eq("placebo").to_numpy(float)
    found = ancova.ancova(data.WtGain.to_numpy(float), placebo, covariance="classical").difference
    return {"t": float(found.statistic), "p": float(found.p), "lower": float(found.low), "upper": float(found.high)}


def pressures(inputs: str) -> dict[str, float]:
    data = frame("paired_sbp.csv")
    n = len(data)
    table = pd.DataFrame({
        "twin": np.tile(np.arange(n), 2), "arm": np.repeat(["before", "after"], n), "missing": False,
        "value": np.concatenate([data.SBPbefore, data.SBPafter]).astype(float),
    })  # fmt: skip
    found = paired.paired_t(table, Contrast("before", "after"))[0]
    return {"mean_diff": found.estimate, "t": found.estimate / found.se, "p": found.p, "lower": found.low,
            "upper": found.high}  # fmt: skip


def diseases(inputs: str) -> dict[str, float]:
    """Two factors with an interaction, unbalanced: sums of squares of the three types."""
    data = frame("sas_disease.csv").dropna()
    y = data.y.to_numpy(float)
    # Effects that sum to zero, as sums of squares of the third type need.
    drug, disease = (np.eye(k)[codes(c)][:, :-1] - np.eye(k)[codes(c)][:, -1:]
                     for k, c in ((4, data.drug), (3, data.disease)))  # fmt: skip
    both = np.einsum("ia,ib->iab", drug, disease).reshape(len(y), -1)
    left = {
        name: float(fitted(y, *columns).residual_sum)
        for name, columns in {
            "none": (), "drug": (drug,), "disease": (disease,), "main": (drug, disease),
            "all": (drug, disease, both), "no drug": (disease, both),
        }.items()
    }  # fmt: skip
    error = left["all"] / float(fitted(y, drug, disease, both).df)
    type2, type3 = left["disease"] - left["main"], left["no drug"] - left["all"]
    return {
        "type1_drug_ss": left["none"] - left["drug"], "type1_disease_ss": left["drug"] - left["main"],
        "type2_drug_ss": type2, "type3_drug_ss": type3, "interaction_ss": left["main"] - left["all"],
        "type2_drug_F": type2 / 3 / error, "type3_drug_F": type3 / 3 / error,
    }  # fmt: skip


def demographics(inputs: str) -> dict[str, float]:
    data = frame("cdiscpilot_adsl.csv")
    data = data[data.ITTFL == "Y"]
    y, arm = data.AGE.to_numpy(float), np.eye(3)[codes(data.TRT01P)][:, 1:]
    none, each = fitted(y), fitted(y, arm)
    ratio = float((none.residual_sum - each.residual_sum) / 2 / (each.residual_sum / each.df))
    placebo = means.mean("Placebo", y[data.TRT01P.eq("Placebo").to_numpy()], 0, 0.95)
    return {
        "age_anova_p": float(f_distribution.sf(ratio, 2, float(each.df))), "age_sd_pbo": placebo.se * placebo.n**0.5,
        "agegr_chisq_p": pearson(data, "TRT01P", "AGEGR1")["p"], "sex_chisq_p": pearson(data, "TRT01P", "SEX")["p"],
    }  # fmt: skip


CLASSICAL = [
    ("McNemar", "", "tables", mcnemar),
    ("Paired proportions", "", "tables", crossed),
    ("Cochran Q", "", "tables", media),
    ("Friedman", "", "ranks", diets),
    ("Kruskal-Wallis", "", "ranks", species),
    ("Chi-square / Fisher", "ph.ecog", "tables", performance),
    ("t test", "one-sample", "regression", reading),
    ("t test", "two-sample", "regression", weight_gain),
    ("t test", "paired", "regression", pressures),
    ("ANOVA", "", "regression", diseases),
    ("CDISC pilot demographics", "", "regression", demographics),
]
