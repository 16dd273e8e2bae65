#!/usr/bin/env python3
"""Every row of the table (table.py): the program gets bad input and must keep its promise.

    python3 tests/bad_input/run.py --bin build/release/bin --work /tmp/bad
    ... --only 'safetensors|torch/'    the rows whose names match
    ... --show                         also the output of each
    ... --large                        the one-line dataset at 1 GB
    ... --record                       write these rows' lines in said.txt again, to be read and committed
    ... --self-test                    checks that a broken promise is noticed

The promise, for a row that names an exit code: that code and no death by a signal; standard error
is one line that matches all of the row's regular expressions and, for a written row, is in said.txt;
the files are unchanged in names, kinds, sizes and content; peak memory at most twice the bad files
and 64 MB; CPU time of seconds.
Python's standard library only.
"""
import argparse
import hashlib
import os
import pathlib
import re
import resource
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
# A child's peak memory begins with its parent's (with vfork, its parent's peak).
subprocess._USE_VFORK = False
import table  # noqa: E402
import cases_weights  # noqa: E402,F401
import cases_model  # noqa: E402,F401
import cases_adapter  # noqa: E402,F401
import cases_torch  # noqa: E402,F401
import cases_tokenizer  # noqa: E402,F401
import cases_squad  # noqa: E402
import cases_forms  # noqa: E402,F401
import cases_run  # noqa: E402,F401
import cases_optimizer  # noqa: E402,F401
import cases_hub  # noqa: E402,F401
import cases_serve  # noqa: E402,F401
import sweep  # noqa: E402,F401

SOURCE = pathlib.Path(__file__).resolve().parents[2]
DATA = SOURCE / "tests" / "e2e" / "data"
NOBODY = 65534
MEMORY = 64_000_000  # bytes, in addition to twice the bad files
CPU_SECONDS = 20     # of a row without large files; usual rows take less than a tenth
HANGS = 600          # wall clock; a busy machine is not a failure


class Broken(Exception):
    """A promise that was not kept."""


def expect(holds, what):
    if not holds:
        raise Broken(what)


# --- The start of a row -------------------------------------------------------------------------


def environment(directory):
    env = {k: v for k, v in os.environ.items()
           if not k.startswith("HF_") and k not in ("XDG_CACHE_HOME", "http_proxy", "HTTP_PROXY")}
    env.update(HOME=str(directory / "home"), HF_HUB_OFFLINE="1", GOMP_SPINCOUNT="0",
               no_proxy="127.0.0.1")
    return env


