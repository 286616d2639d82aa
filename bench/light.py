"""How many skins a second light is worked out for: the solver of layers, our Monte Carlo, and pmcxcl, side by side.

    python bench/light.py [--skins N] [--photons N]

All in one process and in turn, in CPU seconds, on one skin of five layers at 755 nm whose absorption by layer is known
from 4 million photons of MCML. A skin counts as resolved at a root mean square error of 1 % over its layers: of the
solver that is checked, for photons their number is worked out from the spread between runs. pmcxcl (PyPI) needs an
OpenCL driver of the CPU, such as that of pocl-binary-distribution with OCL_ICD_VENDORS set to a folder with a file that
names its library; without them its line says why it is left out.
"""
# ruff: noqa: E402

from cutis.cluster import platform

platform.prepare()

import argparse
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cutis.core.keys import root
from cutis.core.laser.layers import Layers
from cutis.core.laser.light import propagate
from cutis.core.laser.montecarlo import simulate

SKIN = Layers(
    np.array([0.02, 0.06, 0.02, 0.2, 2.7]),
    np.array([0.03, 0.35, 1.7, 0.035, 0.028]),
    np.array([20.0, 20.0, 20.0, 13.0, 13.0]),
    np.full(5, 0.8),
    np.full(5, 1.4),
)
ABSORBED = np.array([0.002518, 0.08762, 0.1397, 0.02966, 0.1662])  # MCML, 4e6 photons
WANTED = 0.01
RUNS = 6


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--skins", type=int, default=1024)
    words.add_argument("--photons", type=int, default=20_000)
    told = words.parse_args()
    print(f"{'':<26}{'error':>9}{'skins / CPU s':>16}{'photons / CPU s':>18}{'solver is faster':>18}")
    fastest = 0.0
    for nodes, kind in ((8, "float32"), (8, "float64"), (16, "float64")):
        error, rate = solver(told.skins, nodes, kind)
        fastest = fastest if fastest else rate
        print(f"{f'solver, {nodes} nodes, {kind}':<26}{error:>8.2%} {rate:>15,.0f}", flush=True)
    for name, run in (("our Monte Carlo", ours), ("pmcxcl", theirs)):
        try:
            photons, speed = photons_needed(run, told.photons)
        except (ImportError, RuntimeError) as why:
            print(f"{name:<26} left out: {why}")
            continue
        rate = speed / photons
        print(f"{name:<26}{WANTED:>8.2%} {rate:>15.3g}{speed:>18,.0f}{fastest / rate:>17,.0f}x", flush=True)


def seconds(run: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds of the second of two runs, and what it gave."""
    jax.block_until_ready(run())
    start = time.process_time()
    found = jax.block_until_ready(run())
    return time.process_time() - start, found


def solver(skins: int, nodes: int, kind: str) -> tuple[float, float]:
    """Error over the layers, and skins a CPU second."""
    fields = [jnp.asarray(np.broadcast_to(x, (skins, 5)), dtype=kind) for x in SKIN[:4]]
    taken, found = seconds(lambda: propagate(Layers(*fields, SKIN.refraction), nodes=nodes))
    return float(np.sqrt(np.mean((np.asarray(found.absorbed[0]) / ABSORBED - 1) ** 2))), skins / taken


def photons_needed(run: Callable[[int, int], np.ndarray], photons: int) -> tuple[float, float]:
    """Photons for the wanted error, from the spread of a few runs, and photons a CPU second."""
    run(0, photons)
    start = time.process_time()
    runs = np.stack([run(seed, photons) for seed in range(1, RUNS + 1)])
    speed = RUNS * photons / (time.process_time() - start)
    off = np.abs(runs.mean(axis=0) / ABSORBED - 1).max()
    if off > 0.1:
        raise RuntimeError(f"its layers are off by up to {off:.0%}, so it does not see the same skin")
    variance = np.mean(runs.var(axis=0, ddof=1) / ABSORBED**2)
    return photons * variance / WANTED**2, speed


def ours(seed: int, photons: int) -> np.ndarray:
    return np.asarray(simulate(root(seed), SKIN, photons, [0.0, 3.0])[0].absorbed[0])


def theirs(seed: int, photons: int) -> np.ndarray:
    """Voxels of 20 um under a pencil beam, endless to the sides."""
    import pmcxcl  # an extra, not a dependency

    voxels = np.repeat(np.arange(1, 6), np.round(SKIN.thickness / 0.02).astype(int))
    volume = np.broadcast_to(voxels, (20, 20, len(voxels))).astype("uint8")
    media = [[0, 0, 1, 1], *np.stack([SKIN.absorption, SKIN.scattering, SKIN.anisotropy, SKIN.refraction], 1).tolist()]
    asked = {
        "nphoton": photons,
        "seed": seed + 1,
        "vol": np.ascontiguousarray(volume),
        "prop": media,
        "srcpos": [10, 10, 0],
        "srcdir": [0, 0, 1],
        "issrcfrom0": 1,
        "unitinmm": 0.02,
        "isreflect": 1,
        "isspecular": 1,
        "bc": "ccrccr",
        "tstart": 0,
        "tend": 5e-9,
        "tstep": 5e-9,
        "outputtype": "energy",
        "isnormalized": 0,
    }
    found = np.asarray(pmcxcl.run(asked)["flux"]).reshape(-1, len(voxels), order="A")
    deposits = found.sum(axis=0)
    return np.array([deposits[voxels == layer].sum() for layer in range(1, 6)]) / photons


if __name__ == "__main__":
    main()
