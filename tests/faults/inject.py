#!/usr/bin/env python3
"""Makes every call by which a training reads and writes its files fail, one at a time and in every
way (tests/faults/shim.cpp), and checks after each:

  - exit 0: everything equals an undisturbed run's, bit for bit except times;
  - otherwise exit 74, or killed; one line on standard error names a file and the system's reason;
    every directory with the name of a checkpoint is whole, including the newest that was in place
    before the fault; and the same command with --resume-from-checkpoint last ends like an undisturbed
    run, with nothing done by hand.
  - an interrupted call is made again, a short write is continued: exit 0.
  - a file that was there from the start and is truncated after a mmap: the same, reported as that, or
    killed by SIGBUS without a message; the file is put back before the result is judged.

  inject.py --bin build/release/bin --shim build/release/lib/fault_shim.so [--all] [--jobs 2]

Without --all a sample: each operation in each way, on changing files. --only SCENARIO, --at KEY --how
HOW repeat one case and keep its directory.
"""
import errno
import os
import random
import re
import shutil
import signal
import sys
import threading

from lab import (MANIFEST, Finding, begin, damage, expect, expect_same, expect_whole, make_inputs,
                 parser_of, result_of, run_injections, training)

RESUME = ("--resume-from-checkpoint", "last")
KILLS = ["kill-before", "kill-after"]


def errors(*names):
    return [f"errno {getattr(errno, name)}" for name in names]


WAYS = {
    "create": errors("ENOSPC", "EIO", "EINTR", "EMFILE") + ["full", "kill-after"],
    "open": errors("EIO", "EINTR", "EMFILE"),
    "opendir": errors("EIO", "EMFILE"),
    "readdir": errors("EIO"),
    "read": errors("EIO", "EINTR") + ["short"],
    "write": errors("ENOSPC", "EIO", "EINTR", "EDQUOT") + ["full", "short"] + KILLS,
    "fsync": errors("EIO", "ENOSPC", "EINTR") + KILLS,
    "truncate": errors("EIO", "EINTR") + KILLS,
    "close": errors("EIO", "EINTR") + ["kill-after"],
    "rename": errors("ENOSPC", "EIO") + KILLS,
    "unlink": errors("EIO") + KILLS,
    "rmdir": errors("EIO") + KILLS,
    "mkdir": errors("ENOSPC", "EIO") + ["full", "kill-after"],
    "mmap": errors("ENOMEM") + ["cut 0", "cut 50"],
    "stat": errors("EIO", "EACCES"),
    "statvfs": errors("EIO"),
    "flock": errors("ENOLCK", "EINTR"),
}
MUST_SUCCEED = {f"errno {errno.EINTR}", "short"}


def reason(how):
    """Checks the one line."""
    if how.startswith("cut"):
        return "was truncated while it was in use; start again"
    return os.strerror(errno.ENOSPC if how == "full" else int(how.split()[1]))


def lost_a_page(how, status):
    """True if the process ended because it touched a page that a truncation removed."""
    return how.startswith("cut") and status == -signal.SIGBUS


def put_back(start, directory, at, how):
    """Puts back what a truncation removed; the file may have been replaced meanwhile."""
    name = at.split("\t")[1]
    if how.startswith("cut") and (directory / name).exists():
        whole = (start / name).read_bytes()
        if whole.startswith((directory / name).read_bytes()):
            (directory / name).write_bytes(whole)


class Scenario:
    """A command, and the directory it starts from."""

    def __init__(self, name, command, recovery, start, reference, more=None, only=None):
        self.name, self.command, self.recovery = name, command, recovery
        self.start, self.reference, self.more, self.only = start, reference, more or {}, only


def calls_of(trace):
    """(op, name, k, result) of each line."""
    return [tuple(line.split("\t")) for line in trace.read_text().splitlines()]


PLACED = re.compile(r"(run/\.spanforge-partial-([^/]+)) -> run/\2$")


