"""Combinations that no person can have, as data, and how many twins have one."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..fitting.data import Data
from ..plain import read_mapping
from . import expressions

FILE = Path(__file__).with_name("rules.yaml")


class Rule(NamedTuple):
    """A condition that is true of nobody, and why."""

    name: str
    impossible: str
    reason: str


class Violations(NamedTuple):
    """How many break a rule, of those who have all its columns; `checked` is 0 where the table lacks one."""

    rule: Rule
    broken: int
    checked: int


def read_rules(file: Path = FILE) -> tuple[Rule, ...]:
    """The rules of a YAML file.

    Raises:
      ValueError: naming the rule that is not one.
    """
    rules = []
    for name, entry in read_mapping(file, "rules").items():
        if not isinstance(entry, dict) or set(entry) != {"impossible", "reason"}:
            raise ValueError(f"{file.name}: {name}: expected impossible and reason")
        try:
            expressions.names(str(entry["impossible"]))
        except ValueError as error:
            raise ValueError(f"{file.name}: {name}: {error}") from None
        rules.append(Rule(name, str(entry["impossible"]), str(entry["reason"])))
    return tuple(rules)


def violations(data: Data, rules: Sequence[Rule] | None = None) -> tuple[Violations, ...]:
    """Each rule with the number of those who break it."""
    return tuple(_count(rule, data) for rule in (read_rules() if rules is None else rules))


def _count(rule: Rule, data: Data) -> Violations:
    needed = expressions.names(rule.impossible)
    if not needed <= set(data.numbers) | set(data.categories):
        return Violations(rule, 0, 0)
    known = np.ones(data.size, dtype=bool)
    columns: dict[str, np.ndarray] = {}
    for name in needed:
        if name in data.numbers:
            columns[name] = data.numbers[name]
            known &= ~np.isnan(columns[name])
        else:
            columns[name] = np.array(data.levels[name])[data.categories[name]]
            known &= data.categories[name] >= 0
    try:
        broken = np.broadcast_to(expressions.holds(rule.impossible, columns), (data.size,))
    except (TypeError, ValueError, np.exceptions.DTypePromotionError):
        raise ValueError(f"rule {rule.name}: {rule.impossible!r} compares a number with a level") from None
    return Violations(rule, int(np.sum(broken & known)), int(np.sum(known)))


def total(found: Sequence[Violations]) -> int:
    """All violations; somebody who breaks two rules counts twice."""
    return sum(item.broken for item in found)


def added(batches: Sequence[Sequence[Violations]]) -> tuple[Violations, ...]:
    """The violations of several batches of twins, such as the shards of a million."""
    merged: Mapping[str, Violations] = {}
    for batch in batches:
        for item in batch:
            before = merged.get(item.rule.name)
            both = (
                item
                if before is None
                else Violations(item.rule, before.broken + item.broken, before.checked + item.checked)
            )
            merged = {**merged, item.rule.name: both}
    return tuple(merged.values())
