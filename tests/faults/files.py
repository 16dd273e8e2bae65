#!/usr/bin/env python3
"""Makes every call by which a command reads and writes its files fail, one at a time and in every way, as
inject.py does with trainings, for the commands that write several files: all of them come, or none.

  - exit 0: the files of an undisturbed run;
  - exit 74 with one line that names a file and the system's reason: all files are as they were, or all
    are new; if the file system cannot exchange two names, the line lists those that are already new;
  - killed: the same, but between the renames each file is the old or the new one, whole;
  - the same command once more leaves the files of an undisturbed run, and nothing else.

  files.py --bin build/release/bin --shim build/release/tests/faults/libfault_shim.so [--all] [--jobs 2]
"""
import pathlib
import shutil
import signal
import sys

from inject import KILLS, MUST_SUCCEED, Injector, all_cases, calls_of, lost_a_page, put_back, reason, sample
from lab import Finding, begin, expect, make_inputs, parser_of, run_injections, training

OLD = b"old"
NO_EXCHANGE = {"FAULT_NO_EXCHANGE": "1"}


class Command:
    """A command line, the directory of its files, whether old ones are there, and their names.
    ways: the beginnings of the names of faults to try."""

    def __init__(self, name, line, place, over_old=False, more=None, ways=""):
        self.name, self.line, self.place, self.over_old, self.more = name, line, place, over_old, more or {}
        self.ways = ways
        self.start, self.old, self.new = None, {}, {}


def commands():
    evaluate = ["evaluate", "--model", "model", "--data", "validation.json", "--predictions-dir", "out/put",
                "--threads", 1, "--json"]
    split = ["data", "split", "train.json", "--validation", 0.3, "--output", "out", "--overwrite"]
    yield Command("evaluate", evaluate, "out/put")
    yield Command("evaluate over old", evaluate, "out/put", over_old=True)
    yield Command("evaluate over old, no exchange", evaluate, "out/put", over_old=True, more=NO_EXCHANGE)
    yield Command("split", split, "out")
    yield Command("split over old", split, "out", over_old=True)
    yield Command("convert data over old", ["data", "convert", "train.json", "--to", "jsonl", "--output",
                                            "out/rows.jsonl", "--overwrite"], "out", over_old=True)
    # Its two files are put in place one by one, without staging.
    yield Command("fix data over old", ["data", "fix", "train.json", "--output", "out/new.json", "--report",
                                        "out/changes.jsonl", "--overwrite"], "out", over_old=True, ways="cut")
    yield Command("check data", ["data", "check", "train.json"], ".")
    yield Command("new model", ["model", "new", "--text", "text.txt", "--vocab-size", 120, "--hidden-size", 16,
                                "--num-hidden-layers", 1, "--num-attention-heads", 2, "--output", "a/b/out"], "a/b/out")
    yield Command("convert model", ["model", "convert", "--model", "model", "--output", "out"], "out")


def files_in(place):
    files = [p for p in place.iterdir() if p.is_file() and not p.name.startswith(".")] if place.exists() else []
    return {p.name: p.read_bytes() for p in files}


def everything(directory):
    return {str(p.relative_to(directory)): None if p.is_dir() else p.read_bytes() for p in directory.rglob("*")}


