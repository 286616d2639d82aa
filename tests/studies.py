"""The shipped study, and small changes of it, for tests."""

from pathlib import Path

import yaml

from cutis.trials.study import Study

SHIPPED = Path(__file__).resolve().parents[1] / "conf" / "trial" / "psoriasis" / "il23_vs_tnf.yaml"


def study(size=90, seed=1, **changes):
    """The shipped study with parts of its trial replaced; `conduct__rescue=None` reaches into nested parts."""
    trial = yaml.safe_load(SHIPPED.read_text())
    for path, value in changes.items():
        *parents, last = path.split("__")
        part = trial
        for parent in parents:
            part = part[parent]
        part[last] = value
    return Study.model_validate(
        {"seed": seed, "population": {"source": "psoriasis_moderate_severe", "size": size}, "trial": trial}
    )
