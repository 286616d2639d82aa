"""The diseases that can be simulated."""

from .disease import Disease
from .psoriasis.disease import PSORIASIS

DISEASES: dict[str, Disease] = {PSORIASIS.name: PSORIASIS}
