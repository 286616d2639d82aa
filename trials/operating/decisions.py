"""What a design decides in each replicate: where it ends, whether as a success, and which analyses are successes."""

from functools import partial
from typing import NamedTuple

import numpy as np
from scipy.stats import norm

from ..designs.adaptive import closed
from ..designs.adaptive.reestimation import combined_statistic, promising_zone
from ..designs.multiplicity import closure, sequential, stepwise
from ..designs.sequential.bounds import Bounds
from ..statistics.methods.estimate import Estimate
from . import looks
from .adaptations import Family
from .draw import Allocation
from .settings import Design


class Rule(NamedTuple):
    """A design as it decides.

    directions: of each analysis that decides, 1 or -1, the side on which a difference is a success. arms: numbers of
      its arm and comparator. cuts: people by each look, the second stage as planned. share: of the people, who are in
      an enrichment's subgroup.
    """

    design: Design
    bounds: Bounds
    directions: tuple[float, ...]
    arms: tuple[tuple[int, int], ...]
    allocation: Allocation
    cuts: tuple[int, ...]
    share: float = 1.0

    @property
    def staged(self) -> bool:
        """Whether what the second stage is depends on the first: its people are then drawn apart."""
        return self.design.staged

    @property
    def assigned(self) -> bool:
        """Whether arms are not those of one series of blocks."""
        return self.design.adapt is not None or self.design.platform is not None

    @property
    def summed(self) -> bool:
        """Whether the analyses need the means of groups alone."""
        of = self.design
        return of.factorial is not None or of.external is not None or of.dose_finding is not None

    @property
    def most(self) -> int:
        """People of the second stage, at most."""
        planned = self.cuts[-1] - self.cuts[0]
        again = self.design.reestimate
        return planned if again is None else _whole(planned * again.most, sum(self.allocation.shares))


class Ahead(NamedTuple):
    """What the first stage decides. people: of the second stage, (replicates,). kept: analyses that go on,
    (replicates, analyses). ends: the trial ends here. zone: place in
    `adaptive.reestimation.ZONES`, where the size is chosen."""

    people: np.ndarray
    kept: np.ndarray
    ends: np.ndarray
    zone: np.ndarray


class Verdict(NamedTuple):
    """How each replicate ended, (replicates,): its look (from 0), its people, as a success or as its opposite.

    futile: stopped before the last look without success. rejected: analyses that are a success, (replicates, analyses),
    of those tested together. kept: as in `Ahead`.
    """

    look: np.ndarray
    people: np.ndarray
    success: np.ndarray
    opposite: np.ndarray
    futile: np.ndarray
    rejected: np.ndarray | None = None
    kept: np.ndarray | None = None
    zone: np.ndarray | None = None


def scores(rule: Rule, found: Estimate) -> np.ndarray:
    """Standard normal statistics, positive on the side of success; of (replicates, looks, analyses) the analyses that
    decide."""
    many = len(rule.directions)
    z = looks.statistics(found.p, np.sign(found.statistic))[..., :many]
    return z * np.array(rule.directions)


def ahead(rule: Rule, z: np.ndarray) -> Ahead:
    """What the statistics of the first stage, (replicates, analyses), decide about the second."""
    many, planned = len(z), rule.cuts[-1] - rule.cuts[0]
    zone = np.zeros(many, int)
    if rule.design.select is not None or rule.design.enrich is not None:
        kept = _kept(rule.design, z)
        ends = (z >= rule.bounds.efficacy[0]).any(axis=1) & _first(rule, z).any(axis=1)
        return Ahead(np.full(many, planned), kept, ends | ~kept.any(axis=1), zone)
    again = rule.design.reestimate
    assert again is not None  # else there are no stages
    ratio = planned / rule.cuts[0]
    told = promising_zone(rule.bounds, z[:, 0], 1.0, ratio, ratio * rule.most / planned, again.low, again.target)
    shares = sum(rule.allocation.shares)
    people = np.clip(np.ceil(told.second * rule.cuts[0] / shares) * shares, planned, rule.most).astype(int)
    ends = (z[:, 0] >= rule.bounds.efficacy[0]) | (z[:, 0] < rule.bounds.futility[0])
    return Ahead(people, np.ones_like(z, dtype=bool), ends, told.zone)


def decide(rule: Rule, found: Estimate) -> Verdict:
    """The end of each replicate under one hypothesis.

    Args:
      found: (replicates, looks, analyses). With stages the second look has the second stage alone.
    """
    z = scores(rule, found)
    if rule.design.select is not None or rule.design.enrich is not None:
        return _selected(rule, z)
    if rule.design.reestimate is not None:
        return _enlarged(rule, z[..., 0])
    many = rule.design.adapt or rule.design.platform or rule.design.factorial
    if many is not None:
        return _at_the_end(rule, _each(many.test, norm.sf(z[:, -1]), rule.bounds.alpha), "any")
    family = rule.design.family
    if family is None or family.test == "co_primary":
        end = looks.ends(rule.bounds, z.min(axis=2), 1.0)
        people = np.array(rule.cuts, float)[end.look]
        rejected = None if family is None else np.repeat(end.success[:, None], z.shape[2], axis=1)
        return Verdict(end.look, people, end.success, end.opposite, end.futile, rejected)
    if rule.bounds.looks > 1:
        return _sequential(rule, family, z)
    return _at_the_end(rule, shown(family, norm.sf(z[:, -1]), rule.bounds.alpha), family.success)


