"""The model for repeated measures, with dropout at random."""

import numpy as np

from cutis.trials.statistics.mmrm import replicates as many_fits
from cutis.trials.statistics.mmrm.fit import fit
from cutis.trials.statistics.mmrm.inference import estimate
from cutis.trials.statistics.mmrm.panel import Panel
from cutis.trials.statistics.mmrm.robust import sandwich

from .common import Case

ALPHA, VISITS = 0.05, 4
LAG = np.abs(np.arange(VISITS)[:, None] - np.arange(VISITS)[None, :])
SD = np.array([1.0, 1.2, 1.3, 1.6])
UNSTRUCTURED = 0.7**LAG * np.outer(SD, SD) * np.where(LAG > 2, 0.8, 1.0)
STEPS = np.array([0.8, 0.6, 0.7])  # correlations of neighbouring visits; the others are products of these
ANTE = np.array([[STEPS[min(s, t) : max(s, t)].prod() for t in range(VISITS)] for s in range(VISITS)])
COVARIANCES = {
    "unstructured": UNSTRUCTURED,
    "autoregressive": 1.4 * 0.6**LAG,
    "heterogeneous_autoregressive": 0.6**LAG * np.outer(SD, SD),
    "compound_symmetry": 0.5 * (np.eye(VISITS) + 1.0),
    "toeplitz": np.array([1.5, 0.8, 0.6, 0.2])[LAG],
    "heterogeneous_compound_symmetry": 0.5 * (np.eye(VISITS) + 1.0) * np.outer(SD, SD),
    "heterogeneous_toeplitz": np.array([1.0, 0.6, 0.4, 0.2])[LAG] * np.outer(SD, SD),
    "ante_dependence": 1.4 * ANTE,
    "heterogeneous_ante_dependence": ANTE * np.outer(SD, SD),
}
COLUMNS = 2 * VISITS + VISITS  # visits, arm by visit, baseline by visit


def trials(rng, replicates, n, covariance):
    """Outcomes with who leaves depending on what was seen, and the design: (replicates, people, visits, columns)."""
    arm, x = np.arange(n) % 2, rng.standard_normal((replicates, n))
    y = 0.5 * x[:, :, None] + rng.standard_normal((replicates, n, VISITS)) @ np.linalg.cholesky(covariance).T
    for t in range(1, VISITS):
        leaves = rng.random((replicates, n)) < np.where(y[:, :, t - 1] > 1.0, 0.2, 0.06)
        y[:, :, t] = np.where(leaves | np.isnan(y[:, :, t - 1]), np.nan, y[:, :, t])
    design = np.zeros((replicates, n, VISITS, COLUMNS))
    for t in range(VISITS):
        design[:, :, t, t] = 1.0
        design[:, :, t, VISITS + t] = arm
        design[:, :, t, 2 * VISITS + t] = x
    return y, design


LAST = np.eye(COLUMNS)[2 * VISITS - 1]  # the arms' difference at the last visit


def mixed(structure, kenward_roger=False, n=60, batch=250):
    """A fit of each replicate, as operating characteristics do it."""

    def rejects(rng, replicates):
        y, x = trials(rng, replicates, n, COVARIANCES[structure])
        patterns = many_fits.monotone_patterns(VISITS)
        found = [
            many_fits.compare_all(
                y[i : i + batch], x[i : i + batch], LAST, patterns, structure, kenward_roger=kenward_roger
            ).p
            for i in range(0, replicates, batch)
        ]
        return np.concatenate(found) < ALPHA

    return rejects


def empirical(correction, n=60):
    """The wrong structure, and a sandwich that makes up for it."""

    def rejects(rng, replicates):
        y, x = trials(rng, replicates, n, UNSTRUCTURED)
        found = []
        for outcome, design in zip(y, x, strict=True):
            panel = Panel(outcome, design, tuple(map(str, range(COLUMNS))), tuple(map(str, range(VISITS))))
            fitted = fit(panel, "compound_symmetry")
            middle = sandwich(panel, fitted, "compound_symmetry", correction)
            found.append(estimate(panel, fitted, LAST, sandwich=middle).p)
        return np.array(found) < ALPHA

    return rejects


SIZE = "2 x 30, 4 visits, a quarter leave"
CASES = [
    Case("MMRM, unstructured, Satterthwaite", SIZE, 0.05, mixed("unstructured"), "asymptotic"),
    Case("MMRM, unstructured, Kenward-Roger", SIZE, 0.05, mixed("unstructured", True), "asymptotic"),
    Case("MMRM, unstructured, Kenward-Roger, small", "2 x 12, 4 visits, a quarter leave", 0.05,
         mixed("unstructured", True, 24), "asymptotic"),
    Case("MMRM, autoregressive, Satterthwaite", SIZE, 0.05, mixed("autoregressive"), "asymptotic"),
    Case("MMRM, heterogeneous autoregressive, Kenward-Roger", SIZE, 0.05, mixed("heterogeneous_autoregressive", True),
         "asymptotic"),
    Case("MMRM, compound symmetry, Satterthwaite", SIZE, 0.05, mixed("compound_symmetry"), "asymptotic"),
    Case("MMRM, Toeplitz, Kenward-Roger", SIZE, 0.05, mixed("toeplitz", True), "asymptotic"),
    Case("MMRM, heterogeneous compound symmetry, Satterthwaite", SIZE, 0.05, mixed("heterogeneous_compound_symmetry"),
         "asymptotic"),
    Case("MMRM, heterogeneous Toeplitz, Kenward-Roger", SIZE, 0.05, mixed("heterogeneous_toeplitz", True),
         "asymptotic"),
    Case("MMRM, ante-dependence, Satterthwaite", SIZE, 0.05, mixed("ante_dependence"), "asymptotic"),
    Case("MMRM, heterogeneous ante-dependence, Kenward-Roger", SIZE, 0.05,
         mixed("heterogeneous_ante_dependence", True), "asymptotic"),
    Case("MMRM, wrong structure, sandwich CR2", SIZE, 0.05, empirical("bias_reduced"), "asymptotic",
         note="people leave by what was seen, so that a wrong structure may also shift the estimate; the arms are "
         "alike, so not here"),
]  # fmt: skip
