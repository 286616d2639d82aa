"""Conditions on columns, written as text: names, numbers, levels in quotes, arithmetic, comparisons, and, or, not.

A rule may come from somebody else, so the text is read by a small grammar of its own and never run.
"""

import ast
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

_ARITHMETIC: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
}
_COMPARISONS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
}
_LONGEST = 500  # letters; no condition that a person writes is longer


def names(text: str) -> frozenset[str]:
    """The columns that a condition speaks of.

    >>> sorted(names("age < 16 and abs(weight - 60) > 90"))
    ['age', 'weight']
    """
    return frozenset(_names(_parse(text)))


def holds(text: str, columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """Where a condition is true, shape (people,).

    Args:
      columns: every name of the condition: numbers, or for comparison with a level in quotes, names of levels.

    >>> holds("dbp >= sbp or smoking == 'never'", {"dbp": np.array([80, 90]), "sbp": np.array([120, 90]),
    ...     "smoking": np.array(["former", "current"])})
    array([False,  True])
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.asarray(_value(_parse(text), columns), dtype=bool)


def _parse(text: str) -> ast.expr:
    wrong = f"cannot read {text!r}: expected a comparison of columns and numbers"
    if len(text) > _LONGEST:
        raise ValueError(f"a condition has at most {_LONGEST} letters, this one {len(text)}")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ValueError(wrong) from None
    if not _is_condition(tree):
        raise ValueError(wrong)
    return tree


def _is_condition(node: ast.expr) -> bool:
    match node:
        case ast.BoolOp(values=values):
            return all(_is_condition(value) for value in values)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return _is_condition(operand)
        case ast.Compare(left=left, ops=ops, comparators=rest):
            return all(type(op) in _COMPARISONS for op in ops) and all(_is_quantity(part) for part in (left, *rest))
    return False


def _is_quantity(node: ast.expr) -> bool:
    match node:
        case ast.Name():
            return True
        case ast.Constant(value=value):
            return isinstance(value, int | float | str) and not isinstance(value, bool)
        case ast.BinOp(left=left, op=op, right=right):
            return type(op) in _ARITHMETIC and _is_quantity(left) and _is_quantity(right)
        case (
            ast.UnaryOp(op=ast.USub(), operand=operand) | ast.Call(func=ast.Name(id="abs"), args=[operand], keywords=[])
        ):
            return _is_quantity(operand)
    return False


def _names(node: ast.expr) -> set[str]:
    called = {part.func for part in ast.walk(node) if isinstance(part, ast.Call)}
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and part not in called}


def _value(node: ast.expr, columns: Mapping[str, np.ndarray]) -> Any:
    match node:
        case ast.Name(id=name):
            return columns[name]
        case ast.Constant(value=value):
            return float(value) if isinstance(value, int | float) else value
        case ast.BinOp(left=left, op=op, right=right):
            return _ARITHMETIC[type(op)](_value(left, columns), _value(right, columns))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return np.logical_not(_value(operand, columns))
        case ast.UnaryOp(operand=operand):
            return np.negative(_value(operand, columns))
        case ast.Call(args=[operand]):
            return np.abs(_value(operand, columns))
        case ast.BoolOp(op=op, values=values):
            joined = np.logical_and if isinstance(op, ast.And) else np.logical_or
            return joined.reduce([_value(value, columns) for value in values])
        case ast.Compare(left=left, ops=ops, comparators=rest):
            sides = [_value(part, columns) for part in (left, *rest)]
            pairs = zip(ops, sides[:-1], sides[1:], strict=True)
            return np.logical_and.reduce([_COMPARISONS[type(op)](first, second) for op, first, second in pairs])
    raise AssertionError("read by _parse, so one of the above")
