"""A sample of a population on disk: twins number 0 to size - 1 with all their attributes.

SAMPLE/
  sample.yaml                       what was asked for, and a checksum of the first twins
  twins/part-*.parquet              a row a twin, in the order of their numbers
  shards/                           which parts are finished, with checksums
  manifest.json manifest.sha256     written last: a sample is complete when they are there

Every byte follows from the population, the size, the seed and the versions. Twin 61 of seed 7 is candidate 61 of a
trial of seed 7 in the same population.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jax import Array

from ..cluster import ledger, platform, store
from ..cluster.execute import EXECUTORS
from ..cluster.settings import Cluster
from ..core.keys import root
from ..core.keys import stream as addressed
from ..population import stream
from ..population.attributes import Attribute
from ..population.messages import nearest
from ..population.plain import read_mapping
from ..population.sample import POPULATIONS, fitted
from ..population.source import Source
from . import bundle
from .errors import BadInput, Unfinished
from .progress import task
from .summary import COMPOSITION, composition

FITTED = "population.parquet"  # in the folder of a fitted population
PLAN = "sample.yaml"
FIRST = "first_twins_sha256"


class Sample(NamedTuple):
    """What is asked for; plain data, so that it travels to any worker."""

    population: str
    size: int
    seed: int


class Done(NamedTuple):
    """A finished part: its file with its SHA-256."""

    number: int
    files: dict[str, str]


def source_of(name: str) -> Source:
    """The population of that name, or the fitted one in that folder.

    Raises:
      BadInput: there is none.
    """
    if name in POPULATIONS:
        return POPULATIONS[name]
    file = Path(name) / FITTED
    if not file.is_file():
        raise BadInput(f"no population {name!r}, nor a folder with a fitted one; {nearest(name, POPULATIONS)}")
    try:
        return fitted(file.resolve())  # workers may have another working directory
    except ValueError as error:
        raise BadInput(str(error)) from None


def key_of(seed: int) -> Array:
    """The key that a trial of this seed draws its candidates with."""
    return addressed(root(seed), "population")


def examine(folder: Path, sample: Sample, resume: bool) -> str:
    """What a folder is to a sample: `new` (nothing is there yet), `unfinished`, or `complete`. Touches nothing.

    Raises:
      BadInput: the folder belongs to something else, or holds an unfinished sample and `resume` was not asked for.
    """

    def other() -> str:
        there = stored(folder)[0]
        told = f"{there.size} twins of {there.population}, seed {there.seed}"
        return "" if there == sample else f"another sample ({told})"

    return bundle.examined(folder, PLAN, other, "this sample is there, unfinished", resume)


@contextmanager
def claimed(folder: Path, sample: Sample, resume: bool) -> Iterator[None]:
    """Hold the folder for a sample; nobody else writes there meanwhile.

    Raises:
      BadInput: as `examine`, or the folder cannot be written, or twins come out otherwise than when it was begun.
      StoreError: another process is at work there.
    """
    first = first_twins(sample)
    plan = sample._asdict() | {FIRST: first}
    with bundle.held(folder, PLAN, plan, lambda: examine(folder, sample, resume)) as new:
        if not new and stored(folder)[1] != first:
            raise BadInput(
                f"out={folder}: twins drawn now differ from those drawn when this sample was begun, so it cannot be"
                " finished; the population, the versions or the processor are others. Choose another folder"
            )
        yield


def stored(folder: Path) -> tuple[Sample, str]:
    """The sample of a folder, and the checksum of its first twins.

    Raises:
      BadInput: there is no sample, or its description is damaged.
    """
    file = folder / PLAN
    if not file.is_file():
        raise BadInput(f"{folder}: no sample is there (it has no {PLAN})")
    try:
        content = read_mapping(file, "the description of a sample")
    except ValueError as error:
        raise BadInput(str(error)) from None
    kinds = {"population": str, "size": int, "seed": int, FIRST: str}
    if {key: type(value) for key, value in content.items()} != kinds:
        raise BadInput(f"{file}: not the description of a sample: expected {', '.join(kinds)}")
    first = content.pop(FIRST)
    return Sample(**content), first


def first_twins(sample: Sample) -> str:
    """SHA-256 of the first twins of a sample: it changes with whatever changes twins."""
    source, count = source_of(sample.population), min(sample.size, stream.BATCH)
    digest = hashlib.sha256()
    for name, values in stream.draw(source, key_of(sample.seed), 0, count).items():
        digest.update(name.encode())
        digest.update(values.tobytes())
    return digest.hexdigest()


def carry_out(sample: Sample, cluster: Cluster, folder: Path) -> int:
    """Make the parts that are missing in a folder that is `claimed`, and seal it; returns how many were made.

    Raises:
      StoreError: a file could not be written; what was finished stays.
    """
    folder = folder.resolve()  # workers may have another working directory
    kept, parts = ledger.finished(folder), stream.parts(sample.size)
    todo = [number for number in range(parts) if number not in kept]
    with task("drawing twins", sample.size) as advance:
        done = parts - len(todo)
        result: Done
        for result in EXECUTORS[cluster.kind](partial(work, sample, folder), todo, cluster):
            ledger.record(folder, result.number, result.files)
            done += 1
            advance(min(done * stream.SIZE, sample.size))
    bundle.seal(folder, _manifest(sample, folder))
    return len(todo)


def work(sample: Sample, folder: Path, number: int) -> Done:
    """Draw a part and write its file."""
    name = part_name(number)
    twins = stream.part(source_of(sample.population), key_of(sample.seed), number, sample.size)
    return Done(number, {name: store.write(folder / name, stream.encode(twins))})


def part_name(number: int) -> str:
    """The file of a part, relative to the sample."""
    return f"twins/part-{number:05d}.parquet"


def columns(
    folder: Path, attributes: dict[str, Attribute], names: list[str], files: list[str]
) -> dict[str, np.ndarray]:
    """Attributes of a sample as twins have them: categories as numbers of levels; shape (twins,)."""
    read = [pq.read_table(folder / file, columns=names, use_threads=False) for file in files]
    return {name: _values(attributes[name], pa.concat_tables(read)[name]) for name in names}


def _values(attribute: Attribute, column: pa.ChunkedArray) -> np.ndarray:
    if attribute.kind != "category":
        return column.to_numpy()
    places = {level: code for code, level in enumerate(attribute.levels or ())}
    chunks = []
    for chunk in column.chunks:
        codes = np.array([places[level] for level in chunk.dictionary.to_pylist()], dtype=np.int8)
        chunks.append(codes[chunk.indices.to_numpy()])
    return np.concatenate(chunks)


def described(folder: Path) -> tuple[dict[str, Any], dict[str, Attribute]]:
    """The manifest of a complete sample, and its attributes.

    Raises:
      BadInput: no sample is there. Unfinished: it is not complete, or damaged.
    """
    stored(folder)
    content = bundle.manifest(folder)
    try:
        attributes = {
            told["name"]: Attribute(**told | {"levels": told["levels"] and tuple(told["levels"])})
            for told in content["attributes"]
        }
    except (TypeError, KeyError):
        raise Unfinished(f"{folder / 'manifest.json'}: does not describe a sample") from None
    return content, attributes


def _manifest(sample: Sample, folder: Path) -> dict[str, Any]:
    source, platform_here = source_of(sample.population), platform.describe()
    files = bundle.files(folder)
    return {
        "status": "complete",
        **sample._asdict(),
        "about": source.about,
        "origin": stream.ORIGIN,
        "cutis": platform_here["versions"]["cutis"],
        "versions": platform_here["versions"],
        "platform": {name: told for name, told in platform_here.items() if name != "versions"},
        "plan": {"files": stream.parts(sample.size), "twins_a_file": stream.SIZE, "twins_a_batch": stream.BATCH},
        "attributes": [attribute._asdict() for attribute in source.attributes.values()],
        "parameters": dict(Counter(parameter.status for parameter in source.parameters.values())),
        "composition": _composition(dict(source.attributes), sample, folder),
        "files": {
            name: {"sha256": store.digest(folder / name), "bytes": (folder / name).stat().st_size} for name in files
        },
    }


def _composition(attributes: dict[str, Attribute], sample: Sample, folder: Path) -> list[dict[str, Any]]:
    """A row a level, with its twins; counted file by file, so that a sample may be larger than memory."""
    names = [name for name in COMPOSITION if name in attributes]
    total: dict[str, Counter] = {}
    for number in range(stream.parts(sample.size)):
        values = columns(folder, attributes, names, [part_name(number)])
        for kind, counts in composition(attributes, values.__getitem__).items():
            total.setdefault(kind, Counter()).update(counts)
    return [{"by": kind, "level": k, "twins": n} for kind, counts in total.items() for k, n in counts.items()]
