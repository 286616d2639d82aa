"""Allocation: blocks balance, minimisation balances margins, and every person can be found again from the key."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cutis.core.keys import root, stream
from cutis.trials.designs.allocation.blocks import permuted_blocks
from cutis.trials.designs.allocation.minimisation import imbalance, minimise
from cutis.trials.enrol import allocate

RNG = np.random.default_rng(0)
STRATA = jnp.asarray(RNG.integers(0, 3, 90))
FACTORS = jnp.asarray(RNG.integers(0, 3, (100, 3)))


def test_blocks_are_those_of_enrolment():
    plan = SimpleNamespace(allocation={"a": 1, "b": 1, "c": 2}, block_size=8)
    study = SimpleNamespace(trial=SimpleNamespace(arms={"a": 1, "b": 1, "c": 1}, randomisation=plan))
    there = allocate(study, root(1), np.asarray(STRATA))
    assert (np.asarray(permuted_blocks(root(1), STRATA, (1, 1, 2), 8, 3)) == there).all()


def test_each_full_block_of_a_stratum_has_the_shares():
    arms = np.asarray(permuted_blocks(root(2), STRATA, (1, 2), 6, 3))
    for stratum in range(3):
        mine = arms[np.asarray(STRATA) == stratum]
        whole = mine[: len(mine) // 6 * 6].reshape(-1, 6)
        assert (whole.sum(axis=1) == 4).all()


def test_a_larger_trial_begins_as_the_smaller_one():
    assert (
        permuted_blocks(root(3), STRATA, (1, 1), 4, 3)[:40] == permuted_blocks(root(3), STRATA[:40], (1, 1), 4, 3)
    ).all()
    assert (minimise(root(3), FACTORS, 3, (1, 1), 0.8)[:40] == minimise(root(3), FACTORS[:40], 3, (1, 1), 0.8)).all()


def test_replicates_differ_and_can_be_replayed():
    many = jax.vmap(lambda i: minimise(stream(root(4), i), FACTORS, 3, (1, 1), 0.8))(jnp.arange(50))
    assert len(np.unique(np.asarray(many), axis=0)) == 50
    assert (many[17] == minimise(stream(root(4), 17), FACTORS, 3, (1, 1), 0.8)).all()


def test_minimisation_balances_margins_better_than_chance():
    def worst(chance, measure="range"):
        each = jax.jit(
            jax.vmap(
                lambda i: imbalance(
                    FACTORS, minimise(stream(root(5), i), FACTORS, 3, (1, 1), chance, measure=measure), 3, 2
                )
            )
        )
        return float(each(jnp.arange(100)).mean())

    even = worst(0.5)
    assert worst(0.9) < even / 2
    assert worst(0.9, "variance") < even / 2


def test_a_certain_coin_follows_the_rule_by_hand():
    """With chance 1 and one factor, every second person of a level goes to the arm the first did not."""
    factors = jnp.asarray(RNG.integers(0, 4, (200, 1)))
    arms = np.asarray(minimise(root(6), factors, 4, (1, 1), 1.0))
    for level in range(4):
        mine = arms[np.asarray(factors)[:, 0] == level]
        even = mine[: len(mine) // 2 * 2].reshape(-1, 2)
        assert (even.sum(axis=1) == 1).all()


def test_pure_chance_gives_the_shares():
    arms = jax.vmap(lambda i: minimise(stream(root(7), i), FACTORS, 3, (2, 1), 0.9))(jnp.arange(200))
    assert float((np.asarray(arms) == 0).mean()) == pytest.approx(2 / 3, abs=0.02)
    alone = jax.vmap(lambda i: minimise(stream(root(8), i), FACTORS[:1], 3, (1, 1), 1.0))(jnp.arange(4000))
    assert float(np.asarray(alone).mean()) == pytest.approx(0.5, abs=4.5 * 0.5 / 4000**0.5)


def test_a_weight_of_zero_takes_a_factor_out():
    first = minimise(root(9), FACTORS, 3, (1, 1), 0.9, (1.0, 0.0, 0.0))
    assert (first == minimise(root(9), FACTORS[:, :1], 3, (1, 1), 0.9)).all()


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: permuted_blocks(root(1), STRATA, (1, 2), 4, 3), "multiple of 3"),
        (lambda: permuted_blocks(root(1), STRATA, (0, 2), 4, 3), "from 1"),
        (lambda: minimise(root(1), FACTORS, 3, (1,), 0.9), "two or more"),
        (lambda: minimise(root(1), FACTORS, 3, (1, 1), 0.3), "pure chance"),
        (lambda: minimise(root(1), FACTORS, 3, (1, 1), 0.9, (1.0,)), "one for each of the factors"),
        (lambda: minimise(root(1), FACTORS, 2, (1, 1), 0.9), "levels from 0 to 1, got 0 to 2"),
        (lambda: minimise(root(1), FACTORS, 3, (1, 1), 0.9, measure="sum"), "expected one of"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call()
