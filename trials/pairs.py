"""Words such as `size=1000 seed=7`, for commands whose few settings need no configuration files."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..population.messages import nearest
from .errors import BadInput

Reader = Callable[[str, str], Any]  # of a key and the text after its `=`


def read(words: Sequence[str], known: Mapping[str, Reader]) -> dict[str, Any]:
    """What the words say, each value read by the reader of its key.

    Raises:
      BadInput: everything that is wrong, one line each.
    """
    found: dict[str, Any] = {}
    wrong = []
    for word in words:
        key, equals, text = word.partition("=")
        if not equals or not key:
            wrong.append(f"{word}: expected key=value, such as size=1000")
        elif key not in known:
            wrong.append(f"{key}: unknown key; {nearest(key, known)}")
        elif key in found:
            wrong.append(f"{key}: given twice")
        else:
            try:
                found[key] = known[key](key, text)
            except BadInput as error:
                found[key] = None
                wrong.append(str(error))
    if wrong:
        raise BadInput("\n".join(wrong))
    return found


def whole(low: int, high: int) -> Reader:
    """Reads a whole number from `low` to `high`, which may be written as 1_000_000."""

    def reader(key: str, text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise BadInput(f"{key}: expected a whole number, such as {key}=1000, got {text!r}") from None
        if not low <= number <= high:
            raise BadInput(f"{key}: expected a number from {low:,} to {high:,}, got {text}")
        return number

    return reader


def text(key: str, given: str) -> str:
    """Reads anything but an empty text."""
    if not given.strip():
        raise BadInput(f"{key}: expected a value, got nothing")
    return given


def one_of(*choices: str) -> Reader:
    """Reads one of a few words."""

    def reader(key: str, text: str) -> str:
        if text not in choices:
            raise BadInput(f"{key}={text}: no such {key}; {nearest(text, choices)}")
        return text

    return reader
