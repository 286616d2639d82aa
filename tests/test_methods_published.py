"""Level published: every stored value of a method that is built, printed by SAS or R, within its tolerance."""

import numpy as np
import pandas as pd
import pytest

from cutis.trials.statistics.methods import bayes
from tests import methods_reference as reference

ROWS = pd.concat(
    [pd.read_csv(reference.OWN / f"expected_{topic}.csv") for topic in reference.TOPICS], ignore_index=True
)


@pytest.mark.parametrize("row", list(ROWS.itertuples()), ids=lambda row: f"{row.ref_id}-{row.quantity}")
def test_a_method_gives_the_published_value(row):
    try:
        found = reference.computed(row.family, row.method, str(row.inputs))[row.quantity]
    except FileNotFoundError:
        pytest.skip("the data sets of the published values are not beside the repository")
    if np.isnan(row.value):
        assert np.isnan(found)
        return
    known = reference.MISSES.get(row.ref_id)
    agrees = found == pytest.approx(row.value, abs=row.tolerance, rel=0)
    # A known miss that goes away, or grows, is news.
    assert agrees != bool(known)
    assert found == pytest.approx(row.value, abs=known[0] if known else row.tolerance, rel=0)


def test_the_values_kept_are_all_that_methods_exist_for():
    if not reference.EVIDENCE.is_dir():
        pytest.skip("the collection of reference values is not here")
    built, _ = reference.reached()
    assert set(ROWS.ref_id) == set(built.ref_id)


def test_the_table_of_the_docs_is_current():
    if not reference.EVIDENCE.is_dir():
        pytest.skip("the collection of reference values is not here")
    assert reference.table() in (reference.HERE.parent / "docs" / "statistics_methods.md").read_text()


def test_a_power_prior_of_full_weight_is_the_pooled_beta():
    # Beta(1 + 60, 1 + 140) against Beta(1 + 30, 1 + 70): means of a conjugate analysis.
    prior = bayes.power_prior([40], [100], 1.0)
    found = bayes.share_difference(30, 100, 20, 100, prior)
    assert found.estimate == pytest.approx(31 / 102 - 61 / 202, abs=1e-6)
