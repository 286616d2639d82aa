"""Which of the assumed parameters matter for response rates, and how much.

Every assumed parameter that can act on a response is moved through its range. Morris's elementary effects [morris1991]
rank them all: `mu_star` is the mean absolute change of a rate over the whole range of a parameter, whatever the others
are, `sigma` the spread of that change. For the most important ones Sobol's indices [saltelli2010] tell the share of a
rate's variance that each explains alone (`s1`) and together with others (`st`), were they uniform in their ranges.

References: Morris MD. Technometrics 1991;33:161-174. Saltelli A, et al. Comput Phys Commun 2010;181:259-270. Both as
implemented in SALib (Iwanaga T, et al. Socio-Environ Syst Model 2022;4:18155).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ...core.diseases import DISEASES
from ...core.parameters import Parameter, Table
from . import quantities
from .quantities import ASKED, PLACEBO, Setting, reaches

SHOWN = {  # rates for which all parameters are ranked; for other drugs' PASI 75 and PASI 90 only their own
    **dict.fromkeys(("adalimumab", "ustekinumab", "ixekizumab", "apremilast", PLACEBO), ("pasi75", "pasi90")),
    "risankizumab": ASKED,
}
OWN = ("pasi75", "pasi90")
MOST = 10  # parameters whose Sobol indices are found
TRAJECTORIES, BASE = 16, 256  # of Morris's and of Sobol's design
LEVELS = 4
RELATIVE, WEIGHTS, SHARES, OFFSETS = 0.3, 0.15, 0.1, 0.1  # half widths of ranges, see `limits`
MAY_BE_NEGATIVE = (
    r"regions\.(extent|lag)_|signs\.(erythema|induration|scaling)$|sensitivity\.(female|severity)$|.*\.carriers$"
)
SPREAD_ONLY = (  # values that are 0 or 1 by definition
    *("sensitivity.potency", "regions.response", "signs.deviation", "signs.reading", "signs.visit"),
    *("reported.dlqi_reading", "trial.effect"),
)
NO_PART = {  # why the rates here do not depend on some assumed parameters
    r".*\.highest_dose$": "a guard against slips in study files",
    r"model\.itch_lag$|reported\.itch": "acts on itch alone",
    r"trial\.(effect|intraclass)$": "chance of a trial, not of the model",
    r"triggers\.": "triggers keep the mean drive as it is; they add variation in time",
    r"light\.|nb_uvb\.|topical\.|calcipotriol_betamethasone\.": "acts under light or topicals only",
    r"serious_infection\.|injection_site_reaction\.|candidiasis\.": "a rate of adverse events",
}

Rates = Mapping[str, np.ndarray]  # by quantity, one entry a set of parameters
Say = Callable[[str], None]


class Range(NamedTuple):
    """Where a parameter may lie; `parameter` ends in `:sd` for its spread between people."""

    parameter: str
    about: str
    value: float
    unit: str
    low: float
    high: float


def quiet(text: str) -> None:
    """Say nothing."""


def importance(
    seed: int,
    table: Table | None = None,
    trajectories: int = TRAJECTORIES,
    base: int = BASE,
    people: int = 256,
    crowd: int = 1024,
    say: Say = quiet,
) -> pd.DataFrame:
    """The ranking: one row a parameter and quantity, the most important parameter first.

    Args:
      seed: of both designs. table: parameters, by default those of psoriasis. trajectories, base: sizes of Morris's and
        Sobol's design (base: a power of 2). people: an arm. crowd: candidates behind the readings.
    Returns:
      parameter, about, value, unit, low, high, quantity (treatment and outcome at week 16), mu_star and sigma (shares
      of people), s1, s1_conf, st, st_conf (95 % half widths; NaN for all but the most important).
    """
    table = table or DISEASES["psoriasis"].parameters
    varied = ranges(table)
    setting = Setting(table.numbers(), people, crowd)
    say(f"screening {len(varied)} assumed parameters")
    everything = {treatment: SHOWN.get(treatment, OWN) for treatment in quantities.regimens()}
    screened = screen(varied, lambda sets: evaluate(setting, everything, sets), seed, trajectories)
    screened = screened.loc[[_counts(p, q) for p, q in zip(screened.parameter, screened.quantity, strict=True)]]
    shown = screened.loc[[quantity.split()[0] in SHOWN for quantity in screened.quantity]]
    first = shown.groupby("parameter").mu_star.max().nlargest(MOST).index
    say(f"Sobol indices of {', '.join(first)}")
    chosen = [r for r in varied if r.parameter in first]
    indices = decompose(chosen, lambda sets: evaluate(setting, SHOWN, sets), seed, base)
    both = screened.merge(indices, how="left", on=["parameter", "quantity"])
    told = pd.DataFrame(varied).merge(both, on="parameter")
    return _sorted(told)


def ranges(table: Table) -> list[Range]:
    """Ranges of the assumed parameters that can act on a response."""
    found = []
    for name, parameter in table.items():
        if parameter.status != "assumed" or unranked(name):
            continue
        if name not in SPREAD_ONLY:
            low, high = limits(parameter)
            found.append(Range(name, parameter.about, parameter.value, parameter.unit, low, high))
        if parameter.spread:
            sd, about = parameter.spread.sd, f"spread between people ({parameter.spread.kind}): {parameter.about}"
            found.append(Range(f"{name}:sd", about, sd, "1", sd * (1 - RELATIVE), sd * (1 + RELATIVE)))
    return found


def limits(parameter: Parameter) -> tuple[float, float]:
    """The range of an assumed value, where nothing better is known: 30 % to either side.

    A share moves by 0.1, at most half the way to 0 or 1; a number that may have either sign (an offset, a logarithm) by
    0.1; a body weight by 15 %.
    """
    value = parameter.value
    if re.match(MAY_BE_NEGATIVE, parameter.name) or value <= 0:
        return value - OFFSETS, value + OFFSETS
    if parameter.unit == "1" and value < 1 and "share" in parameter.about.split():
        return max(value - SHARES, value / 2), min(value + SHARES, (1 + value) / 2)
    width = WEIGHTS if parameter.unit == "kg" else RELATIVE
    return value * (1 - width), value * (1 + width)


def unranked(name: str) -> str:
    """Why a parameter has no place in the ranking; empty if it has one."""
    return next((why for pattern, why in NO_PART.items() if re.match(pattern, name)), "")


def evaluate(setting: Setting, asked: Mapping[str, Sequence[str]], sets: Mapping[str, np.ndarray]) -> Rates:
    """Rates of treatments under each set of parameters, by `treatment outcome`."""
    curves = quantities.response_curves(setting, sets)
    found = {}
    for treatment, outcomes in asked.items():
        shares = quantities.rates(setting, treatment, sets, curves)
        found |= {f"{treatment} {outcome}": shares[outcome] for outcome in outcomes}
    return found


def screen(
    varied: Sequence[Range], rates: Callable[[dict[str, np.ndarray]], Rates], seed: int, trajectories: int
) -> pd.DataFrame:
    """Morris's measures of each parameter for each quantity: parameter, quantity, mu_star, sigma."""
    from SALib.analyze import morris as analysis
    from SALib.sample import morris

    problem = _problem(varied)
    rows = morris.sample(problem, trajectories, num_levels=LEVELS, seed=seed)
    found = []
    for quantity, values in rates(_sets(varied, rows)).items():
        told = analysis.analyze(problem, rows, values, num_resamples=2, num_levels=LEVELS, seed=seed)
        columns = {name: np.asarray(told[name]) for name in ("mu_star", "sigma")}
        found.append(pd.DataFrame({"parameter": problem["names"], "quantity": quantity} | columns))
    return pd.concat(found, ignore_index=True)


