"""What a sweep of one 755 nm protocol costs: seconds, peak memory, and the shares of light, heat and damage.

    python bench/sweep.py [--twins N] [--full]

What `cutis sweep` does with its pieces of work, in one process and one thread: `--full` is 10,000 twins at 50
settings (10 fluences x 5 pulses). CPU seconds; the first piece, which compiles, is told apart. Light is the layered
solver with the factor of the spot, heat the column with its cooling; damage is the rest of a piece: Omega in the skin,
the follicle with its own heat, outcomes and sums.
"""
# ruff: noqa: E402

from cutis.cluster import platform

platform.prepare()

import argparse
import resource
import time
from collections.abc import Callable
from typing import Any

import jax

from cutis.core.laser import treat
from cutis.core.laser.heat import column
from cutis.trials.sweep.plan import canonical
from cutis.trials.sweep.protocols import numbered
from cutis.trials.sweep.read import asked
from cutis.trials.sweep.run import planned
from cutis.trials.sweep.shard import simulate

FULL, SMALL = 10_000, 1_024
spent = {"light": 0.0, "heat": 0.0}


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--twins", type=int)
    words.add_argument("--full", action="store_true", help=f"{FULL:,} twins at 50 settings")
    told = words.parse_args()
    twins = told.twins or (FULL if told.full else SMALL)
    grid = [] if told.full else ["grid.pulse=[0.003,0.03]"]
    plan = asked(["sweep=laser/hair_755", f"size={twins}", *grid], None).plan
    treat._lit = timed("light", treat._lit)
    treat.column.respond = timed("heat", column.respond)
    parts, _ = planned(plan)
    text, took, wall = canonical(plan), [], time.perf_counter()
    first: dict[str, float] = {}
    for part in parts:
        begun = time.process_time()
        simulate(text, part)
        took.append(time.process_time() - begun)
        first = first or dict(spent)
    wall = time.perf_counter() - wall
    total = sum(took[1:]) or took[0]
    part_of = {name: seconds - (first[name] if len(took) > 1 else 0.0) for name, seconds in spent.items()}
    part_of["damage"] = total - sum(part_of.values())
    pairs = (twins - len(parts[0].twins["twin"]) if len(took) > 1 else twins) * len(numbered(plan))
    print(f"{twins:,} twins at {len(numbered(plan))} settings: {sum(took):,.1f} CPU s, {wall:,.1f} s by the clock")
    print(f"first piece, with compilation: {took[0]:,.1f} CPU s; the rest: {pairs / total:,.0f} twin-settings a CPU s")
    print("of the rest: " + ", ".join(f"{name} {seconds / total:.0%}" for name, seconds in part_of.items()))
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


def timed(name: str, run: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, whose CPU seconds are added up."""

    def measured(*given: Any, **named: Any) -> Any:
        begun = time.process_time()
        found = jax.block_until_ready(run(*given, **named))
        spent[name] += time.process_time() - begun
        return found

    return measured


if __name__ == "__main__":
    main()
