"""Every published baseline table against the twins of its disease: is it met, and how many twins count?

    python bench/matching.py [twins]

Rows that a population has no attribute for are left out and counted. Of the rest the largest difference (in standard
deviations), the effective share of the pilot sample, and the share of candidates that would be let in. Tables that the
population cannot meet stay in the list, with the reason.
"""

# ruff: noqa: E402

import sys

from cutis.cluster import platform

platform.prepare()  # before anything imports JAX

import jax.numpy as jnp
import numpy as np

from cutis.core.keys import root, stream
from cutis.population.baselines.tables import BASELINES
from cutis.population.matching.balance import match
from cutis.population.sample import POPULATIONS, sample

DISEASES = {"psoriasis": "psoriasis_moderate_severe", "acne": "acne"}


def show(disease: str, population: str, n: int) -> None:
    source = POPULATIONS[population]
    ids = jnp.arange(n)
    twins = {name: np.asarray(x) for name, x in sample(source, stream(root(2026), "pilot"), ids).items()}
    print(f"{population}, {n:,} twins")
    print(f"{'table':<40} {'rows':>4} {'left out':>8} {'worst, SD':>9} {'effective':>9} {'let in':>7}")
    for name, whole in BASELINES.items():
        if not name.startswith(f"{disease}/"):
            continue
        baseline = whole.only(source.attributes)
        line = f"{name:<40} {len(baseline.rows):>4} {len(whole.rows) - len(baseline.rows):>8}"
        try:
            found = match(twins, baseline, source.attributes)
        except ValueError as error:
            print(f"{line}   {error}")
        else:
            print(f"{line} {found.worst:>9.0e} {found.effective / n:>9.1%} {found.rate:>7.1%}")


def main() -> None:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    for disease, population in DISEASES.items():
        if population in POPULATIONS:
            show(disease, population, n)


if __name__ == "__main__":
    main()