def decompose(
    varied: Sequence[Range], rates: Callable[[dict[str, np.ndarray]], Rates], seed: int, base: int
) -> pd.DataFrame:
    """Sobol's indices of each parameter for each quantity: parameter, quantity, s1, s1_conf, st, st_conf.

    A quantity that nothing moves has none.
    """
    from SALib.analyze import sobol as analysis
    from SALib.sample import sobol

    problem = _problem(varied)
    rows = sobol.sample(problem, base, calc_second_order=False, seed=seed)
    found = []
    for quantity, values in rates(_sets(varied, rows)).items():
        told = dict.fromkeys(("S1", "S1_conf", "ST", "ST_conf"), np.full(len(varied), np.nan))
        if np.ptp(values) > 0:  # a seed of 0 would leave the intervals to chance
            told = analysis.analyze(problem, values, calc_second_order=False, seed=seed + 1)
        columns = {name.lower(): np.asarray(told[name]) for name in ("S1", "S1_conf", "ST", "ST_conf")}
        found.append(pd.DataFrame({"parameter": problem["names"], "quantity": quantity} | columns))
    return pd.concat(found, ignore_index=True)


def _problem(varied: Sequence[Range]) -> dict[str, Any]:
    """What SALib calls a problem."""
    bounds = [[r.low, r.high] for r in varied]
    return {"num_vars": len(varied), "names": [r.parameter for r in varied], "bounds": bounds}


def _sets(varied: Sequence[Range], rows: np.ndarray) -> dict[str, np.ndarray]:
    return dict(zip((r.parameter for r in varied), rows.T, strict=True))


def _counts(parameter: str, quantity: str) -> bool:
    """Whether a row belongs into the ranking: what reaches a shown treatment, and other drugs' own parameters."""
    treatment = quantity.split()[0]
    return reaches(parameter, treatment) and (treatment in SHOWN or parameter.split(".")[0] == treatment)


def _sorted(told: pd.DataFrame) -> pd.DataFrame:
    """By the largest effect that a parameter has on any quantity, then by the effect."""
    largest = told.groupby("parameter").mu_star.transform("max")
    order = told.assign(largest=largest).sort_values(
        ["largest", "parameter", "mu_star"], ascending=[False, True, False]
    )
    return order.drop(columns="largest").reset_index(drop=True)
