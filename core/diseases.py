"""The diseases that can be simulated."""

from .acne.disease import ACNE
from .disease import Disease
from .psoriasis.disease import PSORIASIS

DISEASES: dict[str, Disease] = {disease.name: disease for disease in (PSORIASIS, ACNE)}
