"""The methods against printed results: papers, SAS and R output.

Values marked CAMIS were printed by SAS 9.4 or R in Comparing Analysis Method Implementations in Software (PSI/PHUSE).
"""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cutis.trials.statistics.proportions import Contrast, newcombe, wilson
from cutis.trials.statistics.regression import ancova, logistic
from cutis.trials.statistics.stratified import hybrid_limits, mantel_haenszel

EVIDENCE = Path(__file__).resolve().parents[2] / "shared" / "evidence" / "statistics"
with_evidence = pytest.mark.skipif(not EVIDENCE.is_dir(), reason="the collection of reference values is not here")

# Women among those on placebo and on the high dose (8 of 12 against 4 of 10, 20 of 40 against 25 of 49),
# in the strata below 65 and 65 to 80 years of the CDISC pilot study.
CDISC = np.array([[[8, 4], [4, 6]], [[20, 20], [25, 24]]])


def leprosy():
    data = pd.read_csv(Path(__file__).parent / "data" / "statistics" / "leprosy.csv")
    return data.rename(columns={"drug": "arm", "post": "value"}).assign(missing=False)


def expected(reference):
    """Value and tolerance of one row of the collection."""
    rows = pd.read_csv(EVIDENCE / "expected.csv", index_col="ref_id")
    row = rows.loc[reference]
    return pytest.approx(float(row["value"]), abs=float(row["tolerance_practical"]))


