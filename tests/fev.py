"""The lung function trial of the tests of repeated measures, and its model."""

from functools import cache
from pathlib import Path

import pandas as pd

from cutis.trials.statistics.mmrm.fit import fit
from cutis.trials.statistics.mmrm.model import Model, lay
from cutis.trials.statistics.mmrm.panel import Panel

DATA = Path(__file__).parent / "data" / "statistics"
EVIDENCE = Path(__file__).resolve().parents[2] / "shared" / "evidence" / "statistics" / "datasets"
MODEL = Model("FEV1", "USUBJID", "AVISIT", "ARMCD", ("RACE", "SEX"))


@cache
def table():
    return pd.read_csv(DATA / "mmrm_fev.csv")


@cache
def laid():
    return lay(table(), MODEL)


@cache
def fitted(structure="unstructured"):
    return fit(laid().panel, structure)


@cache
def of_arm():
    """Outcome by arm alone, without visits."""
    panel = laid().panel
    return Panel(panel.outcome, panel.design[:, :, :2], ("intercept", "arm"), panel.visits)


@cache
def fitted_of_arm(structure):
    return fit(of_arm(), structure)


def expected(name):
    return pd.read_csv(DATA / name).to_dict("records")
