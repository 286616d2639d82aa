"""A sweep as data: what it may ask, and every mistake named before any work starts."""

import jax.numpy as jnp
import numpy as np
import pytest
import yaml

from cutis.core.laser import outcomes, targets
from cutis.core.laser.device import named
from cutis.core.laser.targets import Follicles
from cutis.trials.compose import options
from cutis.trials.errors import BadInput
from cutis.trials.sweep import words
from cutis.trials.sweep.command import sweep
from cutis.trials.sweep.effects import behind, judged, wanted
from cutis.trials.sweep.plan import combinations, plain
from cutis.trials.sweep.protocols import course, numbered, protocols
from cutis.trials.sweep.read import asked
from cutis.trials.sweep.run import enough, source_of

HAIR, SCARS = "sweep=laser/hair_755", "sweep=laser/scars_10600"


def of(*told):
    return asked([HAIR, *told], None).plan


@pytest.mark.parametrize("name", options("sweep"))
def test_every_sweep_that_is_shipped_can_be_carried_out(name):
    plan = asked([f"sweep={name}"], None).plan
    one_each = 1 if plan.dose == "fluence" else len(plan.doses())
    assert len(protocols(plan)) == len(list(combinations(plan))) * one_each
    assert len(numbered(plan)) == len(list(combinations(plan))) * len(plan.doses())
    assert source_of(plan).name == "us_general"
    enough(plan)


def test_words_change_the_plan():
    plan = of("size=600", "seed=7", "grid.fluence=[10,20.5]", "grid.cooling=[cryogen,none]", "risk.most.burn=0.02")
    assert (plan.population.size, plan.seed, plan.doses()) == (600, 7, (10.0, 20.5))
    assert plan.risk.most["burn"] == 0.02
    assert len(numbered(plan)) == 2 * 5 * 2
    assert of().fingerprint() != plan.fingerprint() == of(*words_of(plan)).fingerprint()


def words_of(plan):
    told = {"size": plan.population.size, "seed": plan.seed, "grid.fluence": list(plan.grid["fluence"])}
    told |= {"grid.cooling": list(plan.grid["cooling"]), "risk.most.burn": plan.risk.most["burn"]}
    return [f"{key}={yaml.safe_dump(value, default_flow_style=True).splitlines()[0]}" for key, value in told.items()]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("sweep=laser/hair_75", "no such sweep; did you mean 'laser/hair_755'"),
        ("popuation.size=600", "unknown key; did you mean 'population'"),
        ("grid.fluense=[1,2]", "grid.fluense"),
        ("grid.fluence=[20,10]", "expected every value once, rising"),
        ("grid.fluence=[10,ten]", "expected numbers"),
        ("grid.cooling=[cryogen,3]", "expected words"),
        ("grid.spot=[10,15]", "spot: set in settings and varied in grid"),
        ("risk.most.burns=0.1", "burns"),
        ("risk.most.burn=0", "greater than 0"),
        ("risk.sought=2", "less than or equal to 1"),
        ("efficacy.outcome=baldness", "'baldness' is not a choice here"),
        ("population.skin_types=[2,1]", "each skin type once, rising"),
        ("population.skin_types=[7]", "less than or equal to 6"),
        ("site=knee", "'knee' is not a choice here"),
        ("seed=seven", "seed"),
        ("size", "expected key=value"),
        ("out=", "expected a folder"),
        ("draws=1001", "less than or equal to 1000"),
        ("grid.fluence=[" + ",".join(str(5 + n / 10) for n in range(900)) + "]", "at most 54"),
        ("cluster=cloud", "'cloud' is not a choice here"),
        ("grid.fluence=[1", "not readable"),
    ],
)
def test_a_mistake_is_named(word, expected):
    told = [word] if word.startswith("sweep=") else [HAIR, word]
    with pytest.raises(BadInput) as error:
        asked(told, None)
    assert expected in str(error.value)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (["grid.fluence=[1,20]"], "alexandrite_long.fluence: 1 J/cm2 is outside the device's limits, 5 to 100 J/cm2"),
        (["grid.pulse=[0.01,5]"], "alexandrite_long.pulse: 5 s is outside"),
        (["grid.cooling=[ice]"], "alexandrite_long.cooling: 'ice' is none of"),
        (["grid.wavelength=[1064]"], "alexandrite_long.wavelength: 1064 nm is none of 755 nm"),
        (["settings.colour=2"], "colour is no setting"),
        (["settings.sessions=2.5"], "sessions: expected a whole number, got 2.5"),
        (["settings.spurt=short"], "settings.spurt: expected a number, got 'short'"),
        (["device=sun"], "device: 'sun' is none of"),
    ],
)
def test_what_the_device_cannot_do_is_refused_before_any_work(told, expected, tmp_path):
    task = asked([HAIR, *told, f"out={tmp_path / 'none'}"], None)
    with pytest.raises(BadInput) as error:
        list(sweep(task, False, None))
    assert expected in str(error.value)
    assert not (tmp_path / "none").exists()


