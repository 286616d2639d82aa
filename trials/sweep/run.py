"""Carries a sweep out: twins, every piece that is missing, surfaces, answer, report, seal."""

import json
import time
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...cluster import ledger, platform, store
from ...cluster.execute import EXECUTORS
from ...cluster.settings import Cluster
from ...core.laser.optics import skin
from ...population.sample import POPULATIONS
from ...population.source import Source
from .. import bundle
from ..errors import BadInput
from ..progress import task
from ..shard import encode
from . import surfaces as surface
from .draws import uncertain
from .effects import behind
from .people import people, quotas
from .plan import Sweep, canonical
from .protocols import numbered
from .shard import SIZE, Done, Piece, pieces, work
from .window import Answer, answer


class Made(NamedTuple):
    """What a sweep gave: its answer, its surfaces, and seconds in all."""

    answer: Answer
    surfaces: surface.Surfaces
    seconds: float
    made: int


def source_of(plan: Sweep) -> Source:
    """The population of a sweep.

    Raises:
      BadInput: there is none of that name, or its twins lack what light needs to know of the skin.
    """
    name = plan.population.source
    if name not in POPULATIONS:
        raise BadInput(f"population.source: no population {name!r}; there are {', '.join(sorted(POPULATIONS))}")
    source = POPULATIONS[name]
    try:
        skin({name: np.ones(1) for name in source.attributes}, plan.site)
    except ValueError as error:
        raise BadInput(f"population.source: {name}: {error}") from None
    return source


def enough(plan: Sweep) -> None:
    """See that a setting could be kept at all.

    Raises:
      BadInput: even if nobody were harmed the upper limit of a risk would exceed its bound, for want of twins.
    """
    bound = min(plan.risk.most.values())
    needed = int(np.ceil(np.log1p(-plan.risk.confidence) / np.log1p(-bound)))
    fewest = min(quotas(plan.population).values())
    if fewest < needed:
        total = needed * len(plan.population.skin_types)
        raise BadInput(
            f"population.size: {fewest:,} twins of a skin type cannot show a risk of at most {bound:g} with confidence "
            f"{plan.risk.confidence:g}: that takes {needed:,}, {total:,} in all"
        )


def carry_out(plan: Sweep, cluster: Cluster, folder: Path) -> Made:
    """Make what is missing in a folder that is `claimed`, and seal it.

    Raises:
      BadInput: the device cannot do a setting, or the population has too few twins of a skin type.
      StoreError: a file could not be written; what was finished stays.
    """
    begun, folder = time.perf_counter(), folder.resolve()  # workers may have another working directory
    todo, count = planned(plan)
    kept = ledger.finished(folder)
    todo = [piece for piece in todo if piece.number not in kept]
    with task("treating twins", plan.population.size) as advance:
        done = count - len(todo)
        result: Done
        for result in EXECUTORS[cluster.kind](partial(work, canonical(plan), folder), todo, cluster):
            ledger.record(folder, result.number, result.files)
            done += 1
            advance(min(done * SIZE, plan.population.size))
    found, told = concluded(plan, folder)
    return Made(told, found, time.perf_counter() - begun, len(todo))


def planned(plan: Sweep) -> tuple[list[Piece], int]:
    """The pieces of a sweep, and how many there are."""
    with task("choosing twins", plan.population.size) as advance:
        parts = pieces(people(plan.population, source_of(plan), plan.seed, advance))
    return parts, len(parts)


def concluded(plan: Sweep, folder: Path) -> tuple[surface.Surfaces, Answer]:
    """Surfaces, answer and report of finished pieces, written; then the seal."""
    from .report import build

    found = surface.surfaces(plan, surface.read(folder))
    told = answer(plan, found)
    store.write(folder / "surfaces.parquet", encode(surface.table(plan, found)))
    store.write(folder / "answer.json", (json.dumps(spoken(plan, found, told), indent=1) + "\n").encode())
    content = _manifest(plan)
    store.write(folder / "report.html", build(plan, found, told, content).encode())
    content["files"] = {
        name: {"sha256": store.digest(folder / name), "bytes": (folder / name).stat().st_size}
        for name in bundle.files(folder)
    }
    bundle.seal(folder, content)
    return found, told


def spoken(plan: Sweep, found: surface.Surfaces, told: Answer) -> dict[str, Any]:
    """The answer as built-in types: settings by name, with benefit and upper limits of risks in each skin type."""
    settings = numbered(plan)

    def one(number: int | None) -> Mapping[str, Any] | None:
        if number is None:
            return None
        types = {
            str(tone): {
                name: {
                    field: round(float(getattr(share, field)[number, place]), 6) for field in ("mean", "low", "high")
                }
                for name, share in found.shares.items()
            }
            for place, tone in enumerate(plan.population.skin_types)
        }
        return {"setting": settings[number], "skin_types": types}

    return {
        "bounds": plan.risk.most,
        "confidence": plan.risk.confidence,
        "kept_in_every_skin_type": [settings[number] for number in told.common],
        "most_effective_of_these": one(told.best),
        "of_each_skin_type": {
            str(tone): {
                "kept": int(told.kept[:, place].sum()),
                "most_effective": None if told.of_type[tone] is None else settings[told.of_type[tone] or 0],
            }
            for place, tone in enumerate(plan.population.skin_types)
        },
    }


def _manifest(plan: Sweep) -> dict[str, Any]:
    here = platform.describe()
    table = behind(plan)
    return {
        "status": "complete",
        "kind": "sweep",
        "question": plan.question,
        "sweep_sha256": plan.fingerprint(),
        "seed": plan.seed,
        "cutis": here["versions"]["cutis"],
        "versions": here["versions"],
        "platform": {name: value for name, value in here.items() if name != "versions"},
        "plan": {
            "twins": plan.population.size,
            "settings": len(numbered(plan)),
            "pieces": -(-plan.population.size // SIZE),
            "twins_a_piece": SIZE,
        },
        "parameters": {
            "status": dict(Counter(parameter.status for parameter in table.values())),
            "uncertain": uncertain(table),
            "draws": plan.draws if uncertain(table) else 0,
        },
    }
