"""Gland loss of the 1726 nm laser in the acne model: a session destroys the share that light and heat came to."""

import jax.numpy as jnp
import numpy as np
import pytest

from cutis.core.acne import glands
from cutis.core.acne.effects import Effects
from cutis.core.acne.model import drift, individual, signal, start
from cutis.core.acne.treatments import PARAMETERS, number
from cutis.core.keys import people, root
from cutis.core.laser import optics, targets
from cutis.core.laser.device import settings
from cutis.core.laser.treat import treat

N = 3
TWINS = {
    "inflammatory": jnp.full(N, 30.0), "noninflammatory": jnp.full(N, 40.0), "nodules": jnp.zeros(N),
    "iga": jnp.full(N, 3), "prior_antibiotic": jnp.zeros(N, bool), "age": jnp.full(N, 22.0),
    "male": jnp.asarray([True, False, True]), "race": jnp.zeros(N, int), "weight": jnp.full(N, 70.0),
    "fitzpatrick": jnp.asarray([1, 3, 5]),
}  # fmt: skip


def person(*drugs):
    slots = jnp.asarray([[number(name)] * N for name in drugs])
    return individual(people(root(5), jnp.arange(N)), TWINS, slots, PARAMETERS.numbers())


def hazard(of, *exposures):
    driven = signal(of, tuple(jnp.full(N, x) for x in exposures), jnp.zeros(N), jnp.zeros(()))
    return np.asarray(Effects(*driven).gland)


def test_a_session_leaves_what_light_and_heat_leave():
    lost = jnp.asarray([0.1, 0.3, 0.6])
    rate = hazard(glands.treated(person("laser_1726"), lost), 1.0)
    assert np.exp(-rate) == pytest.approx(1 - np.asarray(lost))


def test_gland_capacity_falls_by_it_in_the_model():
    of = glands.treated(person("laser_1726"), 0.4)
    state = start(of)
    for day in np.arange(0, 12, 0.01):  # the exposure of a session sums up to 1
        exposure = (jnp.full(N, np.exp(-day)),)
        change = drift(of, state, signal(of, exposure, jnp.zeros(N), jnp.zeros(())))
        state = (*state[:-1], state[-1] + 0.01 * change[-1])
    assert np.asarray(state[-1]) == pytest.approx(0.6, abs=0.01)


def test_other_treatments_stay_as_they_are():
    before = person("laser_1726", "photodynamic_therapy")
    after = glands.treated(before, 0.5)
    assert hazard(after, 0.0, 1.0) == pytest.approx(hazard(before, 0.0, 1.0))
    kept = zip(after._replace(slots=before.slots), before, strict=True)
    assert all(mine is theirs for mine, theirs in kept)
    assert after.slots[1].half_maximal == pytest.approx(before.slots[1].half_maximal)


def test_the_loss_of_the_trials_gives_the_calibrated_effect():
    lost = glands.published()
    assert float(glands.hazard(lost)) == pytest.approx(PARAMETERS.value("laser_1726.gland"))
    assert 0.1 < lost < 0.5


def test_the_effect_in_trials_is_that_of_a_fluence_that_the_device_gives():
    """At most 30 J/cm2 were given (Alexiades et al. 2023), with the same effect in all skin types."""
    skin = optics.typical(optics.melanosomes(np.array([55.0, -20.0])))
    found = treat(skin, settings("acne_1726", fluence=(15.0, 30.0)), targets={"glands": targets.glands})
    low, high = np.asarray(found.targets["glands"].lost)
    assert (low < glands.published()).all()
    assert (glands.published() < high).all()
    assert low == pytest.approx(low.mean(), rel=0.1)
    assert (np.asarray(found.basal) < 0).all()


@pytest.mark.parametrize("lost", [-0.1, 1.0, np.nan])
def test_impossible_losses_are_refused(lost):
    with pytest.raises(ValueError, match="lost: expected shares of 0 to less than 1"):
        glands.hazard(lost)


def test_a_loss_that_nobody_is_given_is_refused():
    with pytest.raises(ValueError, match="nobody is given laser_1726"):
        glands.treated(person("adapalene"), 0.3)
