"""Reading anyone's table by its plan: from the columns of a file to people, with every problem named."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..messages import nearest
from .columns import BLANKS, Numbers, TableError, load, numbers, text
from .data import Data
from .plan import Category, Input, Keep, Number, Plan, as_text, compute
from .plausible import Log, called, clean, wrong_units
from .units import convert

FEWEST, FEWEST_PER_NUMBER = 50, 5


class Reading(NamedTuple):
    """People, and sentences on what was passed over while reading them."""

    data: Data
    notes: tuple[str, ...]


def read(plan: Plan, file: Path) -> Reading:
    """The people of a table that the plan keeps.

    Raises:
      TableError: what is wrong with the table, one line a problem, all at once.
    """
    frame = load(file, _columns(plan))
    log = Log([], [])
    if frame.empty:
        raise TableError(f"{file}: the table has names of columns, but no row")
    frame = _kept(plan, frame, log)
    _stop(file, log)
    rows = frame.index.to_numpy() + 1
    wanted = max(FEWEST, FEWEST_PER_NUMBER * len(plan.numbers))
    if len(frame) < wanted:
        raise TableError(
            f"{file}: {len(frame):,} people are too few: a population of {len(plan.numbers)} numbers "
            f"needs at least {wanted}"
        )
    found = _measured(plan, frame, rows, log)
    categories = {name: _codes(name, entry, frame, log) for name, entry in plan.categories.items()}
    weights = _weights(plan, frame, rows, log)
    clusters, strata = _design(plan, frame, rows, log)
    _stop(file, log)
    data = Data(
        numbers={name: found[name] for name in plan.numbers},
        categories=categories,
        levels={name: tuple(entry.levels) for name, entry in plan.categories.items()},
        units={name: entry.unit for name, entry in plan.numbers.items()},
        weights=weights,
        clusters=clusters,
        strata=strata,
    )
    return Reading(data, tuple(log.notes))


def _column(frame: pd.DataFrame, name: str) -> pd.Series:
    return pd.Series(frame[name])


def _columns(plan: Plan) -> Iterator[str]:
    for rules in (plan.keep, *plan.drop, plan.weight_factors):
        yield from rules
    if plan.weights:
        yield plan.weights
    if plan.design:
        yield from (*plan.design.stratum, *plan.design.cluster)
    for entry in (*plan.categories.values(), *plan.inputs.values(), *plan.numbers.values()):
        if entry.column is not None:
            yield entry.column


def _stop(file: Path, log: Log) -> None:
    if log.problems:
        raise TableError("\n".join(f"{file}: {problem}" for problem in log.problems))


def _kept(plan: Plan, frame: pd.DataFrame, log: Log) -> pd.DataFrame:
    """The rows that the plan keeps; their index stays that of the file."""
    keep = np.ones(len(frame), dtype=bool)
    for column, rule in plan.keep.items():
        here = _passes(column, rule, frame, log)
        if not here.any() and not log.problems:
            seen = ", ".join(map(repr, text(_column(frame, column)).value_counts().index[:5]))
            log.problems.append(f"keep.{column}: no row passes; the column holds {seen} and the like")
        keep &= here
    for rules in plan.drop:
        gone = np.ones(len(frame), dtype=bool)
        for column, rule in rules.items():
            gone &= _passes(column, rule, frame, log)
        keep &= ~gone
    if not keep.any() and not log.problems:
        log.problems.append("keep: each rule is met by some rows, but no row passes all of keep and drop")
    if not keep.all():
        ruled = dict.fromkeys(column for rules in (plan.keep, *plan.drop) for column in rules)
        log.notes.append(f"{keep.sum():,} of {len(frame):,} rows are kept by {', '.join(ruled)}")
    return frame.loc[keep]


def _passes(column: str, rule: Keep, frame: pd.DataFrame, log: Log) -> np.ndarray:
    keep = np.ones(len(frame), dtype=bool)
    if rule.one_of is not None:
        keep &= text(_column(frame, column)).isin({as_text(value) for value in rule.one_of}).to_numpy()
    limits = (rule.min, rule.max, rule.above, rule.below)
    if any(limit is not None for limit in limits):
        read = numbers(_column(frame, column))
        _report_text(column, frame, read, frame.index.to_numpy() + 1, log)
        values = read.values
        keep &= ~np.isnan(values)
        keep &= values >= (-np.inf if rule.min is None else rule.min)
        keep &= values <= (np.inf if rule.max is None else rule.max)
        keep &= (rule.above is None) | (values > (rule.above or 0))
        keep &= (rule.below is None) | (values < (rule.below or 0))
    return keep


def _measured(plan: Plan, frame: pd.DataFrame, rows: np.ndarray, log: Log) -> dict[str, np.ndarray]:
    """Inputs and numbers in the plan's units, NaN where missing or impossible."""
    entries: dict[str, Input | Number] = {**plan.inputs, **plan.numbers}
    found: dict[str, np.ndarray] = {}
    for name, entry in entries.items():
        if entry.column is not None:
            read = numbers(_column(frame, entry.column), entry.blank)
            _report_text(entry.column, frame, read, rows, log)
            values, file_unit = read.values, entry.file_unit
            found[name] = convert(values, file_unit, entry.unit, entry.substance) if file_unit else values
    said = wrong_units(entries, found)
    log.problems.extend(dict.fromkeys(said.values()))
    found = {name: v if name in said else clean(name, entries[name], v, rows, log) for name, v in found.items()}
    if log.problems:
        return found
    built = {name: compute(entry, found) for name, entry in plan.numbers.items() if entry.column is None}
    said = wrong_units(entries, built)
    log.problems.extend(said.values())
    return found | {n: v if n in said else clean(n, entries[n], v, rows, log) for n, v in built.items()}


