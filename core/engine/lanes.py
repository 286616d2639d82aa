"""A function of people compiled to lanes: 8 or 16 twins side by side in the processor's vector registers.

`each(function, people, common)` is `function(people, common)`, computed apart from XLA: the function's jaxpr, traced
for one person, is written as instructions of LLVM (`lanes_jaxpr`), whole loops in time included, and called by XLA
like an operation of its own. It works under `jit` and beside anything of JAX's, holds no lock of Python's, and gives a
person the same bits whoever stands beside. It has no derivatives and runs on processors, not on accelerators.
"""

import ctypes
import threading
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.extend.core import ClosedJaxpr, Literal
from llvmlite import binding as llvm
from llvmlite import ir

from .lanes_code import Code, Single, Unsupported
from .lanes_jaxpr import BYTE, COUNT, Compiler, Table, kind_of, read
from .lanes_machine import compiled, machine, named, optimised, wide

__all__ = ["Unsupported", "each", "machine", "optimised", "plain", "side_by_side"]

_ONE_AT_A_TIME = threading.Lock()  # a name is made known to XLA once
POINTER = ir.PointerType()
# Places in XLA's call frame, in bytes (xla/ffi/api/c_api.h, version 0.3; it keeps older versions for a year).
EXTENSION, ARGUMENTS, RESULTS, DATA, METADATA, VERSION = 8, 72, 112, 24, 24, 24


def each(function: Callable[..., Any], people: Any, common: Any = (), *, width: int | None = None) -> Any:
    """`function(people, common)`, in lanes.

    Args:
      function: elementwise in people, who are the last axis of its results. It is traced for one person, without that
        axis. Arrays that it closes over are common to all.
      people: a tree of arrays whose last axis is people; scalars in it are common to all, and what is no array (a
        number of Python's) is handed on as it is.
      common: a tree of arrays that all people share, such as a mesh.
      width: people side by side, by default as many as are fastest here; results do not depend on it.

    Raises:
      Unsupported: the function does what lanes cannot, such as a loop that ends at different times for people.
      ValueError: people is empty, or its arrays have different numbers of people.
    """
    leaves, tree = jax.tree.flatten((people, common))
    size = len(jax.tree.leaves(people))
    mine, shared = ([jnp.asarray(a) for a in part if _array(a)] for part in (leaves[:size], leaves[size:]))
    count = _count(mine)
    width = width or side_by_side(a.dtype for a in mine)
    alone = [jax.ShapeDtypeStruct(a.shape[:-1], a.dtype) for a in mine]
    whole = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in shared]

    def one(*arrays: Array) -> Any:
        rest = iter(arrays)
        return function(*jax.tree.unflatten(tree, [next(rest) if _array(leaf) else leaf for leaf in leaves]))

    closed, shapes = jax.make_jaxpr(one, return_shape=True)(*alone, *whole)
    used, padding = read(closed.jaxpr), -count % width
    consts = list(map(jnp.asarray, closed.consts))
    differ = [False] * len(consts) + [a.ndim > 0 for a in mine] + [False] * len(shared)
    name = _registered(closed, differ, width)
    inputs = zip([*consts, *mine, *shared], differ, used, strict=True)
    given = [_padded(a, padding) if own else a for a, own, u in inputs if u]
    results = [jax.ShapeDtypeStruct((*r.shape, count + padding), r.dtype) for r in jax.tree.leaves(shapes)]
    found = jax.ffi.ffi_call(name, results)(jnp.asarray(count + padding, dtype="int64"), *given)
    return jax.tree.unflatten(jax.tree.structure(shapes), [r[..., :count] for r in found])


def side_by_side(dtypes: Iterable[Any]) -> int:
    """How many people are fastest side by side, whose numbers have these types: a value takes two registers.

    Measured for float64 in registers of 512 and 256 bits, for float32 in those of 256; more would not find room in
    the registers, fewer leave the processor waiting.
    """
    double = any(np.dtype(dtype) == np.float64 for dtype in dtypes)
    return 8 if double and not wide() else 16


def plain(function: Callable[..., Any], people: Any, common: Any = ()) -> Any:
    """`function(people, common)` as XLA computes it: what `each` is compared with, and what replaces it where lanes
    are not to be had."""
    return function(people, common)


def _array(leaf: Any) -> bool:
    return isinstance(leaf, jax.Array | np.ndarray | np.generic)


def _padded(values: Array, padding: int) -> Array:
    """People repeated at the end, to whole groups of lanes."""
    return jnp.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, padding)], mode="edge")


def _count(leaves: Sequence[Array]) -> int:
    counts = {a.shape[-1] for a in leaves if a.ndim}
    if len(counts) != 1:
        raise ValueError(f"people: expected arrays with one last axis, got {sorted(counts) or 'scalars only'}")
    if 0 in counts:
        raise ValueError("people: expected at least one person, got none")
    return counts.pop()


