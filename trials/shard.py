"""One piece of work: some twins simulated and written. A pure function of the study and the piece's number."""

import contextlib
import ctypes
import gc
import io
import json
import threading
import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jax import Array
from jax.stages import Compiled

from ..cluster import store
from ..core.disease import Disease
from ..core.diseases import DISEASES
from ..core.keys import root
from ..population.attributes import Attribute
from ..population.sample import POPULATIONS
from .conduct import NEVER, REASONS, Protocol, Record, kernel, parameters_of
from .events import ADVERSE, BOTH_SIDES, LEFT, MOVED, RESCUED, STOPPED
from .recruitment import Column
from .regimen import DAYS
from .schedule import mesh, protocol
from .sides import NAMES
from .study import Study, canonical
from .ways import MARK

_ONE_AT_A_TIME = threading.Lock()  # threads that need the same program wait for the first to compile it
SIZE = 1024  # twins a shard: fixed, since the last bit of a result depends on the shape it is computed in


class Job(NamedTuple):
    """What all shards of a run share; plain data, so that it travels to any worker.

    study: canonical JSON. scale: of the time mesh. labels: of the strata. way: what computes, `lanes` or `xla`.
    """

    study: str
    scale: float
    labels: tuple[str, ...]
    way: str = "xla"


class Shard(NamedTuple):
    """Twins (at most SIZE) with their arm and stratum numbers, and the columns that enrolment adds to their table."""

    number: int
    ids: np.ndarray
    arms: np.ndarray
    strata: np.ndarray
    added: Mapping[str, Column]


class Done(NamedTuple):
    """A finished shard: its files with their SHA-256, and the seconds its kernel took."""

    number: int
    files: dict[str, str]
    kernel_seconds: float


def work(job: Job, folder: Path, shard: Shard) -> Done:
    """Simulate a shard and write its files into the run's folder."""
    tables, seconds = simulate(job, shard)
    names = {f"{kind}/part-{shard.number:05d}.parquet": table for kind, table in tables.items()}
    return Done(shard.number, {name: store.write(folder / name, encode(t)) for name, t in names.items()}, seconds)


def simulate(job: Job, shard: Shard) -> tuple[dict[str, pa.Table], float]:
    """The shard's tables (twins, observations, events), and the seconds its kernel took."""
    study, run = _prepared(job)
    n = len(shard.ids)
    padded = np.resize(shard.ids, SIZE), np.resize(shard.arms, SIZE)
    start = time.perf_counter()
    record: Record = jax.tree.map(np.asarray, jax.block_until_ready(run(*map(jnp.asarray, padded))))
    seconds = time.perf_counter() - start
    record = jax.tree.map(lambda values: values[..., :n], record)
    disease, source = DISEASES[study.trial.disease], POPULATIONS[study.population.source]
    names = np.array(list(study.trial.arms))
    weeks = np.array(study.trial.visits, dtype=np.int16)
    given = names[shard.arms[:, None]]
    if study.trial.split:
        given = names[np.stack([shard.arms, 1 - shard.arms], axis=1)]
        of_person = record._replace(status=jax.tree.map(lambda values: values[0], record.status))
        events = _events(of_person, shard.ids, np.full(n, BOTH_SIDES), weeks, [])
    else:
        events = _events(record, shard.ids, given[:, 0], weeks, _moves(record, shard.arms, study))
    tables = {
        "twins": _twins(record, shard, given, job.labels, source.attributes),
        "observations": _observations(record, shard.ids, given, weeks, disease, _stages(record, shard.arms, study)),
        "events": events,
    }
    return {kind: _marked(table, job.way) for kind, table in tables.items()}, seconds


def compile_ahead(study: Study, way: str) -> None:
    """Have the simulation of a study ready by the time its first shard comes."""
    _program(canonical(study), len(mesh(study.trial, 1.0).times), way)


def forget() -> None:
    """Let go of the simulations of this process, of all that JAX compiled, and of the memory that compiling left."""
    _prepared.cache_clear()
    _compiled.cache_clear()
    jax.clear_caches()
    gc.collect()
    _give_back()


def _give_back() -> None:
    """Have the C library return to the system what was freed: compiling leaves it hundreds of MiB."""
    with contextlib.suppress(OSError, AttributeError):  # only that of GNU has the call
        ctypes.CDLL(None).malloc_trim(0)


