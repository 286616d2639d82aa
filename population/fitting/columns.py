"""The columns of a file that a plan names, as they stand: CSV (comma, semicolon or tab) or Parquet."""

import csv
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from ..messages import nearest
from .plan import as_text

BLANKS = {
    "",
    ".",
    "-",
    "na",
    "n/a",
    "#n/a",
    "nan",
    "null",
    "none",
    "<na>",
}  # lower case; what programs write for nothing
NOT_TEXT = "not UTF-8 text; save it as CSV in UTF-8"
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}


class TableError(ValueError):
    """A table that cannot be used with its plan, one line a problem."""


class Numbers(NamedTuple):
    """A column as numbers: NaN where there is none; `wrong` marks text that is neither a number nor blank."""

    values: np.ndarray
    wrong: np.ndarray


def load(file: Path, names: Iterable[str]) -> pd.DataFrame:
    """The named columns of a file, a row a person; text where the file holds text.

    Raises:
      TableError: the file cannot be read, or lacks columns.
    """
    names = list(dict.fromkeys(names))
    if not file.exists():
        raise TableError(f"{file}: no such file")
    if not file.is_file():
        raise TableError(f"{file}: this is a folder; expected a table, .csv or .parquet")
    if file.stat().st_size == 0:
        raise TableError(f"{file}: the file is empty")
    if file.suffix.lower() in (".parquet", ".pq"):
        return _parquet(file, names)
    if file.suffix.lower() in (".csv", ".tsv", ".txt"):
        return _csv(file, names)
    raise TableError(f"{file}: expected a table, .csv or .parquet, got {file.suffix or 'a name without ending'}")


def numbers(column: pd.Series, blank: Iterable[object] = ()) -> Numbers:
    """A column as float64; `blank` are further values that mean "not known"."""
    if pd.api.types.is_numeric_dtype(column.dtype):
        values = column.to_numpy(dtype=float, na_value=np.nan)
        for code in blank:
            if re.fullmatch(r"[+-]?\d+(\.\d+)?", as_text(code)):
                values = np.where(values == float(as_text(code)), np.nan, values)
        return Numbers(np.where(np.isinf(values), np.nan, values), np.isinf(values))
    words = text(column)
    empty = (words.str.lower().isin(BLANKS) | words.isin({as_text(code) for code in blank})).to_numpy()
    values = np.asarray(pd.to_numeric(words.mask(empty), errors="coerce"), dtype=float)
    finite = np.isfinite(values)
    return Numbers(np.where(finite, values, np.nan), ~empty & ~finite)


def text(column: pd.Series) -> pd.Series:
    """A column as text, as the plan's values are compared; nothing is "" ."""
    codes, values = pd.factorize(column)
    words = np.array([*(as_text(_python(value)) for value in values), ""], dtype=object)
    return pd.Series(words[codes], dtype=object)


def _python(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else value


def _points(words: pd.Series) -> pd.Series:
    """Decimal points for decimal commas, where a column has no points."""
    if words.str.contains(r"\d\.\d").any():
        return words
    return words.str.replace(r"^\s*([+-]?\d+),(\d+)\s*$", r"\1.\2", regex=True)


def _csv(file: Path, names: list[str]) -> pd.DataFrame:
    try:
        with file.open(encoding="utf-8-sig", newline="") as handle:
            first = handle.readline()
    except UnicodeDecodeError:
        raise TableError(f"{file}: {NOT_TEXT}") from None
    except OSError as error:
        raise TableError(f"{file}: cannot be read: {error.strerror}") from None
    separator = max(SEPARATORS, key=first.count)
    header = [name.strip() for name in next(csv.reader([first], delimiter=separator), [])]
    _check_header(file, header, names, separator)
    places = [str(header.index(name)) for name in names]
    bad: list[pacsv.InvalidRow] = []
    try:
        table = pacsv.read_csv(
            file,
            pacsv.ReadOptions(use_threads=False, skip_rows=1, column_names=list(map(str, range(len(header))))),
            pacsv.ParseOptions(
                delimiter=separator, newlines_in_values=True, invalid_row_handler=lambda row: bad.append(row) or "skip"
            ),
            pacsv.ConvertOptions(include_columns=places, column_types=dict.fromkeys(places, pa.string())),
        )
    except pa.ArrowInvalid as error:
        if "Empty CSV" in str(error):
            return pd.DataFrame({name: pd.Series(dtype=str) for name in names})
        raise TableError(f"{file}: {NOT_TEXT if 'UTF8' in str(error) else _first_line(error)}") from None
    if bad:
        more = f" (and {len(bad) - 1:,} more rows)" if len(bad) > 1 else ""
        raise TableError(
            f"{file}: row {bad[0].number - 1} has {bad[0].actual_columns} values for {len(header)} columns{more}; "
            f"put text with {SEPARATORS[separator]} into quotes, and close all quotes"
        )
    found = {name: pd.Series(table[place].to_pandas()) for name, place in zip(names, places, strict=True)}
    return pd.DataFrame(found if separator == "," else {name: _points(words) for name, words in found.items()})


def _parquet(file: Path, names: list[str]) -> pd.DataFrame:
    try:
        parquet = pq.ParquetFile(file)
        _check_header(file, parquet.schema_arrow.names, names)
        return parquet.read(columns=names).to_pandas(self_destruct=True, ignore_metadata=True)[names]
    except (pa.ArrowException, OSError) as error:
        raise TableError(f"{file}: not a readable Parquet file: {_first_line(error)}") from None


def _check_header(file: Path, header: list[str], names: list[str], separator: str = "") -> None:
    problems = []
    counts = Counter(header)
    for name in names:
        if name not in counts:
            problems.append(f"{file}: no column {name!r}; {_nearest_column(name, header, separator)}")
        elif counts[name] > 1:
            problems.append(f"{file}: {counts[name]} columns are called {name!r}; rename all but one")
    if problems:
        raise TableError("\n".join(problems))


def _nearest_column(name: str, header: list[str], separator: str) -> str:
    if len(header) == 1 and separator:
        return f"the first line holds one name, {header[0]!r}: are the columns separated by commas, semicolons or tabs?"
    lowered = {column.lower(): column for column in header}
    if name.lower() in lowered:
        return f"did you mean {lowered[name.lower()]!r}?"
    shown = nearest(name, header[:30])
    return shown if len(header) <= 30 or shown.startswith("did") else f"{shown}, and {len(header) - 30} more"


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
