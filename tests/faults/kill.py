#!/usr/bin/env python3
"""kill -9 at random moments of a training: while it starts, trains, evaluates, saves, rotates, ends.

A history is one training, killed and started again with --resume-from-checkpoint last until it ends.
After every kill: every directory with the name of a checkpoint is whole, and log.jsonl and the event file
hold a beginning of an undisturbed run's (the last record may be truncated) - so no step occurs twice and
none is missing. At the end: everything equals an undisturbed run's, bit for bit except times.

  kill.py --bin build/release/bin [--kills 60] [--jobs 2] [--seed N]
"""
import collections
import concurrent.futures
import json
import random
import shutil
import signal
import subprocess
import sys
import threading
import time

import lab
from lab import (TIMES, Finding, begin, end, events, expect, expect_same, expect_whole,
                 make_inputs, parser_of, result_of, training, without_times)

RESUME = ("--resume-from-checkpoint", "last")
# Options in addition to lab.training's, by name of the history.
KINDS = {
    "accumulating": ["--gradient-accumulation-steps", 4, "--accumulation-mean", "examples"],
    "keeping two": ["--save-total-limit", 2, "--data-order", "hf"],
    "keeping all": ["--save-total-limit", 99, "--bf16", "true"],
    "two threads": ["--threads", 2, "--lr-scheduler-type", "cosine", "--warmup-steps", 5],
    "by epochs": ["--num-train-epochs", "1.7", "--max-steps", -1, "--save-strategy", "epoch",
                  "--eval-strategy", "epoch", "--gradient-accumulation-steps", 3],
}
STEPS, EVERY = 36, 2


def beginning_of(found, reference, what):
    expect(found == reference[:len(found)],
           f"{what}: entry {next((i for i, (a, b) in enumerate(zip(found, reference)) if a != b), len(reference))}"
           " is not what an undisturbed run writes there")


def check_log(output, reference):
    file = output / "log.jsonl"
    if not file.exists():
        return 0
    text = file.read_text()
    lines = text.splitlines()
    if text and not text.endswith("\n"):
        lines.pop()  # truncated by the kill
    beginning_of([without_times(json.loads(line)) for line in lines], reference["log"], "log.jsonl")
    return len(lines)


def check_events(output, reference):
    files = sorted((output / "logs").glob("events*"))
    expect(len(files) <= 1, f"{len(files)} event files")
    for file in files:
        found = [(step, tag, None if TIMES.search(tag) else value)
                 for step, tag, value in events(file, cut_off=True)]
        beginning_of(found, reference["events"], "the event file")


def moment(output):
    """The moment of the kill, from what it left."""
    names = [p.name for p in output.iterdir()] if output.exists() else []
    partial = [n.removeprefix(".spanforge-partial-") for n in names if n.startswith(".spanforge-partial-")]
    if any(n.startswith("removed-") for n in partial):
        return "rotating"
    if any(n.startswith("trained") for n in partial) or "trained" in names:
        return "ending"
    if partial:
        return "saving"
    return "training or evaluating" if "log.jsonl" in names else "starting"


class Histories:
    def __init__(self, program, work, kills, seed):
        self.program, self.work, self.wanted = program, work, kills
        self.random = random.Random(seed)
        self.lock = threading.Lock()
        self.kills, self.finished, self.next = 0, 0, 0
        self.moments = collections.Counter()
        self.inputs = work / "inputs"
        make_inputs(program, self.inputs)
        self.kinds = []
        for name, options in KINDS.items():
            directory = work / f"whole {name}"
            shutil.copytree(self.inputs, directory)
            arguments = training(steps=STEPS, every=EVERY) + options
            began = time.monotonic()
            program.must(arguments, directory)
            self.kinds.append((name, arguments, time.monotonic() - began, result_of(directory / "run")))

    def take_kill(self):
        with self.lock:
            if self.kills >= self.wanted:
                return False
            self.kills += 1
            return True

    def live(self, directory, arguments, seconds):
        """One process of at most `seconds`. True: it ended by itself."""
        process = self.program.start([*arguments, *RESUME], directory, stdout=subprocess.DEVNULL,
                                     stderr=subprocess.PIPE)
        try:
            _, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            _, err = process.communicate()
        if process.returncode == -signal.SIGKILL:
            return False
        expect(process.returncode == 0, f"exit {process.returncode}: {err.decode().strip()}")
        return True

    def history(self, number):
        kind = self.kinds[number % len(self.kinds)]
        name, arguments, whole, reference = kind
        directory = self.work / f"history-{number}"
        shutil.copytree(self.inputs, directory)
        output = directory / "run"
        chance = random.Random(self.random.random())
        lives = 0
        try:
            killed = True
            while killed:
                more = self.take_kill()
                # Some soon after the start, when it reads and cleans; most over the whole time.
                seconds = chance.uniform(0, whole * chance.choice((0.2, 0.5, 1.0)))
                lives += 1
                killed = not self.live(directory, arguments, seconds if more else lab.PATIENCE)
                if more and not killed:
                    with self.lock:
                        self.kills -= 1
                if killed:
                    with self.lock:
                        self.moments[moment(output)] += 1
                    expect_whole(output)
                    check_log(output, reference)
                    check_events(output, reference)
            expect_same(result_of(output), reference)
            expect(sorted(p.name for p in directory.iterdir()) ==
                   sorted({p.name for p in self.inputs.iterdir()} | {"run"}), "litter next to the output")
        except Finding as finding:
            return f"{name}, life {lives}, {directory}: {finding}"
        with self.lock:
            self.finished += 1
        shutil.rmtree(directory)
        return None

    def work_off(self):
        findings = []
        while True:
            with self.lock:
                if self.kills >= self.wanted:
                    return findings
                number, self.next = self.next, self.next + 1
            if what := self.history(number):
                print(what, flush=True)
                findings.append(what)


def main():
    parser = parser_of(__doc__, shim=False)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    args = parser.parse_args()
    program, work = begin(args, "kill")
    print(f"seed {args.seed}")
    began = time.monotonic()
    histories = Histories(program, work, args.kills, args.seed)
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        findings = sum((f.result() for f in [pool.submit(histories.work_off) for _ in range(args.jobs)]), [])
    where = ", ".join(f"{n} {m}" for m, n in histories.moments.most_common())
    return end(f"{histories.kills} kills ({where}), {histories.finished} trainings brought to their end, "
               f"{time.monotonic() - began:.0f} s", histories.kills >= args.kills, len(findings), work)


if __name__ == "__main__":
    sys.exit(main())
