"""Lanes or XLA: which computes a study, what is told of it, and that a run stays with what it began with."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cutis.cluster import ledger
from cutis.core.diseases import DISEASES
from cutis.core.engine import lanes, lanes_machine
from cutis.trials import run as runs
from cutis.trials import shard, ways
from cutis.trials.compose import from_configuration
from cutis.trials.errors import BadInput
from cutis.trials.study import canonical

from .studies import study


@pytest.fixture
def strange(monkeypatch):
    """Psoriasis with a drift that lanes do not know."""
    told = DISEASES["psoriasis"]

    def drift(person, state, signal):
        return tuple(jnp.arcsinh(d) for d in told.drift(person, state, signal))

    monkeypatch.setitem(DISEASES, "psoriasis", dataclasses.replace(told, drift=drift))
    monkeypatch.setattr(ways, "_refused", ways._refused.__wrapped__)
    monkeypatch.setattr(ways.numerics, "_follower", ways.numerics._follower.__wrapped__)


def test_lanes_are_taken_where_they_know_the_model():
    assert ways.choose(study(), "auto") == ("lanes", "the model fits them")
    assert ways.choose(study(), "xla") == ("xla", "asked for")


def test_a_model_that_lanes_do_not_know_goes_to_xla_and_says_why(strange):
    name, why = ways.choose(study(seed=77), "auto")
    assert name == "xla"
    assert "asinh" in why


def test_lanes_asked_for_where_they_cannot_is_bad_input(strange):
    with pytest.raises(BadInput, match=r"cluster\.kernel: lanes cannot compute this study: asinh.*take auto or xla"):
        ways.choose(study(seed=78), "lanes")


def test_on_an_accelerator_xla_is_taken(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    monkeypatch.setattr(ways, "_refused", ways._refused.__wrapped__)
    assert ways.choose(study(seed=79), "auto").name == "xla"


def test_an_unknown_kernel_is_named():
    with pytest.raises(BadInput, match=r"cluster\.kernel"):
        from_configuration(["cluster.kernel=cuda"])
    assert from_configuration(["cluster.kernel=xla"]).cluster.kernel == "xla"
    assert from_configuration([]).cluster.kernel == "auto"


def made(folder, way):
    """One shard of a run, computed by a way, and what the ledger says of it."""
    ids = np.arange(32)
    piece = shard.Shard(0, ids, ids % 3, np.zeros(32, dtype=np.int64), {})
    done = shard.work(shard.Job(canonical(study()), 2.0, ("all",), way), folder, piece)
    ledger.record(folder, 0, done.files)
    return ledger.finished(folder)


def test_a_run_that_goes_on_stays_with_the_kernel_of_its_finished_shards(tmp_path):
    before = ways.of_run(tmp_path, made(tmp_path, "lanes"))
    assert before == "lanes"
    assert ways.kept("auto", before) == "lanes"
    assert ways.kept("auto", "xla") == "xla"
    with pytest.raises(BadInput, match="xla is asked for, but the finished shards were computed by lanes"):
        ways.kept("xla", before)


def test_a_new_run_is_free_to_choose(tmp_path):
    assert ways.of_run(tmp_path, ledger.finished(tmp_path)) is None
    assert ways.kept("auto", None) == "auto"


def test_the_plan_says_what_computes_and_the_shards_are_made_by_it(monkeypatch):
    monkeypatch.setattr(runs, "enrol", lambda study, disease, key, advance: _people(study.population.size))
    planned = runs.plan(study())
    assert (planned.way.name, planned.job.way) == ("lanes", "lanes")


def _people(n):
    ids = np.arange(n)
    return runs.Enrolment(ids, ids % 3, np.zeros(n, dtype=np.int64), ("all",), n, {}, {}, {})


def add(people, common):
    return people * common + 0.25


def test_machine_code_is_kept_beside_that_of_jax_and_a_damaged_file_is_made_again(tmp_path, monkeypatch):
    monkeypatch.setattr(type(jax.config), "jax_compilation_cache_dir", str(tmp_path), raising=False)
    closed = jax.make_jaxpr(add)(jnp.asarray(1.0), jnp.asarray(2.0))
    text = lanes.written(closed, [True, False], 4)
    name = lanes_machine.named(text)
    lanes_machine.compiled(text, name)
    file = tmp_path / f"{name}.o"
    whole = file.read_bytes()

    def never(text):
        raise AssertionError("compiled although it is kept")

    with monkeypatch.context() as patched:
        patched.setattr(lanes_machine, "optimised", never)
        assert lanes_machine.compiled(text, name).get_function_address("handler")
        file.write_bytes(whole[:-1] + b"?")
        with pytest.raises(AssertionError):
            lanes_machine.compiled(text, name)
    lanes_machine.compiled(text, name)
    assert file.read_bytes() == whole


def test_a_folder_that_cannot_be_written_only_costs_time(tmp_path, monkeypatch):
    monkeypatch.setattr(type(jax.config), "jax_compilation_cache_dir", str(tmp_path / "none"), raising=False)
    text = lanes.written(jax.make_jaxpr(add)(jnp.asarray(1.0), jnp.asarray(2.0)), [True, False], 4)
    assert lanes_machine.compiled(text, "cutis_lanes_none").get_function_address("handler")
