"""Made-up results of a calibration and its validation, in the shape of the real ones."""

from types import SimpleNamespace

import numpy as np
import pandas as pd

CLASSES = {
    "adalimumab": "anti_tnf", "etanercept": "anti_tnf", "ustekinumab": "p40", "guselkumab": "p19",
    "secukinumab": "il17a", "bimekizumab": "il17af", "apremilast": "oral", "placebo": "placebo",
}  # fmt: skip
TRIALS = 9


def found(error: float = 0.03, seed: int = 1) -> SimpleNamespace:
    """Tables of `trials.report`; predictions miss the truth by about `error`, and intervals are three times as wide."""
    rng = np.random.default_rng(seed)
    predictions = _predictions(rng, error)
    return SimpleNamespace(
        predictions=predictions,
        differences=_differences(predictions),
        parameters=_parameters(),
        courses=_courses(),
        relapses=_relapses(),
        effects=pd.DataFrame({
            "covariate": ["weight", "prior_biologic", "smoker", "female"], "outcome": "pasi90",
            "published": [0.99, 0.44, 0.78, 0.78], "low": [0.99, 0.29, 0.66, np.nan],
            "high": [0.99, 0.67, 0.91, np.nan], "predicted": [0.9871, 0.55, 0.95, 0.8],
            "fitted": [True, False, False, True],
        }),
        onset=pd.DataFrame({
            "drug": list(CLASSES)[:7], "drug_class": list(CLASSES.values())[:7],
            "rate_published": [0.46, 0.28, 0.24, 0.29, 0.51, 0.9, 0.38], "rank_published": [3, 6, 7, 5, 2, 1, 4],
            "predicted": [4.4, 6.8, 7.2, 5.6, 3.6, 2.9, 5.0], "rank_predicted": [3, 6, 7, 5, 2, 1, 4],
        }),
        phototherapy=_phototherapy(),
        phototherapy_relapse=pd.DataFrame({
            "fit": ["weekly PASI alone", "weekly PASI and relapse"], "patients": 60, "month": 5.5,
            "observed": 0.75, "predicted": [0.70, 0.40],
        }),
        phototherapy_trials=pd.DataFrame({
            "trial": ["A trial of light"], "arm": ["nb_uvb"], "outcome": ["pasi75"], "week": [12], "n": [40],
            "observed": [0.55], "predicted": [0.61],
        }),
        importance=_importance(),
        assumed=pd.DataFrame({
            "name": ["model.drive_rate", "model.loose"], "about": "turnover", "value": [0.6, 0.1], "unit": "1/day",
            "source": "Doe 2020", "note": ["recalled", None],
        }),
    )  # fmt: skip


def _predictions(rng: np.random.Generator, error: float) -> pd.DataFrame:
    rows = []
    for scheme, wider in (("fitted", 0.6), ("trials", 1.0), ("class", 2.0)):
        for number in range(TRIALS):
            drugs = list(CLASSES)[number % 7 :][:1] + list(CLASSES)[(number + 3) % 7 :][:1] + ["placebo"]
            for drug in drugs:
                n = 100 + 40 * number
                true = 0.05 if drug == "placebo" else 0.4 + 0.06 * list(CLASSES).index(drug)
                for outcome, easier in (("pasi50", 1.4), ("pasi75", 1.1), ("pasi90", 0.75), ("pasi100", 0.4)):
                    observed = min(0.98, true * easier)
                    half = 3 * error * wider * (0.4 if drug == "placebo" else 1)
                    predicted = float(np.clip(observed + rng.normal() * half / 2, 0.005, 0.99))
                    rows.append({
                        "scheme": scheme, "trial": f"trial_{number}", "title": f"TRIAL {number}", "arm": f"{drug}_arm",
                        "drug": drug, "drug_class": CLASSES[drug], "outcome": outcome, "week": 12 + 4 * (number % 2),
                        "primary": True, "n": n, "observed": observed, "predicted": predicted, "error": np.nan,
                        "low": max(0.0, predicted - half), "high": min(1.0, predicted + half),
                        "status": "measured" if number % 5 else "assumed",
                    })  # fmt: skip
    return pd.DataFrame(rows)


