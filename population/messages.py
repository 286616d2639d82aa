"""Errors as sentences: which file, which key, which value, and what would be right."""

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError


def explain(
    error: ValidationError, model: type[BaseModel], data: Mapping[str, Any], origins: Mapping[str, str]
) -> Iterator[str]:
    """One sentence a mistake. `origins` tells which file a part of the data came from, by the start of its path."""
    for mistake in error.errors(include_url=False):
        location = tuple(part for part in mistake["loc"] if not str(part).startswith(("function-", "tagged-")))
        path = ".".join(map(str, location))
        where = f"{_origin(path, origins)}: {path}: " if path else f"{_origin(path, origins)}: "
        yield f"{where}{_sentence(dict(mistake), location, model, data)}"


def nearest(word: str, known: Iterable[str]) -> str:
    """`did you mean …?` where one is close, else the choices."""
    choices = sorted(known)
    close = get_close_matches(word, choices, n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else f"choose from {', '.join(choices)}"


def _sentence(
    mistake: dict[str, Any], location: tuple[int | str, ...], model: type[BaseModel], data: Mapping[str, Any]
) -> str:
    kind, context = mistake["type"], mistake.get("ctx", {})
    if kind == "extra_forbidden":
        return f"unknown key; {nearest(str(location[-1]), _fields(model, location[:-1]))}"
    if kind == "missing":
        return "is missing"
    if kind == "value_error":
        return str(context["error"])
    got = _at(data, location)
    if kind == "literal_error":
        known = [word.strip("' ") for word in context["expected"].replace(" or ", ",").split(",")]
        return f"{got!r} is not a choice here; {nearest(str(got), known)}"
    if kind == "string_pattern_mismatch" and location[-1] == "[key]":
        return "a name consists of small letters, digits and underscores, and starts with a letter"
    return f"{mistake['msg'].removeprefix('Input ').lower()}, got {got!r}"


def _origin(path: str, origins: Mapping[str, str]) -> str:
    """The origin of the longest known part of the path; a change below it counts as the command line's."""
    parts = path.split(".")
    for end in range(len(parts), 0, -1):
        head = ".".join(parts[:end])
        if head in origins:
            return origins[head]
    return "configuration"


def _fields(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The keys that are allowed at a place in the schema."""
    at: Any = model
    for part in location:
        fields = next((m.model_fields for m in _models(at) if part in m.model_fields), None)
        at = fields[str(part)].annotation if fields else at
    return [field.alias or name for found in _models(at) for name, field in found.model_fields.items()]


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models(argument)]


def _at(data: Any, location: tuple[int | str, ...]) -> Any:
    for part in location:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return data
    return data
