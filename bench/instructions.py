"""Which instructions a step of the lanes consists of, by kind, as compiled for this machine.

    python bench/instructions.py [problem …]

The step is the longest stretch of machine code without a jump (a group of 8 or 16 people). Every vector instruction is
counted once, whatever its width; one that reads an operand from memory counts as what it computes, and again under
`reads an operand from memory`.
"""

# ruff: noqa: E402

from cutis.cluster import platform

platform.prepare()

import re
import sys
from collections import Counter
from functools import partial
from typing import Any

import jax

from cutis.bench import engine
from cutis.core.engine import lanes, lanes_machine
from cutis.core.engine.lanes_course import respond

KINDS = {  # by the beginning of the instruction's name, the first that fits
    "fused multiplication and sum": r"vfn?m(add|sub)",
    "multiplication": r"vmul",
    "sum or difference": r"v(add|sub)[ps]",
    "division or root": r"v(div|sqrt)|vrcp|vrsqrt",
    "least, largest, comparison, choice": r"v(min|max|cmp|blend)|vp(min|max|cmp|blend)|vpternlog|k[a-z]",
    "rounding, conversion, exponent": r"v(cvt|rnd|round|scalef|getexp|getmant|fixup|range)",
    "other arithmetic of whole numbers and bits": r"vp(add|sub|sl|sr|and|or|xor)|v(and|or|xor)",
    "load, store or move": r"v(mov|broadcast|pbroadcast|perm|shuf|unpck|insert|extract|align|pmov|gather)",
}
PROBLEMS = {"derm12": engine.reference, "psoriasis": engine.psoriasis, "acne": engine.acne}


def step(problem: engine.Problem, dtype: str) -> list[str]:
    """The instructions of a step."""
    course = engine.lay_out(problem, 64, 1.0)
    texts: list[str] = []
    written = lanes.written

    def keep(closed: Any, differ: Any, width: int) -> str:
        texts.append(written(closed, differ, width))
        return texts[-1]

    lanes.written = keep
    try:
        person, *rest = engine.cast((problem.person(64), *course[:4]), dtype)
        jax.eval_shape(partial(respond, problem.told, way=lanes.each), person, *rest)
    finally:
        lanes.written = written
    code = lanes_machine.assembly(texts[0])
    blocks = [[line.strip() for line in block.splitlines()] for block in re.split(r"(?m)^\S+:.*$|^\s+j\w+.*$", code)]
    kept = ([line for line in block if line and line[0] not in ".#"] for block in blocks)
    return max(kept, key=lambda block: sum(line.startswith("v") for line in block))


def counts(lines: list[str]) -> tuple[Counter[str], int]:
    """Vector instructions by kind, and how many that compute read an operand from memory."""
    found: Counter[str] = Counter()
    read = 0
    for line in lines:
        name = line.split()[0]
        if name[0] not in "vk":
            continue
        kind = next((kind for kind, begins in KINDS.items() if re.match(begins, name)), "other")
        found[kind] += 1
        read += kind != "load, store or move" and "(" in line
    return found, read


def main() -> None:
    for name in sys.argv[1:] or PROBLEMS:
        found, read = counts(step(PROBLEMS[name](), "float64"))
        whole = sum(found.values())
        print(f"\n{name}: {whole} vector instructions a step of {lanes.side_by_side(['float64'])} people")
        for kind in (*KINDS, "other"):
            print(f"{kind:<46}{found[kind]:>7}{found[kind] / whole:>8.0%}")
        print(f"{'reads an operand from memory':<46}{read:>7}{read / whole:>8.0%}")


if __name__ == "__main__":
    main()
