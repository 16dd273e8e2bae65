"""spanforge.train: callbacks as the Trainer's, control, Ctrl-C, resuming, data in memory."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest
import transformers

import spanforge


@pytest.fixture
def arguments(model, rows, tmp_path):
    return {"model": model, "train": rows, "validation": rows[:4], "output": tmp_path / "run", "report_to": "none",
            "per_device_train_batch_size": 2, "learning_rate": 1e-3, "quiet": True, "threads": 1}


class Recorder:
    """Writes down each event with what the Trainer's callbacks see."""

    EVENTS = [f"on_{name}" for name in ("init_end", "train_begin", "train_end", "epoch_begin", "epoch_end", "step_begin",
                                         "step_end", "evaluate", "save", "log")]

    def __init__(self):
        self.seen = []
        for name in self.EVENTS:
            setattr(self, name, self._record(name))

    def _record(self, name):
        def record(args, state, control, **kwargs):
            flags = (control.should_log, control.should_evaluate, control.should_save, control.should_training_stop)
            keys = sorted(kwargs.get("logs") or kwargs.get("metrics") or {})
            self.seen.append((name, state.global_step, round(state.epoch or 0, 6), flags, keys, len(state.log_history),
                              state.max_steps))
        return record


class HfRecorder(transformers.TrainerCallback):
    def __init__(self, recorder):
        self.recorder = recorder


for _name in Recorder.EVENTS:
    setattr(HfRecorder, _name, lambda self, args, state, control, _name=_name, **kwargs:
            getattr(self.recorder, _name)(args, state, control, **kwargs))


def hf_events(options, directory, windows):
    """The events of a real Trainer over as many windows."""
    import torch

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(1))

        def forward(self, x, labels=None):
            return {"loss": (self.weight * x).mean(), "logits": x}

    data = [{"x": torch.ones(1), "labels": torch.ones(1)}] * windows
    recorder = Recorder()
    arguments = transformers.TrainingArguments(output_dir=str(directory), per_device_train_batch_size=2, report_to="none",
                                               disable_tqdm=True, use_cpu=True, **options)
    trainer = transformers.Trainer(model=Model(), args=arguments, train_dataset=data, eval_dataset=data[:4],
                                   callbacks=[HfRecorder(recorder)])
    trainer.train()
    return recorder.seen


STRATEGIES = [
    {"num_train_epochs": 2, "logging_steps": 2, "eval_strategy": "epoch", "save_strategy": "epoch"},
    {"num_train_epochs": 2, "logging_steps": 5, "eval_strategy": "epoch", "save_strategy": "no"},
    {"max_steps": 7, "logging_steps": 3, "eval_strategy": "steps", "eval_steps": 2, "save_steps": 4},
    {"num_train_epochs": 1, "logging_strategy": "epoch", "eval_strategy": "no", "save_strategy": "no"},
]


@pytest.mark.parametrize("options", STRATEGIES)
def test_events_are_the_trainers(arguments, options, tmp_path):
    recorder = Recorder()
    spanforge.train(**arguments, **options, callbacks=[recorder])
    theirs = hf_events(options, tmp_path / "hf", 10)
    known = {"eval_loss", "loss", "epoch", "train_loss"}  # metrics of another task have other names
    ours = [(*event[:4], sorted(known & set(event[4])), *event[5:]) for event in recorder.seen]
    theirs = [(*event[:4], sorted(known & set(event[4])), *event[5:]) for event in theirs]
    assert ours == theirs
    # self-test: another order would be noticed
    assert list(reversed(ours)) != theirs


def test_control_works_as_the_trainers(arguments, tmp_path):
    class Control(spanforge.TrainerCallback):
        def __init__(self):
            self.saved = []

        def on_step_end(self, args, state, control, **kwargs):
            if state.global_step == 2:
                control.should_save = control.should_evaluate = control.should_log = True
            if state.global_step == 3:
                control.should_log = False  # is due, but not wanted
            if state.global_step == 4:
                control.should_training_stop = True

        def on_log(self, args, state, control, logs=None, **kwargs):
            if state.global_step == 1:
                control.should_save = True

        def on_save(self, args, state, control, **kwargs):
            assert pathlib.Path(args.output_dir, f"checkpoint-{state.global_step}", "model.safetensors").exists()
            self.saved.append(state.global_step)

    callback = Control()
    result = spanforge.train(**arguments, max_steps=10, logging_steps=1, save_strategy="no", eval_strategy="no", callbacks=[callback])
    assert result.global_step == 4 and callback.saved == [1, 2]
    lines = [json.loads(line) for line in open(arguments["output"] / "log.jsonl", encoding="utf-8")]
    assert [line["step"] for line in lines if "loss" in line] == [1, 2, 4]
    assert [line["step"] for line in lines if "eval_loss" in line] == [2]


