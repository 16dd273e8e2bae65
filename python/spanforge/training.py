"""Fine-tunes a model."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any, Optional, Union, Unpack

from spanforge import _spanforge, _values
from spanforge._arguments import TrainingArguments
from spanforge._errors import UsageError
from spanforge.callbacks import Handler
from spanforge.dataset import Dataset, held

# Each kind of data by its names: the option's, and those of Transformers' Trainer and run_qa.
_TRAIN = ("train", "train_file", "train_dataset")
_VALIDATION = ("validation", "validation_file", "eval_dataset")


@dataclass(frozen=True)
class TrainOutput:
    """The result of a training.

    global_step: optimiser steps. training_loss: mean over all steps.
    metrics: the summary (train_runtime in seconds, train_samples_per_second, ..., epoch).
    evaluation: the last evaluation's line, or None. trained: the directory of the model.
    best_checkpoint: of metric_for_best_model, or None. resumed_from: a checkpoint, or None.
    """

    global_step: int
    training_loss: float
    metrics: dict[str, Any]
    evaluation: Optional[dict[str, Any]]
    trained: str
    best_checkpoint: Optional[str]
    resumed_from: Optional[str]


def train(
    *,
    callbacks: Sequence[object] = (),
    disable_tqdm: bool = False,
    quiet: bool = False,
    **arguments: Unpack[TrainingArguments],
) -> TrainOutput:
    """Fine-tunes a model on question answering data and writes it to OUTPUT/trained/.

    train, validation: a file, a Dataset, or what makes one. model: a directory or hub id. output: a directory.
    The other arguments are those of `spanforge train` under their names of Transformers' TrainingArguments, with the
    same defaults: help(spanforge.TrainingArguments) lists them with their meaning, unit and range.
    callbacks: objects or classes with methods as in TrainerCallback.
    disable_tqdm: draw no progress bars. quiet: neither draw nor print.

    Log lines are printed as the Trainer prints them; notices go to the logger "spanforge". Ctrl-C saves a checkpoint
    and then raises KeyboardInterrupt; resume_from_checkpoint="last" goes on from there.
    Raises UsageError for an argument that is wrong, Error for data and models. Nothing is written before all of these
    are checked.

    >>> train(model="bert-base-chinese", train="train.json", output="run", learning_rate=3e-5).trained
    'run/trained'
    """
    options: dict[str, Any] = dict(arguments)
    train_data = _take_data(options, _TRAIN)
    validation_data = _take_data(options, _VALIDATION)
    if "model" in options and options["model"] is not None:
        options["model"] = _values.model_name(options["model"])
    handler = Handler(callbacks, disable_tqdm=disable_tqdm, quiet=quiet)
    try:
        result = _spanforge.train(
            _values.texts(options), train_data, validation_data, handler, handler.saves_at_once
        )
    finally:
        handler.close()
    return TrainOutput(**result)


def _take_data(options: dict[str, Any], names: tuple[str, ...]) -> Union[_spanforge.Dataset, None]:
    """Takes the data from the options. A file stays there, under the option's name; data in memory leave their name."""
    given = [name for name in names if options.get(name) is not None]
    if len(given) > 1:
        raise UsageError("usage", f"means the same as {given[1]}, which is given as well", parameter=given[0])
    if not given:
        return None
    data = options.pop(given[0])
    if isinstance(data, (str, PathLike)):
        options[names[0]] = os.fsdecode(data)
        return None
    columns, encoding = options.get("columns"), options.get("encoding")
    if isinstance(data, Dataset) and columns:
        raise UsageError("usage", "is of files and rows; give it to the Dataset", parameter="columns")
    if encoding:
        raise UsageError("usage", "is of files only", parameter="encoding")
    dataset, name = held(data if isinstance(data, Dataset) else Dataset(data, columns=columns))
    options[names[0]] = name
    return dataset
