"""Drugs, classes and outcomes as people write them."""

from ..words import sentence, spaced

_NAMES = {
    "anti_tnf": "anti-TNF",
    "tnf": "anti-TNF",
    "p40": "IL-12/23p40",
    "p19": "IL-23p19",
    "il23": "IL-23p19",
    "il17": "IL-17",
    "il17a": "IL-17A",
    "il17af": "IL-17A/F",
    "il17ra": "IL-17RA",
    "pde4": "PDE4",
    "tyk2": "TYK2",
    "nb_uvb": "NB-UVB",
    "calcipotriol_betamethasone": "calcipotriol/betamethasone",
    "hla_c0602": "HLA-C*06:02",
    "bmi": "BMI",
    "iga01": "IGA 0/1",
    "iga3": "IGA below 3",
    "dlqi01": "DLQI 0/1",
    "half_improvement": "half of the improvement",
    "all": "everybody",
}


def called(key: str) -> str:
    """`PASI 75` of `pasi75`, `anti-TNF` of `anti_tnf`, otherwise the key with spaces.

    >>> called("pasi75"), called("p19"), called("weight")
    ('PASI 75', 'IL-23p19', 'weight')
    """
    if key.startswith("pasi") and key[4:].isdigit():
        return f"PASI {key[4:]}"
    return _NAMES.get(key, spaced(key))


def heading(key: str) -> str:
    """The name with a capital."""
    return sentence(called(key))