def test_callbacks_of_transformers_work(arguments):
    result = spanforge.train(**arguments, max_steps=20, eval_strategy="steps", eval_steps=1, save_strategy="steps", save_steps=1,
                             load_best_model_at_end=True, metric_for_best_model="loss", greater_is_better=True, save_total_limit=2,
                             callbacks=[transformers.EarlyStoppingCallback(2), transformers.PrinterCallback])
    assert result.global_step < 20 and result.best_checkpoint


def test_arguments_have_all_their_names(arguments):
    seen = {}

    class Look:
        def on_train_begin(self, args, state, control, **kwargs):
            seen.update(vars(args))

    spanforge.train(**arguments, max_steps=1, callbacks=[Look])
    assert seen["output_dir"] == seen["output"] == str(arguments["output"])
    assert (seen["per_device_train_batch_size"], seen["learning_rate"], seen["max_steps"]) == (2, 1e-3, 1)


def test_an_exception_of_a_callback_is_raised(arguments):
    class Fails:
        def on_step_end(self, args, state, control, **kwargs):
            if state.global_step == 3:
                raise RuntimeError("not today")

    with pytest.raises(RuntimeError, match="not today"):
        spanforge.train(**arguments, max_steps=5, save_steps=2, callbacks=[Fails()])
    assert (arguments["output"] / "checkpoint-2").is_dir() and not (arguments["output"] / "trained").exists()


def test_epoch_stop_is_refused(arguments):
    class Stops:
        def on_step_end(self, args, state, control, **kwargs):
            control.should_epoch_stop = True

    with pytest.raises(spanforge.UsageError) as caught:
        spanforge.train(**arguments, max_steps=3, callbacks=[Stops()])
    assert caught.value.parameter == "should_epoch_stop"


@pytest.mark.parametrize("options, parameter", [
    ({"max_stepz": 3}, "max_stepz"), ({"learning_rate": -1}, "learning_rate"), ({"fp16": True}, "fp16"),
    ({"optim": "lion"}, "optim"), ({"train_file": "x.json"}, "train"), ({"seed": object()}, "seed")])
def test_wrong_arguments(arguments, options, parameter):
    with pytest.raises(spanforge.UsageError) as caught:
        spanforge.train(**{**arguments, **options})
    assert caught.value.parameter == parameter
    assert not arguments["output"].exists()


def test_equals_the_program(arguments, rows, model, tmp_path):
    """The same weights, bit for bit, from data in memory and from a file, here and by the program."""
    from conftest import run_program

    file = tmp_path / "rows.json"
    file.write_text(json.dumps(rows))
    spanforge.train(**{**arguments, "validation": None}, max_steps=3, eval_strategy="no")
    spanforge.train(**{**arguments, "validation": None, "train": file, "output": tmp_path / "file"}, max_steps=3)
    ran = run_program("train", "--model", model, "--train", file, "--output", tmp_path / "program", "--report-to", "none",
                      "--per-device-train-batch-size", 2, "--learning-rate", 1e-3, "--max-steps", 3, "--threads", 1)
    assert ran.returncode == 0, ran.stderr
    weights = [(tmp_path / name / "trained/model.safetensors").read_bytes() for name in ("run", "file", "program")]
    assert weights[0] == weights[1] == weights[2]


INTERRUPTED = """
    import sys, spanforge
    model, output, steps = sys.argv[1:]
    rows = [{"id": str(i), "question": "Where?", "context": "In the market.", "answers": {"text": ["market"], "answer_start": [7]}}
            for i in range(8)]
    class Tell:
        def on_step_end(self, args, state, control, **kwargs):
            print("step", state.global_step, flush=True)
    try:
        spanforge.train(model=model, train=rows, output=output, max_steps=int(steps), report_to="none", save_strategy="no",
                        eval_strategy="no", quiet=True, threads=1, resume_from_checkpoint="last", allow_changed=["max_steps"], callbacks=[Tell])
    except KeyboardInterrupt as stop:
        print("stopped:", stop)
        sys.exit(9)
"""


