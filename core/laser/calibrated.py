"""The numbers that the calibration writes, for the modules that compute with them."""

from pathlib import Path

from ..parameters import read_table

HERE = Path(__file__).parent
FILE = HERE / "calibrated.yaml"
TABLE = read_table(FILE, sources=HERE / "device_sources.yaml")
VALUES = TABLE.numbers()
