"""The default trial against its own simulation kernel, in lanes and by XLA side by side, at several sizes.

    python bench/trial.py [twins …]

Each size runs once to warm the caches and once to be measured, in a process of its own. Kernel seconds are those spent
in the compiled simulation (compilation apart), added up over workers; divided by the workers they are the least time
the trial could take.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SIZES = (990, 20_000)
KERNELS = ("lanes", "xla")
WORKERS = len(os.sched_getaffinity(0))


def measure(twins: int, kernel: str, folder: Path) -> tuple[float, float, float]:
    """Wall and CPU seconds of the command, and seconds in the kernel."""
    start, before = time.perf_counter(), _cpu()
    words = ["run", f"population.size={twins}", f"cluster.kernel={kernel}", f"out={folder}"]
    subprocess.run([sys.executable, "-m", "cutis", *words], check=True, stdout=subprocess.DEVNULL)
    wall, cpu = time.perf_counter() - start, _cpu() - before
    log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return wall, cpu, next(line["kernel_seconds"] for line in log if line["event"] == "simulated")


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    sizes = [int(word) for word in sys.argv[1:]] or SIZES
    names = ("command s", "CPU s", "kernel s", "per worker s", "ratio")
    print(f"{'twins':>9} {'kernel':>7}" + "".join(f"{name:>14}" for name in names))
    for twins in sizes:
        for kernel in KERNELS:
            with tempfile.TemporaryDirectory() as scratch:
                measure(twins if twins < 5_000 else 2_000, kernel, Path(scratch) / "warm")
                wall, cpu, seconds = measure(twins, kernel, Path(scratch) / "run")
            numbers = (wall, cpu, seconds, seconds / WORKERS, wall * WORKERS / seconds)
            print(f"{twins:>9,} {kernel:>7}" + "".join(f"{number:>14.2f}" for number in numbers), flush=True)


if __name__ == "__main__":
    main()
