"""Type I error in small: some cases of `bench/nulls.py` with few replicates, and how it judges, keeps and prints."""

import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
FEW, WIDE = 500, 4.5
QUICK = {
    "means": ("ANCOVA, classical", "Wilcoxon signed rank, exact", "Bayesian means, no history"),
    "shares": ("Miettinen-Nurminen", "McNemar", "chi-squared", "one share, exact"),
    "times": ("log-rank",),
    "sequential designs": ("spending O'Brien-Fleming", "Haybittle-Peto", "binding futility, followed",
                           "non-binding futility, followed", "stage-wise p-value, binding futility"),
    "adaptive designs": ("size by blinded variance, t test", "promising zone, planned weights",
                         "redesign at the level left", "arms dropped, Dunnett, the best kept",
                         "MCP-Mod, t with 45 degrees of freedom", "enrichment, nested test"),
    "several hypotheses": ("Hochberg", "graph, Simes", "gatekeeping, truncated Hochberg, first primary false",
                           "fixed sequence", "co-primary, one endpoint certain"),
}  # fmt: skip


@pytest.fixture(scope="module")
def nulls():
    """The command, from the folder of benchmarks, which is no package."""
    sys.path.insert(0, str(ROOT / "bench"))
    try:
        import nulls

        return nulls
    finally:
        sys.path.remove(str(ROOT / "bench"))


def case(nulls, group, name):
    (found,) = [one for one in nulls.GROUPS[group] if one.name == name]
    return found


@pytest.mark.parametrize(("group", "name"), [(group, name) for group, names in QUICK.items() for name in names])
def test_the_error_rate_is_near_what_is_promised(nulls, group, name):
    row = nulls.observe(group, case(nulls, group, name), FEW)
    assert row.replicates == FEW
    assert row.z < WIDE
    assert row.kind == "at most" or row.z > -WIDE


@pytest.mark.slow
@pytest.mark.parametrize("group", ["sequential designs", "several hypotheses"])
def test_all_cases_of_a_group_hold_at_full_length(nulls, group):
    rows = [nulls.observe(group, one, nulls.REPLICATES) for one in nulls.GROUPS[group]]
    assert not [row for row in rows if row.verdict in ("excess", "short")]


def test_a_test_that_rejects_too_often_is_told(nulls):
    from nullcases.common import Case

    often = Case("often", "", 0.05, lambda rng, n: rng.random(n) < 0.2)
    seldom = Case("seldom", "", 0.05, lambda rng, n: np.zeros(n, bool))
    assert nulls.observe("", often, FEW).verdict == "excess"
    assert nulls.observe("", seldom, FEW).verdict == "short"
    assert nulls.observe("", seldom._replace(kind="at most"), FEW).verdict == "holds, below nominal"
    assert nulls.observe("", often._replace(kind="at most"), FEW).verdict == "excess"
    assert nulls.observe("", often._replace(kind="no claim"), FEW).verdict == "told"
    with pytest.raises(ValueError, match="expected one of exact"):
        nulls.observe("", often._replace(kind="sure"), FEW)
    with pytest.raises(ValueError, match="decisions of 500 replicates"):
        nulls.observe("", often._replace(rejects=lambda rng, n: np.zeros(3)), FEW)


def test_a_case_gives_the_same_alone_and_among_others(nulls):
    one = case(nulls, "several hypotheses", "Sidak")
    assert nulls.observe("a", one, FEW).observed == nulls.observe("b", one, FEW).observed


def test_names_are_told_apart_and_kinds_are_known(nulls):
    names = [one.name for cases in nulls.GROUPS.values() for one in cases]
    assert len(set(names)) == len(names)
    for one in (one for cases in nulls.GROUPS.values() for one in cases):
        assert one.kind in nulls.KINDS
        assert 0 < one.nominal < 1
        # Whoever is judged on one side, or not at all, says why.
        assert one.note or one.kind in ("exact", "asymptotic"), one.name


def test_rows_are_kept_and_replaced(nulls, tmp_path):
    file = tmp_path / "nulls.csv"
    chosen = [case(nulls, "several hypotheses", name) for name in ("Sidak", "Bonferroni")]
    rows = [nulls.observe("several hypotheses", one, n) for one, n in zip(chosen, (50, 60), strict=True)]
    nulls.save(file, rows)
    nulls.save(file, [nulls.observe("several hypotheses", chosen[0], 70)])
    kept = nulls.kept(file)
    assert [(row.name, row.replicates) for row in kept.values()] == [("Bonferroni", 60), ("Sidak", 70)]
    page = tmp_path / "page.md"
    page.write_text("# Head\n\nstays\n\n## Old\n\ngoes\n")
    nulls.page(page, kept.values())
    assert page.read_text().startswith("# Head\n\nstays\n\n## Several hypotheses\n")
    assert "goes" not in page.read_text()


def test_the_page_tells_what_was_kept(nulls):
    kept = nulls.kept(ROOT / "bench" / "nulls.csv")
    text = (ROOT / "docs" / "statistics_nulls.md").read_text()
    assert kept
    assert nulls.tables(kept.values()) in text
    # An asymptotic method off its level says why; one that rejects too often holds in a larger trial beside it.
    for row in (row for row in kept.values() if row.verdict in ("excess", "short")):
        assert (row.kind, bool(row.note)) == ("asymptotic", True), row.name
        assert row.verdict == "short" or kept[row.group, f"{row.name}, large"].verdict == "holds", row.name
