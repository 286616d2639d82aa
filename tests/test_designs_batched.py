"""Curves fitted to many trials at once, against the fit of one trial by another search, and against exact curves."""

import numpy as np
import pytest

from cutis.trials.designs.dosefinding import fit
from cutis.trials.designs.dosefinding.batched import fits, targets
from cutis.trials.designs.dosefinding.models import SHAPES

DOSES = np.array([0.0, 10.0, 25.0, 75.0, 150.0])
TRUE = {
    "linear": (), "log_linear": (20.0,), "emax": (30.0,), "sigmoid_emax": (40.0, 3.0), "exponential": (90.0,),
    "quadratic": (-0.004,), "logistic": (50.0, 12.0), "beta": (0.8, 0.7),
}  # fmt: skip


@pytest.mark.parametrize("family", TRUE)
def test_a_curve_without_error_is_found_again(family):
    curve = 1.5 + 2.0 * SHAPES[family].curve(DOSES, TRUE[family], 150.0)
    found = fits(family, DOSES, curve[None], np.full((1, 5), 0.01))
    np.testing.assert_allclose(found.parameters[0], TRUE[family], rtol=1e-4)
    assert found.scale[0] == pytest.approx(2.0, rel=1e-4)
    assert found.aic[0] == pytest.approx(2 * (len(TRUE[family]) + 2), abs=1e-6)
    wanted = 0.5 * (curve.max() - curve[0])
    dose = targets(found, wanted)[0]
    at = 1.5 + 2.0 * SHAPES[family].curve(np.array([0.0, dose]), TRUE[family], 150.0)
    assert at[1] - at[0] == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("family", TRUE)
def test_each_of_many_is_that_of_one(family):
    """The search of `fit` may end beside the best curve, but must not find a better one."""
    rng = np.random.default_rng(8)
    means = np.array([0.0, 0.3, 0.6, 0.9, 1.0]) + rng.normal(size=(6, 5)) * 0.15
    spread = rng.uniform(0.01, 0.04, (6, 5))
    found = fits(family, DOSES, means, spread)
    dose = targets(found, 0.5)
    for row in range(6):
        one = fit.fit(family, DOSES, means[row], spread[row])
        assert found.aic[row] <= one.aic + 1e-6
        if found.aic[row] > one.aic - 1e-6 and not one.bounded:
            other = fit.target_dose(one, 0.5)
            assert dose[row] == pytest.approx(np.inf if np.isnan(other) else other, rel=1e-2)


def test_a_dose_that_is_not_reached_is_infinite():
    found = fits("linear", DOSES, np.array([DOSES / 150, -DOSES / 150]), np.full((2, 5), 0.1))
    assert targets(found, 0.5) == pytest.approx([75.0, np.inf])
    assert targets(found, 1.5).tolist() == [np.inf, np.inf]
