"""What `cutis sweep` does with the words it is given."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from .place import claimed, examine
from .plan import Sweep
from .protocols import numbered, protocols
from .read import Asked
from .run import Made, carry_out, enough, source_of


class Guard(Protocol):
    """Makes Ctrl-C in a folder's work a message."""

    def __call__(self, folder: Path) -> AbstractContextManager[None]: ...


def sweep(asked: Asked, resume: bool, guard: Guard) -> Iterator[str]:
    """Make a sweep in its folder; what to tell the user.

    Raises:
      BadInput: what the device, the population or the folder cannot do.
    """
    plan = asked.plan
    protocols(plan)
    source_of(plan)
    enough(plan)
    if examine(asked.out, plan, resume) == "complete":
        yield f"{asked.out}: this sweep is complete already"
        yield f"report: {asked.out / 'report.html'}"
        return
    with guard(asked.out), claimed(asked.out, plan, resume):
        made = carry_out(plan, asked.cluster, asked.out)
    settings = len(numbered(plan))
    yield plan.title
    work = f"{made.seconds:.1f} s ({made.made} pieces made now)"
    yield f"{plan.population.size:,} simulated twins, {settings:,} settings; {work}"
    yield from told(plan, made)
    yield f"report: {asked.out / 'report.html'}"


def told(plan: Sweep, made: Made) -> Iterator[str]:
    """The answer in a few lines."""
    from .words import setting, shares

    answer = made.answer
    if answer.best is None:
        yield "no setting keeps every risk within its bound in every skin type"
    else:
        yield f"{len(answer.common)} settings keep every risk within its bound in every skin type; the most effective:"
        yield f"  {setting(plan, answer.best)}: {shares(plan, made.surfaces, answer.best)}"
    for place, tone in enumerate(plan.population.skin_types):
        best = answer.of_type[tone]
        kept = f"  skin type {tone}: {int(answer.kept[:, place].sum())} settings kept"
        yield kept if best is None else f"{kept}, the most effective {setting(plan, best)}"