def expect_durable_order(calls):
    """What a power cut must not undo, in the order of an undisturbed run's calls: room is requested; every
    file is synced after its last write; the manifest comes after them; its directory is synced, renamed
    into place, and the parent synced, before anything that it replaces is removed."""
    done = [(op, name, result) for op, name, _, result in calls]
    placings = [i for i, (op, name, result) in enumerate(done) if op == "rename" and PLACED.match(name) and result == "ok"]
    expect(placings, "nothing was put in place")

    def last(wanted, begin, end):
        found = [i for i in range(begin, end) if done[i][:2] == wanted]
        return found[-1] if found else -1

    for n, placing in enumerate(placings):
        partial, name = PLACED.match(done[placing][1]).groups()
        made = last(("mkdir", partial), 0, placing)
        expect(last(("statvfs", "run"), placings[n - 1] if n else 0, made) >= 0, f"{name}: room is not asked for")
        synced = {}
        for i in range(made, placing):
            if done[i][0] != "rename" or not done[i][1].startswith(partial + "/"):
                continue
            temporary, file = done[i][1].split(" -> ")
            synced[file] = max(last(("fsync", file), i, placing), last(("fsync", temporary), made, i))
            expect(synced[file] > last(("write", temporary), made, i), f"{file}: is not synced after its last write")
        manifest = f"{partial}/{MANIFEST}"
        expect(len(synced) > 5 and manifest in synced, f"{name}: holds {sorted(synced)}")
        expect(last(("create", manifest + ".tmp"), made, placing) > max(at for file, at in synced.items() if file != manifest),
               f"{name}: the manifest is not the last")
        expect(last(("fsync", partial), made, placing) > synced[manifest], f"{name}: the directory is not synced")
        parent = next((i for i in range(placing, len(done)) if done[i] == ("fsync", "run", "ok")), len(done))
        gone = [d for d in done[placing + 1:parent] if d[0] in ("unlink", "rmdir") or d[0] == "rename" and "/.spanforge-partial-removed-" in d[1]]
        expect(not gone, f"{name}: {gone[:1]} before it is durable")


class Injector:
    def __init__(self, program, work):
        self.program, self.work = program, work
        self.serial = 0
        self.lock = threading.Lock()

    # --- Starting points ---

    def copy(self, source, name):
        target = self.work / name
        shutil.copytree(source, target, symlinks=True)
        return target

    def lived(self, source, name, command, at=None, how=None, more=None):
        """A copy of `source` in which `command` was run, killed at a call if asked."""
        directory = self.copy(source, name)
        env = self.program.environment(root=directory, at=at, how=how, more=more)
        status, _, err = self.program.run(command, directory, env)
        wanted = 0 if how is None else -signal.SIGKILL if how in KILLS else 128 + signal.SIGTERM
        expect(status == wanted, f"preparing {name}: exit {status}: {err}")
        return directory

    def scenarios(self):
        inputs = self.work / "inputs"
        make_inputs(self.program, inputs)
        whole = self.lived(inputs, "whole", training())
        reference = result_of(whole / "run")
        rename = "rename\trun/.spanforge-partial-checkpoint-9 -> run/checkpoint-9\t1"
        killed = self.lived(inputs, "killed", training(), rename, "kill-before")
        write = "write\trun/log.jsonl\t5"
        stopped = self.lived(inputs, "stopped", training(), write, f"signal {int(signal.SIGTERM)}")
        keep = training("--save-total-limit", "9")
        kept = self.lived(inputs, "kept", keep)
        again = training("--save-total-limit", "9", "--resume-from-checkpoint", "run/checkpoint-3", "--overwrite")
        all_kept = result_of(kept / "run")
        big = self.work / "big-inputs"
        make_inputs(self.program, big, hidden=256, layers=4)
        short = training("--learning-rate", "1e-4", steps=2, every=1)
        big_whole = self.lived(big, "big-whole", short)
        return [
            Scenario("fresh", training(), training(*RESUME), inputs, reference),
            Scenario("resume", training(*RESUME), training(*RESUME), killed, reference),
            Scenario("stopped", training(*RESUME), training(*RESUME), stopped, reference),
            Scenario("finished", training(*RESUME), training(*RESUME), whole, reference),
            Scenario("overwrite", training("--overwrite"), training("--overwrite"), whole, reference),
            Scenario("rewind", again, again, kept, all_kept),
            # trained/ is replaced as on a file system that cannot exchange two names.
            Scenario("aside", training(*RESUME), training(*RESUME), whole, reference, {"FAULT_NO_EXCHANGE": "1"},
                     only=lambda op, name: "partial" in name or op == "rename"),
            # Files that are written without the page cache.
            Scenario("large", short, short + list(RESUME), big, result_of(big_whole / "run"),
                     only=lambda op, name: "model.safetensors" in name or "optimizer.pt" in name),
        ]

    def calls(self, scenario):
        directory = self.copy(scenario.start, f"trace-{scenario.name}")
        trace = self.work / f"{scenario.name}.trace"
        env = self.program.environment(root=directory, trace=trace, more=scenario.more)
        status, _, err = self.program.run(scenario.command, directory, env)
        expect(status == 0, f"{scenario.name}: exit {status}: {err}")
        expect_same(result_of(directory / "run"), scenario.reference)
        shutil.rmtree(directory)
        expect_durable_order(calls_of(trace))
        found = [c for c in calls_of(trace) if scenario.only is None or scenario.only(c[0], c[1])]
        expect(len(found) > 50, f"{scenario.name}: only {len(found)} calls were seen")
        return found

    # --- One case ---

    def judge(self, scenario, directory, trace, how, outcome):
        status, _, err = outcome
        output = directory / "run"
        lines = [line for line in err.splitlines() if line.startswith("spanforge: ")]
        calls = calls_of(trace) if trace.exists() else []
        if output.exists():
            expect_whole(output)
        if status == 0:
            expect(not lines, f"exit 0, but says {lines}")
            expect_same(result_of(output), scenario.reference)
            return True
        expect(how not in MUST_SUCCEED, f"exit {status} where it must go on: {err.strip()}")
        if how in KILLS:
            expect(status == -signal.SIGKILL, f"exit {status}, not killed: {err.strip()}")
        elif lost_a_page(how, status):
            expect(not lines, f"killed by SIGBUS, but says {lines}")
        else:
            expect(status == 74, f"exit {status}, not 74: {err.strip()}")
            expect(len(lines) == 1 and lines[0] == err.splitlines()[-1], f"not one line at the end: {err}")
            expect(reason(how) in lines[0], f"the reason is not in: {lines[0]}")
            place = lines[0].removeprefix("spanforge: ").split(": ")[0]
            expect(place.startswith(("run", "fresh", "train.json", "validation.json", ".")) and
                   ("partial" not in place or "cannot remove" in lines[0]), f"no file of the user's in: {lines[0]}")
        if scenario.name not in ("overwrite", "rewind"):  # these may remove it
            self.expect_newest(output, calls)
        return False

    def expect_newest(self, output, calls):
        placed = [name.split(" -> ")[1] for op, name, _, result in calls
                  if op == "rename" and result == "ok" and " -> run/checkpoint-" in name]
        if not placed:
            return
        newest = output.parent / placed[-1]
        expect(newest.exists(), f"{newest.name} was in place and is gone")
        expect((what := damage(newest)) is None, what)

    def recover(self, scenario, directory):
        status, _, err = self.program.run(scenario.recovery, directory)
        expect(status == 0, f"the next start: exit {status}: {err.strip()}")
        output = directory / "run"
        expect_whole(output)
        expect_same(result_of(output), scenario.reference)
        expect(sorted(p.name for p in directory.iterdir()) ==
               sorted({p.name for p in scenario.start.iterdir()} | {"run"}), "litter next to the output")

    def case(self, scenario, at, how, keep=False):
        with self.lock:
            self.serial += 1
            name = f"case-{self.serial}"
        directory = self.copy(scenario.start, name)
        trace = self.work / f"{name}.trace"
        env = self.program.environment(root=directory, trace=trace, at=at, how=how, more=scenario.more)
        try:
            outcome = self.program.run(scenario.command, directory, env)
            put_back(scenario.start, directory, at, how)
            if not self.judge(scenario, directory, trace, how, outcome):
                self.recover(scenario, directory)
            return None
        except Finding as finding:
            return str(finding)
        finally:
            if not keep:
                shutil.rmtree(directory, ignore_errors=True)
                trace.unlink(missing_ok=True)


