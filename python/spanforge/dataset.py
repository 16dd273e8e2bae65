"""Questions with contexts and answers, from Python's values or a file."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from os import PathLike
from typing import Any, TypedDict, Union

from spanforge import _spanforge, _values
from spanforge._errors import UsageError


class Answers(TypedDict):
    """text: the texts. answer_start: code points of the context, one for each text."""

    text: list[str]
    answer_start: list[int]


class Row(TypedDict):
    """A question, as in the squad set of `datasets`."""

    id: str
    title: str
    context: str
    question: str
    answers: Answers


class Dataset:
    """Questions with contexts and answers. It does not change.

    data: one of
        - a file's name: every form that `spanforge data check` reads (docs/data-forms.md);
        - a list of rows {"id", "question", "context", "answers": {"text": [...], "answer_start": [...]}}, or of
          SQuAD's articles;
        - a mapping: SQuAD's {"data": [...]}, or columns {"question": [...], "context": [...], ...};
        - a datasets.Dataset (one split), or a pandas.DataFrame.
      Rows without an id have their number as the id. A row with an empty list of answers has none in its context.
    columns: what the data's columns or keys are: {"question": "q", "context": "text", "answer": "a"}.
    encoding: of a file; default: recognised.
    name: of data that are no file, for messages.

    Starts are code points, as Python counts them. Faults of single rows are in `faults`; train() and evaluate() decide
    about them. Raises Error with file and where for data that cannot be read.

    >>> len(Dataset([{"id": "1", "question": "Where?", "context": "In Ulm.",
    ...               "answers": {"text": ["Ulm"], "answer_start": [3]}}]))
    1
    """

    def __init__(
        self,
        data: DataLike,
        *,
        columns: Mapping[str, str] | str | None = None,
        encoding: str | None = None,
        name: str = "data",
    ) -> None:
        names = columns if isinstance(columns, str) else ",".join(f"{k}={v}" for k, v in (columns or {}).items())
        self._held: _spanforge.Dataset
        if isinstance(data, (str, PathLike)):
            self._held = _spanforge.Dataset.read_file(_values.utf8(os.fsdecode(data)), names, encoding or "")
            return
        if encoding:
            raise UsageError("usage", "is of a file only", parameter="encoding")
        self._held = _spanforge.Dataset.read_text(_json_text(data, names), name, names)

    @property
    def name(self) -> str:
        """The file, or the name for messages."""
        return self._held.name()

    @property
    def faults(self) -> list[dict[str, str]]:
        """Faults of single rows: kind, place, id, reason."""
        return self._held.faults()

    @property
    def notes(self) -> list[str]:
        """How the data were read, where that was not obvious."""
        return self._held.notes()

    @property
    def blind(self) -> bool:
        """No question has answers: the set can be answered, but not trained on or scored."""
        return self._held.blind()

    def __len__(self) -> int:
        return len(self._held)

    def __getitem__(self, index: int) -> Row:
        if not -len(self) <= index < len(self):
            raise IndexError(f"{index} of {len(self)} questions")
        return self._held.row(index % len(self))

    def __iter__(self) -> Iterator[Row]:
        return (self._held.row(index) for index in range(len(self)))

    def __repr__(self) -> str:
        return f"Dataset({self.name!r}: {len(self)} questions, {self._held.context_count()} contexts)"

    def save(self, file: str | PathLike[str]) -> None:
        """Writes SQuAD v2.0 JSON, whole or not at all."""
        self._held.save(_values.utf8(os.fsdecode(file)))


# Any: datasets and pandas are not needed to use this module.
DataLike = Union[str, PathLike[str], Mapping[str, Any], Iterable[Mapping[str, Any]], Any]


def held(data: DataLike) -> tuple[_spanforge.Dataset, str]:
    """The data of a Dataset, or of what makes one."""
    dataset = data if isinstance(data, Dataset) else Dataset(data)
    return dataset._held, dataset.name


def _json_text(data: Any, columns: str) -> str:
    if hasattr(data, "to_dict") and hasattr(data, "columns") and hasattr(data, "iloc"):  # pandas
        rows: Any = data.to_dict("records")
    elif isinstance(data, Mapping) and data and all(hasattr(split, "column_names") for split in data.values()):
        names = ", ".join(map(str, data))
        raise UsageError("usage", f"the data are several splits ({names}); give one of them")
    elif isinstance(data, Mapping):
        is_columns = "data" not in data and any(not isinstance(value, (str, Mapping)) for value in data.values())
        rows = _rows_of_columns(data) if is_columns else data
    elif isinstance(data, Iterable) and not isinstance(data, (bytes, bytearray)):
        rows = list(data)
        for row in rows:
            if not isinstance(row, Mapping):
                raise UsageError("usage", f"a row is a mapping with question and context, not a {type(row).__name__}")
    else:
        raise UsageError("usage", f"data of the type {type(data).__name__} cannot be read")
    if not rows:
        raise UsageError("usage", "the data hold no row")
    rows = _plain(rows)
    if isinstance(rows, list):
        _number_rows(rows, columns)
    return json.dumps(rows, default=_number)


def _number_rows(rows: list[dict[str, Any]], columns: str) -> None:
    """Gives flat rows ids where no row has one."""
    known = {*_spanforge.id_keys(), "paragraphs", "qas"}
    if "id=" in columns or any(known & row.keys() for row in rows):
        return
    for number, row in enumerate(rows):
        row["id"] = str(number)


def _rows_of_columns(columns: Mapping[str, Any]) -> list[dict[str, Any]]:
    lists = {name: list(column) for name, column in columns.items()}
    lengths = {len(column) for column in lists.values()}
    if len(lengths) > 1:
        raise UsageError("usage", f"the columns have different lengths: {sorted(lengths)}")
    return [dict(zip(lists, values)) for values in zip(*lists.values())]


def _plain(value: Any) -> Any:
    """The value with None for NaN, which pandas has for "missing", and with lists for arrays."""
    if isinstance(value, Mapping):
        return {key: None if _is_missing(item) else _plain(item) for key, item in value.items()}
    if hasattr(value, "tolist") and not isinstance(value, (str, bytes)):  # NumPy
        return _plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _is_missing(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _number(value: Any) -> Any:
    if hasattr(value, "item"):
        return value.item()
    raise UsageError("usage", f"a value of the type {type(value).__name__} is not text, number or list")
