"""The Jacobian of a drift, generated from its trace: only the entries that exist, each an array of twins."""

from collections.abc import Callable, Sequence

import jax
from jax import Array
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

Drift = Callable[..., tuple[Array, ...]]
Entries = dict[tuple[int, int], Array]


def pattern(drift: Drift, state: Sequence[Array]) -> set[tuple[int, int]]:
    """Which output depends on which state variable: pairs (output, variable)."""
    closed = jax.make_jaxpr(drift)(*state)
    inputs = [{j} for j in range(len(state))]
    return {(i, j) for i, needed in enumerate(_dependencies(closed.jaxpr, inputs)) for j in needed}


def jacobian(drift: Drift, state: Sequence[Array]) -> Entries:
    """Entries d drift_i / d state_j of the pattern, by one forward derivative a variable.

    Each derivative sees one variable only, so nothing is computed for entries that are zero by structure.
    """
    wanted = pattern(drift, state)
    entries: Entries = {}
    for j, value in enumerate(state):

        def alone(x: Array, j: int = j) -> tuple[Array, ...]:
            return drift(*state[:j], x, *state[j + 1 :])

        _, column = jax.jvp(alone, (value,), (jax.numpy.ones_like(value),))
        entries |= {(i, j): column[i] for i in range(len(state)) if (i, j) in wanted}
    return entries


def _dependencies(jaxpr: Jaxpr, inputs: list[set[int]]) -> list[set[int]]:
    known: dict[object, set[int]] = dict(zip(jaxpr.invars, inputs, strict=True))

    def needs(atom: object) -> set[int]:
        return set() if isinstance(atom, Literal) else known.get(atom, set())

    for equation in jaxpr.eqns:
        needed = [needs(atom) for atom in equation.invars]
        inner = next((p for p in equation.params.values() if isinstance(p, ClosedJaxpr)), None)
        if inner is not None and len(inner.jaxpr.invars) == len(needed):
            outputs = _dependencies(inner.jaxpr, needed)
        else:
            outputs = [set().union(*needed)] * len(equation.outvars)
        known |= dict(zip(equation.outvars, outputs, strict=True))
    return [needs(atom) for atom in jaxpr.outvars]
