"""What a column of twins means."""

from typing import Literal, NamedTuple


class Attribute(NamedTuple):
    """One property of a twin. A category is stored as the number of its level, counted from 0, a grade as itself."""

    name: str
    about: str
    unit: str
    kind: Literal["number", "yes/no", "category", "grade"]
    levels: tuple[str, ...] | None = None
