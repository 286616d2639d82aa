"""From a jaxpr to instructions of lanes: elementwise operations, small arrays unrolled, loops whose course all share.

The function is traced for one person. What differs between people becomes a vector, what they share stays a scalar. An
array of few elements is an array of such values; a longer one stays in memory, from where a loop takes what it needs.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal
from llvmlite import ir

from . import lanes_math as elementary
from .lanes_code import TYPES, Code, Single, Type, Unsupported
from .lanes_primitives import BINARY, FLOATS_ONLY, STRUCTURE, UNARY, along

COUNT, BYTE = ir.IntType(64), ir.IntType(8)
UNROLLED = 256  # elements of an array that are held apart
Elements = np.ndarray  # of objects, each a value in LLVM IR


class Table(NamedTuple):
    """An array in memory: element k is at place `k * stride + offset`.

    single: type of a place. whole: type of an element, a vector where people differ.
    """

    pointer: Single
    shape: tuple[int, ...]
    single: Type
    whole: Type
    stride: Single
    offset: Single


Value = Elements | Table


def varying(jaxpr: Jaxpr, inputs: Sequence[bool]) -> list[bool]:
    """Which results differ between people, given which inputs do."""
    known: dict[Any, bool] = dict(zip(jaxpr.invars, inputs, strict=True))

    def of(atom: Any) -> bool:
        return not isinstance(atom, Literal) and known.get(atom, False)

    for equation in jaxpr.eqns:
        differ = [of(atom) for atom in equation.invars]
        inner = _inner(equation)
        if equation.primitive.name in ("while", "scan"):
            consts, carry, rest = _loop_parts(equation, differ)
            body = equation.params["body_jaxpr" if equation.primitive.name == "while" else "jaxpr"].jaxpr
            carry = _fixed(body, consts, carry, rest)
            outputs = carry + varying(body, [*consts, *carry, *rest])[len(carry) :]
        elif inner is not None:
            outputs = varying(inner.jaxpr, differ)
        else:
            outputs = [any(differ)] * len(equation.outvars)
        known |= dict(zip(equation.outvars, outputs, strict=True))
    return [of(atom) for atom in jaxpr.outvars]


def _fixed(body: Jaxpr, consts: list[bool], carry: list[bool], rest: list[bool]) -> list[bool]:
    """Which parts of a carry differ between people after any number of turns."""
    while True:
        after = varying(body, [*consts, *carry, *rest])[: len(carry)]
        joined = [before or later for before, later in zip(carry, after, strict=True)]
        if joined == carry:
            return carry
        carry = joined


def _loop_parts(equation: JaxprEqn, values: Sequence[Any]) -> tuple[list[Any], list[Any], list[Any]]:
    """Of a loop's inputs, those of its body: constants, carry, and what a scan takes a row of in each turn."""
    values, p = list(values), equation.params
    if equation.primitive.name == "while":
        values = values[p["cond_nconsts"] :]
        return values[: p["body_nconsts"]], values[p["body_nconsts"] :], []
    first, second = p["num_consts"], p["num_consts"] + p["num_carry"]
    return values[:first], values[first:second], values[second:]


def _inner(equation: JaxprEqn) -> ClosedJaxpr | None:
    """The jaxpr of a function that is merely called."""
    found = equation.params.get("jaxpr", equation.params.get("call_jaxpr"))
    return found if isinstance(found, ClosedJaxpr) and equation.primitive.name not in ("while", "scan") else None