def _report_text(column: str, frame: pd.DataFrame, read: Numbers, rows: np.ndarray, log: Log) -> None:
    """One problem for all the text of a column of numbers."""
    if not read.wrong.any():
        return
    first = int(np.argmax(read.wrong))
    word = str(_column(frame, column).iloc[first]).strip()
    more = int(read.wrong.sum()) - 1
    log.problems.append(
        f"column {column!r}: {word[:40]!r} in row {rows[first]} is not a number"
        f"{f' (nor are {more:,} more)' if more else ''}; {_advice(word)}"
    )


def _advice(word: str) -> str:
    if word.startswith(("<", ">")):
        return (
            "write one number for values beyond the limit of detection and name it under atoms, or list it under blank"
        )
    if word[:1].isdigit() and "," in word:
        return "write numbers without separators of thousands, with a decimal point"
    if word[:1].isdigit():
        return "write the number alone, without its unit"
    return "if it means 'not known', list it under blank"


def _codes(name: str, entry: Category, frame: pd.DataFrame, log: Log) -> np.ndarray:
    """Numbers of levels, -1 where missing."""
    words = text(_column(frame, entry.column))
    levels = list(entry.levels)
    number_of = {value: levels.index(level) for level, value in entry.values()}
    codes = words.map(number_of).fillna(-1).to_numpy(dtype=int)
    blank = words.str.lower().isin(BLANKS) | words.isin(map(as_text, entry.blank))
    unknown = words.loc[(codes < 0) & ~blank.to_numpy()]
    where = called(name, entry)
    if len(unknown):
        counts = unknown.value_counts()
        shown = ", ".join(f"{word!r} ({count:,} rows)" for word, count in counts.head(5).items())
        more = f" and {len(counts) - 5:,} more" if len(counts) > 5 else ""
        log.problems.append(
            f"{where}: the plan has no level for {shown}{more}; {nearest(str(counts.index[0]), number_of)}, "
            "or list it under blank"
        )
        return codes
    missing = codes < 0
    if missing.all():
        log.problems.append(f"{where}: no row has a value")
        return codes
    if missing.any() and entry.missing is not None:
        log.notes.append(f"{where}: {missing.sum():,} people without a value count as {entry.missing!r}")
        codes[missing] = levels.index(entry.missing)
    elif missing.mean() > 0.5:
        log.notes.append(f"{where}: {missing.mean():.0%} of the people have no value")
    held = np.bincount(codes[codes >= 0], minlength=len(levels))
    if (held > 0).sum() == 1:
        log.problems.append(f"{where}: everyone is {levels[int(np.argmax(held))]!r}; leave a constant category out")
    elif (held == 0).any():
        empty = [level for level, count in zip(levels, held, strict=True) if count == 0]
        log.notes.append(f"{where}: nobody is {' or '.join(map(repr, empty))}")
    return codes


def _weights(plan: Plan, frame: pd.DataFrame, rows: np.ndarray, log: Log) -> np.ndarray:
    factors = _factors(plan, frame, log)
    if plan.weights is None:
        return factors
    read = numbers(_column(frame, plan.weights))
    _report_text(plan.weights, frame, read, rows, log)
    where = f"weights (column {plan.weights!r})"
    hint = f"correct them, or leave such rows out with keep: {{{plan.weights}: {{above: 0}}}}"
    for bad, what in (
        (np.isnan(read.values) & ~read.wrong, "missing"),
        (read.values < 0, "negative"),
        (read.values == 0, "zero"),
    ):
        if bad.any():
            log.problems.append(f"{where}: {bad.sum():,} are {what}, the first in row {rows[np.argmax(bad)]}; {hint}")
    return factors * read.values


def _factors(plan: Plan, frame: pd.DataFrame, log: Log) -> np.ndarray:
    factors = np.ones(len(frame))
    for column, values in plan.weight_factors.items():
        words = text(_column(frame, column))
        for value, factor in values.items():
            here = (words == as_text(value)).to_numpy()
            if not here.any():
                log.problems.append(
                    f"weight_factors.{column}: no row holds {value!r}; "
                    f"{nearest(value, map(str, words.value_counts().index[:10]))}"
                )
            factors[here] *= factor
    return factors


def _design(plan: Plan, frame: pd.DataFrame, rows: np.ndarray, log: Log) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of sampling units and of strata; units are nested in strata."""
    everyone = np.arange(len(frame))
    if plan.design is None:
        return everyone, np.zeros(len(frame), dtype=int)
    strata = _groups(frame, plan.design.stratum, rows, log)
    within = _groups(frame, plan.design.cluster, rows, log)
    _, clusters = np.unique(np.stack([strata, within]), axis=1, return_inverse=True)
    units = len(np.unique(clusters))
    if units < 2:
        log.problems.append(
            "design: all people are in one sampling unit, so nothing can be held out; name the right columns, "
            "or leave the design out"
        )
    pairs = np.unique(np.stack([strata, clusters]), axis=1)
    lonely = int((np.bincount(pairs[0]) == 1).sum())
    if lonely and units > 1:
        log.notes.append(f"design: {lonely:,} strata have one sampling unit only")
    return clusters, strata


def _groups(frame: pd.DataFrame, names: tuple[str, ...], rows: np.ndarray, log: Log) -> np.ndarray:
    codes = np.zeros(len(frame), dtype=int)
    for name in names:
        words = text(_column(frame, name))
        empty = (words == "").to_numpy()
        if empty.any():
            log.problems.append(
                f"design (column {name!r}): {empty.sum():,} of {len(empty):,} rows have no value, "
                f"the first is row {rows[np.argmax(empty)]}"
            )
        here, _ = pd.factorize(words)
        codes = pd.factorize(codes * (here.max() + 2) + here)[0]
    return codes
