"""Who is enrolled, as criteria of a study file: usual people, and some whom published facts are about."""

from collections.abc import Mapping
from typing import Any

from .found import number

Entry = Mapping[str, Mapping[str, Any]]

USUAL: Entry = {
    "iga": {"one_of": [3, 4]},
    "inflammatory": {"min": number("entry.inflammatory_least"), "max": number("entry.inflammatory_most")},
    "noninflammatory": {"min": number("entry.comedones_least"), "max": number("entry.comedones_most")},
}
WOMEN: Entry = {**USUAL, "male": {"one_of": [False]}, "age": {"min": number("entry.adult")}}
MODERATE: Entry = {"iga": {"one_of": [3, 4]}}
SEVERE: Entry = {"iga": {"one_of": [4]}}