class Compiler:
    """Writes a jaxpr's instructions.

    begin: the function's first block. entry: the first of every turn over people, where inputs are read.
    destination: of results that a scan may write row by row, their places in memory.
    """

    def __init__(self, code: Code, function: ir.Function, begin: ir.Block, entry: ir.Block):
        self.code, self.function, self.begin, self.entry = code, function, begin, entry
        self.destination: dict[Any, Table] = {}
        self.read: dict[tuple[int, int], Single] = {}

    def run(self, jaxpr: Jaxpr, inputs: Mapping[Any, Value]) -> list[Value]:
        """The results of a jaxpr, given its variables and what they hold."""
        known = dict(inputs)
        for equation in needed(jaxpr):
            operands = [self.literal(a) if isinstance(a, Literal) else known[a] for a in equation.invars]
            known |= dict(zip(equation.outvars, self.equation(equation, operands), strict=True))
        return [self.literal(a) if isinstance(a, Literal) else known[a] for a in jaxpr.outvars]

    def called(self, closed: ClosedJaxpr, values: Sequence[Value]) -> list[Value]:
        """The results of a jaxpr that brings its constants."""
        consts = dict(zip(closed.jaxpr.constvars, map(self.literal, closed.consts), strict=True))
        return self.run(closed.jaxpr, consts | dict(zip(closed.jaxpr.invars, values, strict=True)))

    def literal(self, atom: Any) -> Elements:
        """A constant as it stands in a jaxpr."""
        number = np.asarray(atom.val if isinstance(atom, Literal) else atom)
        if number.size > UNROLLED:
            raise Unsupported(f"a constant of {number.size} elements; hand it over as an input")
        return _mapped(lambda one: self.code.constant(kind_of(number.dtype), one), number)

    def equation(self, equation: JaxprEqn, values: Sequence[Value]) -> Sequence[Value]:
        name, p, c = equation.primitive.name, equation.params, self.code
        kind = np.dtype(getattr(equation.invars[0].aval, "dtype", float)) if equation.invars else np.dtype(float)
        inner = _inner(equation)
        if inner is not None:
            pairs = zip(inner.jaxpr.outvars, equation.outvars, strict=True)
            self.destination |= {a: self.destination[b] for a, b in pairs if b in self.destination}
            return self.called(inner, values)
        if name == "while":
            return self.loop(equation, values)
        if name == "scan":
            return self.scan(equation, values)
        if name == "dynamic_slice":
            return [self.part(values[0], [self.elements(v).item() for v in values[1:]], p["slice_sizes"])]
        if name in STRUCTURE:
            return [self.rearranged(STRUCTURE[name], p, values)]
        if name == "iota":
            return [self.literal(np.broadcast_to(along(p["shape"], p["dimension"]), p["shape"]).astype(p["dtype"]))]
        arrays = list(map(self.elements, values))
        if name == "convert_element_type":
            return [_mapped(lambda x: c.convert(x, kind_of(p["new_dtype"])), *arrays)]
        if name == "integer_pow":
            return [_mapped(lambda x: elementary.integer_power(c, x, p["y"]), *arrays)]
        if name == "select_n" and len(arrays) == 3 and kind.kind == "b":
            return [_mapped(lambda where, no, yes: c.select(where, yes, no), *arrays)]
        if name == "clamp":
            return [_mapped(lambda low, x, high: c.further("lt", c.further("gt", x, low), high), *arrays)]
        known = UNARY.get(name) or BINARY.get(name)
        if known is None or (name in FLOATS_ONLY and kind.kind != "f"):
            raise Unsupported(f"{name} of {kind}: lanes do not know it")
        return [_mapped(lambda *one: known(c, *one), *arrays)]

    def rearranged(self, way: Callable[..., np.ndarray], p: dict[str, Any], values: Sequence[Value]) -> Elements:
        """Arrays whose elements only change their places."""
        if len(values) == 1 and isinstance(values[0], Table):
            table = values[0]
            places = way(p, np.arange(int(np.prod(table.shape))).reshape(table.shape))
            if places.size > UNROLLED:
                raise Unsupported(f"an array of {places.size} elements outside of a loop")
            return _mapped(lambda k: self.fetched(table, int(k)), places)
        return way(p, *map(self.elements, values))

    def elements(self, value: Value) -> Elements:
        """An array as its elements, read from memory if need be."""
        if isinstance(value, Table):
            return self.rearranged(lambda p, a: a, {}, [value])
        return value

    def fetched(self, table: Table, k: int) -> Single:
        """An element at a fixed place, read before anything else is done."""

        key = (id(table.pointer), k)
        if key not in self.read:
            with self.code.builder.goto_block(self.entry):
                self.read[key] = self._load(table, ir.Constant(COUNT, k))
        return self.read[key]

    def _place(self, table: Table, k: Single) -> Single:
        b = self.code.builder
        return b.gep(table.pointer, [b.add(b.mul(k, table.stride), table.offset)], source_etype=table.single)

    def _load(self, table: Table, k: Single) -> Single:
        value = self.code.builder.load(self._place(table, k), typ=table.whole, align=1)
        return self.code.compare("ne", value, 0) if table.single == BYTE else value

    def store(self, table: Table, k: Single, value: Single) -> None:
        """Write an element, in every lane where people differ."""
        value = self.code.spread(value)
        if table.single == BYTE:
            value = self.code.builder.zext(value, table.whole)
        self.code.builder.store(value, self._place(table, k), align=1)

    def part(self, value: Value, begins: list[Single], sizes: Sequence[int]) -> Elements:
        """`sizes` elements along each axis from `begins` on, which are held within the array."""
        c = self.code
        shape = value.shape
        if any(isinstance(begin.type, ir.VectorType) for begin in begins):
            raise Unsupported("an index that differs between people")
        if not isinstance(value, Table):
            value = self.spilled(value)
        place = c.constant(COUNT, 0)
        for begin, size, extent in zip(begins, sizes, shape, strict=True):
            held = c.further("gt", c.further("lt", c.convert(begin, COUNT), extent - size), 0)
            place = c.add(c.mul(place, extent), held)
        offsets = np.arange(int(np.prod(shape))).reshape(shape)[tuple(slice(size) for size in sizes)]
        if offsets.size > UNROLLED:
            raise Unsupported(f"an array of {offsets.size} elements within a loop")
        return _mapped(lambda k: self._load(value, c.add(place, int(k))), offsets)

    def spilled(self, elements: Elements) -> Table:
        """Elements in memory of their own, from where they can be taken by number."""
        c, b = self.code, self.code.builder
        flat = c.alike(*elements.ravel())
        kind = flat[0].type
        with b.goto_block(self.begin):
            pointer = b.alloca(kind, size=ir.Constant(COUNT, len(flat)))
        one, zero = ir.Constant(COUNT, 1), ir.Constant(COUNT, 0)
        table = Table(pointer, elements.shape, kind, kind, one, zero)
        for k, value in enumerate(flat):
            b.store(value, self._place(table, ir.Constant(COUNT, k)))
        return table

    def loop(self, equation: JaxprEqn, values: Sequence[Value]) -> Sequence[Value]:
        """`while`: the end must be the same for all people."""
        cond, body = equation.params["cond_jaxpr"], equation.params["body_jaxpr"]
        before = values[: equation.params["cond_nconsts"]]
        consts, carry, _ = _loop_parts(equation, values)

        def goes_on(now: Sequence[Elements]) -> Single:
            going = self.elements(self.called(cond, [*before, *now])[0]).item()
            if isinstance(going.type, ir.VectorType):
                raise Unsupported("a loop that ends at different times for different people")
            return going

        return self.turns(body.jaxpr, consts, carry, [], goes_on, lambda now: self.called(body, [*consts, *now]))

    def scan(self, equation: JaxprEqn, values: Sequence[Value]) -> list[Value]:
        """`scan`: rows are taken from memory; stacked results go where the function's results go."""
        p, c = equation.params, self.code
        body, length = p["jaxpr"], p["length"]
        consts, carry, rows = _loop_parts(equation, values)
        tables = [row if isinstance(row, Table) else self.spilled(row) for row in rows]
        stacked = equation.outvars[p["num_carry"] :]
        if any(type(v).__name__ != "DropVar" and v not in self.destination for v in stacked):
            raise Unsupported("stacked results of a scan that are not results of the function")

        def turn(now: Sequence[Elements]) -> list[Value]:
            count, *state = now
            number = count.item()
            place = c.sub(length - 1, number) if p["reverse"] else number
            taken = [self.row(table, place) for table in tables]
            after = self.called(body, [*consts, *state, *taken])
            for variable, result in zip(stacked, after[len(state) :], strict=True):
                if variable in self.destination:
                    self.put(self.destination[variable], self.elements(result), place)
            return [_mapped(lambda n: c.add(n, 1), count), *after[: len(state)]]

        start = self.literal(np.int64(0))
        rest = [_differs(row) for row in rows]
        _, *state = self.turns(
            body.jaxpr, consts, [start, *carry], rest, lambda now: c.compare("lt", now[0].item(), length), turn
        )
        return [*state, *(self.destination.get(v, np.empty(0, object)) for v in stacked)]

    def row(self, table: Table, number: Single) -> Elements:
        """Row `number` of the first axis."""
        zero = self.code.constant(COUNT, 0)
        rest = table.shape[1:]
        return self.part(table, [number, *(zero for _ in rest)], (1, *rest)).reshape(rest)

    def put(self, table: Table, values: Elements, number: Single | None = None) -> None:
        """Write an array, or row `number` of one that is stacked."""
        first = self.code.constant(COUNT, 0) if number is None else self.code.mul(number, values.size)
        for k, value in enumerate(values.ravel()):
            self.store(table, self.code.add(first, k), value)

    def turns(
        self,
        body: Jaxpr,
        consts: Sequence[Value],
        carry: Sequence[Value],
        rest: list[bool],
        goes_on: Callable[[Sequence[Elements]], Single],
        turn: Callable[[Sequence[Elements]], list[Value]],
    ) -> list[Elements]:
        """A loop: the carry after the last turn."""
        c, b = self.code, self.code.builder
        counted = len(carry) - (len(body.invars) - len(consts) - len(rest))  # 1 for the counter of a scan
        arrays = list(map(self.elements, carry))
        differ = [_differs(a) for a in arrays[counted:]]
        differ = [False] * counted + _fixed(body, [_differs(v) for v in consts], differ, rest)
        spread = [_mapped(c.spread, a) if d else a for a, d in zip(arrays, differ, strict=True)]
        before, head = b.block, self.function.append_basic_block("head")
        inside, after = self.function.append_basic_block("turn"), self.function.append_basic_block("after")
        b.branch(head)
        b.position_at_end(head)
        now = [_mapped(lambda x: _joined(b, x, before), a) for a in spread]
        with c.scope():
            b.cbranch(goes_on(now), inside, after)
            b.position_at_end(inside)
            later = [self.elements(v) for v in turn(now)]
            for phis, values, d in zip(now, later, differ, strict=True):
                for phi, value in zip(phis.ravel(), values.ravel(), strict=True):
                    phi.add_incoming(c.spread(value) if d else value, b.block)
            b.branch(head)
        b.position_at_end(after)
        return now


