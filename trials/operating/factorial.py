"""A factorial trial of two treatments: main effects at the margins, their interaction, and each treatment alone.

The effect at the margins is the mean of what a treatment does without and with the other. It is the effect of the
treatment alone where the two do not interact; what an interaction makes of it stands beside it.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..statistics.methods.estimate import Estimate
from .arrangements import Factorial
from .pool import Columns, Pool
from .replicates import World

if TYPE_CHECKING:
    from ..study import Analysis, Study

# Of each analysis, what its arm and its comparator are of the cells neither, first, second, both.
ROWS = np.array([
    [[0, 0.5, 0, 0.5], [0.5, 0, 0.5, 0]],
    [[0, 0, 0.5, 0.5], [0.5, 0.5, 0, 0]],
    [[0, 0, -1, 1], [-1, 1, 0, 0]],
    [[0, 1, 0, 0], [1, 0, 0, 0]],
    [[0, 0, 1, 0], [1, 0, 0, 0]],
])  # fmt: skip
WEIGHTS = ROWS[:, 0] - ROWS[:, 1]
MAIN = 2  # of the analyses, the first ones, which decide
FIRST, SECOND, INTERACTION, FIRST_ALONE, SECOND_ALONE = range(5)


def names(plan: Factorial) -> tuple[str, ...]:
    """What the analyses are called."""
    margins = (f"{arm} at the margins" for arm in (plan.first, plan.second))
    return (*margins, "interaction", f"{plan.first} alone", f"{plan.second} alone")


def chosen(plan: Factorial, analysis: "Analysis") -> dict[str, "Analysis"]:
    """The analyses, of the outcome of this one, without covariates."""
    plain = analysis.model_copy(update={"covariates": ()})
    pairs = [(plan.first, plan.neither), (plan.second, plan.neither), (plan.both, plan.neither),
             (plan.first, plan.neither), (plan.second, plan.neither)]  # fmt: skip
    return {name: plain.model_copy(update={"arm": arm, "comparator": comparator})
            for name, (arm, comparator) in zip(names(plan), pairs, strict=True)}  # fmt: skip


def pairs(plan: Factorial, analysis: "Analysis") -> dict[str, "Analysis"]:
    """Two comparisons in which all four cells are."""
    plain = analysis.model_copy(update={"covariates": ()})
    return {"one": plain.model_copy(update={"arm": plan.both, "comparator": plan.neither}),
            "other": plain.model_copy(update={"arm": plan.first, "comparator": plan.second})}  # fmt: skip


def problems(study: "Study", plan: Factorial) -> Iterator[str]:
    """What keeps the arms from being a factorial."""
    for word, arm in zip(("neither", "first", "second", "both"), plan.cells, strict=True):
        if arm not in study.trial.arms:
            yield f"design.factorial.{word}: no arm {arm!r}; the arms are {', '.join(study.trial.arms)}"
    if extra := sorted(set(study.trial.arms) - set(plan.cells)):
        yield f"design.factorial: the arm {extra[0]} is none of its four; a factorial has no other arms"


def sources(plan: Factorial) -> dict[str, tuple[int, int, int, int]]:
    """Under each hypothesis, whose potential outcomes the cells neither, first, second, both have."""
    return {
        "model": (0, 1, 2, 3),
        "null as comparator": (0, 0, 0, 0),
        "null as arm": (3, 3, 3, 3),
        f"null of {plan.first}": (0, 0, 2, 2),
        f"null of {plan.second}": (0, 1, 0, 1),
    }


def worlds(plan: Factorial) -> tuple[World, ...]:
    """The hypotheses; an analysis that finds nothing under one has both sides from the comparator."""
    found = []
    for name, cells in sources(plan).items():
        same = WEIGHTS @ (np.array(cells)[:, None] == np.arange(4))  # what each contrast is of the four outcomes
        found.append((name, tuple((0, 1) if row.any() else (1, 1) for row in same)))
    return tuple(found)


def cell_values(found: dict[str, Columns]) -> np.ndarray:
    """Values of neither, first, second and both, NaN where there are none, (4, pool); of the columns of `pairs`."""
    of = {name: np.where(columns.counts, columns.value, np.nan) for name, columns in found.items()}
    return np.stack([of["one"][1], of["other"][0], of["other"][1], of["one"][0]])


def prepared(plan: Factorial, pool: Pool, arms: tuple[str, ...]) -> tuple[Pool, np.ndarray, tuple[int, ...]]:
    """The pool with the columns of each analysis, the values of the cells, and the numbers of their arms."""
    values = cell_values(pool.columns)
    cells = tuple(arms.index(name) for name in plan.cells)
    both = [(cells[1], cells[0]), (cells[2], cells[0]), (cells[3], cells[0])]
    columns = {}
    for name, rows, numbers in zip(names(plan), ROWS, [*both, both[0], both[1]], strict=True):
        # A weight of 0 is of no value, whether or not there is one.
        value = np.stack([np.einsum("g,gp->p", row[row != 0], values[row != 0]) for row in rows])
        nothing = np.zeros((*value.shape, 0))
        columns[name] = Columns(value, np.isnan(value), nothing, np.ones(value.shape, bool), numbers)
    return pool._replace(columns=columns), values, cells


def of_cells(plan: Factorial, means: np.ndarray) -> dict[str, float]:
    """What each analysis has of the means of the cells, (4,)."""
    return dict(zip(names(plan), map(float, WEIGHTS @ means), strict=True))


def sides(plan: Factorial, means: np.ndarray) -> dict[str, tuple[float, float]]:
    """What stands on the side of the arm and of the comparator of each analysis."""
    return {name: (float(arm), float(other)) for name, (arm, other) in zip(names(plan), ROWS @ means, strict=True)}


def supposed_truth(plan: Factorial, truth: dict[str, float]) -> dict[tuple[str, str], float]:
    """True values under every hypothesis, by hypothesis and analysis."""
    called = names(plan)
    one, other, joint = (truth[called[i]] for i in (FIRST_ALONE, SECOND_ALONE, INTERACTION))
    means = np.array([0.0, one, other, one + other + joint])  # above those of neither
    return {(hypothesis, name): value for hypothesis, cells in sources(plan).items()
            for name, value in of_cells(plan, means[list(cells)]).items()}  # fmt: skip


def compared(plan: Factorial) -> dict[str, dict[str, str]]:
    """What each analysis compares, in words."""
    one, other = plan.first, plan.second
    sides_ = [
        (f"{one} (with or without {other})", f"no {one} (with or without {other})"),
        (f"{other} (with or without {one})", f"no {other} (with or without {one})"),
        (f"the effect of {one} with {other}", "its effect without"),
        (one, plan.neither),
        (other, plan.neither),
    ]
    return {name: {"arm": arm, "comparator": side, "method": "means of the four arms, by t"}
            for name, (arm, side) in zip(names(plan), sides_, strict=True)}  # fmt: skip


def notes(plan: Factorial, truth: dict[str, float]) -> list[str]:
    """What a reader should know."""
    called = names(plan)
    told = [
        f"{arm}: true effect at the margins {truth[called[margin]]:.4g}, alone {truth[called[alone]]:.4g}"
        for arm, margin, alone in ((plan.first, FIRST, FIRST_ALONE), (plan.second, SECOND, SECOND_ALONE))
    ]
    told.append(
        f"true interaction {truth[called[INTERACTION]]:.4g} (what {plan.both} does beyond the sum of both, as a "
        "difference); the effect at the margins is that of a treatment alone only if this is 0"
    )
    told.append("means of the four arms with their own variances, by t; covariates do not enter")
    return told


def again(
    values: np.ndarray, who: np.ndarray, given: np.ndarray, cells: tuple[int, ...], df: np.ndarray, level: float
) -> Estimate:  # fmt: skip
    """The analyses of one replicate by statsmodels: least squares of four means with HC2 variances, (analyses,).

    Args:
      values: (4, pool). who, given: (people,). df: degrees of freedom of each, which HC2 does not have.
    """
    import statsmodels.api as sm
    from scipy.stats import t

    cell = np.select([given == arm for arm in cells], range(4))
    frame = pd.DataFrame({"cell": cell, "value": values[cell, who]}).dropna()
    if frame["cell"].value_counts().reindex(range(4), fill_value=0).min() < 2:
        nothing = np.full(len(WEIGHTS), np.nan)
        return Estimate(nothing, nothing, nothing, nothing, nothing, nothing, nothing + 1, nothing)
    dummies = (frame["cell"].to_numpy()[:, None] == np.arange(4)).astype(float)
    found = sm.OLS(frame["value"].to_numpy(), dummies).fit(cov_type="HC2").t_test(WEIGHTS)
    estimate, se = np.ravel(found.effect), np.ravel(found.sd)
    still = ~(se > 0)
    se = np.where(still, np.nan, se)
    half = t.isf((1 - level) / 2, df) * se
    p = np.where(still, 1.0, 2 * t.sf(np.abs(estimate / se), df))
    return Estimate(estimate, se, estimate - half, estimate + half, estimate / se, df, p, np.zeros(len(se), int))
