"""The results of a design on disk: every figure as a row, and all that the report tells as JSON."""

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ...cluster import store
from ..designs.sequential.bounds import Bounds
from ..shard import encode
from . import arranged
from .kernels import kernel
from .measures import to_arrow
from .run import Outcome
from .settings import Design


def write(folder: Path, design: Design, outcome: Outcome) -> None:
    """results.parquet and results.json."""
    store.write(folder / "results.parquet", encode(to_arrow(outcome.figures)))
    text = json.dumps(_without_nan(content(design, outcome)), indent=1, sort_keys=True) + "\n"
    store.write(folder / "results.json", text.encode())


def content(design: Design, outcome: Outcome) -> dict[str, Any]:
    """All results as nested built-in types; what does not exist is NaN."""
    decisive = next(iter(outcome.analyses))
    bounds = outcome.bounds
    told = arranged.compared(design, outcome.analyses)
    return {
        "title": f"{decisive}: {design.replicates:,} replicates of each size",
        "decisive": decisive,
        "alpha": outcome.analyses[decisive].alpha,
        "analyses": {
            name: analysis.model_dump(mode="json", exclude_defaults=True)
            | {
                "method": analysis.method,
                "estimand": kernel(analysis).estimand,
                "truth": outcome.truth[name],
                "limit": outcome.limits[name],
                "means": list(outcome.means[name]),
            }
            | told.get(name, {})
            for name, analysis in outcome.analyses.items()
        },
        "design": design.model_dump(mode="json", exclude={"replay"}),
        "bounds": {
            "looks": list(design.looks),
            "efficacy": [float(x) for x in bounds.efficacy],
            "futility": _futility(bounds),
            "sided": bounds.sided,
            "level": bounds.alpha,
        },
        "sizes": list(outcome.sizes),
        "cuts": {str(size): [round(size * look) for look in design.looks] for size in outcome.sizes},
        "figures": [asdict(figure) for figure in outcome.figures],
        "assurance": [row._asdict() for row in outcome.assurance],
        "notes": list(outcome.notes),
        "subgroups": [row._asdict() for row in outcome.subgroups],
        "needed": None if outcome.needed is None else outcome.needed._asdict() | {"tried": outcome.found},
        "agreement": {str(size): found._asdict() for size, found in outcome.agreement.items()},
    }


def _futility(bounds: Bounds) -> list[float]:
    """The bounds of futility; none where nothing stops for it."""
    stops = bounds.sided == 1 and any(math.isfinite(x) for x in bounds.futility[:-1])
    return [float(x) for x in bounds.futility] if stops else []


def _without_nan(node: Any) -> Any:
    """The same with null for what JSON has no number for."""
    if isinstance(node, dict):
        return {key: _without_nan(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_without_nan(value) for value in node]
    return None if isinstance(node, float) and not math.isfinite(node) else node
