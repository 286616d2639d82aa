"""Drugs, classes and outcomes as people write them."""

from ....calibration.report.told import Told
from ..words import sentence, spaced


def called(key: str, told: Told) -> str:
    """`PASI 75` of `pasi75`, `anti-TNF` of `anti_tnf`, as the disease tells; otherwise the key with spaces."""
    return told.outcomes[key].name if key in told.outcomes else told.names.get(key, spaced(key))


def heading(key: str, told: Told) -> str:
    """The name with a capital."""
    return sentence(called(key, told))