def _at_the_end(rule: Rule, rejected: np.ndarray, success: str) -> Verdict:
    """The verdict of trials that end at their only look."""
    shown_ = np.asarray(rejected.all(axis=1) if success == "all" else rejected.any(axis=1))
    many, nobody = len(rejected), np.zeros(len(rejected), bool)
    return Verdict(np.zeros(many, int), np.full(many, float(rule.cuts[-1])), shown_, nobody, nobody, rejected)


def _each(test: str, p: np.ndarray, alpha: float) -> np.ndarray:
    """Which arms are a success, (replicates, arms), by their one-sided p-values."""
    if test == "each":
        return p <= alpha
    return stepwise.adjust(p, test) <= alpha


def shown(family: Family, p: np.ndarray, alpha: float) -> np.ndarray:
    """Which analyses are a success, (replicates, analyses), by their one-sided p-values at a one-sided level."""
    if family.test == "graph":
        return closure.rejections(family.graph(), p, alpha)
    if family.test == "simes":
        whole = closure.Group(tuple(range(p.shape[1])), "simes")
        return closure.rejections(family.graph(), p, alpha, (whole,))
    if family.test == "fixed_sequence":
        return stepwise.fixed_sequence(p) <= alpha
    return stepwise.adjust(p, family.test) <= alpha


def _sequential(rule: Rule, family: Family, z: np.ndarray) -> Verdict:
    """A family tested at every look; the trial ends where it is a success."""
    found = sequential.rejections(family.graph(), z, rule.bounds.alpha, partial(looks.of_level, rule.design))
    done = np.asarray(found.all(axis=2) if family.success == "all" else found.any(axis=2))
    look = np.where(done.any(axis=1), done.argmax(axis=1), z.shape[1] - 1)
    rows, nobody = np.arange(len(z)), np.zeros(len(z), bool)
    people = np.array(rule.cuts, float)[look]
    return Verdict(look, people, done[rows, look], nobody, nobody, found[rows, look])


def _enlarged(rule: Rule, z: np.ndarray) -> Verdict:
    on = ahead(rule, z[:, :1])
    early = z[:, 0] >= rule.bounds.efficacy[0]
    last = combined_statistic(rule.bounds, z[:, 0], z[:, 1]) >= rule.bounds.efficacy[1]
    people = rule.cuts[0] + np.where(on.ends, 0, on.people)
    success = np.where(on.ends, early, last)
    nobody = np.zeros(len(z), bool)
    return Verdict((~on.ends).astype(int), people.astype(float), success, nobody, on.ends & ~early, zone=on.zone)


def _selected(rule: Rule, z: np.ndarray) -> Verdict:
    on = ahead(rule, z[:, 0])
    found = closed.closed_combination(z[:, 0], z[:, 1], on.kept, rule.bounds, _test(rule))
    rejected = np.where(on.ends[:, None], found.first, found.final)
    people = rule.cuts[0] + np.where(on.ends, 0, on.people)
    success = np.asarray(rejected.any(axis=1))
    nobody = np.zeros(len(z), bool)
    look = (~on.ends).astype(int)
    return Verdict(look, people.astype(float), success, nobody, on.ends & ~success, rejected, on.kept)


def _first(rule: Rule, z: np.ndarray) -> np.ndarray:
    """Arms that are a success at the first look already."""
    nothing = np.zeros_like(z)
    return closed.closed_combination(z, nothing, np.zeros(z.shape, bool), rule.bounds, _test(rule)).first


def _kept(design: Design, z: np.ndarray) -> np.ndarray:
    select, enrich = design.select, design.enrich
    if enrich is not None:
        return closed.enrich(z, enrich.everybody_from, enrich.subgroup_from)
    assert select is not None  # else nothing is chosen
    kept = closed.keep_best(z) if select.keep == "best" else closed.keep_near(z, select.margin or 0.0)
    return kept if select.least is None else kept & (z >= select.least)


def _test(rule: Rule) -> closed.IntersectionTest:
    chosen = rule.design.select or rule.design.enrich
    assert chosen is not None
    if chosen.test == "nested":
        return closed.nested(rule.share)
    if chosen.test == "dunnett":
        shares = rule.allocation.shares
        return closed.dunnett(tuple(float(shares[arm]) for arm, _ in rule.arms), float(shares[rule.arms[0][1]]))
    return closed.simes if chosen.test == "simes" else closed.bonferroni


def _whole(people: float, shares: int) -> int:
    return int(np.ceil(people / shares)) * shares
