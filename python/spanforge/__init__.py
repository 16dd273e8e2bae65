"""Extractive question answering: train a model, evaluate it, ask it. The guide is docs/python.md.

>>> import spanforge
>>> spanforge.train(model="bert-base-chinese", train="train.json", output="run")
>>> pipe = spanforge.Pipeline("run/trained")
>>> pipe(question="谁在钓鱼?", context="小艾咪正在钓鱼。")
"""

from spanforge import _native  # before all that needs the compiled module
from spanforge._arguments import TrainingArguments
from spanforge._errors import Error, UsageError
from spanforge._spanforge import __version__
from spanforge.callbacks import TrainerCallback, TrainerControl, TrainerState
from spanforge.dataset import Dataset
from spanforge.evaluation import Scores, evaluate
from spanforge.pipeline import Answer, Pipeline
from spanforge.tokenizer import Encoding, Tokenizer
from spanforge.training import TrainOutput, train

del _native

__all__ = [
    "Answer",
    "Dataset",
    "Encoding",
    "Error",
    "Pipeline",
    "Scores",
    "Tokenizer",
    "TrainOutput",
    "TrainerCallback",
    "TrainerControl",
    "TrainerState",
    "TrainingArguments",
    "UsageError",
    "__version__",
    "evaluate",
    "train",
]
