"""All estimates of core/psoriasis/outside.yaml for given parameters of the model: light, topical, triggers."""

from collections.abc import Mapping
from dataclasses import dataclass

from . import phototherapy_check, topical, triggers
from .lamp import Patients, read_patients


@dataclass(frozen=True)
class Outside:
    """Estimates by parameter (`:sd` for a spread), standard errors of their logarithms where known, and checks."""

    values: Mapping[str, float]
    errors: Mapping[str, float]
    light: phototherapy_check.Check
    topical: topical.Clearing
    triggers: triggers.Sizes


LIGHT = {
    "median": "light.sensitivity",
    "sd": "light.sensitivity:sd",
    "memory": "light.memory",
    "plaque": "light.plaque",
    "fading": "nb_uvb.clearance",
}


def estimate(theta: Mapping[str, float], patients: Patients | None = None) -> Outside:
    """Estimate everything; `theta` is `Table.numbers()`, whose own values of what is estimated are not used.

    Raises:
      ValueError: untreated plaques do not keep to their steady state under `theta`, no size of events lets them vary
        as they should, or no rate of clearing gives the responses to a topical.
      RuntimeError: the fit of phototherapy did not converge.
    """
    flares = triggers.estimate(theta)
    light = phototherapy_check.check(read_patients() if patients is None else patients, theta)
    foam = topical.estimate(theta)
    fit = light.fit
    return Outside(
        {key: fit.values[name] for name, key in LIGHT.items()}
        | {"topical.clearing": foam.clearing}
        | dict(flares.values),
        {key: fit.errors[name] for name, key in LIGHT.items() if name in fit.errors} | {"topical.clearing": foam.error},
        light,
        foam,
        flares,
    )
