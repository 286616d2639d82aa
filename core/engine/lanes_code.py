"""Instructions of lanes in LLVM IR: a value is a vector of people side by side, or a scalar that all of them share.

Whatever was computed before is found again, so that derivatives that were traced apart share what they have in common.
"""

from collections import ChainMap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from llvmlite import ir

Number = float | int | bool
Single = Any  # a value in LLVM IR, and its type: llvmlite does not say what they have
Type = Any
FLAGS = ("contract",)  # a product and a sum may become one rounding, as XLA does
QUOTIENT = (*FLAGS, "arcp")  # several quotients with one divisor may become products with its reciprocal
PREDICATES = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "=="}
TYPES = {
    np.dtype("float64"): ir.DoubleType(),
    np.dtype("float32"): ir.FloatType(),
    np.dtype("int64"): ir.IntType(64),
    np.dtype("int32"): ir.IntType(32),
    np.dtype("bool"): ir.IntType(1),
}


class Unsupported(NotImplementedError):
    """What the compiler of lanes does not know; the caller may compute it with XLA."""


def scalar(kind: Type) -> Type:
    """The type of one lane."""
    return kind.element if isinstance(kind, ir.VectorType) else kind


def floating(kind: Type) -> bool:
    """Whether values of a type are floating-point numbers."""
    return isinstance(scalar(kind), (ir.DoubleType, ir.FloatType))


