"""Shared by the drivers of tests/faults: a training so small that a whole run takes a tenth of a
second, and the judgement of its files: is every directory whole, does every step occur once, does all
equal an undisturbed run's, bit for bit. Python's standard library only; the judgement reads the files
itself, without the program.
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import time

SOURCE = pathlib.Path(__file__).resolve().parents[2]
DATA = SOURCE / "tests" / "e2e" / "data"
MANIFEST = "spanforge_manifest.json"
# Made by the clock: all else in a run is the same every time.
TIMES = re.compile(r"(runtime|samples_per_second|steps_per_second)$")
PATIENCE = 900  # seconds; a busy machine is not a failure


class Finding(Exception):
    """An invariant that does not hold."""


def expect(holds, what):
    if not holds:
        raise Finding(what)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


# --- Running ---------------------------------------------------------------------------------------


class Program:
    def __init__(self, binary, shim=None):
        self.binary = str(binary)
        self.shim = str(shim) if shim else None

    def environment(self, root=None, trace=None, at=None, how=None, more=None):
        env = {k: v for k, v in os.environ.items() if not k.startswith("FAULT_")}
        env["GOMP_SPINCOUNT"] = "0"
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"):  # a lost page ends the process as it does without them
            env[name] = ":".join(filter(None, (env.get(name), "handle_sigbus=0")))
        if root is not None:
            env["LD_PRELOAD"] = self.shim
            env["FAULT_ROOT"] = str(root)
        for name, value in (("FAULT_TRACE", trace), ("FAULT_AT", at), ("FAULT_HOW", how)):
            if value is not None:
                env[name] = str(value)
        env.update(more or {})
        return env

    def start(self, arguments, directory, env=None, wrapper=(), **options):
        return subprocess.Popen([*wrapper, self.binary, *map(str, arguments)], cwd=directory,
                                env=env or self.environment(), stdin=subprocess.DEVNULL, **options)

    def run(self, arguments, directory, env=None, **options):
        """-> exit status (negative: the signal), standard output, standard error"""
        process = self.start(arguments, directory, env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             **options)
        out, err = process.communicate(timeout=PATIENCE)
        return process.returncode, out.decode(errors="replace"), err.decode(errors="replace")

    def must(self, arguments, directory):
        status, out, err = self.run(arguments, directory)
        expect(status == 0, f"{' '.join(map(str, arguments))}: exit {status}: {err.strip()}")
        return out


def make_inputs(program, directory, hidden=16, layers=1):
    """A tiny model and data: DIRECTORY/fresh, train.json, validation.json."""
    directory.mkdir(parents=True)
    for name in ("train.json", "validation.json", "text.txt"):
        shutil.copy(DATA / name, directory / name)
    program.must(["model", "new", "--like", "tiny", "--text", "text.txt", "--vocab-size", 120,
                  "--hidden-size", hidden, "--num-hidden-layers", layers, "--num-attention-heads", 2,
                  "--seed", 1, "--output", "fresh"], directory)
    (directory / "text.txt").unlink()


def training(*more, steps=12, every=3):
    """Arguments of a run with accumulation, dropout, evaluations, checkpoints and rotation."""
    return ["train", "--model", "fresh", "--train", "train.json", "--validation", "validation.json",
            "--output", "run", "--max-steps", steps, "--learning-rate", "2e-3",
            "--per-device-train-batch-size", 4, "--gradient-accumulation-steps", 2, "--seed", 5,
            "--max-seq-length", 64, "--threads", 1, "--logging-strategy", "steps", "--logging-steps", 1,
            "--eval-strategy", "steps", "--eval-steps", every, "--save-strategy", "steps",
            "--save-steps", every, "--save-total-limit", 1, "--load-best-model-at-end",
            "--metric-for-best-model", "f1", *more]


# --- Judging ---------------------------------------------------------------------------------------


def damage(directory):
    """None if every file is as the manifest says and the manifest lists every file."""
    try:
        files = json.loads((directory / MANIFEST).read_text())["files"]
    except (OSError, ValueError, KeyError) as error:
        return f"{directory.name}: no sound manifest ({error!r})"
    names = sorted(p.name for p in directory.iterdir() if p.name != MANIFEST)
    if names != sorted(files):
        return f"{directory.name}: holds {names}, its manifest lists {sorted(files)}"
    for name, entry in files.items():
        data = (directory / name).read_bytes()
        if len(data) != entry["size"] or sha256(data) != entry["sha256"]:
            return f"{directory.name}/{name}: differs from the manifest"
    return None


def published(output):
    """checkpoint-N by N, then trained: the directories whose names promise that they are whole."""
    found = sorted((p for p in output.glob("checkpoint-*")), key=lambda p: int(p.name.split("-")[1]))
    return found + [p for p in (output / "trained",) if p.exists()]


def expect_whole(output):
    for directory in published(output):
        expect((what := damage(directory)) is None, what)


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def fields(data):
    """(number, value) of a protocol buffer message; bytes for whatever has a length."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = varint(data, at)
        else:
            size = {1: 8, 5: 4}.get(kind)
            if size is None:
                size, at = varint(data, at)
            value, at = data[at:at + size], at + size
        yield key >> 3, value


