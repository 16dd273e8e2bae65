#!/usr/bin/env python3
"""Prints python/spanforge/_arguments.py, made from the program's table of training options.

PYTHONPATH=build/release/python python3 tools/make_python_arguments.py > python/spanforge/_arguments.py
The test python/arguments compares.
"""

import sys
import textwrap

from spanforge import _spanforge

HEAD = '''"""The arguments of spanforge.train(), from the program's option table. Made by tools/make_python_arguments.py."""

from __future__ import annotations

from os import PathLike
from typing import Any, Literal, TypedDict, Union

from spanforge.dataset import DataLike

PathText = Union[str, PathLike[str]]


class TrainingArguments(TypedDict, total=False):
    """The arguments of spanforge.train(). None: not set, so that the default counts.

'''
DATA = {"train": "train_dataset", "validation": "eval_dataset"}  # the Trainer's names of data in memory


def type_of(row):
    if row["name"] in DATA:
        return "DataLike"
    if row["foreign"]:
        return "Any"
    kind, placeholder = row["kind"], row["placeholder"]
    choices = placeholder.split("|") if "|" in placeholder else []
    if kind == "list":
        return "Union[str, list[str], None]"
    if kind == "boolean":
        words = [word for word in choices if word not in ("true", "false")]
        return f"Union[bool, {literal(words)}, None]" if words else "Union[bool, None]"
    if choices:
        return f"Union[{literal(choices)}, None]"
    names = {"N": "int", "X": "float", "TEXT": "str", "PATH": "PathText"}
    if row["name"] == "model":
        return "Union[PathText, None]"
    return f"Union[{names[placeholder]}, None]"


def literal(words):
    return "Literal[" + ", ".join(f'"{word}"' for word in words) + "]"


def main():
    rows = _spanforge.training_options()
    out = [HEAD]
    for row in rows:
        if row["foreign"]:
            continue
        text = row["help"]
        if row["range"]:
            text += f"; {row['range']}"
        if row["default"]:
            text += f" [{row['default']}]"
        aliases = ", ".join(filter(None, [*row["aliases"].split(","), DATA.get(row["name"], "")]))
        if aliases:
            text += f" (also {aliases})"
        text = f"{row['name']}: {text}".replace("\\", "\\\\")
        out.append(textwrap.fill(text, 116, initial_indent="    ", subsequent_indent="        ") + "\n")
    out.append("\n    Transformers' other arguments are accepted where they ask for what is done here anyway.\n")
    out.append('    """\n\n')
    for row in rows:
        names = [row["name"], *filter(None, row["aliases"].split(","))]
        if row["name"] in DATA:
            names.append(DATA[row["name"]])
        for name in names:
            out.append(f"    {name}: {type_of(row)}\n")
    sys.stdout.write("".join(out))


if __name__ == "__main__":
    main()