class Code:
    """Where instructions are written: `width` people side by side."""

    def __init__(self, module: ir.Module, builder: ir.IRBuilder, width: int):
        self.module, self.builder, self.width = module, builder, width
        self.known: ChainMap[tuple, Single] = ChainMap()

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Within it, what is computed is forgotten at its end: the code after a loop must not use what is inside."""
        outside, self.known = self.known, self.known.new_child()
        yield
        self.known = outside

    def once(self, key: tuple, make: Any) -> Single:
        """The value known by a key, made if it is not known."""
        if key not in self.known:
            self.known[key] = make()
        return self.known[key]

    def lanes(self, kind: Type) -> ir.VectorType:
        """The type of `width` people's values."""
        return ir.VectorType(scalar(kind), self.width)

    def constant(self, kind: Type, number: Number) -> Single:
        """A number as a value of a type."""
        one = scalar(kind)
        number = float(number) if floating(one) else int(number)
        if isinstance(one, ir.FloatType):
            number = float(np.float32(number))
        return self.once(("constant", str(kind), repr(number)), lambda: _constant(kind, one, number))

    def spread(self, value: Single) -> Single:
        """A value in every lane."""
        if isinstance(value.type, ir.VectorType):
            return value
        kind = self.lanes(value.type)
        if isinstance(value, ir.Constant):
            return self.constant(kind, value.constant)

        def make() -> Single:
            nothing, first = ir.Constant(kind, ir.Undefined), ir.Constant(ir.IntType(32), 0)
            one = self.builder.insert_element(nothing, value, first)
            places = ir.Constant(ir.VectorType(ir.IntType(32), self.width), [0] * self.width)
            return self.builder.shuffle_vector(one, nothing, places)

        return self.once(("spread", id(value)), make)

    def alike(self, *values: Single | Number) -> list[Single]:
        """Values of one shape: in lanes if any of them is; numbers take the type of the first value."""
        like: Any = _first(values)
        full: list[Single] = [v if isinstance(v, ir.Value) else self.constant(scalar(like.type), v) for v in values]
        if any(isinstance(value.type, ir.VectorType) for value in full):
            return [self.spread(value) for value in full]
        return full

    def emit(self, name: str, *values: Single | Number, flags: Sequence[str] = (), **more: Any) -> Single:
        """One instruction of llvmlite's builder on values of one shape."""
        operands = self.alike(*values)

        def make() -> Single:
            options = {"flags": flags, **more} if flags else more
            return getattr(self.builder, name)(*operands, **options)

        return self.once((name, *map(id, operands), *more.values()), make)

    def _either(self, of_floats: str, of_integers: str, values: Sequence[Single | Number]) -> Single:
        like = _first(values)
        return self.emit(of_floats, *values, flags=FLAGS) if floating(like.type) else self.emit(of_integers, *values)

    def add(self, *values: Single | Number) -> Single:
        return self._either("fadd", "add", values)

    def sub(self, *values: Single | Number) -> Single:
        return self._either("fsub", "sub", values)

    def mul(self, *values: Single | Number) -> Single:
        return self._either("fmul", "mul", values)

    def div(self, *values: Single | Number) -> Single:
        like = _first(values)
        if not floating(like.type):
            raise Unsupported("division of integers")
        return self.emit("fdiv", *values, flags=QUOTIENT)

    def neg(self, value: Single) -> Single:
        return self.emit("fneg", value) if floating(value.type) else self.emit("neg", value)

    def compare(self, name: str, *values: Single | Number) -> Single:
        """`lt`, `le`, `gt`, `ge`, `eq`, `ne`; of NaN only `ne` holds. Integers are signed, booleans know `eq`, `ne`."""
        operands = self.alike(*values)
        if floating(operands[0].type):
            kind, sign = ("fcmp_unordered", "!=") if name == "ne" else ("fcmp_ordered", PREDICATES[name])
        else:
            kind, sign = "icmp_signed", "!=" if name == "ne" else PREDICATES[name]
        return self.once((kind, sign, *map(id, operands)), lambda: getattr(self.builder, kind)(sign, *operands))

    def select(self, where: Single, yes: Single | Number, no: Single | Number) -> Single:
        """`yes` where a condition holds, else `no`."""
        parts = [where, *self.alike(yes, no)]
        if any(isinstance(part.type, ir.VectorType) for part in parts):
            parts = list(map(self.spread, parts))
        return self.once(("select", *map(id, parts)), lambda: self.builder.select(*parts))

    def further(self, name: str, x: Single | Number, y: Single | Number) -> Single:
        """The greater (`gt`) or the lesser (`lt`) of two; NaN if either is."""
        one, other = self.alike(x, y)
        if isinstance(other, ir.Constant):
            one, other = other, one  # where a comparison with NaN fails, the second is taken: so that NaN stays
        chosen = self.select(self.compare(name, one, other), one, other)
        if not floating(one.type) or isinstance(one, ir.Constant):
            return chosen
        return self.select(self.compare("ne", one, one), one, chosen)

    def intrinsic(self, name: str, *values: Single) -> Single:
        """A function that LLVM knows, such as `llvm.sqrt`."""
        kind = values[0].type
        suffix = {"double": "f64", "float": "f32"}[str(scalar(kind))]
        full = f"{name}.v{self.width}{suffix}" if isinstance(kind, ir.VectorType) else f"{name}.{suffix}"
        function = self.module.globals.get(full) or ir.Function(
            self.module, ir.FunctionType(kind, [kind] * len(values)), full
        )
        return self.once((full, *map(id, values)), lambda: self.builder.call(function, values))

    def bits(self, value: Single, kind: Type) -> Single:
        """The same bits as another type of lane."""
        whole = self.lanes(kind) if isinstance(value.type, ir.VectorType) else kind
        return self.once(("bits", id(value), str(kind)), lambda: self.builder.bitcast(value, whole))

    def convert(self, value: Single, kind: Type) -> Single:
        """A value as another type of lane."""
        old, one = scalar(value.type), kind
        if str(old) == str(one):
            return value
        if isinstance(one, ir.IntType) and one.width == 1:
            return self.compare("ne", value, 0)
        truth = isinstance(old, ir.IntType) and old.width == 1
        match floating(old), floating(one):
            case True, True:
                name = "fpext" if isinstance(one, ir.DoubleType) else "fptrunc"
            case True, False:
                name = "fptosi"
            case False, True:
                name = "uitofp" if truth else "sitofp"
            case _:
                name = "zext" if truth else ("sext" if one.width > old.width else "trunc")
        whole = self.lanes(one) if isinstance(value.type, ir.VectorType) else one
        return self.once((name, id(value), str(one)), lambda: getattr(self.builder, name)(value, whole))


def _first(values: Sequence[Single | Number]) -> Any:
    """The first value that is not a plain number."""
    return next(value for value in values if isinstance(value, ir.Value))


def _constant(kind: Type, one: Type, number: Number) -> ir.Constant:
    single = ir.Constant(one, number)
    if kind is one or not isinstance(kind, ir.VectorType):
        return single
    return _Repeated(kind, [number] * kind.count)


class _Repeated(ir.Constant):
    """A number in every lane, written once."""

    def get_reference(self) -> str:
        first: Any = self.constant[0]
        return f"splat ({first.type} {first.get_reference()})"
