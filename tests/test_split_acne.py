"""Half of a face: counts halve and grades do not, the disease is the person's, single lesions are the half's."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from cutis.core.acne.disease import ACNE
from cutis.core.acne.lesions import today
from cutis.core.acne.model import STATES, drift, signal, start
from cutis.core.acne.sides import COUNTED, SIDES, read
from cutis.core.diseases import DISEASES
from cutis.core.keys import people, root
from cutis.core.parameters import STATUSES
from cutis.trials import sides
from cutis.trials.checks import problems
from cutis.trials.compose import from_configuration
from cutis.trials.sides import own_keys

from .faces import THETA, drawn

N = 3000
WITH_SIDES = THETA | {name: jnp.asarray(x) for name, x in SIDES.parameters.numbers().items()}
EVEN = WITH_SIDES | {"sides.asymmetry": jnp.asarray(0.0)}
KEYS = people(root(7), jnp.arange(N))


def halves(theta=WITH_SIDES):
    """The people and both of their halves."""
    person = drawn(N)
    found = []
    for number in (0, 1):
        side = jnp.full(N, number)
        own = own_keys(KEYS, side)
        found.append((own, SIDES.side(KEYS, own, side, person, theta)))
    return person, found


def looked_at(person, own, half, day=0.0):
    now = jnp.asarray(day)
    found = ACNE.observe(own, half, read(person, half, start(half), now), now, True)
    return {name: np.asarray(values) for name, values in found.items()}


def test_counts_of_the_halves_add_up_to_the_face_and_grades_do_not():
    person, found = halves()
    left, right = (looked_at(person, own, half) for own, half in found)
    whole = {k: np.asarray(v) for k, v in ACNE.observe(KEYS, person, start(person), jnp.asarray(0.0), True).items()}
    for name in ("inflammatory", "noninflammatory", "papules", "closed", "macules", "pih"):
        both = left[name] + right[name]
        spread = np.sqrt(both.var() / N + whole[name].var() / N)
        assert both.mean() == pytest.approx(whole[name].mean(), abs=4.5 * spread + 0.6), name
    for name in ("iga", "erythema"):
        assert left[name].mean() == pytest.approx(whole[name].mean(), abs=0.1), name
    assert all(SIDES.shares[name] == 0.5 for name in COUNTED)


def test_every_half_is_at_rest_and_of_unlike_halves_one_has_what_the_other_lacks():
    person, found = halves()
    for _, half in found:
        quiet = half._replace(cycle=half.cycle._replace(amplitude=jnp.zeros(N)))
        nothing = signal(quiet, (), jnp.zeros(N), jnp.asarray(0.0))
        for name, change, level in zip(STATES, drift(quiet, start(quiet), nothing), start(quiet), strict=True):
            if name == "X":  # scars stay, and so add up
                continue
            np.testing.assert_allclose(change, 0, atol=1e-9 * (1 + float(jnp.abs(level).max())))
    left, right = (half.rest.Pa for _, half in found)
    np.testing.assert_allclose(left + right, 2 * person.rest.Pa, rtol=1e-12)
    log_odds = np.log(np.asarray(left / right))
    sd = SIDES.parameters.value("sides.asymmetry")
    assert log_odds.std() == pytest.approx(sd, abs=4.5 * sd / np.sqrt(2 * N))
    assert log_odds.mean() == pytest.approx(0, abs=4.5 * sd / np.sqrt(N))


def test_activity_is_the_persons_and_lesions_are_the_halfs_own():
    """Of like halves, what is left of the counts given the person is chance: independent."""
    person, ((one, left), (two, right)) = halves(EVEN)
    for level, other in zip(start(left), start(right), strict=True):
        np.testing.assert_allclose(level, other, rtol=1e-12)
    a, b = (looked_at(person, own, half)["inflammatory"] for own, half in ((one, left), (two, right)))
    assert (a != b).mean() > 0.7
    active = np.asarray(today(person.face, jnp.asarray(0.0), person.theta).activity)
    mean = 0.5 * active * np.asarray(person.face.rater) * np.asarray(person.rest.Pa + person.rest.Pu + person.rest.D)
    rest = [(x - mean) / np.sqrt(mean) for x in (a, b)]
    assert np.corrcoef(*rest)[0, 1] == pytest.approx(0, abs=4.5 / np.sqrt(N))
    assert a.mean() == pytest.approx(mean.mean(), rel=0.03)


def test_each_number_of_the_sides_has_a_status_and_a_source():
    for parameter in SIDES.parameters.values():
        assert parameter.status in STATUSES
        assert parameter.source in SIDES.parameters.sources
    known = ACNE.endpoints
    assert set(SIDES.shares) <= set(known)


def test_the_shipped_study_is_sound_once_acne_has_sides(monkeypatch):
    monkeypatch.setitem(DISEASES, "acne", dataclasses.replace(ACNE, sides=SIDES))
    study = from_configuration(["trial=acne/split_face", "population=acne"]).study()
    assert problems(study) == []
    assert sides.counted(DISEASES["acne"]) == COUNTED
    asked = study.model_copy(update={"trial": study.trial.model_copy(update={"outcomes": ("dlqi_change",)})})
    assert any("dlqi_change needs dlqi, which is of the person" in line for line in problems(asked))