@cache
def _prepared(job: Job) -> tuple[Study, Callable[[Array, Array], Record]]:
    """The study, and its compiled simulation of (ids, arms)."""
    study = Study.model_validate(json.loads(job.study))
    key, trial, theta = _inputs(study, job.scale)
    program = _program(job.study, len(trial.grid.times), job.way)
    return study, lambda ids, arms: program(key, ids, arms, trial, theta)


def _program(study: str, nodes: int, way: str) -> Compiled:
    with _ONE_AT_A_TIME:
        return _compiled(study, nodes, way)


@cache
def _compiled(study: str, nodes: int, way: str) -> Compiled:
    """The simulation, compiled for a study (canonical JSON) whose time mesh is held in `nodes` places."""
    plan = Study.model_validate(json.loads(study))
    key, arrays, theta = _inputs(plan, 1.0)
    arrays = arrays._replace(grid=arrays.grid._replace(times=jnp.zeros(nodes)))
    trial, some = plan.trial, jnp.zeros(SIZE, dtype="int64")
    simulation = kernel(trial.disease, plan.population.source, trial.details, trial.split, way)
    compiled = simulation.lower(key, some, some, arrays, theta).compile()
    _give_back()
    return compiled


def _inputs(study: Study, scale: float) -> tuple[Array, Protocol, dict[str, Array]]:
    disease = DISEASES[study.trial.disease]
    trial = protocol(study, disease, mesh(study.trial, scale))
    return root(study.seed), trial, parameters_of(disease, study.model.draw, study.trial.split)


def encode(table: pa.Table) -> bytes:
    """The table as Parquet; equal tables give equal bytes."""
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def _field(name: str, values: pa.Array, unit: str, about: str) -> tuple[pa.Field, pa.Array]:
    return pa.field(name, values.type, metadata={"unit": unit, "about": about}), values


def _table(fields: list[tuple[pa.Field, pa.Array]]) -> pa.Table:
    metadata = {"origin": "simulated by Cutis: synthetic twins, no person's data"}
    return pa.Table.from_arrays([v for _, v in fields], schema=pa.schema([f for f, _ in fields], metadata=metadata))


def _marked(table: pa.Table, way: str) -> pa.Table:
    """The table, saying what computed it: a run that goes on stays with that."""
    return table.replace_schema_metadata({**(table.schema.metadata or {}), MARK: way.encode()})


def _twins(
    record: Record, shard: Shard, given: np.ndarray, labels: tuple[str, ...], known: Mapping[str, Attribute]
) -> pa.Table:
    """One row a twin; given: names of arms, (twins, 1), or of those of its two sides, (twins, 2)."""
    columns = [("arm", "randomised arm")]
    if given.shape[1] > 1:
        columns = [(f"{side}_arm", f"randomised arm of the {side} side") for side in NAMES]
    fields = [
        _field("twin", pa.array(shard.ids), "", "number of the twin in its population"),
        *(_field(name, pa.array(given[:, i]), "", about) for i, (name, about) in enumerate(columns)),
        _field("stratum", pa.array(labels).take(pa.array(shard.strata)), "", "stratum of the randomisation"),
    ]
    for name, attribute in known.items():
        values = pa.array(record.twins[name])
        if attribute.kind == "category":
            values = pa.array(attribute.levels).take(values)
        fields.append(_field(name, values, attribute.unit, attribute.about))
    for name, about in (("doses_planned", "doses due while on treatment"), ("doses_taken", "doses taken")):
        values = np.asarray(getattr(record.status, name)).reshape(given.shape[1], -1)
        for i, (arm, _) in enumerate(columns):
            head, tail = ("", "") if arm == "arm" else (f"{NAMES[i]}_", f", {NAMES[i]} side")
            fields.append(_field(f"{head}{name}", pa.array(values[i]), "doses", f"{about}{tail}"))
    for name, column in shard.added.items():
        values = pa.array(column.values)
        if column.levels:
            values = pa.array(column.levels).take(values)
        fields.append(_field(name, values, column.unit, column.about))
    return _table(fields)