def make_good(program, directory):
    """The files that every row starts from, and run/ for rows that need it."""
    shutil.copytree(DATA, directory / "good")
    good = directory / "good"

    def must(words):
        subprocess.run([program, *words.split()], cwd=good, env=environment(directory), check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    must("model new --like tiny --text text.txt --vocab-size 120 --hidden-size 16 --num-hidden-layers 1 "
         "--num-attention-heads 2 --seed 1 --output m")
    must("train --model m --train train.json --validation validation.json --output run --max-steps 4 "
         "--per-device-train-batch-size 4 --max-seq-length 64 --threads 1 --save-strategy steps "
         "--save-steps 2 --eval-strategy steps --eval-steps 2 --logging-steps 1 --report-to none")
    shutil.move(good / "run", directory / "run")


def digest(path):
    sums = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            sums.update(piece)
    return sums.hexdigest()


def tree(directory):
    """name -> what is there."""
    found = {}
    for root, directories, files in os.walk(directory):
        for name in directories + files:
            path = os.path.join(root, name)
            info = os.lstat(path)
            kind = stat.S_IFMT(info.st_mode)
            content = ""
            if kind == stat.S_IFLNK:
                content = os.readlink(path)
            elif kind == stat.S_IFREG:
                # Sparse and large files count as unchanged if their times are.
                content = digest(path) if info.st_size < 1 << 20 and info.st_mode & 0o400 else ""
                content += f" {info.st_size} {info.st_mtime_ns}"
            found[os.path.relpath(path, directory)] = f"{kind:o} {content}"
    return found


def new_bytes(before, after, directory):
    """Size of the regular files that `make` made or changed."""
    return sum(os.lstat(directory / name).st_size for name in after
               if after[name] != before.get(name) and stat.S_ISREG(os.lstat(directory / name).st_mode))


# --- The exact output -----------------------------------------------------------------------


SAID = pathlib.Path(__file__).resolve().parent / "said.txt"


def read_said():
    """row -> its lines; a row's name begins at the margin, its lines are indented."""
    said, lines = {}, None
    for line in SAID.read_text().splitlines():
        if line.startswith("  "):
            lines.append(line[2:])
        elif line:
            lines = said.setdefault(line, [])
    return said


def write_said(said):
    SAID.write_text("".join(f"{name}\n" + "".join(f"  {line}\n" for line in lines)
                            for name, lines in said.items()))


def as_recorded(line, work):
    """The line without the parts that differ from run to run."""
    line = line.removeprefix("spanforge: ").replace(str(work), "WORK")
    return re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", line)


# --- Running ----------------------------------------------------------------------------------------


class Outcome:
    def __init__(self, status, error, printed, usage):
        self.exit = os.waitstatus_to_exitcode(status)
        self.error = error
        self.printed = printed  # bytes on standard output
        self.memory = usage.ru_maxrss * 1024
        self.cpu = usage.ru_utime + usage.ru_stime


def run(program, command, directory, env, nobody):
    """The program's exit, output and resources: of this child alone."""
    words = shlex.split(command) if isinstance(command, str) else command
    with tempfile.TemporaryFile() as error, tempfile.TemporaryFile() as output:
        as_nobody = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if nobody else {}
        process = subprocess.Popen([program, *words], cwd=directory, env=env, stdin=subprocess.DEVNULL,
                                   stdout=output, stderr=error, **as_nobody)
        alarm = threading.Timer(HANGS, process.kill)
        alarm.start()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = 0  # the caller waits for it
        alarm.cancel()
        error.seek(0)
        return Outcome(status, error.read().decode(errors="backslashreplace"), os.fstat(output.fileno()).st_size, usage)


def judge(case, command, outcome, before, after, size, check_memory):
    codes = case.exit if isinstance(case.exit, tuple) else (case.exit,)
    if table.SOME in codes:
        codes = (0, table.MODEL, table.IO)
    expect(outcome.exit >= 0, f"died of signal {-outcome.exit}")
    expect(outcome.exit in codes, f"exit code {outcome.exit}, not {' or '.join(map(str, codes))}")
    if check_memory:
        limit = 2 * size + MEMORY
        expect(outcome.memory <= limit, f"took {outcome.memory / 1e6:.0f} MB of memory; "
                                        f"{limit / 1e6:.0f} MB are allowed for {size / 1e6:.1f} MB")
    allowed = CPU_SECONDS + size / 2e6
    expect(outcome.cpu <= allowed, f"took {outcome.cpu:.1f} s of CPU; {allowed:.0f} are allowed")
    if outcome.exit == 0:
        return
    lines = outcome.error.split("\n")
    expect(len(lines) == 2 and lines[0] and not lines[1], "standard error is not one line")
    expect(len(lines[0]) <= 4000, f"the line has {len(lines[0])} characters")
    for pattern in case.says:
        expect(re.search(pattern, lines[0]), f"standard error does not match {pattern}")
    # A report may be printed before the error; answers to some of the questions may not.
    expect(not command.startswith("ask") or outcome.printed == 0, "answers were printed")
    changed = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    expect(not changed, f"written: {' '.join(sorted(changed)[:5])}")


def run_case(case, program, work, options, said=None):
    """Problems, as text. said: the content of said.txt; with --record, its new content."""
    directory = work / "row"
    shutil.copytree(work / "good", directory)
    if case.run:
        shutil.copytree(work / "run", directory / "run")
    good = tree(directory)
    problems = []
    case.make(directory)
    before = tree(directory)
    size = new_bytes(good, before, directory)
    env = environment(work)
    server = case.server() if case.server else None
    if server:
        env["HF_ENDPOINT"] = server.url
        del env["HF_HUB_OFFLINE"]
    try:
        for command in case.commands:
            outcome = run(program, command, directory, env, case.nobody and os.geteuid() == 0)
            after = tree(directory)
            if options.show:
                print(f"{case.name}: exit {outcome.exit}, {outcome.memory / 1e6:.0f} MB, "
                      f"{outcome.cpu:.2f} s: {outcome.error.strip()[:400]}")
            line = as_recorded(outcome.error.split("\n")[0], work)
            lines = None if case.made or said is None else said.get(case.name, [])
            if options.record and lines is not None:
                if outcome.exit > 0 and line not in lines:
                    said.setdefault(case.name, lines).append(line)
            try:
                judge(case, command, outcome, before, after, size, options.memory)
                if outcome.exit != 0 and lines is not None:
                    expect(line in lines, f"said.txt has another line for this row: {' | '.join(lines or ['none'])}")
            except Broken as broken:
                problems.append(f"{case.name}: {broken}\n  spanforge {command}\n  said: "
                                f"{outcome.error.strip()[:600]}")
            if after != before:
                before = after  # the next command is not charged for these files
                if outcome.exit == 0 and (directory / "out").is_dir() and not (directory / "out").is_symlink():
                    shutil.rmtree(directory / "out")
                    before = tree(directory)
    finally:
        if server:
            server.close()
        shutil.rmtree(directory)
        shutil.rmtree(work / "home", ignore_errors=True)
    return problems


# --- Self-test: each promise broken, in a row or by a program that breaks it ---------------------------


STAND_INS = {  # what the program does -> what the run must report
    "exit 0": "exit code 0",
    "echo m/config.json: bad >&2; exit 2": "exit code 2",
    "kill -SEGV $$": "died of signal 11",
    "exit 3": "not one line",
    "echo one >&2; echo m/config.json: two >&2; exit 3": "not one line",
    "echo something else >&2; exit 3": "does not match",
    "echo m/config.json: bad >&2; echo x > left; exit 3": "written: left",
    "echo m/config.json: bad >&2; touch m/config.json; exit 3": "written: m/config.json",
    "echo m/config.json: bad >&2; exit 3": None,
    "exec python3 -c 'import sys; b = bytearray(90_000_000); print(\"m/config.json: bad\", "
    "file=sys.stderr); sys.exit(3)'": "of memory",
}


def self_test(program, work, options):
    row = table.Case("self-test", ["x"], table.MODEL, [r"config\.json"],
                     lambda d: (d / "m/config.json").write_text("{"))
    stand_in = work / "stand-in"
    problems = [f"the program itself: {p}" for p in run_case(
        table.Case("self-test", [table.ASK], table.MODEL, [r"config\.json"], row.make), program, work,
        options)]
    options.memory = True  # the stand-ins have no sanitizer
    for script, said in STAND_INS.items():
        stand_in.write_text(f"#!/bin/sh\n{script}\n")
        stand_in.chmod(0o755)
        found = run_case(row, stand_in, work, options)
        if bool(found) != bool(said) or (said and said not in found[0]):
            problems.append(f"{script}\n  must be judged: {said}\n  was: {found}")
    stand_in.write_text("#!/bin/sh\necho m/config.json: bad >&2; exit 3\n")
    for recorded, said in (("m/config.json: bad", None), ("m/config.json: worse", "said.txt has another line")):
        found = run_case(row, stand_in, work, options, {row.name: [recorded]})
        if bool(found) != bool(said) or (said and said not in found[0]):
            problems.append(f"said.txt has {recorded}\n  must be judged: {said}\n  was: {found}")
    print(f"self-test: {len(STAND_INS) + 2} stand-ins")
    return problems


def open_to_all(path):
    return all(p.stat().st_mode & 0o001 for p in (path, *path.parents))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True, help="a directory to make and remove")
    parser.add_argument("--only", default="", help="rows whose names match")
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--no-memory", dest="memory", action="store_false",
                        help="do not judge the program's memory: a sanitizer takes more")
    parser.add_argument("--self-test", action="store_true")
    options = parser.parse_args()
    if options.large:
        cases_squad.large.size = 1_000_000_000
    program = (options.bin / "spanforge").resolve()
    work = options.work.resolve()
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    if os.geteuid() == 0 and not (open_to_all(program) and open_to_all(work)):
        # Some rows run as the user nobody, who may have no access here (a checkout in /root, for example).
        work.rmdir()
        work = pathlib.Path(tempfile.mkdtemp(prefix="spanforge-bad-input-"))
        work.chmod(0o755)
        program = shutil.copy(program, work / "program")
    program = str(program)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    make_good(program, work)
    if options.self_test:
        problems = self_test(program, work, options)
    else:
        rows = [c for c in table.CASES if re.search(options.only, c.name)]
        said = read_said()
        if options.record:
            for row in rows:
                said.pop(row.name, None)
        problems = [p for c in rows for p in run_case(c, program, work, options, said)]
        if options.record:
            write_said({c.name: said[c.name] for c in table.CASES if c.name in said})
        commands = sum(len(c.commands) for c in rows)
        print(f"{len(rows)} rows, {commands} commands, {len(problems)} problems")
        if not rows:
            problems.append("no row has such a name")
    for problem in problems:
        print(problem)
    shutil.rmtree(work, ignore_errors=True)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
