"""The simulation kernels on an accelerator beside one core of the processor, with how well the two agree.

    python bench/gpu.py [--twins N …] [--skins N …] [--out FILE]

Needs no Ray and no network. Psoriasis and acne are shipped trials, laser is the light solver on skins of five layers;
each is compiled for every size, and the best of several rounds counts. Printed are twins (skins) a second, their ratio
to one core at the size that a run gives it, the most memory that was in use, the share of the device's own bandwidth
that the traffic between steps alone would take (the states of a twin are read and written once a step, so that the true
share is larger), and how far results differ from the processor's. Where JAX sees no accelerator all of it runs on the
processor, as a check of this script, and what could not be measured is said. `--out` keeps the figures as JSON.
"""
# ruff: noqa: E402

import os
from importlib.util import find_spec

PLUGINS = ("jax_cuda13_plugin", "jax_cuda12_plugin", "jax_rocm7_plugin")
if not os.environ.get("JAX_PLATFORMS") and any(map(find_spec, PLUGINS)):
    os.environ["JAX_PLATFORMS"] = "cuda,cpu" if not find_spec(PLUGINS[2]) else "rocm,cpu"

from cutis.cluster import platform

platform.prepare()

import argparse
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import cutis.core  # noqa: F401 (64 bits)
from cutis.core.diseases import DISEASES
from cutis.core.keys import root
from cutis.core.laser.layers import Layers
from cutis.core.laser.light import propagate
from cutis.trials.compose import from_configuration
from cutis.trials.conduct import kernel, parameters_of
from cutis.trials.schedule import mesh, protocol
from cutis.trials.shard import SIZE

ROUNDS = 3
TRIALS = {"psoriasis": "psoriasis/il23_vs_tnf", "acne": "acne/adapalene_bpo"}
SKIN = ((0.02, 0.06, 0.02, 0.2, 2.7), (0.03, 0.35, 1.7, 0.035, 0.028), (20.0, 20.0, 20.0, 13.0, 13.0))
KINDS = 1024  # of skins that differ
COPIED = 2**28  # bytes, of the measurement of bandwidth
CLOSE = 1e-6  # relative, absolute below 1: what counts as the same value


class Task(NamedTuple):
    """What is measured.

    make: of a number of twins, the function and its arguments. steps, numbers: of the mesh, and carried between steps
    by each twin; 0 where that says nothing. sizes: to measure. core: the size that a core is given.
    """

    name: str
    unit: str
    make: Callable[[int], tuple[Callable[..., Any], tuple[Any, ...]]]
    steps: int
    numbers: int
    sizes: tuple[int, ...]
    core: int


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--twins", nargs="+", type=int, default=[1024, 16_384, 131_072])
    words.add_argument("--skins", nargs="+", type=int, default=[1024, 65_536])
    words.add_argument("--out", type=Path, help="keep the figures as JSON")
    told = words.parse_args()
    core, device = jax.devices("cpu")[0], jax.devices()[0]
    there = device.platform != "cpu"
    name = device.device_kind if there else "none"
    print(f"processor: {platform.describe()['processor']}, one core; accelerator: {name}")
    if not there:
        print("no accelerator: its speed, memory and bandwidth could not be measured; the checks run on the processor")
    wide = bandwidth(device)
    print(f"bandwidth of a copy on the {'accelerator' if there else 'processor'}: {wide / 1e9:,.0f} GB/s")
    heads = ("size", "a second", "x one core", "MiB in use", "bandwidth", "values apart", "largest")
    print(f"{'':<18}" + "".join(f"{head:>14}" for head in heads))
    rows = [row for task in tasks(told.twins, told.skins) for row in measured(task, core, device, wide)]
    if told.out:
        kept = {"accelerator": name, "bandwidth": wide, "rows": rows}
        told.out.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def tasks(twins: list[int], skins: list[int]) -> Iterator[Task]:
    """Trials, then light in both precisions."""
    for disease, name in TRIALS.items():
        study = from_configuration([f"trial={name}", f"population={disease}"]).study()
        told, grid = DISEASES[disease], mesh(study.trial, 1.0)
        plan, theta, key = protocol(study, told, grid), parameters_of(told), root(study.seed)
        program = kernel(disease, study.population.source, study.trial.details, study.trial.split)
        arms = len(study.trial.arms)

        def trial(
            n: int, program: Any = program, given: tuple = (plan, theta), key: Any = key, arms: int = arms
        ) -> Any:
            ids = np.arange(n)
            return program, (key, jnp.asarray(ids), jnp.asarray(ids % arms), *given)

        states = len(told.start(individual(told, study, theta)))
        yield Task(disease, "twins", trial, grid.steps, states, tuple(twins), SIZE)
    for kind in ("float32", "float64"):

        def light(n: int, kind: str = kind) -> Any:
            more = 1 + 0.5 * (np.arange(n)[:, None] % KINDS) / KINDS
            thickness, absorption, scattering = (jnp.asarray(np.array(x) * more, dtype=kind) for x in SKIN)
            far = jnp.full((n, 5), 0.8, dtype=kind)
            return jax.jit(absorbed), (thickness, absorption, scattering, far)

        yield Task(f"light, {kind}", "skins", light, 0, 0, tuple(skins), min(skins))


