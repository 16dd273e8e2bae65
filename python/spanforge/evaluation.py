"""Scores a model's answers, or given predictions."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from os import PathLike
from typing import Any

from spanforge import _spanforge, _values
from spanforge._errors import UsageError
from spanforge._progress import Bars
from spanforge.dataset import DataLike, held


class Scores(dict[str, float]):
    """squad_v2's numbers (exact, f1: 0 to 100; total: questions; ...), the numbers of the other metric, and for a model
    qa_topk_recall (0 to 1) and loss (mean over windows).

    answers: the answer to each question, by id; "" for no answer.
    """

    answers: dict[str, str]


def evaluate(
    model: str | PathLike[str] | None = None,
    data: DataLike = None,
    *,
    predictions: Mapping[str, str] | None = None,
    null_odds: Mapping[str, float] | None = None,
    no_answer_threshold: float = 1.0,
    metric: str = "squad_v2",
    predictions_dir: str | PathLike[str] | None = None,
    disable_tqdm: bool = False,
    **options: Any,
) -> Scores:
    """Answers the questions of `data` with a model and scores the answers; or scores `predictions`.

    model: a directory or hub id. data: a Dataset, or what makes one.
    predictions: {id: text}, instead of a model.
    null_odds: {id: odds of no answer}; above no_answer_threshold the answer counts as "".
    metric: what to score in addition to squad_v2: "cmrc2018", "word_f1", "all".
    predictions_dir: a directory that receives run_qa's eval_predictions.json and related files.
    options: those of `spanforge evaluate`: decoder, max_seq_length, doc_stride, max_answer_length,
        version_2_with_negative, null_score_diff_threshold, batch_size, bf16, threads, verify.

    Raises Error for data, a model or predictions that cannot be read, UsageError for an argument that is wrong.
    Ctrl-C ends it with KeyboardInterrupt.
    """
    if data is None:
        raise UsageError("usage", "is needed", parameter="data")
    if (model is None) == (predictions is None):
        raise UsageError("usage", "give either a model or predictions", parameter="model")
    dataset, _ = held(data)
    if predictions is not None:
        if options or predictions_dir is not None:
            name = next(iter(options), "predictions_dir")
            raise UsageError("usage", "has no effect without a model", parameter=name)
        odds = "" if null_odds is None else json.dumps(dict(null_odds))
        scores = Scores(_spanforge.score(dataset, json.dumps(dict(predictions)), odds, no_answer_threshold, metric))
        scores.answers = dict(predictions)
        return scores
    if null_odds is not None:
        raise UsageError("usage", "has no effect without predictions", parameter="null_odds")
    bars = Bars(disable_tqdm)
    texts = _values.texts({"metric": metric, **options})
    directory = "" if predictions_dir is None else os.fsdecode(predictions_dir)
    try:
        values, answers = _spanforge.evaluate(
            _values.model_name(model), dataset, texts, directory, bars.update
        )
    finally:
        bars.close()
    scores = Scores(values)
    scores.answers = answers
    return scores
