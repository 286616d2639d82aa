"""Whose skin it is: the first twins of each skin type that a population has, by their numbers."""

from collections.abc import Callable

import numpy as np

from ...population import stream
from ...population.eligibility import meets
from ...population.source import Source
from ..errors import BadInput
from ..levels import categories
from ..sampling import key_of
from .plan import Crowd

TONE = "fitzpatrick"
PATIENCE = 64  # batches of candidates in which all twins must be found
BATCH = stream.BATCH


def people(
    crowd: Crowd, source: Source, seed: int, progress: Callable[[int], None] = lambda done: None
) -> dict[str, np.ndarray]:
    """Attributes of the twins, and `twin`, their numbers, rising; of each skin type as many (one more of some).

    Raises:
      BadInput: the population lacks skin types or an attribute of the criteria, or has too few of a type.
    """
    if TONE not in source.attributes:
        raise BadInput(f"population.source: {source.name} has no skin types ({TONE})")
    wanted = quotas(crowd)
    parts: list[dict[str, np.ndarray]] = []
    for batch in range(PATIENCE):
        drawn = stream.draw(source, key_of(seed), batch * BATCH, BATCH)
        drawn["twin"] = np.arange(batch * BATCH, (batch + 1) * BATCH)
        chosen = np.zeros(BATCH, dtype=bool)
        eligible = _eligible(crowd, source, drawn)
        for tone, left in wanted.items():
            chosen[np.flatnonzero(eligible & (drawn[TONE] == tone))[:left]] = True
        parts.append({name: values[chosen] for name, values in drawn.items()})
        wanted = {tone: left - int((parts[-1][TONE] == tone).sum()) for tone, left in wanted.items()}
        progress(crowd.size - sum(wanted.values()))
        if not any(wanted.values()):
            return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    short = ", ".join(f"{left:,} of skin type {tone}" for tone, left in wanted.items() if left)
    raise BadInput(f"population: among {PATIENCE * BATCH:,} candidates there are too few: {short} are lacking")


def quotas(crowd: Crowd) -> dict[int, int]:
    """Twins of each skin type."""
    share, more = divmod(crowd.size, len(crowd.skin_types))
    return {tone: share + (place < more) for place, tone in enumerate(crowd.skin_types)}


def _eligible(crowd: Crowd, source: Source, drawn: dict[str, np.ndarray]) -> np.ndarray:
    try:
        masks = meets(crowd.eligibility, drawn, categories(source.attributes))
    except (KeyError, ValueError) as error:
        raise BadInput(f"population.{error.args[0]}") from None
    return np.logical_and.reduce([np.ones(BATCH, dtype=bool), *masks.values()])