@pytest.mark.parametrize(
    ("events", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_the_limits_of_newcombe_1998_table_one(events, n, low, high):
    # Newcombe 1998, Stat Med 17:857, method 3.
    assert wilson(events, n)[1:] == pytest.approx((low, high), abs=5.1e-5)


def test_wilson_gives_the_limits_of_sas():
    # CAMIS, PROC FREQ, 12 of 77.
    assert wilson(12, 77)[1:] == pytest.approx((0.0915, 0.2529), abs=5.1e-5)


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [
        ((56, 70, 48, 80), 0.0524, 0.3339),
        ((9, 10, 3, 10), 0.1705, 0.8090),
        ((6, 7, 2, 7), 0.0582, 0.8062),
        ((5, 56, 0, 29), -0.0381, 0.1926),
        ((0, 10, 0, 20), -0.1611, 0.2775),
        ((0, 10, 0, 10), -0.2775, 0.2775),
        ((10, 10, 0, 20), 0.6791, 1.0),
        ((10, 10, 0, 10), 0.6075, 1.0),
    ],
)
def test_newcombe_gives_the_limits_of_newcombe_1998_table_two(counts, low, high):
    # Newcombe 1998, Stat Med 17:873, method 10.
    difference = newcombe(*counts)
    assert (difference.low, difference.high) == pytest.approx((low, high), abs=5.1e-5)


def test_newcombe_gives_the_limits_of_r_ratesci():
    # CAMIS, 36 of 154 against 12 of 77.
    difference = newcombe(36, 154, 12, 77)
    assert (difference.low, difference.high) == pytest.approx((-0.036142, 0.175125), abs=5.1e-7)


def test_newcombe_tests_with_the_uncorrected_chi_squared_of_r():
    # CAMIS, chisq.test(correct = FALSE) on bronchitis in infancy and cough at 14: chi-squared 12.18, p 0.0004829.
    assert newcombe(26, 273, 44, 1046).p == pytest.approx(0.0004829, abs=5.1e-8)


def test_the_common_risk_difference_is_that_of_sas():
    # CAMIS, PROC FREQ COMMONRISKDIFF: 0.0448 (SE 0.0958), -0.1431 to 0.2326.
    common = mantel_haenszel(CDISC)
    found = (common.estimate, common.se, common.low, common.high)
    assert found == pytest.approx((0.0448, 0.0958, -0.1431, 0.2326), abs=5.1e-5)


def test_the_hybrid_limits_are_close_to_the_stratified_newcombe_limits_of_sas():
    # CAMIS, PROC FREQ COMMONRISKDIFF(CL=NEWCOMBE): a sister method, so only the second decimal need agree.
    assert hybrid_limits(CDISC) == pytest.approx((-0.1378, 0.2236), abs=1e-3)


def test_the_cochran_mantel_haenszel_test_is_that_of_r():
    # CAMIS, vcdExtra::CMHtest: chi-squared 0.2165549886, p 0.64167748.
    assert mantel_haenszel(CDISC).p == pytest.approx(0.64167748, abs=5.1e-9)


@pytest.mark.parametrize("covariance", ["nonrobust", "HC3"])
def test_adjusted_means_are_the_least_squares_means_of_sas(covariance):
    # SAS/STAT PROC GLM, analysis of covariance of the leprosy data: 6.7149635, 6.8239348, 10.1611017.
    a, f = ancova(leprosy(), Contrast("A", "F", ("pre",)), covariance)[1:]
    d = ancova(leprosy(), Contrast("D", "F", ("pre",)), covariance)[1]
    found = (a.estimate, d.estimate, f.estimate)
    assert found == pytest.approx((6.714963, 6.823935, 10.161102), abs=5.1e-7)


def test_classical_ancova_has_the_standard_errors_of_r():
    # CAMIS, lm(post ~ drug + pre): D minus A 0.1089713 (1.7951351), F minus A 3.4461383 (1.8867806).
    d = ancova(leprosy(), Contrast("D", "A", ("pre",)), "nonrobust")[0]
    f = ancova(leprosy(), Contrast("F", "A", ("pre",)), "nonrobust")[0]
    found = (d.estimate, d.se, f.estimate, f.se)
    assert found == pytest.approx((0.1089713, 1.7951351, 3.4461383, 1.8867806), abs=5.1e-8)


@with_evidence
def test_ancova_repeats_the_primary_analysis_of_the_cdisc_pilot():
    data = pd.read_csv(EVIDENCE / "datasets" / "cdiscpilot_adadas.csv", dtype={"SITEGR1": str})
    chosen = (data["PARAMCD"] == "ACTOT") & (data["AVISITN"] == 24)
    for flag in ("EFFFL", "ITTFL", "ANL01FL"):
        chosen &= data[flag] == "Y"
    table = data[chosen].rename(columns={"TRTP": "arm", "CHG": "value"}).assign(missing=False)
    low, high, placebo = "Xanomeline Low Dose", "Xanomeline High Dose", "Placebo"
    covariates = ("SITEGR1", "BASE")
    difference = ancova(table, Contrast(high, placebo, covariates), "nonrobust")[0]
    assert (difference.n_comparator, difference.n) == (79, 74)
    assert difference.estimate == expected("P0669")
    assert difference.se == expected("P0670")
    assert difference.low == expected("P0671")
    assert difference.high == expected("P0672")
    assert difference.p == expected("P0668")
    assert ancova(table, Contrast(high, low, covariates), "nonrobust")[0].p == expected("P0673")
    assert ancova(table, Contrast(low, placebo, covariates))[0].se == expected("R0233")
    assert ancova(table, Contrast(high, placebo, covariates))[0].se == expected("R0234")


@with_evidence
def test_logistic_regression_repeats_the_lung_cancer_example_in_r():
    data = pd.read_csv(EVIDENCE / "datasets" / "lung_cancer.csv")
    table = data.rename(columns={"wt_catn": "value", "ph.ecog": "ecog", "meal.cal": "calories"})
    table = table.assign(arm=table["trt01pn"].map({1: "one", 2: "two"}), missing=table["value"].isna())
    ratio = logistic(table, Contrast("two", "one", ("age", "sex", "ecog", "calories")))[0]
    assert math.log(ratio.estimate) == expected("P0278")
    assert math.log(ratio.estimate) / ratio.se == expected("P0280")
    assert ratio.p == expected("P0281")
    assert ratio.estimate == expected("P0282")
    assert ratio.low == expected("P0283")


@with_evidence
def test_the_values_carried_here_are_those_of_the_collection():
    assert wilson(12, 77).low == expected("P0029")
    assert wilson(12, 77).high == expected("P0030")
    assert newcombe(36, 154, 12, 77).low == expected("P0042")
    assert newcombe(36, 154, 12, 77).high == expected("P0043")
    common = mantel_haenszel(CDISC)
    for found, reference in zip(common[:4], ("P0094", "P0096", "P0097", "P0095"), strict=True):
        assert found == expected(reference)
    assert common.p == expected("P0160")
