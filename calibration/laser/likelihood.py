"""Which predicted numbers are compared with what the trials tell, and how closely: shares of people as counts, mean
shares of hair and ink with the standard error of as many people."""

import numpy as np

from ..terms import RECALLED, Counts, Means, Term, standard_error
from .crowd import given
from .table import Table
from .trials import MEANS, Reported

FITTED = ("hair", "ink", "texture")  # means with a term of their own


def term_of(figure: Reported) -> str:
    """The term whose variation beside chance a figure has."""
    return figure.what if figure.what in MEANS else "counts"


def error_of(figure: Reported) -> float | None:
    """Standard error by chance of a mean; None of a share of people."""
    if figure.what not in FITTED:
        return None
    return standard_error(given().value(f"deviation.{figure.what}"), figure.n)


def terms(table: Table) -> dict[str, Term]:
    """The terms by name, of the figures that are fitted."""
    rows: dict[str, list[tuple[float, ...]]] = {name: [] for name in ("counts", *FITTED)}
    for place, (_, figure) in enumerate(table.entries):
        if figure.role != "fit" or figure.value is None:
            continue
        more = 1.0 if figure.status == "measured" else RECALLED
        error = error_of(figure)
        if error is None:
            rows["counts"].append((place, figure.n, figure.n * figure.value, more))
        else:
            rows[figure.what].append((place, figure.value, error, more))
    found: dict[str, Term] = {}
    columns = np.array(rows["counts"], float).reshape(-1, 4).T
    upper, n = columns[0].astype(int), columns[1].astype(int)
    found["counts"] = Counts(upper, np.full(len(upper), -1), n, columns[2], columns[3])
    for name in FITTED:
        columns = np.array(rows[name], float).reshape(-1, 4).T
        place = columns[0].astype(int)
        if len(place):
            misfit = given().value(f"misfit.{name}")
            _, value, error, more = columns
            found[name] = Means(place, np.full(len(place), -1), value, error, more, misfit)
    return found
