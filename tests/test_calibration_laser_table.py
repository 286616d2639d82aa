"""Numbers of the evidence of lasers: slopes by differences, effects on log odds, and a fit of made-up heat."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logit

from cutis.calibration import climb as climbing
from cutis.calibration.laser import calibrate, likelihood, solve, trials, validate, write
from cutis.calibration.laser.table import EFFECTS, Table
from cutis.calibration.scale import Vector, believed, read_priors
from cutis.core.laser import calibrated, outcomes, targets
from cutis.core.laser.damage import kinetics
from cutis.core.laser.treat import death

PEOPLE, STEPS = 5, 40
CHOSEN = {"HR02", "HR04", "HR08", "HR19", "PW01", "PW03", "PW07", "PI01", "PI06", "FX04", "FX08", "RF02"}


def made_up(arms):
    """Heat and light without having solved for them: warmer with more fluence, for lighter and for darker people."""
    parts = tuple((arm, part) for arm in arms for part in arm.parts)
    rng = np.random.default_rng(3)
    many, few = len(parts), len(solve.FOLDS)
    hot = 20 + 30 * rng.random((few, 1, many, 3, PEOPLE))
    hot = np.sort(hot, axis=0)
    cools = np.exp(-np.arange(STEPS + 1) / 12.0)[None, :, None, None, None]
    purpuric = np.sort(rng.normal(0, 1, (few, many, PEOPLE)), axis=0)[::-1]
    closed = np.sort(rng.random((few, many, targets.DIAMETERS, targets.DEPTHS, PEOPLE)), axis=0)[::-1]
    heated = np.array([part.used.device.delivery == "beam" for _, part in parts])
    solution = solve.Solved(
        jnp.asarray(rng.normal(30, 20, (many, PEOPLE))),
        jnp.full((STEPS + 1, many, 3, PEOPLE), 33.0),
        jnp.asarray(hot * cools),
        jnp.full((STEPS, many), 2e-3),
        jnp.asarray(heated),
        jnp.asarray(purpuric.copy()),
        jnp.asarray(closed.copy()),
        jnp.asarray(0.2 + 0.6 * rng.random((few, many, PEOPLE))),
        jnp.asarray(0.2 + 0.6 * rng.random((few, many, targets.INKS, PEOPLE))),
        jnp.asarray(np.where(heated, 1.0, 0.2)[:, None] * np.ones(PEOPLE)),
        jnp.asarray(np.where(heated, 0.0, 0.1)[:, None] * np.ones(PEOPLE)),
    )
    return solution, parts


@pytest.fixture(scope="module")
def table():
    arms = tuple(arm for arm in trials.arms() if arm.trial in CHOSEN)
    solution, parts = made_up(arms)
    priors = read_priors(calibrate.PRIORS)
    vector = Vector(tuple(priors), tuple(prior.scale for prior in priors.values()))
    return Table(arms, parts, solution, vector, dict(outcomes.TABLE.numbers()))


@pytest.fixture(scope="module")
def start(table):
    priors = read_priors(calibrate.PRIORS)
    return table.vector.vector({name: prior.middle for name, prior in priors.items()})


def effects(table, value=0.0):
    return np.full(len(EFFECTS) * len(table.trials), value)


def test_slopes_are_those_of_the_numbers(table, start):
    found = table.slopes(start, effects(table, 0.1))
    for place, name in enumerate(table.vector.names):
        nudge = np.zeros(len(start))
        nudge[place] = 1e-4
        up, down = (table.values(start + sign * nudge, effects(table, 0.1)) for sign in (1, -1))
        assert found.vector[place] == pytest.approx((up - down) / 2e-4, abs=2e-6, rel=1e-3), name
    assert found.value == pytest.approx(table.values(start, effects(table, 0.1)))


def test_a_trial_moves_the_log_odds_of_its_own_figures(table, start):
    before = table.values(start, effects(table))
    moved = effects(table)
    moved[table.trials.index("PW07")] = 0.7  # efficacy comes first
    change = logit(table.values(start, moved)) - logit(before)
    own = np.array([arm.trial == "PW07" and figure.what == "purpura" for arm, figure in table.entries])
    assert change[own] == pytest.approx(0.7, abs=1e-6)
    assert change[~own] == pytest.approx(0, abs=1e-9)


def test_a_share_of_patients_is_at_least_that_of_sessions(table, start):
    values = table.values(start, effects(table))
    place = next(i for i, (arm, figure) in enumerate(table.entries) if arm.trial == "HR08" and figure.what == "pih")
    assert table.entries[place][0].sessions == 3
    once = replace(table, arms=tuple(replace(arm, sessions=1) if arm.trial == "HR08" else arm for arm in table.arms))
    parts = tuple(
        (next(a for a in once.arms if (a.trial, a.name) == (arm.trial, arm.name)), p) for arm, p in table.parts
    )
    once = replace(once, parts=parts)
    assert once.values(start, effects(table))[place] < values[place]


def test_weights_of_folds_draw_the_parabola():
    for place, node in enumerate(solve.FOLDS):
        assert np.asarray(solve.between(jnp.asarray(node))) == pytest.approx(np.eye(len(solve.FOLDS))[place], abs=1e-12)
    assert float(solve.between(jnp.asarray(3.3)).sum()) == pytest.approx(1)


def test_held_out_figures_are_in_no_term(table):
    fitted = [i for i, (_, figure) in enumerate(table.entries) if figure.role == "fit" and figure.value is not None]
    seen = [
        np.r_[getattr(t, "upper", np.zeros(0, int)), getattr(t, "one", np.zeros(0, int))]
        for t in likelihood.terms(table).values()
    ]
    assert sorted(np.concatenate(seen).tolist()) == fitted


def test_a_fit_comes_nearer_to_the_figures_and_tells_its_doubt(table, start):
    priors = read_priors(calibrate.PRIORS)
    told, before = likelihood.terms(table), believed(priors)
    fit = climbing.climb(table, told, before, calibrate.groups(table), start, most=8)
    begun = climbing.Posterior(table, told, before, tuple(calibrate.groups(table)))
    assert fit.objective > begun.height(table.values(start, effects(table)), start, effects(table))
    sd = np.sqrt(np.diag(fit.covariance))[: len(start)]
    assert (sd <= before.all()[1] * (1 + 1e-9)).all()
    found = calibrate.Calibrated(table.arms, dict(outcomes.TABLE.numbers()), priors, table, fit)
    predicted = validate.predicted(found, number=10)
    assert (predicted.low <= predicted.high).all()
    assert set(predicted.scheme) == {"fitted", "held"}
    assert sum(validate.coverage(predicted)) > 0
    files = write.files(found)
    assert set(files) == {"calibrated.yaml", "uncertainty.csv"}
    assert files["uncertainty.csv"].count("\n") == len(start) + 1


def test_the_priors_are_of_all_that_a_calibration_writes():
    assert set(read_priors(calibrate.PRIORS)) == set(calibrated.TABLE)
    stray = dict(read_priors(calibrate.PRIORS)) | {"hair.colour": read_priors(calibrate.PRIORS)["hair.growing"]}
    with pytest.raises(ValueError, match=r"not in calibrated.yaml of laser: hair.colour"):
        calibrate.calibrate(priors=stray)
    with pytest.raises(ValueError, match=r"lacks: death\.activation, epidermis.folding"):
        calibrate.calibrate(priors={"hair.growing": stray["hair.growing"]})


def test_damage_of_a_table_is_that_of_the_kinetics(table, start):
    damage = np.asarray(table.damage(start))
    heat = table.solved.base + jnp.tensordot(solve.between(jnp.exp(start[0])), table.solved.rise, 1)
    of = death("epidermis", {"death.activation": np.exp(start[1])})
    alone = kinetics.log_damage(of, heat[:, 0, 0], table.solved.step[:, :1])
    assert damage[0, 0] == pytest.approx(np.asarray(alone), abs=1e-9)
