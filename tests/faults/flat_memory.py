#!/usr/bin/env python3
"""Memory, open files and threads of training that goes on for long, in two processes side by side:

  loop   trainings one after the other in one process (train_loop.cpp), each stopped in the middle,
         resumed and run to its end, with evaluations, checkpoints and rotation
  run    one `spanforge train` without end, that evaluates, saves and rotates every 100 steps; halfway
         it is stopped by SIGTERM and resumed

Each is sampled; the first fifth of its time is ignored, because caches and pools fill then. Fails if
resident memory grows by more than --bound MB over the rest (a straight line is fitted), or if no
sample of the second half has as few open descriptors, or threads, as the median of the first (not the
minimum, because that lasts so short a time between two trainings that a half may miss it).
A run keeps all its log lines, because its checkpoints hold them: BYTES_A_LINE is allowed for each. Pages
are small on every machine: if Linux makes huge ones by itself, a thread's new heap of some KB is resident
as 2 MB.

  flat_memory.py --bin build/release/bin --minutes 30
"""
import argparse
import ctypes
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import threading
import time

from lab import PATIENCE, Finding, Program, expect, expect_whole, make_inputs, training

PAGE = os.sysconf("SC_PAGE_SIZE")
MB = 1 << 20
BYTES_A_LINE = 4096
PR_SET_THP_DISABLE = 41  # <linux/prctl.h>; for this process and all that it starts


class Sample:
    def __init__(self, when, resident, descriptors, threads, lines):
        self.when, self.resident, self.descriptors = when, resident, descriptors
        self.threads, self.lines = threads, lines


def sample(pid, began, lines):
    proc = pathlib.Path("/proc", str(pid))
    try:
        resident = int((proc / "statm").read_text().split()[1]) * PAGE
        return Sample(time.monotonic() - began, resident, len(os.listdir(proc / "fd")),
                      len(os.listdir(proc / "task")), lines)
    except (OSError, IndexError):  # it ended just now
        return None


def slope(points):
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


def judge(name, samples, bound):
    """A line of figures; a Finding if something grows."""
    expect(len(samples) >= 20, f"{name}: only {len(samples)} samples")
    end = samples[-1].when
    kept = [s for s in samples if s.when >= end / 5]
    span = kept[-1].when - kept[0].when
    growth = slope([(s.when, s.resident) for s in kept]) * span
    allowed = bound * MB + (kept[-1].lines - kept[0].lines) * BYTES_A_LINE
    half = kept[0].when + span / 2
    early, late = [s for s in kept if s.when < half], [s for s in kept if s.when >= half]
    resident = [s.resident for s in kept]
    line = (f"{name}: {len(kept)} samples over {span:.0f} s: {min(resident) / MB:.1f} to {max(resident) / MB:.1f} MB, "
            f"growth {growth / MB:+.2f} MB (allowed {allowed / MB:.2f}), ")
    for what in ("descriptors", "threads"):
        before = statistics.median_low(getattr(s, what) for s in early)
        after = min(getattr(s, what) for s in late)
        line += f"{what} usually {before} then {after}, at most {max(getattr(s, what) for s in kept)}; "
        expect(after <= before, f"{line}more {what} than before")
    expect(growth <= allowed, f"{line}memory grows")
    return line.rstrip("; ")


def prove_that_judge_can_fail():
    def series(leak=0.0, descriptors=0, threads=0):
        return [Sample(t, 100 * MB + leak * t * MB + t % 7 * 100_000, 5 + t % 3 + t * descriptors // 100,
                       2 + t % 2 + t * threads // 100, 0) for t in range(100)]
    judge("flat", series(), 4)
    missed = series()
    missed[30].descriptors = missed[30].threads = 1
    judge("flat, with one moment that the second half misses", missed, 4)
    for leaking in (series(leak=0.1), series(descriptors=10), series(threads=10)):
        try:
            judge("leaking", leaking, 4)
        except Finding:
            continue
        raise AssertionError("a leak was not noticed")


class Watched(threading.Thread):
    """Samples a process from start to stop()."""

    def __init__(self, process, every, lines_of):
        super().__init__()
        self.process, self.every, self.lines_of = process, every, lines_of
        self.samples, self.ended = [], threading.Event()
        self.start()

    def run(self):
        began = time.monotonic()
        while not self.ended.wait(self.every):
            if (one := sample(self.process.pid, began, self.lines_of())) is not None:
                self.samples.append(one)

    def stop(self):
        self.ended.set()
        self.join()
        return self.samples


def count_lines(file):
    try:
        with open(file, "rb") as lines:
            return sum(1 for _ in lines)
    except OSError:
        return 0


def watch_loop(program, binary, work, seconds, every):
    make_inputs(program, work)
    with open(work / "cycles", "wb") as out:
        process = subprocess.Popen([binary], cwd=work, env=program.environment(), stdout=out,
                                   stdin=subprocess.DEVNULL)
        watched = Watched(process, every, lambda: 0)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            pass
        samples = watched.stop()
        expect(process.poll() is None, f"the loop ended: exit {process.returncode}")
        process.kill()
        process.wait()
    cycles = count_lines(work / "cycles")
    expect(cycles > 1, f"only {cycles} trainings")
    return [(f"loop, {cycles} trainings", samples)]


def watch_run(program, work, seconds, every):
    make_inputs(program, work)
    arguments = training("--resume-from-checkpoint", "last", "--logging-steps", 100, "--threads", 2,
                         "--data-order", "sequential",  # few lengths: GEMM keeps what it prepared for each
                         steps=10**9, every=100)
    found = []
    for half in ("first", "resumed"):
        process = program.start(arguments, work, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        log = work / "run" / "log.jsonl"
        watched = Watched(process, every, lambda: count_lines(log))
        time.sleep(seconds / 2)
        samples = watched.stop()
        expect(process.poll() is None, f"the run ended: exit {process.returncode}")
        process.send_signal(signal.SIGTERM)
        expect(process.wait(PATIENCE) == 143, f"the run: exit {process.returncode}")
        expect_whole(work / "run")
        found.append((f"run, {half} half, {count_lines(log)} log lines", samples))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, help="a directory to make; default: next to the binaries")
    parser.add_argument("--minutes", type=float, default=0.5)
    parser.add_argument("--bound", type=float, default=4.0, help="MB")
    args = parser.parse_args()
    prove_that_judge_can_fail()
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_THP_DISABLE)")
    binaries = args.bin.resolve()
    work = (args.work or binaries.parent / "flat-memory-work").resolve()
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    program = Program(binaries / "spanforge")
    seconds = args.minutes * 60
    every = max(0.05, seconds / 4000)
    results, findings = [], []

    def watching(watch, *arguments):
        try:
            results.extend(watch(*arguments))
        except Finding as finding:
            findings.append(str(finding))

    threads = [threading.Thread(target=watching, args=(watch_loop, program, binaries / "train_loop",
                                                       work / "loop", seconds, every)),
               threading.Thread(target=watching, args=(watch_run, program, work / "run", seconds, every))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name, samples in results:
        try:
            print(judge(name, samples, args.bound))
        except Finding as finding:
            findings.append(str(finding))
    for finding in findings:
        print(finding)
    if not findings:
        shutil.rmtree(work)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
