"""Optics of skin: spectra beside their sources, layers of a twin, skin tone and melanin, broadband pulses."""

import csv
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cutis.core.laser import optics, spectra
from cutis.core.laser.light import propagate

DATA = Path(__file__).parent / "data" / "laser"
SHARED = Path(__file__).resolve().parents[2] / "shared" / "evidence" / "laser" / "spectra"
needs_source = pytest.mark.skipif(not SHARED.exists(), reason="the shared evidence is not beside the repository")


@needs_source
@pytest.mark.parametrize(
    ("file", "column", "read", "tolerance"),
    [
        ("water_segelstein1981.csv", "mua_cm1", spectra.water, 0.005),
        ("whole_blood_bosschaart2014.csv", "mua_oxy_cm1", lambda nm: spectra.blood(nm)[0], 0.005),
        ("whole_blood_bosschaart2014.csv", "mua_deoxy_cm1", lambda nm: spectra.blood(nm)[1], 0.005),
        ("fat_vanveen2005.csv", "mua_cm1", spectra.lipid, 0.005),
        ("melanosome_jacques1998_formula.csv", "mua_melanosome_cm1", spectra.melanosome, 0.001),
        ("skin_baseline_jacques1998_formula.csv", "mua_baseline_cm1", spectra.baseline, 0.001),
    ],
)
def test_tables_are_their_sources(file, column, read, tolerance):
    rows = np.genfromtxt(SHARED / file, delimiter=",", names=True)
    inside = (rows["wavelength_nm"] >= 400) & (rows["wavelength_nm"] <= 12_000)
    nm, values = rows["wavelength_nm"][inside], rows[column][inside] / 10
    assert np.max(np.abs(read(nm) / values - 1)) < tolerance


@pytest.mark.parametrize(
    ("nm", "read", "per_cm"),
    [
        (1450, spectra.water, 31.49),
        (1927, spectra.water, 123.0),
        (2940, spectra.water, 12_000),
        (10_600, spectra.water, 845.6),
        (577, lambda nm: spectra.blood(nm)[0], 270.4),
        (755, spectra.melanosome, 172.2),
        (1726, spectra.lipid, 10.89),
    ],
)
def test_absorption_at_laser_lines(nm, read, per_cm):
    assert float(read(float(nm))) == pytest.approx(per_cm / 10, rel=0.02)


@pytest.mark.parametrize("nm", [399.0, 12_001.0, np.nan])
def test_a_wavelength_outside_the_tables_is_named(nm):
    with pytest.raises(ValueError, match=f"wavelength: {nm:g} nm is outside the tables, 400 to 12000 nm"):
        optics.layers(optics.typical(np.array([0.03])), nm)


def test_every_source_is_cited_and_recalled_numbers_are_assumed():
    code = " ".join(f.read_text() for f in spectra.HERE.glob("*.py")) + (spectra.HERE / "spectra/blood.csv").read_text()
    code += "".join((spectra.HERE / f"spectra/{name}.csv").read_text() for name in ("water", "lipid"))
    cited = {p.source for p in spectra.PARAMETERS.values()}
    assert all(key in cited or key in code for key in set(spectra.PARAMETERS.sources) - {"cie2004"})
    for parameter in spectra.PARAMETERS.values():
        if "recalled" in parameter.note:
            assert parameter.status == "assumed", parameter.name


def test_layers_hold_what_the_person_holds():
    person = optics.typical(np.array([0.01, 0.1]))
    stack = optics.layers(person, 755.0)
    assert stack.thickness.shape == (2, 6)
    assert np.asarray(stack.thickness[:, 1:3].sum(axis=1)) == pytest.approx(np.asarray(person.epidermis))
    pigment = np.asarray((stack.absorption * stack.thickness)[:, 1:3].sum(axis=1) / person.epidermis)
    wet = 0.7 * spectra.water(755.0) + spectra.baseline(755.0)
    expected = [m * spectra.melanosome(755.0) + (1 - m) * wet for m in (0.01, 0.1)]
    assert pigment == pytest.approx(expected, rel=1e-6)


def test_red_light_sees_oxygen_and_infrared_sees_water():
    person = optics.typical(np.array([0.02]))
    blue = person._replace(saturation=jnp.array([0.3]))
    assert optics.layers(blue, 660.0).absorption[0, 4] > optics.layers(person, 660.0).absorption[0, 4]
    dry = person._replace(water=jnp.array([0.5]))
    assert optics.layers(dry, 1450.0).absorption[0, 4] < optics.layers(person, 1450.0).absorption[0, 4]


