"""How the tests are run and judged, from `privacy.yaml`."""

from functools import cache
from pathlib import Path
from typing import NamedTuple

from ...core.parameters import Table, read_table

HERE = Path(__file__).parent
PARAMETERS: Table = read_table(HERE / "privacy.yaml", sources=HERE / "sources.yaml")


class Settings(NamedTuple):
    """One field for each parameter of that name; thresholds by test."""

    people: int
    attacks: int
    rearrangements: int
    fewest_arrangements: int
    fewest_guesses: int
    tries: int
    sharp: float
    confidence: float
    resolution: float
    neighbours: int
    attributes: int
    window: float
    tolerance: float
    secrets: int
    nearest_share: float
    threshold: dict[str, float]


@cache
def settings() -> Settings:
    """The settings that PARAMETERS hold."""
    n = PARAMETERS.numbers()
    return Settings(
        people=int(n["people"]),
        attacks=int(n["attacks"]),
        rearrangements=int(n["rearrangements"]),
        fewest_arrangements=int(n["fewest_arrangements"]),
        fewest_guesses=int(n["fewest_guesses"]),
        tries=int(n["tries"]),
        sharp=n["sharp"],
        confidence=n["confidence"],
        resolution=n["resolution"],
        neighbours=int(n["neighbours"]),
        attributes=int(n["attributes"]),
        window=n["window"],
        tolerance=n["tolerance"],
        secrets=int(n["secrets"]),
        nearest_share=n["nearest_share"],
        threshold={test: parameter.value for test, parameter in PARAMETERS.within("threshold").items()},
    )
