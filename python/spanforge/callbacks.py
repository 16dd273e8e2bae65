"""Callbacks of a training: the events, state and control that callbacks of Transformers' Trainer see."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Optional

from spanforge import _spanforge
from spanforge._errors import UsageError
from spanforge._progress import Bars

_log = logging.getLogger("spanforge")


@dataclass
class TrainerState:
    """Where a training is, with the names of Transformers' TrainerState.

    global_step: optimiser steps done. epoch: epochs done, fractional. log_history: every line logged so far.
    best_metric, best_global_step, best_model_checkpoint: of metric_for_best_model, None before the first evaluation.
    """

    epoch: Optional[float] = None
    global_step: int = 0
    max_steps: int = 0
    num_train_epochs: int = 0
    logging_steps: int = 500
    eval_steps: int = 500
    save_steps: int = 500
    train_batch_size: Optional[int] = None
    num_input_tokens_seen: int = 0
    total_flos: float = 0
    log_history: list[dict[str, Any]] = field(default_factory=list)
    best_metric: Optional[float] = None
    best_global_step: Optional[int] = None
    best_model_checkpoint: Optional[str] = None
    is_local_process_zero: bool = True
    is_world_process_zero: bool = True
    is_hyper_param_search: bool = False
    trial_name: Optional[str] = None
    trial_params: Optional[dict[str, Any]] = None


@dataclass
class TrainerControl:
    """What a training does next. A callback sets these fields, or returns another TrainerControl.

    should_training_stop: ends the training after this step, as finished.
    should_log, should_evaluate, should_save: in on_step_end and on_epoch_end what is due now; a callback may add to it
        and take from it. In on_log a callback may still ask for an evaluation or a save, in on_evaluate for a save.
    should_epoch_stop: is not possible here, and an error.
    """

    should_training_stop: bool = False
    should_epoch_stop: bool = False
    should_save: bool = False
    should_evaluate: bool = False
    should_log: bool = False


class TrainerCallback:
    """A base for callbacks; those of Transformers work as well, and so does any object with some of these methods.

    args: every option of the run, by all its names. kwargs: on_log has logs, on_evaluate has metrics.
    An exception ends the training and is raised from train(); the last checkpoint stays.
    """

    def on_init_end(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> Any: ...
    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> Any: ...
    def on_train_end(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> Any: ...
    def on_epoch_begin(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> Any: ...
    def on_epoch_end(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> Any: ...
    def on_step_begin(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> Any: ...
    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> Any: ...
    def on_evaluate(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> Any: ...
    def on_save(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> Any: ...
    def on_log(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> Any: ...


def _has_own(callback: object, method: str) -> bool:
    """Whether the callback does something at this event, unlike the base classes, here and in Transformers."""
    found = getattr(callback, method, None)
    return found is not None and getattr(found, "__qualname__", "") != f"TrainerCallback.{method}"


class Handler:
    """What the training calls (python/src/train.cpp): makes state and control, and calls the callbacks in order."""

    def __init__(self, callbacks: Sequence[object], *, disable_tqdm: bool, quiet: bool) -> None:
        self.callbacks = [callback() if isinstance(callback, type) else callback for callback in callbacks]
        self.saves_at_once = any(_has_own(callback, "on_save") for callback in self.callbacks)
        self.args = SimpleNamespace()
        self.state = TrainerState()
        self.control = TrainerControl()
        self._bars = Bars(disable_tqdm or quiet)
        self._quiet = quiet

    def close(self) -> None:
        self._bars.close()

    def notice(self, warning: bool, text: str) -> None:
        self._bars.erase()
        _log.log(logging.WARNING if warning else logging.INFO, "%s", text)

    def progress(self, stage: str, label: str, done: int, total: int) -> None:
        self._bars.update(stage, done, total)

    def log(self, row: dict[str, Any], line: str) -> None:
        self.state.log_history.append(row)
        if not self._quiet:
            self._bars.erase()
            print(line, flush=True)

    def train_begin(self, arguments: dict[str, Any], plan: dict[str, int], history: list[dict[str, Any]]) -> None:
        for row in _spanforge.training_options():
            if row["foreign"]:
                continue
            for name in (row["name"], *filter(None, row["aliases"].split(","))):
                setattr(self.args, name, arguments.get(row["name"]))
        self._call("on_init_end")
        for name, value in plan.items():
            setattr(self.state, name, value)
        self.state.train_batch_size = arguments["per_device_train_batch_size"]
        self.state.log_history = history

    def event(self, name: str, values: dict[str, Any], details: Any) -> tuple[bool, bool, bool, bool]:
        for key, value in values.items():
            setattr(self.state, key, value)
        best = self.state.best_global_step
        self.state.best_model_checkpoint = None if best is None else f"{self.args.output}/checkpoint-{best}"
        control = self.control
        kwargs: dict[str, Any] = {}
        if name in ("on_step_end", "on_epoch_end"):
            control.should_log, control.should_evaluate, control.should_save = details
            control.should_training_stop |= self.state.global_step >= self.state.max_steps
        elif name == "on_train_begin":
            control.should_training_stop = False
        elif name == "on_step_begin":
            control.should_log = control.should_evaluate = control.should_save = False
        elif name == "on_log":
            control.should_log = False
            kwargs["logs"] = details
        elif name == "on_evaluate":
            control.should_evaluate = False
            kwargs["metrics"] = details
        elif name == "on_save":
            control.should_save = False
        self._call(name, **kwargs)
        control = self.control
        if control.should_epoch_stop:
            reason = "is not possible here: the order of the data is a function of the step"
            raise UsageError("usage", reason, parameter="should_epoch_stop")
        return control.should_log, control.should_evaluate, control.should_save, control.should_training_stop

    def _call(self, name: str, **kwargs: Any) -> None:
        for callback in self.callbacks:
            method = getattr(callback, name, None)
            if method is None:
                continue
            result = method(self.args, self.state, self.control, **kwargs)
            if result is not None:
                self.control = result