def test_skin_tone_near_that_of_another_computation():
    with (DATA / "tone.csv").open() as file:
        rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    person = optics.typical(np.array([r["melanosomes"] for r in rows]))
    thin = jnp.full(len(rows), 0.06)  # as there, without ridges
    person = person._replace(blood=jnp.array([r["blood"] for r in rows]), epidermis=thin)
    angle = np.asarray(optics.ita(person))
    off = angle - np.array([r["angle"] for r in rows])
    dark = np.array([r["melanosomes"] for r in rows]) >= 0.06
    assert np.abs(off[dark]).max() < 3
    assert np.abs(off).max() < 12  # fair skin: less yellow here, since vessels hide part of their blood
    light = np.asarray(optics.colour(person)[0]) - np.array([r["lightness"] for r in rows])
    assert np.abs(light).max() < 3


def test_melanin_of_a_tone_has_that_tone():
    wanted = np.array([50.0, 20.0, -10.0, -45.0])
    person = optics.typical(optics.melanosomes(wanted))
    assert np.asarray(optics.ita(person)) == pytest.approx(wanted, abs=0.7)


def test_a_broadband_pulse_needs_few_wavelengths():
    person = optics.typical(np.array([0.03]))

    def mean(nodes):
        nm, weight = optics.broadband(560.0, nodes=nodes)
        assert weight.sum() == pytest.approx(1)
        return weight @ np.asarray(optics.layers(person, nm).absorption[:, 0, 1])

    assert mean(10) == pytest.approx(mean(60), rel=1e-3)
    with pytest.raises(ValueError, match="cut_off: 500 nm is not above"):
        optics.broadband(560.0, 500.0)
    with pytest.raises(ValueError, match="wavelength: 350"):
        optics.broadband(350.0)


def twins():
    names = ("stratum_corneum_cheek", "epidermis_cheek", "dermis_cheek", "ita")
    return dict(zip(names, np.array([[12.0, 15.0], [50.0, 70.0], [1.2, 1.6], [45.0, -40.0]]), strict=True))


def test_a_twins_skin_comes_from_its_attributes():
    person = optics.skin(twins())
    assert np.asarray(person.epidermis) == pytest.approx(optics.FOLDING * np.array([0.05, 0.07]))
    assert np.asarray(person.dermis) == pytest.approx([1.2, 1.6])
    assert person.melanosomes[1] > 5 * person.melanosomes[0]


def test_twins_that_lack_attributes_are_refused():
    with pytest.raises(ValueError, match="twins lack ita"):
        optics.skin({k: v for k, v in twins().items() if k != "ita"})
    with pytest.raises(ValueError, match="site: 'knee' is none of"):
        optics.skin(twins(), "knee")


def test_the_whole_way_from_twin_to_light_runs_inside_jit():
    @jax.jit
    def reflected(columns):
        return propagate(optics.layers(optics.skin(columns), 755.0), 1.0, 1.4, nodes=8).reflectance

    optics._tones.cache_clear()
    traced = np.asarray(reflected({k: jnp.asarray(v) for k, v in twins().items()}))
    plain = propagate(optics.layers(optics.skin(twins()), 755.0), 1.0, 1.4, nodes=8).reflectance
    assert traced == pytest.approx(np.asarray(plain), rel=1e-4)


def test_fair_skin_holds_its_melanin_low_and_dark_skin_everywhere():
    ratio = np.asarray(optics.basal(np.array([0.0, 0.01, 0.4])))
    assert ratio[0] == pytest.approx(3.0)
    assert (np.diff(ratio) < 0).all()
    assert ratio[2] == pytest.approx(1.0, abs=0.01)
    person = optics.typical(np.array([0.01]))
    stack, even = (optics.layers(person._replace(basal=jnp.array([ratio])), 755.0) for ratio in (6.0, 1.0))
    assert stack.absorption[0, 2] > 3 * stack.absorption[0, 1]
    whole, level = (float((x.absorption * x.thickness)[0, 1:3].sum()) for x in (stack, even))
    assert whole == pytest.approx(level)  # the mean over the epidermis is that of the person


def test_ridges_spread_the_melanin_of_a_tone_over_more_depth():
    flat, folded = (optics.typical(optics.melanosomes(-20.0, fold)[None], fold) for fold in (1.0, 2.0))
    assert float(folded.epidermis[0]) == pytest.approx(2 * float(flat.epidermis[0]))
    ratio = float(folded.melanosomes[0] * folded.epidermis[0] / (flat.melanosomes[0] * flat.epidermis[0]))
    assert ratio == pytest.approx(1.0, abs=0.15)