def events(file, cut_off=False):
    """(step, tag, value) of each event, in order. All records must be whole, except the last one if it may
    be truncated."""
    data, at, found = file.read_bytes(), 0, []
    while at < len(data):
        size = struct.unpack_from("<Q", data, at)[0] if at + 8 <= len(data) else len(data)
        if at + 16 + size > len(data):
            expect(cut_off, f"{file.name}: ends inside a record")
            break
        event = data[at + 12:at + 12 + size]
        at += 16 + size
        parts = dict(fields(event))
        if 5 not in parts:  # the file's version
            continue
        for _, value in fields(parts[5]):
            named = dict(fields(value))
            found.append((parts.get(2, 0), named[1].decode(), named.get(2, named.get(8))))
    return found


def without_times(value):
    if isinstance(value, dict):
        return {k: without_times(v) for k, v in value.items() if not TIMES.search(k)}
    return [without_times(v) for v in value] if isinstance(value, list) else value


def lines_of(text):
    return [without_times(json.loads(line)) for line in text.splitlines()]


def state_of(directory):
    """A published directory: name -> hash, or the value if it contains times or names the event file."""
    state = {}
    for path in sorted(directory.iterdir()):
        if path.name == MANIFEST:
            continue
        state[path.name] = sha256(path.read_bytes())
        if path.name in ("trainer_state.json", "spanforge_state.json"):
            value = without_times(json.loads(path.read_text()))
            if "observers" in value:
                value["observers"].get("tensorboard", {}).pop("file", None)
                value["observers"]["run_log"] = lines_of(value["observers"]["run_log"]["text"])
            state[path.name] = value
    return state


def log_of(output):
    return lines_of((output / "log.jsonl").read_text())


def result_of(output, logs="logs"):
    """Everything a finished run leaves, except times."""
    seen = []
    for file in sorted((output / logs).glob("events*")):
        seen += events(file)
    keys = [(step, tag) for step, tag, _ in seen]
    expect(len(set(keys)) == len(keys),
           f"events twice: {sorted(k for k in set(keys) if keys.count(k) > 1)[:5]}")
    return {"names": sorted(p.name for p in output.iterdir()),
            "directories": {p.name: state_of(p) for p in published(output)},
            "log": log_of(output),
            "events": [(step, tag, None if TIMES.search(tag) else value) for step, tag, value in seen]}


def difference(one, other, place=""):
    """The first place where two values differ, as text; None if there is none."""
    if type(one) is not type(other):
        return f"{place}: {one!r} and {other!r}"[:300]
    if isinstance(one, dict):
        if sorted(one) != sorted(other):
            return f"{place}: {sorted(set(one) ^ set(other))[:8]} on one side only"
        pairs = [(k, one[k], other[k]) for k in one]
    elif isinstance(one, list):
        pairs = [(i, a, b) for i, (a, b) in enumerate(zip(one, other))]
        if len(one) != len(other) and all(a == b for _, a, b in pairs):
            return f"{place}: {len(one)} and {len(other)} entries"
    else:
        return None if one == other else f"{place}: {str(one)[:120]} and {str(other)[:120]}"
    for key, a, b in pairs:
        found = difference(a, b, f"{place}/{key}")
        if found:
            return found
    return None


def expect_same(result, reference):
    what = difference(result, reference)
    expect(what is None, f"differs from the undisturbed run at {what}")


# --- The drivers' command lines and exit codes ------------------------------------------------------


def parser_of(doc, only=None, shim=True):
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    if shim:
        parser.add_argument("--shim", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, help="a directory to make; default: next to the binaries")
    if only:
        parser.add_argument("--only", default="", help=only)
    return parser


def begin(args, name):
    """The program and an empty directory for the driver's work."""
    work = (args.work or args.bin.resolve().parent / f"{name}-work").resolve()
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    shim = args.shim.resolve() if "shim" in args else None
    return Program(args.bin.resolve() / "spanforge", shim), work


def end(text, cases, findings, work):
    print(f"{text}, {findings} findings")
    if not findings:
        shutil.rmtree(work)
    return 1 if findings or not cases else 0


def run_cases(cases, only, work):
    """Runs the (name, function) pairs whose names contain `only`; returns the exit status."""
    count = findings = 0
    for name, case in cases:
        if only not in name:
            continue
        count += 1
        try:
            case()
        except (Finding, OSError, subprocess.SubprocessError) as finding:
            findings += 1
            print(f"{name}: {finding}".encode("utf-8", "backslashreplace").decode(), flush=True)
    return end(f"{count} cases", count, findings, work)


def run_injections(case, cases, total, jobs, work):
    """Calls case(scenario, at, how), which returns a finding or None, for each case; returns the exit status."""
    began, findings = time.monotonic(), 0
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for (scenario, at, how), what in zip(cases, pool.map(lambda c: case(*c), cases)):
            if what:
                findings += 1
                shown = at.replace("\t", "\\t")
                print(f"--only '{scenario.name}' --at '{shown}' --how '{how}': {what}", flush=True)
    return end(f"{len(cases)} of {total} cases, {time.monotonic() - began:.0f} s", cases, findings, work)
