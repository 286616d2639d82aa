"""A simulated registry of people with psoriasis, as a clinic would hand it over, and the plan that reads it."""

from pathlib import Path

import numpy as np
import pandas as pd
import yaml

# What one person alone has: no file of the fitted population may show it.
ALONE = 248.7  # kg

PLAN = {
    "name": "clinic",
    "about": "people of a simulated clinic",
    "source": {"citation": "a simulated table, made for a test"},
    "keep": {"Alter": {"min": 18}},
    "weights": "Gewicht_Stichprobe",
    "categories": {
        "male": {"column": "Geschlecht", "levels": {"no": "w", "yes": "m"}},
        "biologic": {"column": "Biologikum", "levels": {"no": ["nein", "nie"], "yes": "ja"}, "missing": "no"},
    },
    "numbers": {
        "age": {"column": "Alter", "unit": "year", "low": 18, "high": 110, "step": 1, "completed": True},
        "height": {"column": "Groesse", "unit": "cm", "low": 120, "high": 220, "step": 0.1},
        "weight": {"column": "Gewicht", "unit": "kg", "low": 25, "high": 350, "step": 0.1},
        "pasi": {"column": "PASI", "unit": "points", "low": 0, "high": 72, "typical": [2, 40], "step": 0.1},
    },
    "cells": {"by": ["male", "biologic"], "band": {"number": "age", "edges": [18, 45]}},
}
NUMBERS = {"age": "Alter", "height": "Groesse", "weight": "Gewicht", "pasi": "PASI"}


def people(size: int, seed: int = 1) -> pd.DataFrame:
    """People under the names of the plan's columns; the first one's weight is ALONE, the others' below 200 kg."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((3, size))
    male = rng.random(size) < 0.6
    height = np.where(male, 177.0, 164.0) + 7 * z[0]
    weight = np.minimum(np.exp(np.log(28) + 0.18 * z[1]) * (height / 100) ** 2, 190)
    weight[0] = ALONE
    pasi = np.minimum(12 + np.exp(1.6 + 0.5 * z[2] + 0.2 * z[1]), 72)
    return pd.DataFrame(
        {
            "Patient": [f"P{number:05d}" for number in rng.permutation(size)],
            "Gewicht_Stichprobe": np.where(rng.random(size) < 0.3, 2.5, 1.0),
            "Geschlecht": np.where(male, "m", "w"),
            "Biologikum": rng.choice(["ja", "nein", "nie", ""], size, p=[0.3, 0.4, 0.2, 0.1]),
            "Alter": np.floor(rng.uniform(15, 80, size)).astype(int),
            "Groesse": np.round(height, 1),
            "Gewicht": np.round(weight, 1),
            "PASI": np.where(rng.random(size) < 0.08, np.nan, np.round(pasi, 1)),
        }
    ).assign(Alter=lambda table: table.Alter.where(table.index > 0, 50))


def american(size: int, seed: int = 2) -> pd.DataFrame:
    """People as the plan in examples/population_registry.yaml expects them."""
    rng = np.random.default_rng(seed)
    table = people(size, seed)
    onset = np.round(2 * (table.Alter - 12) * rng.random(size)) / 2
    return pd.DataFrame(
        {
            "age_years": table.Alter,
            "diagnosis": rng.choice(["L40.0", "plaque psoriasis", "L40.5"], size, p=[0.5, 0.4, 0.1]),
            "sex": np.where(table.Geschlecht == "m", "M", "female"),
            "smokes": rng.choice([0, 1, 9], size, p=[0.7, 0.25, 0.05]),
            "earlier_biologic": rng.choice(["0", "none", "1", ""], size, p=[0.3, 0.2, 0.3, 0.2]),
            "weight_lb": np.round(table.Gewicht / 0.45359237),
            "height_in": np.round(table.Groesse / 2.54, 1),
            "bmi": np.round(table.Gewicht / (table.Groesse / 100) ** 2, 1),
            "years_since_onset": np.where(rng.random(size) < 0.05, 999, onset),
            "pasi": table.PASI,
        }
    )


def written(folder: Path, table: pd.DataFrame, plan: dict | None = None) -> tuple[Path, Path]:
    """Plan and table as files; the table as a German spreadsheet writes it: semicolons and decimal commas."""
    folder.mkdir(parents=True, exist_ok=True)
    told, data = folder / "plan.yaml", folder / "people.csv"
    told.write_text(yaml.safe_dump(plan or PLAN, sort_keys=False), encoding="utf-8")
    table.to_csv(data, sep=";", decimal=",", index=False)
    return told, data
