"""Events that come back: rates by Andersen and Gill, and the conditional and marginal models, robust by person."""

import numpy as np

from .cox import Hazards, Ties, cox


def andersen_gill(start, stop, event, covariates, person, ties: Ties = "breslow") -> Hazards:
    """Ratio of event rates [Andersen and Gill 1982, Ann Stat 10:1100].

    With the robust variance (`coefficient(..., robust=True)`) this is the proportional rates model of Lin, Wei, Yang
    and Ying [2000, J R Stat Soc B 62:711], which leaves open how a person's events depend on each other.

    Args:
      start, stop, event, person: rows (start, stop] of a person, ending with an event (1) or without (0), (rows,).
      covariates: (rows, p).
    """
    return cox(stop, event, covariates, start, None, person, ties)


def prentice_williams_peterson(
    start, stop, event, covariates, person, number, gap: bool = False, ties: Ties = "breslow"
) -> Hazards:
    """Hazard of the next event, strata by its number [Prentice, Williams and Peterson 1981, Biometrika 68:373].

    Args:
      number: of the event that a row waits for, 1, 2, ..., (rows,).
      gap: time since the last event instead of time in the study.
    """
    start, stop = np.asarray(start, float), np.asarray(stop, float)
    if gap:
        return cox(stop - start, event, covariates, None, number, person, ties)
    return cox(stop, event, covariates, start, number, person, ties)


def wei_lin_weissfeld(stop, event, covariates, person, number, ties: Ties = "breslow") -> Hazards:
    """Each event's own time since entry, one stratum a number [Wei, Lin and Weissfeld 1989, J Am Stat Assoc 84:1065].

    Every person has a row for every number, at risk for it from the beginning.
    """
    person, number = np.asarray(person), np.asarray(number)
    rows = {(p, n) for p, n in zip(person.tolist(), number.tolist(), strict=True)}
    if len(rows) < len(person) or len(rows) != len(np.unique(person)) * len(np.unique(number)):
        raise ValueError("each person needs one row for each number of event, had it happened or not")
    return cox(stop, event, covariates, None, number, person, ties)


def interactions(covariate: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Columns that give a covariate an effect of its own on each number of event: (rows, numbers)."""
    number = np.asarray(number)
    return np.asarray(covariate, float)[:, None] * (number[:, None] == np.unique(number)[None, :])
