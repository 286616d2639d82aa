"""The population of people in general that Cutis ships."""

from functools import cache
from pathlib import Path

from ..fitting.model import Model, decode

FILE = Path(__file__).parent / "us_2007_2018.parquet"


@cache
def shipped() -> Model:
    """People of the United States aged 12 or more, fitted to NHANES 2007 to 2018 by `us_2007_2018.yaml`."""
    return decode(FILE)