class Files(Injector):
    def prepare(self):
        inputs = self.work / "inputs"
        make_inputs(self.program, inputs)
        self.program.must(training(steps=3), inputs)
        (inputs / "run" / "trained").rename(inputs / "model")
        shutil.rmtree(inputs / "run")
        shutil.rmtree(inputs / "fresh")
        shutil.copy(pathlib.Path(__file__).parents[1] / "e2e" / "data" / "text.txt", inputs / "text.txt")
        found = []
        for number, command in enumerate(commands()):
            whole = self.copy(inputs, f"whole-{number}")
            if command.over_old:
                (whole / command.place).mkdir(parents=True)
            self.program.must(command.line, whole)
            command.new = files_in(whole / command.place)
            expect(command.new, f"{command.name}: no files")
            command.whole = everything(whole)
            command.start = self.copy(inputs, f"start-{number}")
            if command.over_old:
                (command.start / command.place).mkdir(parents=True)
                for name in command.new:
                    (command.start / command.place / name).write_bytes(OLD)
            command.old = files_in(command.start / command.place)
            found.append(command)
        return found

    def calls(self, command):
        directory = self.copy(command.start, "trace")
        trace = self.work / f"{command.name}.trace"
        env = self.program.environment(root=directory, trace=trace, more=command.more)
        status, _, err = self.program.run(command.line, directory, env)
        expect(status == 0, f"{command.name}: exit {status}: {err}")
        expect(everything(directory) == command.whole, f"{command.name}: not the same files under the shim")
        shutil.rmtree(directory)
        found = calls_of(trace)
        writes = command.new != command.old
        expect(len(found) > (20 if writes else 2), f"{command.name}: only {len(found)} calls were seen")
        return found

    def judge(self, command, directory, at, how, outcome):
        status, _, err = outcome
        found = files_in(directory / command.place)
        lines = [line for line in err.splitlines() if line.startswith("spanforge: ")]
        all_old, all_new = found == command.old, found == command.new
        if status == 0:
            expect(not lines, f"exit 0, but says {lines}")
            expect(all_new, "exit 0, but not all files are new")
            return
        expect(how not in MUST_SUCCEED, f"exit {status} where it must go on: {err.strip()}")
        if how in KILLS or lost_a_page(how, status):
            expect(how not in KILLS or status == -signal.SIGKILL, f"exit {status}, not killed: {err.strip()}")
            expect(not lines, f"killed, but says {lines}")
            whole = all(content in (command.new[name], command.old.get(name)) for name, content in found.items())
            expect(all_old or all_new or whole and at.startswith("rename"), f"some files of each: {sorted(found)}")
            return
        expect(status == 74, f"exit {status}, not 74: {err.strip()}")
        expect(len(lines) == 1 and lines[0] == err.splitlines()[-1], f"not one line at the end: {err}")
        expect(reason(how) in lines[0] and ".spanforge" not in lines[0], f"says {lines[0]}")
        if all_old or all_new:
            return
        expect("new already: " in lines[0] and command.more, f"some files of each: {sorted(found)}: {lines[0]}")
        told = set(lines[0].split("new already: ")[1].split(", "))
        expect(told == {name for name, content in found.items() if content == command.new[name]},
               f"not the ones that are new: {lines[0]}")

    def case(self, command, at, how):
        with self.lock:
            self.serial += 1
            name = f"case-{self.serial}"
        directory = self.copy(command.start, name)
        env = self.program.environment(root=directory, at=at, how=how, more=command.more)
        try:
            outcome = self.program.run(command.line, directory, env)
            put_back(command.start, directory, at, how)
            self.judge(command, directory, at, how, outcome)
            if outcome[0] == 0 and command.name in ("new model", "convert model"):
                return None  # would be refused, because it exists
            in_place = files_in(directory / command.place) == command.new != command.old
            if outcome[0] != 0 and in_place and not command.over_old:
                shutil.rmtree(directory / command.place)  # except for the sync that failed
            status, _, err = self.program.run(command.line, directory)
            expect(status == 0, f"once more: exit {status}: {err.strip()}")
            left = everything(directory)
            expect(left == command.whole, f"once more leaves {sorted(set(left) ^ set(command.whole))} or other bytes")
            return None
        except Finding as finding:
            return str(finding)
        finally:
            shutil.rmtree(directory, ignore_errors=True)


def main():
    parser = parser_of(__doc__, "part of a command's name")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--count", type=int, default=100, help="cases of the sample, in addition to all that put files in place or truncate them")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--at", help="with --only and --how: that case alone")
    parser.add_argument("--how")
    args = parser.parse_args()
    program, work = begin(args, "files")
    files = Files(program, work)
    cases = []
    for command in files.prepare():
        if args.only not in command.name:
            continue
        calls = files.calls(command)
        found = [case for case in all_cases(command, calls) if case[2].startswith(command.ways)]
        print(f"{command.name}: {len(calls)} calls, {len(found)} cases")
        cases += found
    chosen = cases
    if args.at:
        chosen = [(c, at, how) for c, at, how in cases if (at, how) == (args.at.replace("\\t", "\t"), args.how)]
    elif not args.all:
        placing = [case for case in cases
                   if case[1].startswith("rename") and ".tmp" not in case[1] or case[2].startswith("cut")]
        others = [case for case in cases if case not in placing]
        chosen = placing + sample(others, args.count, args.seed)
    return run_injections(files.case, chosen, len(cases), args.jobs, work)


if __name__ == "__main__":
    sys.exit(main())