def _stages(record: Record, arms: np.ndarray, study: Study) -> pa.Array | None:
    """Names of the stages in the order of observations; None where no arm has stages."""
    if "stage" not in record.visits:
        return None
    names: list[str] = []
    first = []
    for arm in study.trial.arms.values():
        first.append(len(names))
        names += arm.parts()
    known = list(dict.fromkeys(names))
    number = np.array([known.index(name) for name in names])[record.visits["stage"].T + np.array(first)[arms][:, None]]
    return pa.DictionaryArray.from_arrays(pa.array(number.ravel(), type=pa.int32()), pa.array(known))


def _moves(record: Record, arms: np.ndarray, study: Study) -> list[tuple[int, int, str, str]]:
    """Moves between stages: place of the twin, number of the visit, event, reason."""
    if "moved" not in record.visits:
        return []
    rules = [arm.rules for arm in study.trial.arms.values()]
    found = []
    for visit, twin in zip(*np.nonzero(record.visits["moved"]), strict=True):
        rule = rules[arms[twin]][record.visits["moved"][visit, twin] - 1]
        found.append((int(twin), int(visit), f"{MOVED}{rule.target}", str(rule)))
    return found


def _observations(
    record: Record, ids: np.ndarray, given: np.ndarray, weeks: np.ndarray, disease: Disease, stages: pa.Array | None
) -> pa.Table:
    """One row a twin, side where there are two, and planned visit, twins in order; what was not seen is null."""
    visits, (n, sides) = len(weeks), given.shape
    seen = record.visits["seen"].T.ravel()
    fields = [
        _field("twin", pa.array(np.repeat(ids, visits * sides)), "", "number of the twin in its population"),
        _field("arm", pa.array(np.repeat(given.ravel(), visits)), "", "randomised arm"),
        _field("week", pa.array(np.tile(weeks, n * sides)), "week", "planned visit, from the first dose"),
        _field("seen", pa.array(seen), "", "the visit took place"),
    ]
    if sides > 1:
        side = pa.array(np.tile(np.repeat(NAMES, visits), n))
        fields.insert(1, _field("side", side, "", "side of the body that was looked at"))
    recorded = {name: endpoint for name, endpoint in disease.endpoints.items() if name in record.visits}
    for name, endpoint in recorded.items():
        values = pa.array(record.visits[name].T.ravel(), mask=~seen)
        fields.append(_field(name, values, endpoint.unit, endpoint.about))
    for name, about in (("on_treatment", "on study treatment up to here"), ("rescued", "on rescue treatment")):
        fields.append(_field(name, pa.array(record.visits[name].T.ravel()), "", about))
    if stages is not None:
        fields.append(_field("stage", stages, "", "stage of the arm up to here"))
    return _table(fields)


def _events(
    record: Record, ids: np.ndarray, arms: np.ndarray, weeks: np.ndarray, moves: list[tuple[int, int, str, str]]
) -> pa.Table:
    """One row an event, in the order of twins: intercurrent ones, moves to another stage, adverse events."""
    status = record.status
    reasons = np.array(REASONS)[status.reason]
    kinds = (
        (STOPPED, status.stopped, reasons),
        (LEFT, status.left, reasons),
        (RESCUED, status.rescue, np.full(len(ids), "lack of efficacy")),
    )
    found = [
        (int(i), int(weeks[visit[i]]), order, kind, str(why[i]))
        for order, (kind, visit, why) in enumerate(kinds)
        for i in np.flatnonzero(visit != NEVER)
    ]
    found += [(twin, int(weeks[visit]), len(kinds), event, why) for twin, visit, event, why in moves]
    found += [
        (int(i), int(day[i] // DAYS), len(kinds) + 1, f"{ADVERSE}{kind}", "")
        for kind, day in status.harms.day.items()
        for i in np.flatnonzero(~np.isnan(day))
    ]
    rows = sorted(found)
    who = pa.array([row[0] for row in rows], type=pa.int64())
    return _table(
        [
            _field("twin", pa.array(ids).take(who), "", "number of the twin in its population"),
            _field("arm", pa.array(arms).take(who), "", "randomised arm"),
            _field("week", pa.array([row[1] for row in rows], type=pa.int16()), "week", "visit or week of the event"),
            _field("event", pa.array([row[3] for row in rows], type=pa.string()), "", "what happened"),
            _field("reason", pa.array([row[4] for row in rows], type=pa.string()), "", "why"),
        ]
    )
