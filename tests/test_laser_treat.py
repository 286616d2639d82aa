"""One session: light becomes heat without loss, heat does damage as by other routes; tone and cooling matter."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

from cutis.core.laser import optics, treat
from cutis.core.laser.damage.kinetics import in_pulses, kinetics, log_damage
from cutis.core.laser.damage.sweep import sweep
from cutis.core.laser.device import named, settings
from cutis.core.laser.heat import column, grid
from cutis.core.laser.heat.tissue import VALUES as HEAT
from cutis.core.laser.light import propagate

FLUENCES = (8.0, 15.0, 22.0)
ITA = np.array([50.0, 28.0, -10.0])
PEOPLE = optics.typical(optics.melanosomes(ITA))
USED = settings("alexandrite_long", fluence=FLUENCES)


@pytest.fixture(scope="module")
def warmed():
    return treat.warm(PEOPLE, USED)


@pytest.fixture(scope="module")
def treated():
    return treat.treat(PEOPLE, USED)


def body(warmed, of=USED):
    """The column of `warm`, put together again."""
    t = warmed.thickness
    skin = jnp.stack([t[0], t[1] + t[2], t[3] + t[4], t[5]])
    absorbed = treat._absorbed(warmed.lights[0], t, warmed.edges)
    tissue = grid.laid(treat.tissues(PEOPLE), skin, warmed.edges)
    return column.column(np.diff(warmed.edges), tissue, absorbed)


def test_the_cells_take_what_the_layers_absorb(warmed):
    light = warmed.lights[0]
    broad = light._replace(factor=jnp.ones_like(light.factor))
    without = jnp.asarray(light.stack.absorption).at[:, 5].set(0.0)  # the subcutis goes on below the cells
    broad = broad._replace(stack=light.stack._replace(absorption=without))
    heat = treat._absorbed(broad, warmed.thickness, warmed.edges) * np.diff(warmed.edges)[:, None]
    absorbed = propagate(optics.layers(PEOPLE, 755.0), 1.0, 1.4, nodes=treat.NODES).absorbed
    assert np.asarray(heat.sum(0)) / 0.01 == pytest.approx(np.asarray(absorbed[:, :5].sum(1)), rel=0.002)


def test_a_small_spot_leaves_less_at_depth_and_a_wide_one_all(warmed):
    factor = np.asarray(warmed.lights[0].factor)
    assert (factor <= 1).all()
    assert factor[0].min() > 0.9
    assert (np.diff(factor[:40, 0]) < 1e-6).all()


def test_damage_and_peak_are_those_of_the_sweep(warmed):
    swept = sweep(body(warmed), warmed.course, kinetics("henriques"), np.array(FLUENCES))
    depth = jnp.broadcast_to(jnp.asarray(grid.centres(warmed.edges))[:, None], (len(warmed.edges) - 1, 3))
    ends = [treat.at_depth(h, warmed.edges, depth) for h in (warmed.response.base, warmed.response.rise)]
    ours = treat.damage(kinetics("henriques"), *ends, warmed.course.step, jnp.asarray(FLUENCES))
    low = np.asarray(swept.log_omega) > -60
    hot = np.asarray(swept.log_omega) < 60  # rates are held below e^80 there
    assert np.asarray(ours)[low & hot] == pytest.approx(np.asarray(swept.log_omega)[low & hot], abs=0.01)


def test_the_hottest_is_that_of_one_run_at_this_fluence(warmed, treated):
    run = column.simulate(body(warmed), warmed.course, 15.0, boiling=False)
    epidermis = warmed.edges[:-1] < float(warmed.thickness[:3].sum(0).min())
    inside = np.asarray(run.temperature)[:, epidermis].max((0, 1))
    surface = np.asarray(run.surface).max(0)
    assert np.asarray(treated.hottest)[1] == pytest.approx(np.maximum(inside, surface), rel=1e-6)


def test_darker_skin_and_more_light_do_more_harm(treated):
    for part in (treated.hottest, treated.basal, treated.corneum):
        assert (np.diff(np.asarray(part), axis=0) > 0).all()
        assert (np.diff(np.asarray(part), axis=1) > 0).all()
    assert np.asarray(treated.burn).min() == 0
    assert np.asarray(treated.burn).max() == 2  # the dermis below lives, as in pulses that are cooled
    assert (np.diff(np.asarray(treated.burn), axis=0) >= 0).all()
    deep = treat.treat(PEOPLE, settings("alexandrite_long", fluence=60.0))
    assert np.asarray(deep.burn).max() == 3


def test_boiling_is_marked_and_not_trusted(treated):
    assert (np.asarray(treated.overheated) == ~np.asarray(treated.trusted)).all()
    assert bool(treated.overheated[-1, -1])
    assert not bool(treated.overheated[0, 0])


def test_one_fluence_of_several_is_that_fluence_alone(treated):
    alone = treat.treat(PEOPLE, replace(USED, fluence=15.0))
    assert alone.basal.shape == (1, 3)
    assert np.asarray(alone.basal[0]) == pytest.approx(np.asarray(treated.basal[1]), abs=1e-9)


def test_people_do_not_depend_on_who_is_treated_with_them(treated, monkeypatch):
    monkeypatch.setattr(treat, "PEOPLE", 3)
    four = optics.Skin(*(field[jnp.array([0, 1, 2, 0])] for field in PEOPLE))
    parts = treat.treat(four, USED)
    assert parts.basal.shape == (3, 4)
    assert np.asarray(parts.basal[:, :3]) == pytest.approx(np.asarray(treated.basal), abs=1e-6)
    assert np.asarray(parts.basal[:, 3]) == pytest.approx(np.asarray(treated.basal[:, 0]), abs=1e-6)


def test_cooling_spares_the_epidermis_and_not_the_deep_dermis(treated):
    bare = treat.treat(PEOPLE, settings("alexandrite_long", fluence=FLUENCES, cooling="none"))
    assert (np.asarray(bare.hottest - treated.hottest)[:, :2] > 5).all()
    assert (np.asarray(bare.basal) > np.asarray(treated.basal)).all()


FINE = np.concatenate([0.0025 * np.arange(40), 0.1 + grid.graded(88, 0.0025, 0.2, 5.9)])


def test_a_stratum_corneum_thinner_than_its_cell_is_heated_as_in_finer_ones(monkeypatch):
    """One cheek in six hundred has one of less than 5 um."""
    thin = PEOPLE._replace(stratum_corneum=jnp.full(3, 0.0035))
    usual = treat.treat(thin, USED)
    monkeypatch.setattr(treat, "cells", lambda: FINE)
    finer = treat.treat(thin, USED)
    assert np.asarray(usual.hottest) - 33.0 == pytest.approx(np.asarray(finer.hottest) - 33.0, rel=0.03)
    assert np.asarray(usual.basal)[:, 0] == pytest.approx(np.asarray(finer.basal)[:, 0], abs=1.0)


def test_finer_cells_change_little(treated, monkeypatch):
    monkeypatch.setattr(treat, "cells", lambda: FINE)
    finer = treat.treat(PEOPLE, USED)
    rise = np.asarray(finer.hottest) - 33.0
    assert np.asarray(treated.hottest) - 33.0 == pytest.approx(rise, rel=0.03)
    assert np.asarray(treated.basal)[:, 0] == pytest.approx(np.asarray(finer.basal)[:, 0], abs=1.0)


def test_twins_come_as_columns_too(treated):
    size = {"stratum_corneum": 15.0, "epidermis": 60.0, "dermis": 1.2}
    twins = {f"{name}_cheek": np.full(3, value) for name, value in size.items()} | {"ita": ITA}
    found = treat.treat(twins, USED)
    assert np.asarray(found.basal) == pytest.approx(np.asarray(treated.basal), abs=1e-6)
    with pytest.raises(ValueError, match="twins lack epidermis_cheek"):
        treat.treat({name: column for name, column in twins.items() if name != "epidermis_cheek"}, USED)


def test_what_cannot_be_treated_is_refused():
    with pytest.raises(ValueError, match="fibre_1550: delivery by fractional; `treat` takes broad beams"):
        treat.treat(PEOPLE, settings("fibre_1550"))
    with pytest.raises(ValueError, match="twins: there are none"):
        treat.treat(optics.typical(np.zeros(0)), USED)
    thin = PEOPLE._replace(epidermis=jnp.full(3, 0.004))
    with pytest.raises(ValueError, match=r"layer 1 of column 0 is 0.004 mm thick"):
        treat.treat(thin, USED)
    with pytest.raises(ValueError, match="expected positive lengths"):
        treat.treat(PEOPLE._replace(stratum_corneum=jnp.zeros(3)), USED)


def test_light_is_solved_once_for_all_pulses_and_tells_the_same(treated):
    lit = {}
    longer = replace(USED, pulse=4 * USED.pulse)
    first, second = (treat.treat(PEOPLE, used, lit=lit) for used in (USED, longer))
    assert len(lit) == 1
    assert np.array_equal(np.asarray(first.basal), np.asarray(treated.basal))
    assert (np.asarray(second.basal) < np.asarray(first.basal)).all()
    treat.treat(PEOPLE, replace(USED, spot=USED.spot + 3), lit=lit)
    assert len(lit) == 2


def test_liquid_cryogen_goes_on_cooling_after_the_light():
    used = settings("alexandrite_long", pulse=0.003)
    course = treat.sessions_course(used)
    cold = course.coolant[:, 0] == HEAT["cryogen.temperature"]
    after = np.arange(len(cold)) > np.flatnonzero(course.pulse[:, 0])[-1]
    left = float((course.step[:, 0] * (cold & after)).sum())
    assert left == pytest.approx(HEAT["cryogen.residence"] - used.delay - used.pulse)
    late = treat.sessions_course(settings("nd_yag_long", cooling="cryogen", pulse=0.25))
    cold = late.coolant[:, 0] == HEAT["cryogen.temperature"]
    assert not cold[np.flatnonzero(late.pulse[:, 0])[-1] + 1 :].any()


def test_every_broad_beam_of_the_table_has_a_course():
    for name in ("pulsed_dye", "nd_yag_pico", "acne_1726", "ipl", "diode_long"):
        course = treat.sessions_course(settings(name))
        lit = (course.pulse * course.step).sum()
        assert lit == pytest.approx(1.0), named(name)


def held(of, celsius, seconds):
    """ln Omega of a constant temperature."""
    temperature = jnp.full((2, 1), celsius)
    return float(log_damage(of, temperature, np.array([[seconds]]))[0])


def test_cells_stand_more_heat_in_short_pulses_and_no_more_in_long_exposures():
    of, long = treat.death("epidermis"), kinetics("henriques")
    assert held(of, 50.0, 600.0) == pytest.approx(held(long, 50.0, 600.0), abs=0.1)
    assert held(of, 75.0, 0.003) < held(long, 75.0, 0.003) - 3
    for celsius in (40.0, 61.8, 90.0):  # no faster than either step
        steps = (held(long, celsius, 1.0), held(of.then, celsius, 1.0))
        assert held(of, celsius, 1.0) == pytest.approx(-np.logaddexp(-steps[0], -steps[1]), abs=1e-9)


def test_the_second_step_meets_the_temperature_that_is_told():
    of = in_pulses(kinetics("henriques"), 11605.0, 0.1, 62.0)
    assert held(of.then, 62.0, 0.1) == pytest.approx(0.0, abs=1e-9)
    shifted = in_pulses(kinetics("henriques"), 11605.0, 0.1, 62.0, 0.5)
    assert held(shifted.then, 62.0, 0.1) == pytest.approx(0.5, abs=1e-9)
    rise = np.log(100 / 0.3) / 11605.0  # Simanovskii et al. 2006: 0.3 to 100 ms, up to 130 C
    assert 1 / (1 / (62.0 + 273.15) - rise) - 273.15 == pytest.approx(130, abs=2)


def test_a_burn_is_deep_where_the_dermis_coagulates_too():
    basal, dermis = jnp.asarray([-1.0, 0.5, 0.5, -1.0]), jnp.asarray([-5.0, -5.0, 1.0, 1.0])
    assert treat._degree(basal, dermis).tolist() == [0, 2, 3, 0]
