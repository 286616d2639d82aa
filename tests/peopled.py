"""People from a known distribution, for tests of what is fitted to people."""

import numpy as np

from cutis.population.fitting.data import Data

RACES = ("white", "black", "mexican_american", "other_hispanic", "asian", "other")
UNITS = {"age": "year", "height": "cm", "bmi": "kg/m2", "weight": "kg", "sbp": "mmHg", "dbp": "mmHg"}


def drawn(size: int, seed: int, *, gaps: float = 0.0, weighted: bool = True, dependent: bool = True) -> Data:
    """People of both sexes and six races; `gaps` is the share without blood pressures."""
    rng = np.random.default_rng(seed)
    male, race = rng.integers(2, size=size), rng.choice(6, size=size, p=(0.5, 0.2, 0.1, 0.1, 0.05, 0.05))
    z = rng.standard_normal((4, size))
    age = np.floor(rng.uniform(12, 85, size))
    height = 163 + 13 * male + 7 * z[0]
    bmi = np.exp(3.3 + 0.2 * z[1] + 0.02 * (race == 1))
    shared = z[1] if dependent else rng.standard_normal(size)
    sbp = 100 + 0.4 * (age if dependent else rng.permutation(age)) + 3 * shared + 10 * z[2]
    dbp = sbp - np.exp(3.8 + 0.2 * z[3])
    gone = rng.random(size) < gaps
    numbers = {
        "age": age, "height": height, "bmi": bmi, "weight": bmi * (height / 100) ** 2,
        "sbp": np.where(gone, np.nan, sbp), "dbp": np.where(gone, np.nan, dbp),
    }  # fmt: skip
    weights = rng.lognormal(0, 0.4, size) if weighted else np.ones(size)
    levels = {"male": ("no", "yes"), "race": RACES}
    return Data(
        numbers, {"male": male, "race": race}, levels, UNITS, weights, np.arange(size) // 20, np.zeros(size, int)
    )
