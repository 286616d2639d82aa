"""The default trial against its own simulation kernel, side by side, at several sizes.

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

SIZES = (990, 30_000, 300_000)
WORKERS = len(os.sched_getaffinity(0))


def measure(twins: int, folder: Path) -> tuple[float, float]:
    """Wall seconds of the command, and seconds in the kernel."""
    start = time.perf_counter()
    words = ["run", f"population.size={twins}", f"out={folder}"]
    subprocess.run([sys.executable, "-m", "cutis", *words], check=True, stdout=subprocess.DEVNULL)
    wall = time.perf_counter() - start
    log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return wall, next(line["kernel_seconds"] for line in log if line["event"] == "simulated")


def main() -> None:
    sizes = [int(word) for word in sys.argv[1:]] or SIZES
    print(f"{'twins':>9} {'command s':>10} {'kernel s':>9} {'per worker s':>13} {'ratio':>6} {'peak MiB':>9}")
    for twins in sizes:
        with tempfile.TemporaryDirectory() as scratch:
            measure(twins if twins < 5_000 else 2_000, Path(scratch) / "warm")
            wall, kernel = measure(twins, Path(scratch) / "run")
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024  # of the largest process so far
        least = kernel / WORKERS
        print(f"{twins:>9,} {wall:>10.1f} {kernel:>9.2f} {least:>13.2f} {wall / least:>6.1f} {peak:>9,.0f}")


if __name__ == "__main__":
    main()
