"""Absorption and scattering of the parts of skin at any wavelength from 400 to 12,000 nm: tables and formulas.

Between the points of a table the logarithm is linear in the logarithm of the wavelength; the tables are thinned so that
this costs at most 0.5 % (2 % for lipid). Wavelengths nm, coefficients 1/mm.
"""

import csv
from functools import cache
from pathlib import Path

import numpy as np

from ..parameters import read_table

HERE = Path(__file__).parent
PARAMETERS = read_table(HERE / "parameters.yaml", sources=HERE / "sources.yaml")
VALUES = {name: parameter.value for name, parameter in PARAMETERS.items()}
SHORTEST, LONGEST = 400.0, 12_000.0  # nm


@cache
def table(name: str) -> dict[str, np.ndarray]:
    """The columns of a table of `spectra/`, less that of sources."""
    with (HERE / "spectra" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {column: np.array([float(row[column]) for row in rows]) for column in rows[0] if column != "source"}


def known(wavelength: np.ndarray | float) -> np.ndarray:
    """Wavelengths (nm) as an array.

    Raises:
      ValueError: one is outside the tables.
    """
    asked = np.asarray(wavelength, dtype=float)
    bad = ~((asked >= SHORTEST) & (asked <= LONGEST))
    if bad.any():
        raise ValueError(
            f"wavelength: {np.atleast_1d(asked[bad])[0]:g} nm is outside the tables, {SHORTEST:g} to {LONGEST:g} nm"
        )
    return asked


def water(wavelength: np.ndarray | float) -> np.ndarray:
    """Absorption of water [segelstein1981].

    >>> round(float(water(1450.0)), 2)
    3.15
    """
    return _read("water", "absorption_per_mm", wavelength)


def lipid(wavelength: np.ndarray | float) -> np.ndarray:
    """Absorption of fat [vanveen2005]; of octane in its place from 1,282 to 2,600 nm [myers2018]; assumed elsewhere."""
    return _read("lipid", "absorption_per_mm", wavelength)


def blood(wavelength: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """Absorption of oxygenated and of deoxygenated whole blood, with its water [bosschaart2014; rowe2017]."""
    return _read("blood", "oxygenated_per_mm", wavelength), _read("blood", "deoxygenated_per_mm", wavelength)


def melanosome(wavelength: np.ndarray | float) -> np.ndarray:
    """Absorption inside melanosomes [jacques1998].

    >>> round(float(melanosome(755.0)), 1)
    17.2
    """
    return VALUES["melanosome.absorption"] * (known(wavelength) / 500) ** -VALUES["melanosome.power"]


def baseline(wavelength: np.ndarray | float) -> np.ndarray:
    """Absorption of tissue without blood, melanin and water [jacques1998]."""
    v = VALUES
    decay = np.exp(-(known(wavelength) - v["baseline.start"]) / v["baseline.scale"])
    return v["baseline.floor"] + v["baseline.height"] * decay


def reduced_scattering(tissue: str, wavelength: np.ndarray | float) -> np.ndarray:
    """Reduced scattering of `epidermis`, `dermis` or `subcutis` [jacques2013; alexandrakis2005]."""
    size, rayleigh, power = (VALUES[f"scattering.{tissue}.{name}"] for name in ("at_500", "rayleigh", "power"))
    relative = known(wavelength) / 500
    return size * (rayleigh * relative**-4 + (1 - rayleigh) * relative**-power)


def anisotropy(wavelength: np.ndarray | float) -> np.ndarray:
    """Mean cosine of scattering in all layers of skin [vangemert1989]."""
    v = VALUES
    return v["anisotropy.at_0"] + v["anisotropy.slope"] * np.minimum(known(wavelength), v["anisotropy.longest"])


def _read(name: str, column: str, wavelength: np.ndarray | float) -> np.ndarray:
    columns = table(name)
    points = np.log(columns["wavelength_nm"])
    return np.exp(np.interp(np.log(known(wavelength)), points, np.log(columns[column])))
