"""What a column of twins means."""

from typing import Literal, NamedTuple


class Attribute(NamedTuple):
    """One property of a twin. A category is stored as the number of its level, counted from 0, a grade as itself.

    detail: reports show it folded away.
    """

    name: str
    about: str
    unit: str
    kind: Literal["number", "yes/no", "category", "grade"]
    levels: tuple[str, ...] | None = None
    detail: bool = False


RACES = ("white", "black", "mexican_american", "other_hispanic", "asian", "other")  # of people in general
