"""Python's values as the texts that the program's option tables read. So both take the same words."""

from __future__ import annotations

import enum
import os
from collections.abc import Mapping

from spanforge._errors import UsageError


def utf8(text: str) -> str:
    """The text itself. Raises UnicodeEncodeError for a lone surrogate, as in a file's name that is not UTF-8."""
    text.encode()
    return str(text)


def _text(name: str, value: object) -> str:
    if isinstance(value, enum.Enum):
        value = value.value
    if isinstance(value, bool) or type(value).__name__ in ("bool_", "bool"):
        return "true" if value else "false"
    if isinstance(value, (str, os.PathLike)):
        return utf8(os.fsdecode(value))
    if isinstance(value, (int, float)) or hasattr(value, "__index__") or hasattr(value, "__float__"):
        return str(value)  # also NumPy's numbers
    raise UsageError("usage", f"is a {type(value).__name__}, which no argument takes", parameter=name)


def texts(options: Mapping[str, object]) -> dict[str, list[str]]:
    """The options that are set: None means not set, as in Transformers."""
    found: dict[str, list[str]] = {}
    for name, value in options.items():
        if value is None:
            continue
        if isinstance(value, (list, tuple)):
            found[name] = [_text(name, one) for one in value]
        else:
            found[name] = [_text(name, value)]
    return found


def model_name(model: object) -> str:
    """A model's directory or hub id."""
    if isinstance(model, (str, os.PathLike)):
        return utf8(os.fsdecode(model))
    raise UsageError("usage", f"is a {type(model).__name__}, not a directory or a hub id", parameter="model")
