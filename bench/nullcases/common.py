"""One case: how it is drawn and tested, what it should give, and how to tell."""

from collections.abc import Callable
from typing import Any, NamedTuple
from zlib import crc32

import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import norm

REPLICATES = 20_000
ERRORS = 3.0  # Monte Carlo standard errors
KINDS = ("exact", "asymptotic", "at most", "no claim")
Rejects = Callable[[np.random.Generator, int], np.ndarray]


class Case(NamedTuple):
    """An analysis or a design under its null hypothesis.

    Args:
      size: of a replicate, in words.
      nominal: chance of a rejection.
      rejects: from a generator and a number of replicates to whether each rejects, (replicates,).
      kind: `exact` in samples of any size; `asymptotic`; `at most`, conservative by construction, judged on one side;
        `no claim`, where no error rate is promised, and the figure is only told.
      replicates: fewer where one takes long.
      note: why it is of its kind, or what is known of it.
    """

    name: str
    size: str
    nominal: float
    rejects: Rejects
    kind: str = "exact"
    replicates: int = REPLICATES
    note: str = ""


class Row(NamedTuple):
    """What was observed of a case. `z` is the distance from nominal in Monte Carlo standard errors."""

    group: str
    name: str
    size: str
    kind: str
    nominal: float
    replicates: int
    observed: float
    error: float
    z: float
    verdict: str
    note: str


def observe(group: str, case: Case, replicates: int, seed: int = 0) -> Row:
    """Simulate and judge a case; draws belong to the seed and the name, whatever else is run."""
    n = min(replicates, case.replicates)
    rejected = np.asarray(case.rejects(np.random.default_rng([seed, crc32(case.name.encode())]), n), bool)
    if rejected.shape != (n,):
        raise ValueError(f"{case.name}: {rejected.shape} decisions of {n} replicates")
    error = float(np.sqrt(case.nominal * (1 - case.nominal) / n))
    observed = float(rejected.mean())
    z = (observed - case.nominal) / error
    return Row(group, case.name, case.size, case.kind, case.nominal, n, observed, error, z, judged(case.kind, z),
               case.note)  # fmt: skip


def judged(kind: str, z: float) -> str:
    """The verdict on a distance from nominal: holds, conservative, excess, or short of nominal."""
    if kind not in KINDS:
        raise ValueError(f"kind {kind!r}: expected one of {', '.join(KINDS)}")
    if kind == "no claim":
        return "told"
    if abs(z) <= ERRORS:
        return "holds"
    if z > 0:
        return "excess"
    return "holds, below nominal" if kind == "at most" else "short"


def mapped(kernel, *arrays, batch: int = 500) -> Any:
    """A kernel of one replicate over the leading axis of the arrays: what it returns, in NumPy arrays.

    A batch at a time, the last one filled up, so that one program serves any number of replicates.
    """
    run, n = jax.jit(jax.vmap(kernel)), len(arrays[0])
    whole = [np.resize(np.arange(n), -(-n // batch) * batch)[i : i + batch] for i in range(0, n, batch)]
    parts = [jax.tree.map(np.asarray, run(*(jnp.asarray(a[rows]) for a in arrays))) for rows in whole]
    return jax.tree.map(lambda *found: np.concatenate(found)[:n], *parts)


def many(kernel, *arrays, batch: int = 500) -> np.ndarray:
    """The p-values of a kernel over the leading axis of the arrays, (replicates,)."""
    return mapped(lambda *one: kernel(*one).p, *arrays, batch=batch)


def each(test: Callable[..., float], *arrays: np.ndarray) -> np.ndarray:
    """A test of one table over the leading axis of the arrays: its p-values, (replicates,)."""
    return np.array([float(test(*one)) for one in zip(*arrays, strict=True)])


def arms(replicates: int, *sizes: int) -> np.ndarray:
    """Numbers of the arms of people in order, the same in all replicates: (replicates, people)."""
    return np.tile(np.repeat(np.arange(float(len(sizes))), sizes), (replicates, 1))


def brownian(rng: np.random.Generator, replicates: int, times: np.ndarray) -> np.ndarray:
    """Statistics at fractions of the information if there is no effect: (replicates, looks)."""
    steps = np.sqrt(np.diff(times, prepend=0.0)) * rng.standard_normal((replicates, len(times)))
    return np.cumsum(steps, axis=1) / np.sqrt(times)


def correlated(rng: np.random.Generator, replicates: int, correlation: np.ndarray) -> np.ndarray:
    """Normal statistics of this correlation: (replicates, statistics)."""
    return rng.standard_normal((replicates, len(correlation))) @ np.linalg.cholesky(correlation).T


def one_sided(z: np.ndarray) -> np.ndarray:
    """p-values of statistics that are large where the treatment is good."""
    return norm.sf(z)
