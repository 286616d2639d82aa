"""Conduct: screening, randomisation, doses taken and missed, stopping, leaving, rescue."""

import json
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cutis.core.diseases import DISEASES
from cutis.core.keys import root
from cutis.trials import numerics
from cutis.trials.conduct import NEVER, kernel
from cutis.trials.enrol import allocate, enrol
from cutis.trials.errors import BadInput
from cutis.trials.schedule import mesh, protocol
from cutis.trials.study import Study, canonical

from .studies import study

PSORIASIS = DISEASES["psoriasis"]
THETA = jax.tree.map(jnp.asarray, PSORIASIS.parameters.numbers())
N = 512
QUIET = {
    "conduct__discontinuation__adverse_event": 0.0,
    "conduct__discontinuation__other": 0.0,
    "conduct__discontinuation__lack_of_efficacy": 0.0,
    "conduct__missed_visit": 0.0,
    "conduct__rescue": None,
}
BRODALUMAB = {"treatment": "brodalumab", "dose": "210 mg", "weeks": [0, 1, 2], "every": 2, "until": 12}


def followed(way="lanes", **changes):
    return _followed(way, json.dumps(changes))


@cache
def _followed(way, changes):
    plan = study(**json.loads(changes))
    trial = protocol(plan, PSORIASIS, mesh(plan.trial, 2.0))
    ids = jnp.arange(N)
    record = kernel("psoriasis", "psoriasis_moderate_severe", way=way)(root(plan.seed), ids, ids % 3, trial, THETA)
    return plan, jax.tree.map(np.asarray, record)


def test_twins_enter_in_the_order_of_their_numbers_and_each_once():
    small, large = (enrol(study(size=n), PSORIASIS, root(1)) for n in (60, 300))
    assert (np.diff(large.ids) > 0).all()
    np.testing.assert_array_equal(large.ids[:60], small.ids)
    np.testing.assert_array_equal(large.arms[:60], small.arms)


def test_the_flow_adds_up():
    people = enrol(study(size=300), PSORIASIS, root(1))
    assert people.screened == people.ids[-1] + 1
    assert people.screened == len(people.ids) + sum(people.excluded.values())
    assert set(people.excluded) == {"age", "pasi", "bsa", "iga"}


def test_everyone_randomised_meets_the_criteria_and_baseline_regresses_to_the_mean():
    strict = enrol(study(size=300, eligibility={"age": {"max": 40}, "pasi": {"min": 20}}), PSORIASIS, root(1))
    plan = study()
    trial = protocol(plan, PSORIASIS, mesh(plan.trial, 2.0))
    ids = jnp.asarray(np.resize(strict.ids, N))
    record = kernel("psoriasis", "psoriasis_moderate_severe")(root(1), ids, ids % 3, trial, THETA)
    assert float(record.twins["age"].max()) <= 40
    baseline = np.asarray(record.visits["pasi"][0])[:300]
    assert (baseline < 20).any()  # measured again, some fall below the entry score
    assert np.mean(baseline) > 20


def test_a_trial_that_nobody_can_enter_is_refused_with_the_rates(monkeypatch):
    monkeypatch.setattr("cutis.trials.enrol.PATIENCE", 20_000)
    impossible = study(eligibility={"age": {"min": 79.99}, "pasi": {"min": 60}})
    with pytest.raises(BadInput, match=r"none of .* candidates .* age 0 %.*pasi") as caught:
        enrol(impossible, PSORIASIS, root(1))
    assert "Relax a criterion" in str(caught.value)


def test_blocks_are_balanced_within_every_stratum():
    plan = study(size=600)
    strata = np.random.default_rng(0).integers(0, 4, 600)
    arms = allocate(plan, root(1), strata)
    for stratum in range(4):
        mine = arms[strata == stratum]
        for start in range(0, len(mine) - 5, 6):
            np.testing.assert_array_equal(np.bincount(mine[start : start + 6], minlength=3), 2)


def test_unequal_allocation_is_kept():
    plan = study(randomisation={"allocation": {"guselkumab": 2, "adalimumab": 2, "placebo": 1}, "block_size": 10})
    arms = allocate(plan, root(1), np.zeros(1000, dtype=np.int64))
    np.testing.assert_array_equal(np.bincount(arms), [400, 400, 200])


def test_the_order_of_arms_is_part_of_the_plan():
    """A worker reads the study from its canonical text: arm numbers must mean the same there."""
    plan = study()
    again = Study.model_validate_json(canonical(plan), strict=True)
    assert list(again.trial.arms) == list(plan.trial.arms) == ["guselkumab", "adalimumab", "placebo"]
    assert again.fingerprint() == plan.fingerprint()


