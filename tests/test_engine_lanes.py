"""The compiler of lanes, primitive by primitive against JAX, and what it refuses."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from cutis.core.engine import lanes as lanes_module
from cutis.core.engine import lanes_machine
from cutis.core.engine.lanes import Unsupported, each, machine

ULPS = 8  # of the result; JAX's own functions are a few units in the last place off
WIDE = np.r_[-30.0, -2.5, -1.0, -0.3, -1e-9, 0.0, 1e-9, 0.2, 0.99, 1.0, 1.7, 10.0, 80.0]
POSITIVE = np.r_[1e-300, 1e-12, 0.3, 0.9999, 1.0, 1.0001, 2.0, 7.5, 1e12]
ONE = {
    "abs": (jnp.abs, WIDE),
    "neg": (jnp.negative, WIDE),
    "sign": (jnp.sign, WIDE),
    "floor": (jnp.floor, WIDE),
    "square": (jnp.square, WIDE),
    "integer_pow": (lambda x: x**5, WIDE),
    "integer_pow, negative": (lambda x: x**-3, POSITIVE[1:-1]),
    "sqrt": (jnp.sqrt, POSITIVE),
    "exp": (jnp.exp, WIDE),
    "expm1": (jnp.expm1, np.r_[WIDE, 0.34, 0.36, -0.34, -0.36]),
    "log": (jnp.log, POSITIVE),
    "log1p": (jnp.log1p, np.r_[-0.9, -1e-9, 0.0, 1e-15, POSITIVE]),
    "logistic": (jax.nn.sigmoid, WIDE),
    "tanh": (jnp.tanh, WIDE),
    "sin": (jnp.sin, np.r_[WIDE, np.linspace(-900, 900, 64)]),
    "cos": (jnp.cos, np.r_[WIDE, np.linspace(-900, 900, 64)]),
    "is_finite": (jnp.isfinite, WIDE),
}
TWO = {
    "add": jnp.add,
    "sub": jnp.subtract,
    "mul": jnp.multiply,
    "div": lambda x, y: x / (y * y + 1),
    "max": jnp.maximum,
    "min": jnp.minimum,
    "lt": jnp.less,
    "le": jnp.less_equal,
    "gt": jnp.greater,
    "ge": jnp.greater_equal,
    "eq": jnp.equal,
    "ne": jnp.not_equal,
    "and": lambda x, y: (x > 0) & (y > 0),
    "or": lambda x, y: (x > 0) | ~(y > 0),
    "select": lambda x, y: jnp.where(x > y, x, y * 2),
    "clip": lambda x, y: jnp.clip(x, -jnp.abs(y), jnp.abs(y)),
    "pow": lambda x, y: jnp.abs(x) ** y,
}


def lanes(function, *arrays, width=16):
    return each(lambda people, common: function(*people), arrays, width=width)


def agree(ours, theirs, ulps=ULPS, name=""):
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.dtype == theirs.dtype
    assert ours.shape == theirs.shape
    if ours.dtype.kind == "f":
        few = ulps * np.finfo(ours.dtype).eps
        np.testing.assert_allclose(ours, theirs, rtol=few, atol=few * 1e-3, err_msg=name)
    else:
        np.testing.assert_array_equal(ours, theirs, err_msg=name)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_functions_of_one_number_agree_with_jax(dtype):
    def all_of_them(points):
        return {name: ONE[name][0](x) for name, x in points.items()}

    least = 1e-37 if dtype == "float32" else 0.0
    points = {name: jnp.asarray(x[(x == 0) | (np.abs(x) > least)], dtype=dtype) for name, (_, x) in ONE.items()}
    longest = max(map(len, points.values()))
    padded = {name: jnp.resize(x, longest) for name, x in points.items()}
    ours, theirs = each(lambda people, common: all_of_them(people), padded), jax.jit(all_of_them)(padded)
    for name in ONE:
        agree(ours[name], theirs[name], name=name)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_functions_of_two_numbers_agree_with_jax(dtype):
    def all_of_them(x, y):
        return {name: function(x, y) for name, function in TWO.items()}

    points = WIDE[(np.abs(WIDE) > 1e-3) & (np.abs(WIDE) < 20)]
    x, y = (jnp.asarray(a.ravel(), dtype=dtype) for a in np.meshgrid(points, points))
    ours, theirs = lanes(all_of_them, x, y), jax.jit(all_of_them)(x, y)
    for name in TWO:
        agree(ours[name], theirs[name], ulps=64 if name == "pow" else ULPS, name=name)


@pytest.mark.parametrize("name", ["float32", "int32", "int64", "bool"])
def test_conversions_agree_with_jax(name):
    x = jnp.asarray(WIDE)
    for source in (x, (x * 3).astype(name)):
        agree(lanes(lambda a: a.astype(name), source), source.astype(name))
        agree(lanes(lambda a: a.astype("float64"), source), source.astype("float64"))


def test_counts_and_flags_come_in_and_go_out():
    number, flag = jnp.arange(5), jnp.asarray([True, False, True, True, False])
    found, both = lanes(lambda n, f: (jnp.where(f, n * 2, n - 1), f & (n > 1)), number, flag)
    agree(found, jnp.where(flag, number * 2, number - 1))
    agree(both, flag & (number > 1))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_values_at_the_ends_of_the_format_are_those_of_jax(dtype):
    x = jnp.asarray([0.0, -1.0, math.inf, -math.inf, math.nan, 1e4, -1e4], dtype=dtype)
    functions = (jnp.exp, jnp.log, jnp.expm1, jnp.log1p, jnp.sqrt, jnp.tanh, jax.nn.sigmoid)
    powers = (0.0, 2.0, 3.0, -1.0, 0.5)

    def all_of_them(x):
        return [f(x) for f in functions] + [jnp.power(x, jnp.full_like(x, p)) for p in powers]

    for ours, theirs in zip(lanes(all_of_them, x), all_of_them(x), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_what_is_not_a_number_stays_so():
    x, y = jnp.asarray([math.nan, 1.0, math.nan]), jnp.asarray([1.0, math.nan, math.nan])
    for function in (
        jnp.maximum,
        jnp.minimum,
        lambda a, b: jnp.maximum(a * b, 0.5),
        lambda a, b: jnp.minimum(2.0, a * b),
    ):
        assert np.isnan(lanes(function, x, y)).all()


def test_angles_too_wide_to_have_a_place_are_not_numbers():
    assert np.isnan(lanes(jnp.cos, jnp.asarray([1e7, -math.inf]))).all()


def test_arrays_are_rearranged_as_by_jax():
    a, b = jnp.arange(1.0, 8.0), jnp.arange(7.0)
    found, total = lanes(
        lambda a, b: (jnp.concatenate([jnp.stack([a, b]), jnp.ones(2)]).reshape(2, 2).T, a + 3.0), a, b
    )
    assert found.shape == (2, 2, 7)
    agree(found[:, 0], jnp.stack([a, b]))
    agree(found[:, 1], jnp.ones((2, 7)))
    agree(total, a + 3.0)


def test_rows_of_people_and_tables_common_to_all():
    sites, common = jnp.arange(12.0).reshape(3, 4), jnp.asarray(0.5)
    table = jnp.arange(5000.0)

    def use(people, shared):
        rows, scalar = people
        return rows[0] * rows[2] + scalar * shared[4321], jnp.stack([rows[1], rows[0]])

    product, swapped = each(use, (sites, common), table)
    agree(product, sites[0] * sites[2] + 0.5 * 4321)
    agree(swapped, sites[1::-1])


def loops(people, table):
    a, rate, given = people

    def turn(i, state):
        y, t = state
        return y + table[i] * jnp.cos(a) - rate * y, t + table[i]

    state = lax.fori_loop(jnp.asarray(1), (table[0] + 4).astype("int64"), turn, (a, jnp.zeros_like(table[0])))

    def row(y, now):
        dose, index = now
        inner = lax.fori_loop(0, index, lambda _, z: z * 0.9, y + dose)
        return inner, (jnp.stack([inner, y]), inner > 1)

    last, (rows, high) = lax.scan(row, state[0], (given, jnp.arange(len(given))))
    back = lax.scan(lambda y, now: (y * rate + now, y), a, table[:6], reverse=True)
    return last, rows, high, *back


def test_loops_within_loops_agree_with_jax():
    rng = np.random.default_rng(1)
    a, given, table = (jnp.asarray(rng.uniform(0.1, 1, s)) for s in ((37,), (5, 37), (9,)))
    ours = jax.jit(lambda p, t: each(loops, p, t))((a, jnp.asarray(0.3), given), table)
    alone = jax.jit(jax.vmap(loops, in_axes=((0, None, 1), None), out_axes=-1))((a, jnp.asarray(0.3), given), table)
    for mine, theirs in zip(ours, alone, strict=True):
        agree(mine, theirs, ulps=32)


@pytest.mark.parametrize("width", [2, 8, 16, 32])
def test_bits_depend_neither_on_company_nor_on_place_nor_on_width(width):
    rng = np.random.default_rng(2)
    a, given, table = (jnp.asarray(rng.uniform(0.1, 1, s)) for s in ((41,), (5, 41), (9,)))
    whole = each(loops, (a, jnp.asarray(0.3), given), table)
    order = rng.permutation(41)[:23]
    part = each(loops, (a[order], jnp.asarray(0.3), given[:, order]), table, width=width)
    alone = each(loops, (a[40:], jnp.asarray(0.3), given[:, 40:]), table, width=width)
    for one, some, every in zip(alone, part, whole, strict=True):
        np.testing.assert_array_equal(np.asarray(some), np.asarray(every)[..., order])
        np.testing.assert_array_equal(np.asarray(one), np.asarray(every)[..., 40:])


@pytest.mark.parametrize(("wide", "double", "single"), [(True, 16, 16), (False, 8, 16)])
def test_a_value_takes_two_registers_of_this_machine(wide, double, single, monkeypatch):
    monkeypatch.setattr(lanes_module, "wide", lambda: wide)
    assert lanes_module.side_by_side(["int64", "float64"]) == double
    assert lanes_module.side_by_side(["float32", "int64"]) == single


def test_machine_code_made_in_another_way_bears_another_name(monkeypatch):
    names = set()
    for options in ((), (lanes_machine.IN_ORDER,)):
        monkeypatch.setattr(lanes_machine, "_options", lambda told=options: told)
        names.add(lanes_machine.named("module"))
    assert len(names) == 2


def test_constants_and_closed_over_arrays_are_common_to_all():
    long = jnp.arange(1000.0)

    @jax.jit
    def outer(x, shared):
        return each(lambda a, i: a * shared + long[i] + np.asarray([1.0, 2.0])[1], x, jnp.asarray(7))

    agree(outer(jnp.arange(3.0), jnp.asarray(2.0)), jnp.arange(3.0) * 2 + 9)


def test_what_is_no_array_is_handed_on():
    agree(
        each(lambda p, c: sum(p["x"] for _ in range(p["times"])), {"x": jnp.arange(3.0), "times": 2}),
        jnp.arange(3.0) * 2,
    )


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: jnp.sort(jnp.stack([x, -x])), "sort of float64"),
        (jax.scipy.special.erf, "erf of float64"),
        (lambda x: lax.while_loop(lambda y: y < 5, lambda y: y + 1, x), "ends at different times"),
        (lambda x: lax.dynamic_index_in_dim(jnp.arange(9.0), x.astype("int64")), "index that differs between people"),
        (lambda x: x.astype("complex128"), "numbers of type complex128"),
        (lambda x: lax.scan(lambda y, _: (y, y), x, None, length=3)[1] * 2, "stacked results of a scan"),
    ],
)
def test_what_lanes_do_not_know_is_an_error_that_says_so(function, message):
    with pytest.raises(Unsupported, match=message):
        lanes(function, jnp.arange(3.0))


@pytest.mark.parametrize(
    ("people", "message"),
    [
        ((), "scalars only"),
        (jnp.asarray(1.0), "scalars only"),
        ((jnp.ones(3), jnp.ones(4)), r"got \[3, 4\]"),
        (jnp.ones(0), "at least one person"),
    ],
)
def test_people_that_do_not_fit_together_are_an_error(people, message):
    with pytest.raises(ValueError, match=message):
        each(lambda p, c: p, people)


def test_the_machine_is_told_by_name():
    assert len(machine().split()) >= 1
