"""Adverse events: hazards by drug against the table, alone, together, and when a drug is stopped."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cutis.core.keys import people, root
from cutis.core.psoriasis.disease import PSORIASIS
from cutis.core.psoriasis.model import individual
from cutis.core.psoriasis.safety import HUNDRED_YEARS, KINDS, NEEDLE, hazards
from cutis.core.psoriasis.treatments import NAMES, PARAMETERS, number
from cutis.population.sample import POPULATIONS, sample

THETA = jax.tree.map(jnp.asarray, PARAMETERS.numbers())
SAFETY = {name: parameter for name, parameter in PARAMETERS.items() if name.split(".")[0] in KINDS}


def rates(*drugs, treated=None):
    """Hazards of one person in events per 100 years."""
    numbers = jnp.array([[number(name)] if name else [0] for name in drugs], dtype="int64").reshape(len(drugs), 1)
    on = jnp.ones(numbers.shape, bool) if treated is None else jnp.asarray(treated).reshape(len(drugs), 1)
    return {
        kind: float(hazard[0]) * HUNDRED_YEARS for kind, hazard in jax.jit(hazards)(tuple(numbers), on, THETA).items()
    }


def background(kind):
    return PARAMETERS.value(f"{kind}.background")


@pytest.mark.parametrize("kind", KINDS)
def test_people_on_no_drug_have_the_background(kind):
    assert rates("")[kind] == pytest.approx(background(kind))
    assert rates("ixekizumab", treated=[False])[kind] == pytest.approx(background(kind))


@pytest.mark.parametrize("name", [n for n in SAFETY if n.endswith(".rate")])
def test_a_drug_brings_its_rate_less_that_of_its_control(name):
    kind, drug, _ = name.split(".")
    control = f"{kind}.{drug}.control"
    excess = PARAMETERS.value(name) - (PARAMETERS.value(control) if control in SAFETY else background(kind))
    assert rates(drug)[kind] == pytest.approx(background(kind) + excess)


def test_every_drug_of_the_table_is_a_treatment():
    assert {name.split(".")[1] for name in SAFETY} <= {*NAMES, "background"}


def test_drugs_without_a_source_stay_at_the_background():
    for drug in ("nb_uvb", "calcipotriol_betamethasone"):
        kinds = [kind for kind in KINDS if kind != NEEDLE]
        assert [rates(drug)[kind] for kind in kinds] == pytest.approx([background(kind) for kind in kinds])


def test_injection_site_reactions_need_an_injection():
    for drugs in (["nb_uvb"], ["apremilast"], ["infliximab", "methotrexate"]):
        assert rates(*drugs)[NEEDLE] == 0
    assert rates("nb_uvb", "guselkumab")[NEEDLE] == pytest.approx(rates("guselkumab")[NEEDLE])
    assert rates("guselkumab")[NEEDLE] > 0


def test_two_drugs_add_what_each_brings():
    kind = "serious_infection"
    alone = [rates(drug)[kind] - background(kind) for drug in ("infliximab", "methotrexate")]
    assert rates("infliximab", "methotrexate")[kind] == pytest.approx(background(kind) + sum(alone))
    assert rates("infliximab", "methotrexate", treated=[True, False])[kind] == pytest.approx(
        background(kind) + alone[0]
    )


def test_no_hazard_is_below_zero():
    many = rates(*["guselkumab"] * 12)  # each brings less than the background
    assert many["serious_infection"] == 0.0


def test_people_are_told_apart():
    drugs = jnp.array([[number("ixekizumab"), 0, number("ixekizumab")]], dtype="int64")
    got = hazards(drugs, jnp.array([[True, True, False]]), THETA)["candidiasis"]
    assert got[0] > got[1] == got[2]


def test_il_17_inhibitors_bring_candida_and_the_receptor_of_both_most():
    seen = {drug: rates(drug)["candidiasis"] for drug in ("bimekizumab", "ixekizumab", "secukinumab", "adalimumab")}
    assert seen["bimekizumab"] > seen["ixekizumab"] > 5 * seen["adalimumab"]
    assert seen["secukinumab"] > 5 * seen["adalimumab"]


@pytest.mark.parametrize(
    ("name", "share", "weeks"),
    [
        ("etanercept.rate", 0.15, 12),
        ("etanercept.control", 0.06, 12),
        ("ixekizumab.rate", 0.17, 12),
        ("adalimumab.rate", 0.09, 16),
        ("guselkumab.rate", 0.045, 16),
        ("tildrakizumab.rate", 24 / 705, 12),
        ("background", 7 / 355, 12),
    ],
)
def test_rates_of_reactions_give_back_the_published_shares(name, share, weeks):
    rate = PARAMETERS.value(f"injection_site_reaction.{name}") / HUNDRED_YEARS
    assert -math.expm1(-rate * 7 * weeks) == pytest.approx(share, rel=0.02)


def test_hazards_are_shares_a_day_of_all_people():
    got = hazards((), jnp.ones((0, 5), bool), THETA)  # of a trial without any treatment
    for hazard in got.values():
        assert hazard.shape == (5,)
        assert np.all((np.asarray(hazard) > 0) & (np.asarray(hazard) < 0.01))


def test_a_person_has_the_hazards_of_the_drugs_of_its_slots():
    ids = jnp.arange(4)
    drugs = jnp.array([[number("ixekizumab")] * 4, [0, 0, number("infliximab"), number("infliximab")]])
    twins = sample(POPULATIONS["psoriasis_moderate_severe"], root(2), ids)
    someone = jax.jit(individual)(people(root(2), ids), twins, drugs, THETA)
    on = jnp.array([[True, False, True, False], [True, True, True, True]])
    got = PSORIASIS.adverse(someone, on)
    assert set(got) == set(KINDS)
    for kind, hazard in got.items():
        off = rates("ixekizumab", "infliximab", treated=[False, True])
        alone = [rates("ixekizumab"), rates(""), rates("ixekizumab", "infliximab"), off]
        np.testing.assert_allclose(hazard * HUNDRED_YEARS, [one[kind] for one in alone], rtol=1e-12)
