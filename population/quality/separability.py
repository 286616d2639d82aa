"""Can a classifier tell one table's people from another's? The classifier two-sample test."""

from typing import Any

import numpy as np

from ..fitting.data import Data


def separability(people: Data, others: Data, seed: int, most: int, folds: int) -> float:
    """Cross-validated area under the curve of gradient-boosted trees: 0.5 if the tables cannot be told apart.

    As many are drawn from either table, by weight. Somebody drawn twice is always in one fold.

    Args:
      most: of either table.
    """
    # Deferred: a second to load, and only here.
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score
    from threadpoolctl import threadpool_limits

    rng = np.random.default_rng(seed)
    size = min(most, people.size, others.size)
    if size < 2 * folds:
        raise ValueError(f"a classifier needs at least {2 * folds} people and twins, here are {size}")
    drawn = [_draw(data.weights, size, rng) for data in (people, others)]
    first, second = people.take(drawn[0]), others.take(drawn[1])
    columns = np.concatenate([columns_of(first), columns_of(second)])
    side = np.repeat([0, 1], size)
    fold = np.concatenate(
        [rng.integers(folds, size=data.size)[ids] for data, ids in zip((people, others), drawn, strict=True)]
    )
    nominal = np.arange(columns.shape[1]) >= len(people.numbers)
    score = np.empty(2 * size)
    options: dict[str, Any] = {"early_stopping": False, "random_state": seed}
    if nominal.any():
        options["categorical_features"] = nominal
    with threadpool_limits(1):  # a sum split over threads would make the last bit depend on their number
        for k in range(folds):
            trees = HistGradientBoostingClassifier(**options)
            trees.fit(columns[fold != k], side[fold != k])
            # Scores of different folds come from different classifiers, so only ranks within a fold are compared.
            score[fold == k] = trees.predict_proba(columns[fold == k])[:, 1]
    areas = [roc_auc_score(side[fold == k], score[fold == k]) for k in range(folds)]
    return float(np.average(areas, weights=np.bincount(fold, minlength=folds)))


def _draw(weights: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Positions of a systematic sample in random order: each is drawn in proportion to its weight."""
    order = rng.permutation(len(weights))
    steps = np.cumsum(weights[order]) / np.sum(weights)
    return order[np.minimum(np.searchsorted(steps, (np.arange(size) + rng.random()) / size), len(weights) - 1)]


def columns_of(data: Data) -> np.ndarray:
    """Shape (people, numbers and categories); NaN where missing."""
    codes = [np.where(values < 0, np.nan, values) for values in data.categories.values()]
    return np.column_stack([*data.numbers.values(), *codes])
