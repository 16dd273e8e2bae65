"""spanforge.Dataset from everything that makes one."""

import json

import datasets
import numpy
import pandas
import pytest

import spanforge
from conftest import SAMPLE


def test_forms_give_the_same_rows(rows, tmp_path):
    nested = {"version": "1.1", "data": [{"title": "", "paragraphs": [{"context": r["context"], "qas": [
        {"id": r["id"], "question": r["question"], "answers": [
            {"text": r["answers"]["text"][0], "answer_start": r["answers"]["answer_start"][0]}]}]} for r in rows]}]}
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for data in (rows, tuple(rows), iter(rows), nested, nested["data"], columns, datasets.Dataset.from_list(rows),
                 pandas.DataFrame(rows), file, str(file)):
        dataset = spanforge.Dataset(data)
        assert list(dataset) == rows
        assert len(dataset) == 10 and dataset[-1] == rows[-1] and not dataset.faults and not dataset.blind
    with_arrays = pandas.DataFrame([{**row, "answers": {name: numpy.array(values) for name, values in row["answers"].items()}}
                                    for row in rows])
    assert list(spanforge.Dataset(with_arrays)) == rows


def test_missing_values_of_pandas():
    frame = pandas.DataFrame([{"question": "a?", "context": "a b", "answer": "b"}, {"question": "c?", "context": "a b", "answer": None}])
    dataset = spanforge.Dataset(frame)
    assert [row["answers"]["text"] for row in dataset] == [["b"], []]
    assert [row["id"] for row in dataset]  # made


def test_columns_and_files(rows, tmp_path):
    renamed = [{"q": row["question"], "text": row["context"], "a": row["answers"], "n": row["id"]} for row in rows]
    dataset = spanforge.Dataset(renamed, columns={"question": "q", "context": "text", "answer": "a", "id": "n"})
    assert [row["question"] for row in dataset] == [row["question"] for row in rows]
    dataset = spanforge.Dataset(SAMPLE / "train.json")
    dataset.save(tmp_path / "saved.json")
    assert list(spanforge.Dataset(tmp_path / "saved.json")) == list(dataset)


def test_wrong_data():
    for data in ([], {}, [1], 3, b"x", {"train": datasets.Dataset.from_list([{"question": "a"}])},
                 {"question": ["a"], "context": ["b", "c"]}, [{"question": "a", "context": object()}]):
        with pytest.raises(spanforge.UsageError):
            spanforge.Dataset(data)
    with pytest.raises(spanforge.Error) as caught:
        spanforge.Dataset("no-such-file.json")
    assert (caught.value.code, caught.value.file) == ("input/output", "no-such-file.json")
    with pytest.raises(spanforge.Error) as caught:
        spanforge.Dataset([{"no": "question"}])
    assert caught.value.code == "bad data" and caught.value.file == "data"
