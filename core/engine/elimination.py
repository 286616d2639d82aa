"""Sparse elimination, unrolled while tracing: its order is found from the pattern, its fill-in is known.

Pivots are taken from the diagonal: the matrices of a linearly implicit step are dominated by it once the step
resolves the solution.
"""

from collections.abc import Callable, Sequence
from functools import partial

from jax import Array

from .jacobian import Entries

Solver = Callable[[Sequence[Array]], tuple[Array, ...]]


def order(pattern: set[tuple[int, int]], n: int) -> list[int]:
    """Pivots in the order of least fill-in (Markowitz 1957: fewest neighbours by row times column first)."""
    filled, left, pivots = set(pattern), set(range(n)), []
    while left:
        pivot = min(left, key=partial(_cost, filled, frozenset(left)))
        left.remove(pivot)
        pivots.append(pivot)
        filled |= {(i, j) for i in left if (i, pivot) in filled for j in left if (pivot, j) in filled}
    return pivots


def _cost(filled: set[tuple[int, int]], left: frozenset[int], k: int) -> tuple[int, int]:
    rows = sum((i, k) in filled for i in left if i != k)
    columns = sum((k, j) in filled for j in left if j != k)
    return rows * columns, k


def factorise(matrix: Entries, n: int) -> Solver:
    """Eliminate a sparse matrix whose diagonal is present; returns the map from right-hand side to solution."""
    a = dict(matrix)
    pivots = order(set(a), n)
    inverse: dict[int, Array] = {}
    lower: dict[tuple[int, int], Array] = {}
    for step, k in enumerate(pivots):
        inverse[k] = 1 / a[k, k]
        later = pivots[step + 1 :]
        for i in (i for i in later if (i, k) in a):
            lower[i, k] = a[i, k] * inverse[k]
            for j in (j for j in later if (k, j) in a):
                product = lower[i, k] * a[k, j]
                a[i, j] = a[i, j] - product if (i, j) in a else -product

    def solve(right: Sequence[Array]) -> tuple[Array, ...]:
        x = list(right)
        for step, k in enumerate(pivots):
            for i in (i for i in pivots[step + 1 :] if (i, k) in lower):
                x[i] = x[i] - lower[i, k] * x[k]
        for step, k in reversed(list(enumerate(pivots))):
            for j in (j for j in pivots[step + 1 :] if (k, j) in a):
                x[k] = x[k] - a[k, j] * x[j]
            x[k] = x[k] * inverse[k]
        return tuple(x)

    return solve