def test_blocks_differ_between_seeds_and_strata():
    plan, strata = study(), np.repeat([0, 1], 60)
    one, two = allocate(plan, root(1), strata), allocate(plan, root(2), strata)
    assert (one != two).any()
    assert (one[:60] != one[60:]).any()


def test_without_intercurrent_events_everyone_is_seen_at_every_visit():
    plan, record = followed(**QUIET)
    assert record.visits["seen"].all()
    assert record.visits["on_treatment"].all()
    assert not np.isnan(record.visits["pasi"]).any()
    assert (record.status.stopped == NEVER).all()
    doses = [sum(len(c.schedule()) for c in arm.regimen) for arm in plan.trial.arms.values()]
    np.testing.assert_array_equal(record.status.doses_planned, np.array(doses)[np.arange(N) % 3])


def test_doses_are_taken_as_often_as_adherence_says():
    _, record = followed(**QUIET, conduct__adherence={"probability": 0.8, "spread": 0.0})
    planned, taken = record.status.doses_planned.sum(), record.status.doses_taken.sum()
    assert taken / planned == pytest.approx(0.8, abs=4.5 * np.sqrt(0.8 * 0.2 / planned))


def test_nobody_responds_to_a_drug_that_is_not_taken():
    _, record = followed(**QUIET, conduct__adherence={"probability": 1e-9, "spread": 0.0})
    change = np.nanmedian(record.visits["pasi"][-1] / record.visits["pasi"][0])
    assert 0.6 < change < 1.1  # placebo only


def test_stopping_follows_its_hazard():
    weekly, weeks = 0.02, 48
    _, record = followed(**QUIET | {"conduct__discontinuation__adverse_event": weekly})
    expected = 1 - np.exp(-weekly * weeks)
    assert (record.status.stopped != NEVER).mean() == pytest.approx(expected, abs=4.5 * np.sqrt(0.25 / N))
    assert set(record.status.reason[record.status.stopped != NEVER]) == {1}


def test_who_leaves_is_seen_at_that_visit_and_not_after():
    _, record = followed(**QUIET | {"conduct__discontinuation__other": 0.02})
    gone = np.flatnonzero(record.status.left != NEVER)
    assert len(gone) > 50
    for twin in gone:
        visit = record.status.left[twin]
        assert record.visits["seen"][: visit + 1, twin].all()
        assert not record.visits["seen"][visit + 1 :, twin].any()
        assert np.isnan(record.visits["pasi"][visit + 1 :, twin]).all()


def test_who_stops_but_stays_is_seen_off_treatment_and_relapses():
    stop = QUIET | {"conduct__discontinuation__other": 0.5, "conduct__discontinuation__followed_up": 1.0}
    plan, record = followed(**stop)
    assert record.visits["seen"].all()
    early = record.status.stopped <= plan.trial.visits.index(8)
    assert not record.visits["on_treatment"][-1][early].any()
    _, kept = followed(**QUIET)
    assert np.median(record.visits["pasi"][-1][early]) > 2 * np.median(kept.visits["pasi"][-1][early])


def test_lack_of_efficacy_stops_only_those_without_response_and_only_late():
    plan, record = followed(**QUIET | {"conduct__discontinuation__lack_of_efficacy": 0.2})
    stopped = np.flatnonzero(record.status.stopped != NEVER)
    assert len(stopped) > 50
    for twin in stopped:
        visit = record.status.stopped[twin]
        assert plan.trial.visits[visit] >= plan.trial.conduct.discontinuation.lack_of_efficacy_from
        assert record.visits["pasi"][visit, twin] > 0.5 * record.visits["pasi"][0, twin]


def test_rescue_goes_to_non_responders_from_its_week_on_and_helps():
    rescue = {"treatment": "calcipotriol_betamethasone", "from_week": 12, "chance": 1.0}
    nothing = {"probability": 1e-9, "spread": 0.0}
    plan, record = followed(**QUIET | {"conduct__rescue": rescue}, conduct__adherence=nothing)
    rescued = record.status.rescue != NEVER
    assert rescued.mean() > 0.5
    assert min(plan.trial.visits[v] for v in record.status.rescue[rescued]) == 12
    _, without = followed(**QUIET, conduct__adherence=nothing)
    last, baseline = record.visits["pasi"][-1], record.visits["pasi"][0]
    assert np.median((last / baseline)[rescued]) < 0.7 * np.median((without.visits["pasi"][-1] / baseline)[rescued])


