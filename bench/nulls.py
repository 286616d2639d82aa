"""How often each analysis and each design rejects a true null hypothesis, beside what it promises.

    python bench/nulls.py [GROUP ...] [--replicates N] [--like WORDS] [--save FILE] [--rest] [--page FILE]

Every case simulates trials without an effect of a stated size, 20,000 of them, or fewer where one takes long; the table
shows the nominal error rate, the observed one, its Monte Carlo standard error, and how many of these lie between. A
case holds within three. Designs and tests that are conservative by construction are judged on one side. Groups may be
run one at a time: --save keeps their rows in a file, --rest leaves out those that it holds with as many replicates, and
--page writes all that it holds as tables of a page.
"""
# ruff: noqa: E402

from cutis.cluster import platform

platform.prepare()

import argparse
import csv
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import cutis.core  # noqa: F401 (switches on 64 bits before anything is computed)

sys.path.insert(0, str(Path(__file__).parent))

from nullcases import adaptive, counts, families, means, missing, repeated, sequential, shares, times
from nullcases.common import KINDS, REPLICATES, Case, Row, judged, observe

GROUPS: dict[str, list[Case]] = {
    "means": means.CASES,
    "shares": shares.CASES,
    "counts and grades": counts.CASES,
    "times": times.CASES,
    "repeated measures": repeated.CASES,
    "missing values": missing.CASES,
    "sequential designs": sequential.CASES,
    "adaptive designs": adaptive.CASES,
    "several hypotheses": families.CASES,
}
HEAD = ("nominal", "observed", "SE", "z", "verdict")


def line(row: Row) -> str:
    """A row for the screen."""
    return (
        f"{row.name:<58.58} {row.kind:<10} {row.nominal:>7.2%} {row.observed:>8.3%} {row.error:>7.3%} {row.z:>6.1f}"
        f"  {row.verdict} ({row.replicates})"
    )


def kept(file: Path) -> dict[tuple[str, str], Row]:
    """Rows of earlier runs; none if there is no file."""
    if not file.exists():
        return {}
    with file.open(newline="") as lines:
        read = [Row(**one) for one in csv.DictReader(lines)]  # pyright: ignore[reportArgumentType]
    rows = [row._replace(nominal=float(row.nominal), replicates=int(row.replicates), observed=float(row.observed),
                         error=float(row.error), z=float(row.z)) for row in read]  # fmt: skip
    return {(row.group, row.name): row for row in rows}


def save(file: Path, rows: Iterable[Row]) -> None:
    """Rows added to those of earlier runs, in the order of the groups; cases that are no more fall away.

    Figures stay as they were observed; they are judged by what the cases claim now, with their notes.
    """
    known = kept(file) | {(row.group, row.name): row for row in rows}
    cases = {(group, case.name): case for group, found in GROUPS.items() for case in found}
    known = {of: _judged(row, cases[of]) for of, row in known.items() if of in cases}
    with file.open("w", newline="") as lines:
        table = csv.writer(lines, lineterminator="\n")
        table.writerow(Row._fields)
        table.writerows(
            row._replace(error=f"{row.error:.6f}", z=f"{row.z:.3f}") for row in (known[k] for k in cases if k in known)
        )


def _judged(row: Row, case: Case) -> Row:
    return row._replace(kind=case.kind, verdict=judged(case.kind, row.z), note=case.note)


def tables(rows: Iterable[Row]) -> str:
    """Rows as tables, one a group."""
    found, text = list(rows), []
    for group in dict.fromkeys(row.group for row in found):
        text += [f"## {group[0].upper()}{group[1:]}", ""]
        text += [
            "| case | size | judged as | nominal | observed | SE | z | verdict |",
            "|---|---|---|---|---|---|---|---|",
        ]
        notes = []
        for row in (row for row in found if row.group == group):
            fewer = f" ({row.replicates:,} replicates)" if row.replicates < REPLICATES else ""
            text.append(
                f"| {row.name} | {row.size}{fewer} | {row.kind} | {row.nominal:.2%} | {row.observed:.2%} "
                f"| {row.error:.2%} | {row.z:+.1f} | {row.verdict} |"
            )
            notes += [f"- {row.name}: {row.note}."] if row.note else []
        text += ["", *notes, ""] if notes else [""]
    return "\n".join(text)


def summary(rows: Iterable[Row]) -> str:
    """How many hold, in one line a kind."""
    found = list(rows)
    lines = []
    for kind in KINDS:
        of = [row for row in found if row.kind == kind]
        told = [f"{sum(row.verdict == verdict for row in of)} {verdict}" for verdict in dict.fromkeys(
            row.verdict for row in of)]  # fmt: skip
        lines += [f"{kind}: {len(of)} cases, {', '.join(told)}"] if of else []
    return "\n".join(lines)


def page(file: Path, rows: Iterable[Row]) -> None:
    """The tables under the head of a page, which stays."""
    head = file.read_text().split("## ")[0] if file.exists() else "# Type I error\n\n"
    file.write_text(head + tables(rows))


def main() -> None:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"of {', '.join(GROUPS)}; all if none is named")
    parser.add_argument("--replicates", type=int, default=REPLICATES)
    parser.add_argument("--like", default="", help="only cases whose name holds these words")
    parser.add_argument("--save", type=Path, help="a table (CSV) that rows are added to")
    parser.add_argument("--rest", action="store_true", help="only cases that the saved table lacks")
    parser.add_argument("--page", type=Path, help="a page whose tables are written from what was saved")
    given = parser.parse_args()
    unknown = sorted(set(given.groups) - set(GROUPS))
    if unknown or given.replicates < 1:
        parser.error(f"no group {unknown[0]!r}; choose from {', '.join(GROUPS)}" if unknown else "no replicates")
    if (given.page or given.rest) and not given.save:
        parser.error("--page and --rest need --save, the table that they read")
    rows, known = [], kept(given.save) if given.rest else {}
    # A page alone simulates nothing.
    chosen = given.groups or ([] if given.page and not given.rest else list(GROUPS))
    for group in chosen:
        for case in (case for case in GROUPS[group] if given.like in case.name):
            done = known.get((group, case.name))
            if done and done.replicates >= min(case.replicates, given.replicates):
                continue
            begun = time.perf_counter()
            rows.append(observe(group, case, given.replicates))
            print(f"{line(rows[-1])}  {time.perf_counter() - begun:.1f} s", flush=True)
            if given.save:
                save(given.save, rows[-1:])
    print(summary(rows))
    if given.page:
        page(given.page, kept(given.save).values())


if __name__ == "__main__":
    main()
