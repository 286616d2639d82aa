"""What an arm of a trial of psoriasis receives."""

from typing import Any

from ...evidence import regimens
from ...evidence.regimens import Course

TREATMENTS = (
    "adalimumab",
    "etanercept",
    "infliximab",
    "certolizumab",
    "ustekinumab",
    "guselkumab",
    "tildrakizumab",
    "risankizumab",
    "secukinumab",
    "ixekizumab",
    "bimekizumab",
    "brodalumab",
    "apremilast",
    "deucravacitinib",
    "methotrexate",
    "nb_uvb",
    "calcipotriol_betamethasone",
)


def read_course(entry: Any, where: str) -> Course:
    """A course as the tables write it, of one of TREATMENTS.

    Raises:
      ValueError: with the place, what is wrong with it.
    """
    return regimens.read_course(entry, where, TREATMENTS)