def _registered(closed: ClosedJaxpr, differ: Sequence[bool], width: int) -> str:
    """The name under which XLA knows the compiled jaxpr, which says what it computes and for which machine."""
    text = written(closed, differ, width)
    name = named(text)
    with _ONE_AT_A_TIME:
        _target(name, text)
    return name


@cache
def _target(name: str, text: str) -> llvm.ExecutionEngine:
    """Machine code of a module, made known to XLA; kept, since XLA holds its address."""
    engine = compiled(text, name)
    capsule = ctypes.pythonapi.PyCapsule_New
    capsule.restype, capsule.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    jax.ffi.register_ffi_target(name, capsule(engine.get_function_address("handler"), None, None), platform="cpu")
    return engine


def written(closed: ClosedJaxpr, differ: Sequence[bool], width: int) -> str:
    """The module of a jaxpr: `run` for all people, `handler` as XLA calls it.

    differ: of each input (constants first), whether people differ in it.
    """
    module = ir.Module("lanes")
    names, used = [*closed.jaxpr.constvars, *closed.jaxpr.invars], read(closed.jaxpr)
    inputs = [(v, own) for v, own, u in zip(names, differ, used, strict=True) if u]
    outputs = closed.jaxpr.outvars
    pointers = [POINTER] * (len(inputs) + len(outputs))
    run = ir.Function(module, ir.FunctionType(ir.VoidType(), [COUNT, *pointers]), "run")
    for argument in run.args[1:]:
        argument.add_attribute("noalias")
    run.attributes.add("nounwind")
    builder = ir.IRBuilder(run.append_basic_block("begin"))
    code, zero, one = Code(module, builder, width), ir.Constant(COUNT, 0), ir.Constant(COUNT, 1)
    people, begin = run.args[0], run.entry_basic_block
    head, entry, work, after = map(run.append_basic_block, ("people", "entry", "work", "done"))
    builder.branch(head)
    builder.position_at_end(head)
    first = builder.phi(COUNT)
    first.add_incoming(zero, begin)
    builder.cbranch(builder.icmp_signed("<", first, people), entry, after)
    builder.position_at_end(entry)
    builder.branch(work)
    builder.position_at_end(work)

    def table(pointer: Single, aval: Any, own: bool) -> Table:
        single = BYTE if aval.dtype == bool else kind_of(aval.dtype)
        own_or_shared = (code.lanes(single), people, first) if own else (single, one, zero)
        return Table(pointer, aval.shape, single, *own_or_shared)

    compiler = Compiler(code, run, begin, entry)
    places = run.args[1 + len(inputs) :]
    targets = [table(pointer, v.aval, own=True) for pointer, v in zip(places, outputs, strict=True)]
    made = {v for equation in closed.jaxpr.eqns for v in equation.outvars}
    once = [not isinstance(v, Literal) and v in made and outputs.count(v) == 1 for v in outputs]
    compiler.destination = {v: t for v, t, alone in zip(outputs, targets, once, strict=True) if alone}
    taken = {v: table(pointer, v.aval, own) for pointer, (v, own) in zip(run.args[1:], inputs, strict=False)}
    results = compiler.run(closed.jaxpr, taken)
    for target, result in zip(targets, results, strict=True):
        if result is not target:
            compiler.put(target, compiler.elements(result))
    first.add_incoming(builder.add(first, ir.Constant(COUNT, width)), builder.block)
    builder.branch(head)
    builder.position_at_end(after)
    builder.ret_void()
    _handler(module, run, len(inputs))
    return str(module)


def _handler(module: ir.Module, run: ir.Function, inputs: int) -> None:
    """What XLA calls: it unpacks the call frame; asked for its version, it says that of the caller."""
    handler = ir.Function(module, ir.FunctionType(POINTER, [POINTER]), "handler")
    b = ir.IRBuilder(handler.append_basic_block())
    frame, nothing, byte = handler.args[0], ir.Constant(POINTER, None), ir.IntType(8)

    def at(pointer: Single, place: int) -> Single:
        return b.gep(pointer, [ir.Constant(COUNT, place)], source_etype=byte)

    def held(pointer: Single, place: int) -> Single:
        return b.load(at(pointer, place), typ=POINTER)

    extension = held(frame, EXTENSION)
    with b.if_then(b.icmp_unsigned("!=", extension, nothing)):  # the one kind there is
        version = ir.Constant(COUNT, 3 << 32)  # 0 in the first 32 bits, 3 in the last
        b.store(version, at(held(extension, METADATA), VERSION))
        b.ret(nothing)
    given, wanted = held(frame, ARGUMENTS), held(frame, RESULTS)
    people = b.load(held(held(given, 0), DATA), typ=COUNT)
    taken = [held(held(given, 8 * (k + 1)), DATA) for k in range(inputs)]
    results = [held(held(wanted, 8 * k), DATA) for k in range(len(run.args) - 1 - inputs)]
    b.call(run, [people, *taken, *results])
    b.ret(nothing)
