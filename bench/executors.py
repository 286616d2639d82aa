"""What Ray costs beside the local executor, in one run: the same study by both, in turn.

    python bench/executors.py [twins [rounds]]

Seconds of the whole command, from its beginning to the plan (for Ray with its start), and in the shards; processor
seconds of all its processes. Caches are warmed by a small run first. On a busy machine only processor seconds count.
What is left in the shards when the start is paid is what a large run feels.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

TWINS, ROUNDS = 20_000, 2
WORKERS = len(os.sched_getaffinity(0))


class Times(NamedTuple):
    """Seconds."""

    whole: float
    plan: float
    shards: float
    processor: float


def measure(kind: str, twins: int, folder: Path) -> Times:
    """One run of the default trial."""
    before, begun = _processor(), time.perf_counter()
    words = ["run", f"population.size={twins}", f"cluster={kind}", f"cluster.workers={WORKERS}", f"out={folder}"]
    subprocess.run([sys.executable, "-m", "cutis", *words], check=True, stdout=subprocess.DEVNULL)
    whole = time.perf_counter() - begun
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    at = {line["event"]: datetime.fromisoformat(line["time"]).timestamp() for line in lines}
    shards = at["simulated"] - at["planned"]
    after = at["reported"] - at["simulated"]
    return Times(whole, whole - shards - after, shards, _processor() - before)


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    asked = [int(word) for word in sys.argv[1:3]]
    twins, rounds = (*asked, *(TWINS, ROUNDS)[len(asked) :])
    print(f"{twins:,} twins, {WORKERS} workers")
    print(f"{'executor':>9} {'whole s':>8} {'to plan s':>10} {'shards s':>9} {'processor s':>12}")
    with tempfile.TemporaryDirectory() as scratch:
        measure("local", 2_000, Path(scratch) / "warm")
        found = {kind: [] for kind in ("local", "ray")}
        for number in range(rounds):
            for kind, times in found.items():
                times.append(measure(kind, twins, Path(scratch) / f"{kind}-{number}"))
                told = times[-1]
                print(
                    f"{kind:>9} {told.whole:>8.1f} {told.plan:>10.1f} {told.shards:>9.1f} {told.processor:>12.1f}",
                    flush=True,
                )
    local, ray = (Times(*map(min, zip(*found[kind], strict=True))) for kind in ("local", "ray"))
    print(
        f"Ray over local, best of {rounds}: {ray.whole / local.whole - 1:+.0%} in all, "
        f"{ray.shards / local.shards - 1:+.0%} in the shards, {ray.plan - local.plan:+.1f} s before them, "
        f"{ray.processor / local.processor - 1:+.0%} of processor seconds"
    )


if __name__ == "__main__":
    main()
