"""Elementary functions in lanes: a few multiplications each, no library, the same bits in every lane.

Arguments are reduced with the constants of their format; the rest is a Taylor polynomial on a short interval. Relative
errors are a few units in the last place (tests hold them to JAX's). NaN gives NaN, and so does what has no value.
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from llvmlite import ir

from .lanes_code import Code, Single, scalar

PI_HALF = Fraction(math.pi / 2) + Fraction(6.123233995736766e-17)  # each with what a double leaves of it
LN2 = Fraction(math.log(2)) + Fraction(2.3190468138462996e-17)


class Format(NamedTuple):
    """A floating-point format: bits of its mantissa, exponent bias, and what polynomials need in it.

    whole: adding it leaves an integer in the last bits. split: bits of a constant that multiply exactly. widest: of an
    angle. exp, expm1, log, sin: degrees.
    """

    integer: ir.IntType
    mantissa: int
    bias: int
    whole: float
    split: int
    widest: float
    low: float
    high: float
    exp: int
    expm1: int
    log: int
    sin: int


DOUBLE = Format(ir.IntType(64), 52, 1023, 1.5 * 2.0**52, 33, 1e6, -746.0, 710.0, 13, 14, 21, 17)
SINGLE = Format(ir.IntType(32), 23, 127, 1.5 * 2.0**23, 12, 1e3, -104.0, 89.0, 7, 8, 9, 9)


def exp(c: Code, x: Single) -> Single:
    """The exponential; infinite or 0 beyond the format."""
    f = _format(x)
    held = c.further("gt", c.further("lt", x, f.high), f.low)
    shifted = c.add(c.mul(held, 1 / math.log(2)), f.whole)
    k = c.sub(shifted, f.whole)
    rest = _less(c, held, k, _parts(LN2, f))
    power = c.sub(c.bits(shifted, f.integer), _bits(f, f.whole))
    half = c.emit("ashr", power, 1)  # two factors, since 2^k itself may lie beyond the format
    value = polynomial(c, rest, [1 / math.factorial(n) for n in range(f.exp + 1)])
    return c.mul(c.mul(value, _power(c, f, half)), _power(c, f, c.sub(power, half)))


def expm1(c: Code, x: Single) -> Single:
    """exp(x) - 1, exact also near 0."""
    f = _format(x)
    near = c.mul(x, polynomial(c, x, [1 / math.factorial(n + 1) for n in range(f.expm1)]))
    return c.select(c.compare("lt", c.intrinsic("llvm.fabs", x), 0.35), near, c.sub(exp(c, x), 1.0))


def log(c: Code, x: Single) -> Single:
    """The natural logarithm: minus infinity of 0, NaN below."""
    f = _format(x)
    tiny = c.compare("lt", x, 2.0 ** (1 - f.bias))
    lifted = f.mantissa + 2
    normal = c.bits(c.select(tiny, c.mul(x, 2.0**lifted), x), f.integer)
    power = c.emit("ashr", c.sub(normal, _bits(f, math.sqrt(0.5))), f.mantissa)
    m = c.bits(c.sub(normal, c.emit("shl", power, f.mantissa)), scalar(x.type))
    whole = c.sub(c.bits(c.add(power, _bits(f, f.whole)), scalar(x.type)), f.whole)
    k = c.sub(whole, c.select(tiny, c.constant(x.type, lifted), c.constant(x.type, 0.0)))
    s = c.div(c.sub(m, 1.0), c.add(m, 1.0))
    q = c.mul(s, s)
    tail = c.mul(q, polynomial(c, q, [2 / n for n in range(3, f.log + 1, 2)]))
    first, *later = _parts(LN2, f)
    small = c.add(c.mul(s, tail), c.mul(k, float(sum(later))))
    value = c.add(c.mul(k, float(first)), c.add(c.mul(s, 2.0), small))
    value = c.select(c.compare("lt", x, math.inf), value, x)
    below = c.select(c.compare("eq", x, 0.0), c.constant(x.type, -math.inf), c.constant(x.type, math.nan))
    return c.select(c.compare("gt", x, 0.0), value, below)


def log1p(c: Code, x: Single) -> Single:
    """log(1 + x), exact also near 0: what 1 + x rounds away is put back."""
    u = c.add(x, 1.0)
    value, lost = log(c, u), c.div(c.sub(x, c.sub(u, 1.0)), u)
    return c.select(c.compare("lt", c.intrinsic("llvm.fabs", value), math.inf), c.add(value, lost), value)


def logistic(c: Code, x: Single) -> Single:
    return c.div(1.0, c.add(exp(c, c.neg(x)), 1.0))


def tanh(c: Code, x: Single) -> Single:
    size = expm1(c, c.mul(c.intrinsic("llvm.fabs", x), -2.0))
    value = c.neg(c.div(size, c.add(size, 2.0)))
    return c.intrinsic("llvm.copysign", *c.alike(value, x))


def power(c: Code, x: Single, y: Single) -> Single:
    """x ** y; of a negative x only for whole y."""
    x, y = c.alike(x, y)
    size = c.intrinsic("llvm.fabs", x)
    value = exp(c, c.mul(y, log(c, size)))
    value = c.select(c.compare("eq", y, 0.0), c.constant(x.type, 1.0), value)
    value = c.select(c.compare("eq", x, 1.0), c.constant(x.type, 1.0), value)
    half = c.mul(y, 0.5)
    odd = c.compare("ne", c.intrinsic("llvm.floor", half), half)
    whole = c.compare("eq", c.intrinsic("llvm.floor", y), y)
    signed = c.select(odd, c.neg(value), value)
    endless = c.select(c.compare("lt", size, math.inf), c.constant(x.type, math.nan), value)
    below = c.select(whole, signed, endless)
    return c.select(c.compare("lt", x, 0.0), below, value)


def sin(c: Code, x: Single) -> Single:
    return _wave(c, x, 0)


def cos(c: Code, x: Single) -> Single:
    return _wave(c, x, 1)


def integer_power(c: Code, x: Single, n: int) -> Single:
    """x to a fixed whole power, by squaring."""
    value, square = c.constant(x.type, 1.0), x
    for digit in reversed(f"{abs(n):b}"):
        value = c.mul(value, square) if digit == "1" else value
        square = c.mul(square, square)
    return c.div(1.0, value) if n < 0 else value


def polynomial(c: Code, x: Single, coefficients: Sequence[float]) -> Single:
    """Sum of coefficients[n] x^n, even and odd powers apart: two chains of half the length run side by side.

    A step of the integrator waits for its longest chain, which goes through the drug's exponentials and logarithm.
    """
    square = c.mul(x, x)
    return c.add(c.mul(_horner(c, square, coefficients[1::2]), x), _horner(c, square, coefficients[::2]))


def _horner(c: Code, x: Single, coefficients: Sequence[float]) -> Single:
    value = c.constant(x.type, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        value = c.add(c.mul(value, x), coefficient)
    return value


def _wave(c: Code, x: Single, ahead: int) -> Single:
    """The sine, `ahead` quarters of a period later; NaN of angles so wide that they would lose their place."""
    f = _format(x)
    shifted = c.add(c.mul(x, 2 / math.pi), f.whole)
    k = c.sub(shifted, f.whole)
    r = _less(c, x, k, _parts(PI_HALF, f))
    q = c.mul(r, r)
    odd = [(-1) ** (n // 2) / math.factorial(n) for n in range(1, f.sin + 1, 2)]
    even = [(-1) ** (n // 2) / math.factorial(n) for n in range(0, f.sin + 2, 2)]
    quarter = c.add(c.sub(c.bits(shifted, f.integer), _bits(f, f.whole)), ahead)
    straight = c.compare("eq", c.emit("and_", quarter, 1), 0)
    value = c.select(straight, c.mul(r, polynomial(c, q, odd)), polynomial(c, q, even))
    value = c.select(c.compare("eq", c.emit("and_", quarter, 2), 0), value, c.neg(value))
    near = c.compare("lt", c.intrinsic("llvm.fabs", x), f.widest)
    return c.select(near, value, c.constant(x.type, math.nan))


def _less(c: Code, x: Single, k: Single, parts: Sequence[float]) -> Single:
    """x less k times a constant that comes in parts."""
    for part in parts:
        x = c.sub(x, c.mul(k, part))
    return x


def _parts(value: Fraction, f: Format) -> tuple[float, ...]:
    """A constant in parts, all but the last of so few bits that small integers multiply them exactly."""
    one = np.float64 if f.mantissa == 52 else np.float32
    first = Fraction(round(value * 2 ** (f.split - 1)), 2 ** (f.split - 1))
    second = Fraction(round((value - first) * 2 ** (2 * f.split - 1)), 2 ** (2 * f.split - 1))
    return float(first), float(second), float(one(float(value - first - second)))


def _power(c: Code, f: Format, k: Single) -> Single:
    """2 to a whole power within the format."""
    kind = ir.DoubleType() if f.mantissa == 52 else ir.FloatType()
    return c.bits(c.emit("shl", c.add(k, f.bias), f.mantissa), kind)


def _bits(f: Format, number: float) -> int:
    """A number's bits, read as an integer."""
    if f.mantissa == 52:
        return int(np.float64(number).view(np.int64))
    return int(np.float32(number).view(np.int32))


def _format(x: Single) -> Format:
    return DOUBLE if isinstance(scalar(x.type), ir.DoubleType) else SINGLE