def needed(jaxpr: Jaxpr) -> list[JaxprEqn]:
    """The equations on which a result depends, in their order."""
    wanted = {a for a in jaxpr.outvars if not isinstance(a, Literal)}
    found: list[JaxprEqn] = []
    for equation in reversed(jaxpr.eqns):
        if any(v in wanted for v in equation.outvars):
            found.append(equation)
            wanted |= {a for a in equation.invars if not isinstance(a, Literal)}
    return found[::-1]


def read(jaxpr: Jaxpr) -> list[bool]:
    """Which inputs (constants first) the results depend on."""
    wanted = {a for a in jaxpr.outvars if not isinstance(a, Literal)}
    wanted |= {a for e in needed(jaxpr) for a in e.invars if not isinstance(a, Literal)}
    return [v in wanted for v in (*jaxpr.constvars, *jaxpr.invars)]


def kind_of(dtype: Any) -> Type:
    """The type of one lane that holds numbers of a type of NumPy's."""
    if np.dtype(dtype) not in TYPES:
        known = ", ".join(map(str, TYPES))
        raise Unsupported(f"numbers of type {np.dtype(dtype)}; known are {known}")
    return TYPES[np.dtype(dtype)]


def _joined(b: ir.IRBuilder, value: Single, before: Any) -> Single:
    phi = b.phi(value.type)
    phi.add_incoming(value, before)
    return phi


def _differs(value: Value) -> bool:
    if isinstance(value, Table):
        return isinstance(value.whole, ir.VectorType)
    return any(isinstance(one.type, ir.VectorType) for one in value.ravel())


def _mapped(way: Callable[..., Any], *arrays: np.ndarray) -> Elements:
    """A function of single values, of arrays of one shape."""
    shape = max((a.shape for a in arrays), key=len)
    found = np.empty(shape, dtype=object)
    for place in np.ndindex(shape):
        found[place] = way(*(a[place] if a.shape else a.item() for a in arrays))
    return found
