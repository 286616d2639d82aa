"""What a run of three arms and 52 weeks costs as it grows: time, CPU seconds a twin, memory of all its processes.

    python bench/scale.py [--full] [--words cluster=ray …] [twins …]

Each size is one command, `cutis run`, in processes of its own. A run of 990 twins comes first, twice: once to fill the
caches of compiled code and once to say what every run costs whatever its size (imports, loading compiled code, report).
The cost of a twin is what a run takes beyond that, over the twins beyond those 990. Memory is the largest sum over all
processes of a run at a time, pages that several of them hold counted once. `--full` goes to a million twins and says
whether the cost stays flat (15 %) and the memory within 3 GiB.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

START = 990  # twins of the run that says what any run costs
SMALL, FULL = (10_000, 40_000), (10_000, 100_000, 1_000_000)
FLAT, MEMORY = 0.15, 3.0  # of the cost a twin; GiB
EVERY = 0.5  # seconds between looks at memory
VISITS = "trial.visits=[0,2,4,8,12,16,20,24,28,32,36,40,44,48,52]"
PHASES = (
    ("plan", "begin", "planned"),
    ("simulate", "planned", "simulated"),
    ("analyse", "simulated", "analysed"),
    ("report", "analysed", "reported"),
)


class Cost(NamedTuple):
    """Wall and CPU seconds of a command, the largest memory of its processes (bytes), wall seconds of its phases."""

    wall: float
    cpu: float
    memory: int
    phases: dict[str, float]


def measure(twins: int, words: list[str], folder: Path) -> Cost:
    """Run a study of so many twins."""
    begin, before = time.perf_counter(), _cpu()
    command = [sys.executable, "-m", "cutis", "run", VISITS, f"population.size={twins}", f"out={folder}", *words]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        peak, watch = [0], threading.Event()
        watcher = threading.Thread(target=_watch, args=(run.pid, watch, peak))
        watcher.start()
        code = run.wait()
        watch.set()
        watcher.join()
    if code:
        raise RuntimeError(f"{' '.join(command)} ended with {code}")
    log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    at = {line["event"]: datetime.fromisoformat(line["time"]).timestamp() for line in log}
    phases = {name: at[end] - at[start] for name, start, end in PHASES}
    return Cost(time.perf_counter() - begin, _cpu() - before, peak[0], phases)


def _cpu() -> float:
    """CPU seconds of all processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _watch(root: int, done: threading.Event, peak: list[int]) -> None:
    while not done.wait(EVERY):
        peak[0] = max(peak[0], sum(map(_memory, _tree(root))))


def _tree(root: int) -> list[int]:
    """A process and all that descend from it."""
    found, left = [], [root]
    while left:
        process = left.pop()
        found.append(process)
        for task in Path(f"/proc/{process}/task").glob("*/children"):
            try:
                left += map(int, task.read_text().split())
            except OSError:
                continue
    return found


def _memory(process: int) -> int:
    """Bytes of a process, its share of what it holds with others; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def main() -> None:
    words = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    words.add_argument("twins", nargs="*", type=int)
    words.add_argument("--full", action="store_true", help="up to a million twins")
    words.add_argument("--words", nargs="*", default=[], help="further words of `cutis run`")
    asked = words.parse_args()
    sizes = asked.twins or (FULL if asked.full else SMALL)
    print(f"{len(os.sched_getaffinity(0))} cores")
    names = "".join(f"{name + ' s':>12}" for name, _, _ in PHASES)
    print(f"{'twins':>10}{'command s':>12}{'CPU s':>10}{'us a twin':>11}{'peak MiB':>10}{names}")
    with tempfile.TemporaryDirectory() as scratch:
        measure(START, asked.words, Path(scratch) / "warm")
        start = measure(START, asked.words, Path(scratch) / "start")
        _show(START, start, start)
        costs = [_show(n, measure(n, asked.words, Path(scratch) / str(n)), start) for n in sizes]
        if asked.full:
            _judge(costs)


def _show(twins: int, cost: Cost, start: Cost) -> tuple[float, int]:
    """Print a row; CPU seconds of a twin, and memory."""
    each = (cost.cpu - start.cpu) / (twins - START) if twins > START else float("nan")
    phases = "".join(f"{seconds:>12.1f}" for seconds in cost.phases.values())
    row = f"{twins:>10,}{cost.wall:>12.1f}{cost.cpu:>10.1f}{1e6 * each:>11.1f}{cost.memory / 2**20:>10,.0f}{phases}"
    print(row, flush=True)
    return each, cost.memory


def _judge(costs: list[tuple[float, int]]) -> None:
    each, memory = [cost for cost, _ in costs], max(memory for _, memory in costs) / 2**30
    apart = max(each) / min(each) - 1
    print(f"cost of a twin: {apart:.0%} apart ({'flat' if apart <= FLAT else 'not flat'}, {FLAT:.0%} allowed)")
    print(f"memory: {memory:.2f} GiB ({'within' if memory <= MEMORY else 'beyond'} {MEMORY:g} GiB)")


if __name__ == "__main__":
    main()