def _differences(predictions: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for (scheme, trial, outcome), part in predictions.groupby(["scheme", "trial", "outcome"]):
        one, other = (row for row in part.itertuples() if row.drug != "placebo")
        if outcome in ("pasi75", "pasi90"):
            observed, predicted = (
                100 * (a - b) for a, b in ((one.observed, other.observed), (one.predicted, other.predicted))
            )
            rows.append({
                "scheme": scheme, "trial": trial, "arm": one.arm, "comparator": other.arm, "outcome": outcome,
                "against": "active",
                "week": one.week, "observed": observed, "observed_low": observed - 8, "observed_high": observed + 8,
                "predicted": predicted, "low": predicted - 20, "high": predicted + 20,
                "sign_kept": observed * predicted > 0, "inside": abs(observed - predicted) < 20,
                "tail": 0.5 if abs(observed - predicted) < 20 else 0.001,
            })  # fmt: skip
    return pd.DataFrame(rows)


def _parameters() -> pd.DataFrame:
    names = ["model.plaque_rate", "model.loose", "adalimumab.half_maximal"]
    return pd.DataFrame({
        "name": names, "about": ["turnover of plaque activity", "something", "concentration of half-maximal effect"],
        "unit": ["1/day", "1", "ug/mL"], "estimate": [0.0613, 0.1, 1.123], "low": [0.05, 0.01, 0.9],
        "high": [0.07, 0.9, 1.4], "prior_middle": [0.05, 0.1, 2.0], "prior_sd": [0.4, 1.0, 1.5],
        "posterior_sd": [0.05, 0.97, 0.12], "contraction": [0.125, 0.97, 0.08], "scale": ["log", "logit", "log"],
        "why": ["four antibodies", "unknown", "common to all drugs"],
    })  # fmt: skip


def _courses() -> pd.DataFrame:
    weeks = np.array([2, 4, 8, 12, 16, 24])
    rows = [
        {"drug": drug, "outcome": outcome, "week": int(week), "published": top * (1 - np.exp(-week / 5)),
         "predicted": top * (1 - np.exp(-week / 5.5))}
        for drug, top in (("adalimumab", 0.7), ("guselkumab", 0.9))
        for outcome, top in (("pasi75", top), ("pasi90", 0.7 * top))
        for week in weeks
    ]  # fmt: skip
    return pd.DataFrame(rows)


def _relapses() -> pd.DataFrame:
    return pd.DataFrame({
        "key": ["etanercept_pasi50", "risankizumab_withdrawn", "ixekizumab", "nb_uvb"],
        "drug": ["etanercept", "risankizumab", "ixekizumab", "nb_uvb"], "week": [36, 52, 83, 30],
        "among": ["pasi50", "iga01", "iga01", "all"],
        "outcome": ["half_improvement", "iga01", "iga3", "half_improvement"],
        "published": [0.5, 0.613, 0.5, 0.25], "predicted": [0.52, 0.6, 0.44, 0.55], "low": [0.45, 0.53, 0.36, 0.4],
        "high": [0.6, 0.67, 0.55, 0.7], "fitted": [True, True, False, False],
        "status": ["measured", "measured", "measured", "assumed"],
    })  # fmt: skip


def _phototherapy() -> pd.DataFrame:
    weeks = np.arange(1, 9)
    observed = np.exp(-weeks / 4)
    found = {"week": weeks}
    for head, shift in (("observed", 0.0), ("predicted", 0.02), ("unseen", 0.04)):
        for end, factor in (("_low", 0.6), ("", 1.0), ("_high", 1.4)):
            found[head + end] = np.clip((observed + shift) * factor, 0, 1.2)
    return pd.DataFrame(found)


def _importance() -> pd.DataFrame:
    names = ["model.drive_rate", "model.loose", *(f"model.other_{i}" for i in range(8))]
    rows = [
        {"parameter": name, "about": "about", "value": 1.0, "unit": "1", "low": 0.5, "high": 2.0, "quantity": quantity,
         "mu_star": 0.03 * scale * 0.7**i, "sigma": 0.1, "s1": 0.4, "s1_conf": 0.1, "st": 0.5, "st_conf": np.nan}
        for quantity, scale in (("adalimumab pasi90", 1.0), ("risankizumab pasi75", 0.5))
        for i, name in enumerate(names)
    ]  # fmt: skip
    return pd.DataFrame(rows)