def all_cases(scenario, calls):
    made = set()  # the command made it: nothing to put back
    for op, name, k, _ in calls:
        if op == "rename":
            made.add(name.split(" -> ")[1])
        inputs = not made & {name, os.path.dirname(name)} and (scenario.start / name).exists()
        for how in WAYS[op]:
            if how.startswith("cut") and not inputs:
                continue
            yield scenario, f"{op}\t{name}\t{k}", how


def sample(cases, count, seed):
    """At least one of each (operation, way), and more at random."""
    chosen, seen = [], set()
    cases = list(cases)
    random.Random(seed).shuffle(cases)
    rest = []
    for case in cases:
        kind = (case[1].split("\t")[0], case[2])
        (rest if kind in seen else chosen).append(case)
        seen.add(kind)
    return chosen + rest[:max(0, count - len(chosen))]


def main():
    parser = parser_of(__doc__, "part of a scenario's name")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--from", dest="first", type=int, default=0, metavar="N",
                        help="with --all: leaves out the first N cases, after an interruption")
    parser.add_argument("--count", type=int, default=150, help="cases of the sample")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--at")
    parser.add_argument("--how")
    args = parser.parse_args()
    program, work = begin(args, "inject")
    injector = Injector(program, work)
    scenarios = [s for s in injector.scenarios() if args.only in s.name]
    if args.at:
        scenario = next(s for s in scenarios if s.name == args.only)
        what = injector.case(scenario, args.at.replace("\\t", "\t"), args.how, keep=True)
        print(what or "holds")
        return 1 if what else 0
    cases = []
    for scenario in scenarios:
        calls = injector.calls(scenario)
        found = list(all_cases(scenario, calls))
        print(f"{scenario.name}: {len(calls)} calls, {len(found)} cases")
        cases += found
    chosen = cases[args.first:] if args.all else sample(cases, args.count, args.seed)
    return run_injections(injector.case, chosen, len(cases), args.jobs, work)


if __name__ == "__main__":
    sys.exit(main())
