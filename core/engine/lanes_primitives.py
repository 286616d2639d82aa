"""What each primitive of JAX is in lanes: operations on single values, and rearrangements of arrays of them."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import lanes_math as elementary
from .lanes_code import Code, Single, scalar


def along(shape: Sequence[int], axis: int) -> np.ndarray:
    """0, 1, ... along an axis of an array of so many axes."""
    return np.arange(shape[axis]).reshape([-1 if i == axis else 1 for i in range(len(shape))])


def _broadcast(p: dict[str, Any], a: np.ndarray) -> np.ndarray:
    places = p["broadcast_dimensions"]
    shape = [a.shape[places.index(i)] if i in places else 1 for i in range(len(p["shape"]))]
    return np.broadcast_to(a.reshape(shape), p["shape"])


def _slice(p: dict[str, Any], a: np.ndarray) -> np.ndarray:
    steps = p["strides"] or (1,) * a.ndim
    return a[tuple(map(slice, p["start_indices"], p["limit_indices"], steps))]


UNARY: dict[str, Callable[[Code, Single], Single]] = {
    "abs": lambda c, x: c.intrinsic("llvm.fabs", x),
    "copy": lambda c, x: x,
    "cos": elementary.cos,
    "exp": elementary.exp,
    "expm1": elementary.expm1,
    "floor": lambda c, x: c.intrinsic("llvm.floor", x),
    "is_finite": lambda c, x: c.compare("lt", c.intrinsic("llvm.fabs", x), np.inf),
    "log": elementary.log,
    "log1p": elementary.log1p,
    "logistic": elementary.logistic,
    "neg": Code.neg,
    "not": lambda c, x: c.emit("not_", x),
    "sign": lambda c, x: c.select(c.compare("gt", x, 0), 1, c.select(c.compare("lt", x, 0), -1, x)),
    "sin": elementary.sin,
    "sqrt": lambda c, x: c.intrinsic("llvm.sqrt", x),
    "square": lambda c, x: c.mul(x, x),
    "stop_gradient": lambda c, x: x,
    "tanh": elementary.tanh,
}
BINARY: dict[str, Callable[[Code, Single, Single], Single]] = {
    "add": Code.add,
    "add_any": Code.add,
    "and": lambda c, x, y: c.emit("and_", x, y),
    "div": Code.div,
    "eq": lambda c, x, y: c.compare("eq", x, y),
    "ge": lambda c, x, y: c.compare("ge", x, y),
    "gt": lambda c, x, y: c.compare("gt", x, y),
    "le": lambda c, x, y: c.compare("le", x, y),
    "lt": lambda c, x, y: c.compare("lt", x, y),
    "max": lambda c, x, y: c.further("gt", x, y),
    "min": lambda c, x, y: c.further("lt", x, y),
    "mul": Code.mul,
    "ne": lambda c, x, y: c.compare("ne", x, y),
    "or": lambda c, x, y: c.emit("or_", x, y),
    "pow": lambda c, x, y: elementary.power(c, x, c.convert(y, scalar(x.type))),
    "sub": Code.sub,
}
FLOATS_ONLY = {name for name in UNARY if name not in ("copy", "neg", "not", "stop_gradient", "sign", "square")}
STRUCTURE: dict[str, Callable[..., np.ndarray]] = {
    "broadcast_in_dim": _broadcast,
    "concatenate": lambda p, *a: np.concatenate(a, axis=p["dimension"]),
    "reshape": lambda p, a: a.reshape(p["new_sizes"]),
    "slice": _slice,
    "stack": lambda p, *a: np.stack(a, axis=p["axis"]),
    "squeeze": lambda p, a: np.squeeze(a, axis=tuple(p["dimensions"])),
    "transpose": lambda p, a: a.transpose(p["permutation"]),
}
