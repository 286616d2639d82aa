"""Gland loss of the 1726 nm laser as sessions of the acne model: they destroy what light and heat come to."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cutis.core.acne import glands
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


def alike():
    """Three people given the laser who need as much of it as the typical one."""
    theta = PARAMETERS.numbers() | {"sensitivity.potency:sd": 0.0}
    return individual(people(root(5), jnp.arange(N)), TWINS, jnp.full((1, N), number(glands.LASER)), theta)


def test_so_many_sessions_leave_what_light_and_heat_leave():
    lost, of, step = np.array([0.1, 0.4, 0.8]), alike(), 0.02
    dose = jnp.asarray(glands.sessions(lost))

    @jax.jit
    def change(state, day):  # the exposure of a session begins at its dose and fades with 1/day
        return drift(of, state, signal(of, (dose * jnp.exp(-day),), jnp.zeros(N), day))[-1]

    state = start(of)
    for day in np.arange(0, 14, step) + step / 2:
        state = (*state[:-1], state[-1] + step * change(state, day))
    assert np.asarray(state[-1]) == pytest.approx(1 - lost, abs=0.01)


def test_the_loss_of_the_trials_is_one_session():
    lost = glands.published()
    assert glands.sessions(lost) == pytest.approx(1)
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
        glands.sessions(lost)
