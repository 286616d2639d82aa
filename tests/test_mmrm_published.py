"""MMRM against SAS PROC MIXED and R's mmrm: every figure of the collection, within its tolerance."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

from cutis.trials.statistics.mmrm.fit import fit
from cutis.trials.statistics.mmrm.inference import estimate, joint
from cutis.trials.statistics.mmrm.means import adjusted_means, contrasts, differences
from cutis.trials.statistics.mmrm.model import Model, lay
from cutis.trials.statistics.mmrm.robust import sandwich

from .fev import EVIDENCE, MODEL, expected, fitted, fitted_of_arm, laid, of_arm, table

ROWS = expected("mmrm_expected.csv")
STRUCTURES = {
    "us": "unstructured",
    "ar1": "autoregressive",
    "ar1h": "heterogeneous_autoregressive",
    "cs": "compound_symmetry",
    "csh": "heterogeneous_compound_symmetry",
    "toep": "toeplitz",
    "toeph": "heterogeneous_toeplitz",
    "ad": "ante_dependence",
    "adh": "heterogeneous_ante_dependence",
}
FIELDS = {"diff": "estimate", "se": "se", "df": "df", "p": "p", "lower": "low", "upper": "high"}


def by_visit(found):
    """Figures as `diff_VIS1`, `se_VIS1`, …"""
    return {f"{name}_VIS{k}": getattr(e, f) for k, e in enumerate(found, 1) for name, f in FIELDS.items()}


@cache
def unstructured(method, robust=False):
    meat = sandwich(laid().panel, fitted()) if robust else None
    return by_visit(differences(laid(), fitted(), method=method, sandwich=meat))


@cache
def camis():
    """The coefficients that R prints; its intercept is that of men."""
    panel, model = laid().panel, fitted()
    row = estimate(panel, model, np.eye(11)[1])
    s = np.asarray(model.visits[0])
    found = {"deviance": model.deviance, "ARMCDTRT": row.estimate, "ARMCDTRT_se": row.se, "ARMCDTRT_df": row.df}
    found |= {
        "ARMCDTRT_p": row.p,
        "ARMCDTRT_VIS4": model.coefficients[7],
        "intercept": model.coefficients[0] + model.coefficients[10],
    }
    return found | {f"cov{i + 1}{j + 1}": s[i, j] for i in range(4) for j in range(4)}


@cache
def sas():
    found = {"minus2reml": fitted().deviance}
    for k, e in enumerate(differences(laid(), fitted()), 1):
        found |= {f"diff_VIS{k}": e.estimate}
        found |= {f"diff_VIS{k}_{name}": getattr(e, field) for name, field in FIELDS.items()}
    for e in adjusted_means(laid(), fitted()):
        arm, visit = e.name.split(" at ")
        found |= {f"lsm_{arm}_{visit}": e.estimate, f"lsm_{arm}_{visit}_se": e.se}
    of = contrasts(laid())
    mean = {a: sum(of(a, f"VIS{k}") for k in range(1, 5)) / 4 for a in ("PBO", "TRT")}
    at = [(of("PBO", f"VIS{k}") + of("TRT", f"VIS{k}")) / 2 for k in range(1, 5)]
    found["type3_ARMCD_F"] = joint(laid().panel, fitted(), [mean["TRT"] - mean["PBO"]]).f
    found["type3_AVISIT_F"] = joint(laid().panel, fitted(), [a - at[0] for a in at[1:]]).f
    return found


@cache
def structured(name):
    model = fitted(STRUCTURES[name])
    return by_visit(differences(laid(), model)) | {"reml_dev": model.deviance}


@cache
def kenward(name):
    model = fitted_of_arm(STRUCTURES[name])
    full = estimate(of_arm(), model, np.array([0, 1]), method="kenward_roger")
    linear = estimate(of_arm(), model, np.array([0, 1]), method="kenward_roger_linear")
    return {"se": full.se, "se_linear": linear.se, "df": full.df}


@cache
def cdisc():
    data = pd.read_csv(EVIDENCE / "cdiscpilot_adadas.csv")
    data = data[(data.ANL01FL == "Y") & (data.EFFFL == "Y") & data.DTYPE.isna() & data.AVISITN.isin([8, 16, 24])]
    data = data.assign(AVISITN=data.AVISITN.astype(int).astype(str), SITEGR1=data.SITEGR1.astype(str))
    placebo, low, high = arms = ("Placebo", "Xanomeline Low Dose", "Xanomeline High Dose")
    terms = Model("CHG", "USUBJID", "AVISITN", "TRTP", ("SITEGR1",), ("BASE",), visits=("8", "16", "24"), arms=arms)
    model = lay(data, terms)
    done = fit(model.panel)
    means = {e.name: e.estimate for e in adjusted_means(model, done)}
    gaps = {e.name: e for e in differences(model, done, method="kenward_roger")}
    found = {f"lsm_{k}": means[f"{a} at 24"] for k, a in {"pbo": placebo, "low": low, "high": high}.items()}
    for k, a in {"low": low, "high": high}.items():
        gap = gaps[f"{a} - {placebo} at 24"]
        found |= {f"{name}_{k}": getattr(gap, field) for name, field in FIELDS.items()}
        found |= {f"diff_{k}_pbo_abs": abs(gap.estimate), f"p_{k}_pbo": gap.p}
    return found | {"reml_dev": done.deviance, "n_rows": model.panel.seen.sum(), "n_subj": model.panel.n}


def found(row):
    family, method = row["family"], row["method"]
    if family == "CDISC pilot MMRM":
        if not EVIDENCE.is_dir():
            pytest.skip("the data set is not here")
        return cdisc()
    if family == "MMRM Kenward-Roger":
        return kenward(method.split("+")[1].split("(")[0])
    if family == "MMRM covariance structures":
        return structured(method.split()[1])
    if "SAS" in method:
        return sas()
    if method == "unstructured, Satterthwaite":
        return camis()
    # R's default with residual degrees of freedom is the sandwich.
    robust = "empirical" in method or "Residual" in method
    kind = "residual" if "Residual" in method else "between_within" if "Between" in method else "satterthwaite"
    return unstructured(kind, robust)


@pytest.mark.parametrize("row", ROWS, ids=lambda r: f"{r['ref_id']}-{r['quantity']}")
def test_a_printed_figure_is_met(row):
    assert float(found(row)[row["quantity"]]) == pytest.approx(row["value"], abs=row["tolerance"])


def test_the_optimum_is_no_worse_than_that_of_sas():
    """PROC MIXED prints 3386.44987722; what other programs find can only be as low."""
    assert float(fitted().deviance) <= 3386.44987722 + 1e-8


def test_spatial_exponential_over_two_coordinates_meets_sas():
    """The figures stored for Kenward-Roger with SAS in the tests of R's mmrm; there, the two standard errors carry each
    other's label, since the linear one is the same in all parameters."""
    data = table().assign(VISITN=table().AVISIT.str[-1].astype(float))
    panel = lay(data, replace(MODEL, covariates=(), time=("VISITN", "VISITN2"))).panel
    panel = replace(panel, design=panel.design[:, :, :2], columns=("intercept", "arm"))
    model = fit(panel, "spatial_exponential")
    full, linear = (estimate(panel, model, np.array([0, 1]), method=f"kenward_roger{k}") for k in ("", "_linear"))
    assert full.se == pytest.approx(0.90527620094771, rel=1e-5)
    assert linear.se == pytest.approx(0.90552903839818, rel=1e-5)
    assert full.df == pytest.approx(195.584197921463, rel=1e-4)