def test_ctrl_c_saves_then_raises(model, tmp_path):
    command = [sys.executable, "-c", textwrap.dedent(INTERRUPTED), model, tmp_path / "run"]
    process = subprocess.Popen([*map(str, command), "100000"], stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if line.startswith("step 3"):
            process.send_signal(signal.SIGINT)
            break
    rest = process.communicate(timeout=60)[0]
    assert process.returncode == 9 and "stopped:" in rest and "resume_from_checkpoint" in rest
    checkpoint, = (tmp_path / "run").glob("checkpoint-*")
    step = int(checkpoint.name.split("-")[1])
    assert step >= 3 and (checkpoint / "model.safetensors").exists()
    goes_on = subprocess.run([*map(str, command), str(step + 2)], text=True, capture_output=True, timeout=60)
    assert goes_on.returncode == 0, goes_on.stderr
    assert goes_on.stdout.split("\n")[0] == f"step {step + 1}"
    assert (tmp_path / "run/trained/model.safetensors").exists()


def test_ctrl_c_in_a_callback_saves(arguments):
    class Interrupts:
        def on_step_end(self, args, state, control, **kwargs):
            if state.global_step == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="checkpoint-2"):
        spanforge.train(**{**arguments, "validation": None}, max_steps=50, save_strategy="no", callbacks=[Interrupts()])
    assert (arguments["output"] / "checkpoint-2").is_dir()


def test_trains_in_another_thread(arguments):
    results = []
    thread = threading.Thread(target=lambda: results.append(spanforge.train(**arguments, max_steps=2)))
    thread.start()
    thread.join()
    assert results[0].global_step == 2 and os.path.isdir(results[0].trained)


def test_progress_in_a_terminal(model, rows, tmp_path):
    """A bar is drawn on a terminal's standard error, and nothing of it anywhere else."""
    import pty

    script = textwrap.dedent("""
        import json, sys, spanforge
        rows = json.load(open(sys.argv[2]))
        spanforge.train(model=sys.argv[1], train=rows, output=sys.argv[3], max_steps=3, logging_steps=1, report_to="none",
                        save_strategy="no", threads=1)
    """)
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    ours, theirs = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", script, str(model), str(tmp_path / "rows.json"), str(tmp_path / "run")],
                               stdout=subprocess.PIPE, stderr=theirs, env={**os.environ, "TERM": "xterm", "COLUMNS": "80"})
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    out = process.communicate(timeout=60)[0].decode()
    assert process.returncode == 0, shown
    assert b"3/3" in shown and b"it/s" in shown
    assert out.count("'loss'") == 3 and "it/s" not in out


def test_evaluate(trained, rows, tmp_path):
    dataset = spanforge.Dataset(rows)
    scores = spanforge.evaluate(trained, dataset, predictions_dir=tmp_path / "out", disable_tqdm=True)
    assert scores["total"] == 10 and 0 <= scores["exact"] <= scores["f1"] <= 100 and set(scores.answers) == {r["id"] for r in rows}
    written = json.loads((tmp_path / "out/eval_predictions.json").read_text())
    assert written == scores.answers
    again = spanforge.evaluate(predictions=scores.answers, data=rows)
    assert all(again[name] == scores[name] for name in ("exact", "f1", "total"))
    right = {row["id"]: row["answers"]["text"][0] for row in rows}
    assert spanforge.evaluate(predictions=right, data=rows)["exact"] == 100
    pipe = spanforge.Pipeline(trained)
    assert [pipe(**{k: row[k] for k in ("question", "context")})["answer"] for row in rows] == [*scores.answers.values()]
    for options in ({"model": trained}, {"data": rows}, {"model": trained, "data": rows, "predictions": {}},
                    {"model": trained, "data": rows, "batch_sizes": 3}):
        with pytest.raises(spanforge.UsageError):
            spanforge.evaluate(**options)
