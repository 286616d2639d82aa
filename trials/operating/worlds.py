"""The hypotheses under which trials are tried out: whose potential outcomes the compared arms have."""

from collections.abc import Sequence
from itertools import combinations

from . import external, factorial
from .replicates import HYPOTHESES, World
from .settings import Design

INSIDE, OUTSIDE = "null in the subgroup", "null outside the subgroup"
FEW = 3  # analyses tested together, of which every set is tried as null; of more, each alone and all but each
OWN, COMPARATOR = (0, 1), (1, 1)


def worlds(design: Design, names: Sequence[str]) -> tuple[World, ...]:
    """Of a design whose analyses are tested together, the hypotheses; empty for one whose one analysis decides.

    Beside the model and the nulls of all, there is the null of each part: these analyses find the comparator's outcomes
    in both arms, the others what the model says. An enrichment has the nulls of its subgroup and of the others. So the
    familywise error is seen under every partial null.
    """
    if design.factorial is not None:
        return factorial.worlds(design.factorial)
    if design.external is not None:
        return external.worlds(design.external)
    together = design.hypotheses
    everywhere = [(name, (pair,) * len(names)) for name, pair in HYPOTHESES.items()]
    if design.enrich is not None:
        own = (OWN,) * len(names)
        inside = tuple(COMPARATOR if place == 1 else OWN for place in range(len(names)))
        return (*everywhere, (INSIDE, inside), (OUTSIDE, own))
    if not together:
        return ()
    if design.family is None and len(together) > 1:  # several arms have no outcomes in common but the comparator's
        everywhere = everywhere[:2]
    sizes = range(1, len(together)) if len(together) <= FEW else (1, len(together) - 1)
    parts = [part for size in sizes for part in combinations(together, size)]
    return tuple(everywhere + [
        (f"null of {', '.join(part)}", tuple(COMPARATOR if name in part else OWN for name in names)) for part in parts
    ])  # fmt: skip
