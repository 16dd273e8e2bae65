#!/usr/bin/env python3
"""Signals to a training, each at an exact moment: the shim raises them at a file call.

  - one SIGTERM, SIGINT or SIGHUP: exit 143, 130 or 129 within the step, the saved state is whole, one
    line says how to go on; with --resume-from-checkpoint last the run ends like an undisturbed one, bit
    for bit except times;
  - a second one: the process ends at once with the same code, and the files on disk are as good;
  - both standard output and standard error closed by their readers, or never open: the run goes on.

  signals.py --bin build/release/bin --shim build/release/tests/faults/libfault_shim.so
"""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

from lab import (PATIENCE, begin, expect, expect_same, expect_whole, make_inputs, parser_of, result_of,
                 run_cases, training)

RESUME = ("--resume-from-checkpoint", "last")
PARTIAL = "run/.spanforge-partial-"
# Moment -> (the call, whether anything is written before it). Steps are logged one by one and every
# third is evaluated, so the log's 4th line is the evaluation's of step 3, its 8th that of step 6.
MOMENTS = {
    "reading the model": ("open\tfresh/model.safetensors\t1", False),
    "reading the data": ("open\ttrain.json\t1", False),
    "building windows": ("mmap\tvalidation.json\t1", False),
    "before the first step": ("create\trun/logs/events\t1", True),
    "in a step": ("write\trun/log.jsonl\t1", True),
    "before an evaluation": ("write\trun/log.jsonl\t3", True),
    "behind an evaluation": ("write\trun/log.jsonl\t4", True),
    "filling a checkpoint": (f"create\t{PARTIAL}checkpoint-6/optimizer.pt.tmp\t1", True),
    "syncing a checkpoint": (f"fsync\t{PARTIAL}checkpoint-6/trainer_state.json\t1", True),
    "placing a checkpoint": (f"rename\t{PARTIAL}checkpoint-6 -> run/checkpoint-6\t1", True),
    "rotating": (f"rename\trun/checkpoint-3 -> {PARTIAL}removed-checkpoint-3\t1", True),
    "the last evaluation": ("write\trun/log.jsonl\t15", True),
}
# From here on only the last files are missing: the run ends as it would have.
AT_THE_END = {
    "writing trained": f"create\t{PARTIAL}trained/model.safetensors.tmp\t1",
    "placing trained": f"rename\t{PARTIAL}trained -> run/trained\t1",
}
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Signals:
    def __init__(self, program, work):
        self.program, self.work, self.serial = program, work, 0
        self.inputs = work / "inputs"
        make_inputs(program, self.inputs)
        directory = self.fresh()
        program.must(training(), directory)
        self.reference = result_of(directory / "run")

    def fresh(self):
        self.serial += 1
        directory = self.work / f"case-{self.serial}"
        shutil.copytree(self.inputs, directory)
        return directory

    def recover(self, directory):
        self.program.must(training(*RESUME), directory)
        expect_same(result_of(directory / "run"), self.reference)

    def raised(self, number, at, times=1):
        directory = self.fresh()
        trace = self.work / f"{directory.name}.trace"
        env = self.program.environment(root=directory, at=at, trace=trace,
                                       how=f"{'signal' if times == 1 else 'signals'} {int(number)}")
        status, _, err = self.program.run(training(), directory, env)
        expect("\tsignal\n" in trace.read_text(), "the signal was never raised")
        return directory, status, err

    def one(self, number, at, writes):
        directory, status, err = self.raised(number, at)
        expect(status == 128 + number, f"exit {status}: {err}")
        last = err.splitlines()[-1]
        expect(last.startswith("spanforge: ") and "stopped on request" in last, f"says {last}")
        output = directory / "run"
        if not writes:
            expect(not output.exists(), "something was written")
        else:
            expect("--resume-from-checkpoint last continues" in last, f"says {last}")
            expect_whole(output)
            expect(pathlib.Path(directory, last.split(": ")[1]).is_dir(), f"no such checkpoint: {last}")
        self.recover(directory)

    def at_the_end(self, number, at):
        directory, status, err = self.raised(number, at)
        expect(status == 0, f"exit {status}: {err}")
        expect_same(result_of(directory / "run"), self.reference)

    def two(self, number, at, status_wanted):
        directory, status, err = self.raised(number, at, times=2)
        expect(status == status_wanted, f"exit {status}: {err}")
        if (directory / "run").exists():
            expect_whole(directory / "run")
        self.recover(directory)

    # `timeout` and other wrappers send a signal to the process and to its group: one request.
    def twice_at_once(self):
        directory = self.fresh()
        process = self.program.start(training(steps=100000, every=100000), directory,
                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=PATIENCE)
        expect(process.returncode == 143, f"exit {process.returncode}")
        expect(b"stopped on request" in err, f"did not save: {err.decode()}")
        expect_whole(directory / "run")

    def second_leaves(self):
        """While a checkpoint is being saved slowly: the second signal does not wait."""
        directory = self.fresh()
        env = self.program.environment(root=directory, how="delay 60000",
                                       at=f"fsync\t{PARTIAL}checkpoint-6/trainer_state.json\t1")
        process = self.program.start(training(), directory, env, stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE)
        while not list((directory / "run").glob(".spanforge-partial-checkpoint-6")):
            time.sleep(0.01)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        time.sleep(1)
        expect(process.poll() is None, "the first signal did not wait for the checkpoint")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)
        expect(process.returncode == 130, f"exit {process.returncode}")
        expect(time.monotonic() - began < 30, "the second signal waited")
        expect_whole(directory / "run")
        self.recover(directory)

    def ignored_hangup(self):
        directory = self.fresh()
        env = self.program.environment(root=directory, at=MOMENTS["in a step"][0], how="signal 1")
        status, _, err = self.program.run(training(), directory, env, wrapper=["nohup"])
        expect(status == 0, f"exit {status}: {err}")
        expect_same(result_of(directory / "run"), self.reference)

    # --- Standard output and error that are closed ---

    def closed_reader(self, streams):
        directory = self.fresh()
        pipes = {name: subprocess.PIPE for name in streams}
        others = {name: subprocess.DEVNULL for name in ("stdout", "stderr") if name not in streams}
        process = self.program.start(training(), directory, **pipes, **others)
        for name in streams:
            getattr(process, name).close()
        expect(process.wait(timeout=PATIENCE) == 0, f"exit {process.returncode}")
        expect_same(result_of(directory / "run"), self.reference)

    def never_open(self, numbers):
        """Started with `2>&-`: the next opened file must not receive printed text."""
        directory = self.fresh()
        status = self.program.start(training(), directory, stdout=subprocess.DEVNULL,
                                    stderr=subprocess.DEVNULL,
                                    preexec_fn=lambda: [os.close(n) for n in numbers]).wait(PATIENCE)
        expect(status == 0, f"exit {status}")
        expect_same(result_of(directory / "run"), self.reference)

    def cases(self):
        for number in SIGNALS:
            for moment, (at, writes) in MOMENTS.items():
                yield f"{number.name}, {moment}", lambda n=number, a=at, w=writes: self.one(n, a, w)
            for moment, at in AT_THE_END.items():
                yield f"{number.name}, {moment}", lambda n=number, a=at: self.at_the_end(n, a)
        for moment, (at, _) in MOMENTS.items():
            yield f"twice, {moment}", lambda a=at: self.two(signal.SIGTERM, a, 143)
        for moment, at in AT_THE_END.items():
            yield f"twice, {moment}", lambda a=at: self.two(signal.SIGTERM, a, 0)
        yield "SIGTERM twice at once is one request", self.twice_at_once
        yield "a second signal does not wait", self.second_leaves
        yield "SIGHUP under nohup", self.ignored_hangup
        for streams in (["stdout"], ["stderr"], ["stdout", "stderr"]):
            yield f"reader of {streams} gone", lambda s=streams: self.closed_reader(s)
        for numbers in ([0], [1], [2], [0, 1, 2]):
            yield f"descriptors {numbers} closed", lambda n=numbers: self.never_open(n)


def main():
    args = parser_of(__doc__, "part of a case's name").parse_args()
    program, work = begin(args, "signals")
    return run_cases(Signals(program, work).cases(), args.only, work)


if __name__ == "__main__":
    sys.exit(main())
