"""The columns of a regression: an intercept, centred covariates, one indicator for each arm but the comparator."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from .proportions import Contrast

TOLERANCE = 1e-9


class Data(NamedTuple):
    """Twins with a value and all covariates, before the columns of a model are chosen.

    Args:
      outcome: shape (twins,).
      covariates: shape (twins, columns); a category has one column for each level but the first.
      arms: indicators, shape (twins, arms but the comparator); the last is the arm of the contrast.
      names: of the columns of the covariates.
      kinds: how each covariate enters the model.
    """

    outcome: np.ndarray
    covariates: np.ndarray
    arms: np.ndarray
    names: tuple[str, ...]
    kinds: dict[str, str]

    def keep(self, rows: np.ndarray) -> "Data":
        """The same for some of the twins (a mask)."""
        return self._replace(outcome=self.outcome[rows], covariates=self.covariates[rows], arms=self.arms[rows])


class Design(NamedTuple):
    """Columns that do not depend on each other.

    Args:
      columns: shape (twins, columns): intercept, covariates about their means in units of their SD, arms.
      arm: where the arm of the contrast stands (the last column); None if the other columns determine it.
      dropped: columns of covariates that are constant or determined by those before them.
    """

    columns: np.ndarray
    arm: int | None
    dropped: tuple[str, ...]


def read(table: pd.DataFrame, contrast: Contrast) -> tuple[Data, pd.DataFrame, str]:
    """The regression's data, the rows of the table they come from, and a note on twins left out.

    Raises:
      ValueError: a covariate is not in the table, or a value is infinite.
    """
    wanted = list(contrast.covariates)
    for name in wanted:
        if name not in table.columns:
            known = ", ".join(sorted(set(table.columns) - {"twin", "arm", "value", "missing"}))
            raise ValueError(f"no covariate {name!r} in the analysis table; it has {known}")
    valued = table["value"].notna().to_numpy()
    complete = valued & ~table[wanted].isna().to_numpy().any(axis=1)
    rows = table.loc[complete]
    lacking = int(valued.sum() - complete.sum())
    note = f"twins left out for lack of a covariate: {lacking}" if lacking else ""
    columns: list[np.ndarray] = []
    names: list[str] = []
    kinds: dict[str, str] = {}
    for name in wanted:
        new, kinds[name] = _columns(name, rows[name])
        names += new
        columns += new.values()
    arm_of = np.asarray(rows["arm"], dtype=object)
    others = sorted(set(arm_of) - {contrast.arm, contrast.comparator})
    arms = np.column_stack([(arm_of == arm).astype(float) for arm in (*others, contrast.arm)])
    covariates = np.column_stack(columns) if columns else np.empty((len(rows), 0))
    outcome = rows["value"].to_numpy(float)
    if not (np.isfinite(outcome).all() and np.isfinite(covariates).all()):
        raise ValueError("the analysis table holds an infinite value or covariate; expected finite numbers")
    return Data(outcome, covariates, arms, tuple(names), kinds), rows, note


def assemble(data: Data) -> Design:
    """Columns for a fit; the arms come last, so that no covariate can take their place."""
    count, covariates = data.covariates.shape
    raw = np.column_stack([np.ones(count), data.covariates, data.arms])
    kept = _independent(raw)
    columns = raw[:, kept]
    inner = [place for place, column in enumerate(kept) if 0 < column <= covariates]
    if inner:
        columns[:, inner] -= columns[:, inner].mean(axis=0)
        columns[:, inner] /= columns[:, inner].std(axis=0)
    arm = len(kept) - 1 if kept and kept[-1] == raw.shape[1] - 1 else None
    lost = [data.names[j - 1] for j in range(1, covariates + 1) if j not in kept]
    return Design(columns, arm, tuple(lost))


def _columns(name: str, values: Any) -> tuple[dict[str, np.ndarray], str]:
    if pd.api.types.is_bool_dtype(values):
        return {name: values.to_numpy(float)}, "yes/no"
    if pd.api.types.is_numeric_dtype(values):
        return {name: values.to_numpy(float)}, "number"
    levels = sorted({str(value) for value in values})
    text = values.astype(str).to_numpy()
    reference = f" (reference {levels[0]})" if levels else ""
    return {f"{name} {level}": (text == level).astype(float) for level in levels[1:]}, f"category{reference}"


def _independent(raw: np.ndarray) -> list[int]:
    """Places of the columns that are not a combination of columns before them."""
    basis = np.empty((len(raw), 0))
    kept: list[int] = []
    for place in range(raw.shape[1]):
        length = np.linalg.norm(raw[:, place])
        if length == 0:
            continue
        rest = raw[:, place] / length
        for _ in range(2):  # once more, because rounding leaves a trace of the basis
            rest = rest - basis @ (basis.T @ rest)
        left = np.linalg.norm(rest)
        if left > TOLERANCE:
            basis = np.column_stack([basis, rest / left])
            kept.append(place)
    return kept


def options(data: Data, rows: pd.DataFrame) -> dict[str, Any]:
    """What the model adjusts for and is fitted to, in words for the options of a result."""
    return {
        "arms_fitted": sorted(set(rows["arm"])),
        "covariates": data.kinds,
        "strata": "adjusted for only if listed among the covariates",
    }