def test_all_that_the_device_cannot_do_is_named_at_once():
    with pytest.raises(BadInput) as error:
        protocols(of("grid.pulse=[0.00001,0.01,5]"))
    assert len(str(error.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (
            [HAIR, "device=fibre_1550", "settings={}"],
            "grid: fibre_1550 gives columns, which are swept over energy, not fl",
        ),
        (
            [HAIR, "device=fibre_1550"],
            "efficacy.outcome: hair_reduction is not what columns are for; choose scar_reduction",
        ),
        ([HAIR, "device=fibre_1550"], "risk.most: burn, blister: not told of columns"),
        ([HAIR, "device=ipl", "settings={}", "grid.pulse=[0.01]", "efficacy.outcome=ink_clearance"], "is a lamp"),
        (
            [HAIR, "efficacy.outcome=scar_reduction"],
            "scar_reduction is not what a broad beam are for; choose another outcome",
        ),
        ([SCARS, "device=rf_needles"], "rf_needles gives needles, which are swept over power, not energy"),
        ([SCARS, "grid.energy=[20,500]"], "co2_fractional.energy: 500 mJ is outside the device's limits, 2 to 220 mJ"),
        ([SCARS, "grid.density=[400,900]", "settings.spot=0.4"], "spots of 0.4 mm, 900 of them a cm2, overlap"),
    ],
)
def test_what_does_not_go_with_a_device_is_refused(told, expected):
    with pytest.raises(BadInput) as error:
        protocols(asked(told, None).plan)
    assert expected in str(error.value)


def test_a_device_is_turned_up_by_one_setting():
    with pytest.raises(BadInput, match="fluence and energy: a device is turned up by one of them"):
        asked([SCARS, "grid.fluence=[1,2]"], None)
    plan = asked([SCARS, "grid.energy=[10,20]", "grid.density=[100,200]"], None).plan
    assert (plan.dose, plan.doses()) == ("energy", (10.0, 20.0))
    assert numbered(plan)[1] == {"energy": 20.0, "density": 100}
    assert [(s.energy, s.density) for s in protocols(plan)] == [(10, 100), (20, 100), (10, 200), (20, 200)]
    assert words.setting(plan, 3) == "20 mJ, 200 /cm² density"
    assert words.axis(plan.dose) == "Energy, mJ"


def test_twins_must_know_their_skin_type_and_be_enough_for_the_bound():
    with pytest.raises(BadInput, match="no population 'mars'"):
        source_of(of("population.source=mars"))
    with pytest.raises(BadInput, match="takes 299, 1,794 in all"):
        enough(of("size=1200"))
    enough(of("size=1794"))


def test_a_file_of_ones_own_is_plain_data(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(plain(of("size=600"))))
    assert asked(["seed=3", "size=1800"], file).plan.population.size == 1800
    with pytest.raises(BadInput, match=r"grid.pulse: beside --study only"):
        asked(["grid.pulse=[0.01]"], file)
    file.write_text("title: !!python/object/apply:os.system [true]\n")
    with pytest.raises(BadInput, match="not valid YAML"):
        asked([], file)
    with pytest.raises(BadInput, match="cannot be read"):
        asked([], tmp_path / "none.yaml")


def test_settings_are_told_in_units_that_can_be_read():
    plan = of("grid.fluence=[10,20]", "grid.pulse=[0.003,0.03]", "grid.cooling=[cryogen,none]")
    assert words.setting(plan, 0) == "10 J/cm², 3 ms pulse, cryogen"
    assert words.setting(plan, 3) == "20 J/cm², 3 ms pulse, no cooling"
    assert words.value("pulse", 7.5e-10) == "750 ps"
    assert course(plan) == (5, 42.0)


def test_the_protocol_of_the_device_fills_what_the_plan_leaves():
    plan = of("settings={}")
    usual = named("alexandrite_long").protocol
    assert course(plan) == (usual["sessions"], usual["interval"])
    assert {p.spot for p in protocols(plan)} == {usual["spot"]}


def test_purpura_is_read_in_the_skin_where_it_is_asked_for_and_only_there():
    asks, not_asks = (of(f"risk.most={{burn: 0.01{more}}}") for more in (", purpura: 0.5", ""))
    assert wanted(asks)["purpura"] is targets.purpura
    assert "purpura" not in wanted(not_asks)
    over, basal = jnp.asarray([[0.1, 1.0, 10.0]]), jnp.zeros((1, 3))
    read = {"aim": Follicles(basal, basal), "purpura": over}
    told = judged(asks, read, basal, jnp.zeros(3), outcomes.VALUES)
    assert np.asarray(told["purpura"]) == pytest.approx(np.asarray(outcomes.purpuric(over)))
    behind_it = {name for name in behind(asks) if "purpura" in name}
    assert behind_it == {"events.purpura_margin", "events.purpura_spread"}
    assert not any("purpura" in name for name in behind(not_asks))


def test_the_risk_of_a_course_counts_all_its_sessions():
    words = ["sweep=laser/hair_755", "draws=0"]
    once, course = (asked([*words, *more], None).plan for more in ([], ["risk.over=course"]))
    assert once.fingerprint() != course.fingerprint()
    harmed = Follicles(jnp.zeros((2, 3)), jnp.zeros((2, 3)))
    basal, tone = jnp.asarray([[-3.0, 0.0, 3.0], [1.0, 2.0, 5.0]]), jnp.asarray([50.0, 20.0, -20.0])
    one, all_of = (judged(plan, {"aim": harmed}, basal, tone, outcomes.VALUES) for plan in (once, course))
    for name in once.risk.most:
        assert np.asarray(all_of[name]) == pytest.approx(1 - (1 - np.asarray(one[name])) ** 5), name
    assert np.asarray(all_of["efficacy"]) == pytest.approx(np.asarray(one["efficacy"]))
    with pytest.raises(BadInput, match=r"risk\.over"):
        asked([*words, "risk.over=year"], None)
