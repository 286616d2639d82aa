"""The main job: enrol, simulate every shard that is missing, analyse, report, seal."""

import importlib
import json
import time
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..cluster import ledger, platform, store
from ..cluster.execute import EXECUTORS, ready
from ..cluster.settings import Cluster
from ..core.disease import Disease
from ..core.diseases import DISEASES
from ..core.keys import root
from ..population.sample import POPULATIONS
from . import agreement, bundle, numerics, representation, ways
from .enrol import Enrolment, enrol
from .progress import task
from .shard import SIZE, Done, Job, Shard, compile_ahead, encode, forget, work
from .study import Study, canonical

MANY = 64  # shards of a run whose tables need the memory that compiled code holds


class Plan(NamedTuple):
    """What a run consists of; the same for the same study on the same platform."""

    enrolment: Enrolment
    accuracy: numerics.Accuracy
    job: Job
    way: ways.Way

    def shards(self) -> Iterator[Shard]:
        """The pieces of work, in order."""
        people = self.enrolment
        for number, start in enumerate(range(0, len(people.ids), SIZE)):
            part = slice(start, start + SIZE)
            added = {name: column._replace(values=column.values[part]) for name, column in people.added.items()}
            yield Shard(number, people.ids[part], people.arms[part], people.strata[part], added)

    @property
    def pieces(self) -> int:
        """Number of shards."""
        return -(-len(self.enrolment.ids) // SIZE)


class Timing(NamedTuple):
    """Seconds of wall time, and of the kernels of the shards made now (added up over workers)."""

    total: float
    kernel: float
    made: int


def plan(study: Study, kernel: ways.Wanted = "auto") -> Plan:
    """Enrol the twins and choose the time mesh.

    Raises:
      BadInput: hardly anyone is eligible, or the kernel asked for cannot compute the study.
    """
    disease, key = DISEASES[study.trial.disease], root(study.seed)
    with task("screening twins", study.population.size) as advance:
        people = enrol(study, disease, key, advance)
    with task("choosing time steps", 1) as advance:
        way = ways.choose(study, kernel)
        probed = numerics.probe(people.ids[: 4 * SIZE], people.arms, 0)
        accuracy = numerics.tune(study, disease, key, *probed, way.name)
        advance(1)
    return Plan(people, accuracy, Job(canonical(study), accuracy.scale, people.labels, way.name), way)


def run(study: Study, cluster: Cluster, folder: Path) -> Timing:
    """Carry out a study in a folder that `bundle.claimed` holds; finished shards are kept.

    Raises:
      BadInput: hardly anyone is eligible.
      StoreError: a file could not be written; what was finished stays. ClusterError: Ray cannot be used.
    """
    folder = folder.resolve()  # workers may have another working directory
    kept = ledger.finished(folder)
    wanted = ways.kept(cluster.kernel, ways.of_run(folder, kept))
    begun = time.perf_counter()
    note = partial(_note, folder / "log.jsonl")
    note("begin", cluster=cluster.kind)
    with ThreadPoolExecutor(1) as ahead:
        with ready(cluster):  # and no longer: the analysis has the cores and the memory
            ahead.submit(_ahead, study, wanted)
            planned, made, kernel = _simulate(study, cluster, folder, kept, wanted, note)
        with task("analysing, reporting", 1) as advance:
            _conclude(study, planned, folder, note)
            advance(1)
    return Timing(time.perf_counter() - begun, kernel, made)


def _simulate(
    study: Study, cluster: Cluster, folder: Path, kept: Collection[int], wanted: ways.Wanted, note: Any
) -> tuple[Plan, int, float]:
    """The plan, how many shards were made now, and the seconds of their kernels."""
    planned = plan(study, wanted)
    todo = [shard for shard in planned.shards() if shard.number not in kept]
    note("planned", twins=len(planned.enrolment.ids), shards=planned.pieces, to_make=len(todo))
    kernel = 0.0
    with task("simulating shards", planned.pieces) as advance:
        done = planned.pieces - len(todo)
        result: Done
        for result in EXECUTORS[cluster.kind](partial(work, planned.job, folder), todo, cluster):
            ledger.record(folder, result.number, result.files)
            done, kernel = done + 1, kernel + result.kernel_seconds
            advance(done)
    note("simulated", kernel_seconds=round(kernel, 3))
    return planned, len(todo), kernel


def _ahead(study: Study, wanted: ways.Wanted) -> None:
    """What the run needs later, while its beginning leaves a core idle: the compiled simulation, and large imports."""
    compile_ahead(study, ways.choose(study, wanted).name)
    for module in ("cutis.trials.report.build", "statsmodels.discrete.discrete_model"):
        importlib.import_module(module)


def _conclude(study: Study, planned: Plan, folder: Path, note: Any) -> None:
    from . import piecewise
    from .report.build import build
    from .report.words import primary_week

    disease = DISEASES[study.trial.disease]
    content = _manifest(study, disease, planned)
    if planned.pieces > MANY:
        forget()
    results = piecewise.analyse(study, disease, folder)
    write_results(folder, results)
    note("analysed", statistics=len(results))
    content["files"] = _files(folder)
    source = POPULATIONS[study.population.source]
    tables = piecewise.tables(study, disease, folder, primary_week(study))
    report = build(folder, disease, source, content, study, **tables, results=results)
    store.write(folder / "report.html", report.encode())
    note("reported")
    content["files"] = _files(folder)
    bundle.seal(folder, content)


def write_results(folder: Path, results: list[Any]) -> None:
    """Results as Parquet, and as JSON for people and other programs."""
    from .statistics.result import to_arrow

    table = to_arrow(results)
    store.write(folder / "results.parquet", encode(table))
    rows = [{k: None if v != v else v for k, v in row.items()} for row in table.to_pylist()]  # NaN is not JSON
    store.write(folder / "results.json", (json.dumps(rows, indent=1, sort_keys=True) + "\n").encode())


def _manifest(study: Study, disease: Disease, planned: Plan) -> dict[str, Any]:
    people, accuracy = planned.enrolment, planned.accuracy
    sample = numerics.probe(people.ids, people.arms, study.seed)
    checked = numerics.check(study, disease, root(study.seed), *sample, accuracy.scale, planned.way.name)
    described = platform.describe()
    return {
        "status": "complete",
        "question": study.trial.question,
        "study_sha256": study.fingerprint(),
        "seed": study.seed,
        "model": {"draw": study.model.draw},
        "cutis": described["versions"]["cutis"],
        "versions": described["versions"],
        "platform": {k: v for k, v in described.items() if k != "versions"},
        "reproducibility": agreement.promise(),
        "plan": {
            "twins": len(people.ids),
            "arms": _sizes(study, people),
            "shards": planned.pieces,
            "shard_size": SIZE,
            "mesh": {"steps": accuracy.steps, "scale": accuracy.scale, "error": accuracy.error},
        },
        "screening": {"screened": people.screened, "excluded": people.excluded},
        "recruitment": people.account,
        "representation": representation.target(study, disease, POPULATIONS[study.population.source], root(study.seed)),
        "numerics": {
            "method": "Rodas3 on one graded mesh, 64-bit",
            "kernel": planned.way.name,
            "kernel_chosen": planned.way.why,
            "tolerance": numerics.tolerance(study, disease),
            "error_of_probe": accuracy.error,
            "error_in_this_run": checked,
            "measure": numerics.measure(study, disease),
        },
    }


def _sizes(study: Study, people: Enrolment) -> dict[str, int]:
    """Twins of each arm; in a split-body trial all have both."""
    if study.trial.split:
        return dict.fromkeys(study.trial.arms, len(people.ids))
    return {name: int(n) for name, n in zip(study.trial.arms, np.bincount(people.arms), strict=False)}


def _files(folder: Path) -> dict[str, dict[str, Any]]:
    return {
        name: {"sha256": store.digest(folder / name), "bytes": (folder / name).stat().st_size}
        for name in bundle.files(folder)
    }


def _note(log: Path, event: str, **details: Any) -> None:
    line = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event} | details
    store.append(log, (json.dumps(line) + "\n").encode())
