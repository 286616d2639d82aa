"""Adverse events: hazards by drug against the table, alone, together, and when a drug is stopped."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cutis.core.psoriasis.safety import HUNDRED_YEARS, KINDS, SAFETY, hazards
from cutis.core.psoriasis.treatments import NAMES, number


def rates(*drugs, treated=None):
    """Hazards of one person in events per 100 years."""
    numbers = jnp.array([[number(name)] if name else [0] for name in drugs], dtype="int64").reshape(len(drugs), 1)
    on = jnp.ones(numbers.shape, bool) if treated is None else jnp.asarray(treated).reshape(len(drugs), 1)
    return {kind: float(hazard[0]) * HUNDRED_YEARS for kind, hazard in jax.jit(hazards)(numbers, on).items()}


def background(kind):
    return SAFETY.value(f"{kind}.background")


@pytest.mark.parametrize("kind", KINDS)
def test_people_on_no_drug_have_the_background(kind):
    assert rates("")[kind] == pytest.approx(background(kind))
    assert rates("ixekizumab", treated=[False])[kind] == pytest.approx(background(kind))


@pytest.mark.parametrize("name", [n for n in SAFETY if n.endswith(".rate")])
def test_a_drug_brings_its_rate_less_that_of_its_control(name):
    kind, drug, _ = name.split(".")
    control = f"{kind}.{drug}.control"
    excess = SAFETY.value(name) - (SAFETY.value(control) if control in SAFETY else background(kind))
    assert rates(drug)[kind] == pytest.approx(background(kind) + excess)


def test_every_drug_of_the_table_is_a_treatment():
    assert {name.split(".")[1] for name in SAFETY} <= {*NAMES, "background"}


def test_drugs_without_a_source_stay_at_the_background():
    for drug in ("nb_uvb", "calcipotriol_betamethasone"):
        assert rates(drug) == pytest.approx({kind: background(kind) for kind in KINDS})


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
    got = hazards(drugs, jnp.array([[True, True, False]]))["candidiasis"]
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
    rate = SAFETY.value(f"injection_site_reaction.{name}") / HUNDRED_YEARS
    assert -math.expm1(-rate * 7 * weeks) == pytest.approx(share, rel=0.02)


def test_hazards_are_shares_a_day_of_all_people():
    got = hazards(jnp.zeros((1, 5), dtype="int64"), jnp.ones((1, 5), bool))
    for hazard in got.values():
        assert hazard.shape == (5,)
        assert np.all((np.asarray(hazard) > 0) & (np.asarray(hazard) < 0.01))