def individual(told: Any, study: Any, theta: Any) -> Any:
    """One twin without treatment."""
    from cutis.trials.conduct import keys_of, twins_of

    ids, key = jnp.arange(1), root(study.seed)
    twins = twins_of(study.population.source, key, ids)
    return told.individual(keys_of(key, ids), twins, jnp.zeros((0, 1), dtype="int64"), theta)


def absorbed(thickness: Any, absorption: Any, scattering: Any, far: Any) -> Any:
    """What each layer absorbs."""
    return propagate(Layers(thickness, absorption, scattering, far, np.full(5, 1.4))).absorbed


def measured(task: Task, core: Any, device: Any, wide: float) -> Iterator[dict[str, Any]]:
    """A row for each size, told as it comes; the first is of one core."""
    own, expected = speed(task, task.core, core)
    print(f"{task.name + ', one core':<18}{task.core:>14,}{own:>14,.0f}{'1':>14}", flush=True)
    yield {"task": task.name, "device": "core", "size": task.core, "a_second": own}
    for size in task.sizes:
        rate, found = speed(task, size, device)
        used = (device.memory_stats() or {}).get("peak_bytes_in_use")
        share = rate * task.steps * task.numbers * 16 / wide if task.steps else None
        few = min(size, task.core)
        apart, largest = disagreement(first(found, few, size), first(expected, few, task.core))
        told = (
            f"{size:,}",
            f"{rate:,.0f}",
            f"{rate / own:,.1f}",
            "not told" if used is None else f"{used / 2**20:,.0f}",
            "" if share is None else f"{share:.1%}",
            f"{apart:.2%}",
            f"{largest:.1e}",
        )
        print(f"{task.name:<18}" + "".join(f"{cell:>14}" for cell in told), flush=True)
        yield {
            "task": task.name,
            "device": device.device_kind,
            "size": size,
            "a_second": rate,
            "peak_bytes": used,
            "least_share_of_bandwidth": share,
            "values_apart": apart,
            "largest_difference": largest,
        }


def speed(task: Task, size: int, device: Any) -> tuple[float, Any]:
    """Twins (or skins) a second, of the best round after one that compiles, and what came out."""
    with jax.default_device(device):
        run, given = task.make(size)
        given = jax.device_put(given, device)
        found = jax.block_until_ready(run(*given))
        best = np.inf
        for _ in range(ROUNDS):
            start = time.perf_counter()
            jax.block_until_ready(run(*given))
            best = min(best, time.perf_counter() - start)
    return size / best, jax.tree.map(np.asarray, found)


def first(tree: Any, few: int, size: int) -> list[np.ndarray]:
    """Of every array with one entry a twin, what it says of the first few."""
    leaves = [leaf for leaf in jax.tree.leaves(tree) if size in np.shape(leaf)]
    return [np.take(leaf, range(few), axis=np.shape(leaf).index(size)) for leaf in leaves]


def disagreement(found: list[np.ndarray], expected: list[np.ndarray]) -> tuple[float, float]:
    """Share of the values that are not the same, and the largest difference, relative above 1."""
    apart = [~np.isclose(a, b, rtol=CLOSE, atol=CLOSE, equal_nan=True) for a, b in zip(found, expected, strict=True)]
    floats = [(a, b) for a, b in zip(found, expected, strict=True) if np.issubdtype(a.dtype, np.floating)]
    off = np.concatenate([(np.abs(a - b) / np.maximum(np.abs(b), 1)).ravel() for a, b in floats])
    return float(np.concatenate([x.ravel() for x in apart]).mean()), float(np.nanmax(off))


def bandwidth(device: Any) -> float:
    """Bytes a second that a large copy reads and writes."""
    with jax.default_device(device):
        run, numbers = jax.jit(lambda x: x + 1.0), jax.device_put(jnp.zeros(COPIED // 8), device)
        jax.block_until_ready(run(numbers))
        best = np.inf
        for _ in range(ROUNDS):
            start = time.perf_counter()
            jax.block_until_ready(run(numbers))
            best = min(best, time.perf_counter() - start)
    return 2 * COPIED / best


if __name__ == "__main__":
    main()
