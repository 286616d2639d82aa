"""Twins whose response a logistic model predicts for certain, which leaves an odds ratio without a finite estimate."""

import numpy as np


def foretold(columns: np.ndarray, outcome: np.ndarray) -> np.ndarray:
    """Mask of the twins whose outcome some combination of the columns predicts without error.

    Such a combination exists exactly if the maximum likelihood estimate does not [Albert and Anderson 1984,
    Biometrika 71:1]; it is found by linear programming. In the limit the other twins alone inform about what is
    still estimable [Geyer 2009, Electron J Stat 3:259].

    Args:
      columns: shape (twins, columns).
      outcome: 0 or 1, shape (twins,).
    """
    from scipy.optimize import linprog

    signed = columns * (2 * outcome - 1)[:, None]
    found = np.zeros(len(outcome), bool)
    while not found.all():
        rest = np.unique(signed[~found], axis=0)
        # The most that right predictions can gain while none is wrong, and twins already foretold stay so.
        bounds = [(-1.0, 1.0)] * columns.shape[1]
        edge = np.unique(signed, axis=0)
        best = linprog(-rest.sum(axis=0), A_ub=-edge, b_ub=np.zeros(len(edge)), bounds=bounds, method="highs")
        new = ~found & (signed @ best.x > 1e-7) if best.status == 0 else np.zeros_like(found)
        if not new.any():
            break
        found |= new
    return found