def test_a_missed_visit_is_missing_and_no_reason_to_leave():
    _, record = followed(**QUIET | {"conduct__missed_visit": 0.2})
    seen = record.visits["seen"]
    assert seen[0].all()
    assert seen[1:].mean() == pytest.approx(0.8, abs=4.5 * np.sqrt(0.16 / seen[1:].size))
    assert seen[-1].mean() > 0.7


def test_one_twin_is_the_same_in_every_arm_until_treatment_parts_them():
    plan = study(**QUIET)
    trial = protocol(plan, PSORIASIS, mesh(plan.trial, 2.0))
    run = kernel("psoriasis", "psoriasis_moderate_severe")
    ids = jnp.arange(N)
    one, other = (run(root(1), ids, jnp.full(N, arm), trial, THETA) for arm in (0, 2))
    for name, values in one.visits.items():
        np.testing.assert_array_equal(values[0], other.visits[name][0])
    assert float(jnp.median(one.visits["pasi"][5])) < float(jnp.median(other.visits["pasi"][5]))


def test_lanes_and_xla_give_the_same_trial():
    (_, lanes), (_, xla) = followed(), followed(way="xla")
    for name, values in lanes.visits.items():
        np.testing.assert_allclose(values, xla.visits[name], rtol=1e-10, atol=1e-12)
    for ours, theirs in zip(jax.tree.leaves(lanes.status), jax.tree.leaves(xla.status), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("way", ["lanes", "xla"])
def test_a_twin_does_not_depend_on_who_is_simulated_beside_it(way):
    _, record = followed(way, **QUIET)
    plan = study(**QUIET)
    trial = protocol(plan, PSORIASIS, mesh(plan.trial, 2.0))
    order = np.random.default_rng(0).permutation(N)
    ids = jnp.asarray(order)
    again = kernel("psoriasis", "psoriasis_moderate_severe", way=way)(root(1), ids, ids % 3, trial, THETA)
    for name, values in record.visits.items():
        np.testing.assert_array_equal(values[:, order], np.asarray(again.visits[name]))


def test_the_tuned_mesh_meets_its_tolerance_on_other_twins_too():
    plan = study()
    ids = np.arange(2000)
    accuracy = numerics.tune(plan, PSORIASIS, root(1), *numerics.probe(ids, ids % 3, 0))
    assert accuracy.error <= numerics.TOLERANCE
    others = np.arange(5000, 5000 + numerics.PROBE)
    assert numerics.check(plan, PSORIASIS, root(1), others, others % 3, accuracy.scale) < 3 * numerics.TOLERANCE


def test_the_error_is_the_largest_or_with_a_saturable_drug_the_mean_of_the_worst_arm(monkeypatch):
    coarse, fine = np.ones((3, 6, 4)), np.ones((3, 6, 4))
    coarse[1, 2] = [1.0, 1.002, 1.003, 0.999]  # of arms 0, 0, 1, 1: means 0.001 and 0.002
    coarse[2, 5, 0], fine[2, 5, 0] = 0.0, 1e-5  # of what is next to nothing only the size counts
    monkeypatch.setattr(numerics, "_states", lambda *rest: coarse if rest[-2] == 1.0 else fine)
    usual, brodalumab = study(), study(arms__guselkumab__regimen=[BRODALUMAB])
    of = (PSORIASIS, root(1), np.arange(4), np.array([0, 0, 1, 1]), 1.0)
    assert numerics.check(usual, *of) == pytest.approx(0.003)
    assert numerics.check(brodalumab, *of) == pytest.approx(0.002)
    assert numerics.tolerance(usual, PSORIASIS) < numerics.tolerance(brodalumab, PSORIASIS)
    assert "mean" not in numerics.measure(usual, PSORIASIS)
    assert "mean over the twins of an arm" in numerics.measure(brodalumab, PSORIASIS)


def test_doses_of_all_arms_stand_on_one_time_line():
    plan = study()
    trial = protocol(plan, PSORIASIS, mesh(plan.trial, 1.0))
    per_arm = np.asarray(trial.doses.single).sum((0, 2))
    np.testing.assert_allclose(per_arm, [700, 80 + 24 * 40, 500])
    weeks = np.asarray(trial.dose_days) / 7
    np.testing.assert_array_equal(weeks[np.asarray(trial.doses.single)[:, 2, 0] > 0], [16, 20, 28, 36, 44])
