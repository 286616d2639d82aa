"""Plain data from a YAML file: no tags, no aliases, no key given twice, no file too large to be written by hand."""

from pathlib import Path
from typing import Any

import yaml

LARGEST = 1_000_000  # bytes; far above what anyone writes by hand


def read_mapping(file: Path, what: str) -> dict[str, Any]:
    """The mapping that a YAML file holds; `what` says in messages what it should be, such as "a fit plan".

    Raises:
      ValueError: the file cannot be read, is not YAML, or holds something other than plain data.
    """
    try:
        size = file.stat().st_size
        if size > LARGEST:
            raise ValueError(f"{file}: {size:,} bytes are too many for {what} (at most {LARGEST:,})")
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ValueError(f"{file}: {what} cannot be read: {reason}") from None
    try:
        data = yaml.load(text, Loader=_Plain)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ValueError(f"{file}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(data, dict):
        raise ValueError(f"{file}: expected {what}, a mapping of keys to values, got {type(data).__name__}")
    return data


class _Plain(yaml.SafeLoader):
    """Plain data; aliases are refused, since a few lines of them can stand for more than memory holds."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()
            raise yaml.MarkedYAMLError(
                None, None, f"alias *{event.anchor} is not supported; write the value itself", event.start_mark
            )
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise yaml.MarkedYAMLError(
                    None, None, f'key {key!r} is not text; write it in quotes, such as "no"', key_node.start_mark
                )
            if key in seen:
                raise yaml.MarkedYAMLError(None, None, f"key {key!r} is given twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)
