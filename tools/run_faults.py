#!/usr/bin/env python3
"""Plants deliberate faults, one at a time, and checks that the tests notice each.

tests/faults/faults.json lists them: {name, file, old, new, tests}. `old` must occur exactly once in
the file; `tests` is the ctest regular expression that must fail. The work happens in a copy of
the checkout under build/faults/, so the working tree is never touched. A fault that no test notices,
or a list entry that no longer fits the code, fails the run.

  python3 tools/run_faults.py [--only NAME] [--jobs N]
  python3 tools/run_faults.py --rotate N       plants N of them, chosen by the hash of the commit
  python3 tools/run_faults.py --check BUILD    plants nothing: every entry fits the code and the tests
                                               of this build directory (--without REGEX: tests that it
                                               may lack)
  python3 tools/run_faults.py --self-test      --check must reject wrong entries

A copy takes from ccache what the checkout's own build has compiled, if both builds run with
CCACHE_BASEDIR=<an ancestor of both> and CCACHE_NOHASHDIR=1.
"""
import argparse
import fcntl
import hashlib
import itertools
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIST = "tests/faults/faults.json"
COPY = ROOT / "build" / "faults" / "source"
BUILD = COPY / "build" / "release"  # as deep in the copy as the usual build: ccache sees the same relative paths
FIELDS = {"name", "file", "old", "new", "tests"}
# The programs of the tests of a prefix, if it is not PREFIX_test.
PROGRAMS = {"faults": ["spanforge", "fault_shim", "train_loop"], "e2e": ["spanforge", "e2e_runner"],
            "bad_input": ["spanforge"], "fuzz": ["fuzz_replay"], "scripts": [], "claims": [], "hardening": []}

# A fault may leave something unused, which must not count as an error.
UNUSED = "".join(f'#pragma GCC diagnostic ignored "-Wunused-{what}"\n'
                 for what in ("function", "variable", "but-set-variable", "but-set-parameter"))


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, **options)


def alternatives(expression):
    """The expressions without | that together mean the same: "a/|b_(c|d)$" is a/, b_c$, b_d$."""
    parts, depth, begin = [], 0, 0
    for at, letter in enumerate(expression + "|"):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "|" and depth == 0:
            parts.append(expression[begin:at])
            begin = at + 1
    for part in parts:
        pieces = [piece.split("|") for piece in re.split(r"[()]", part)]
        yield from ("".join(choice) for choice in itertools.product(*pieces))


def problems(entries, root, tests, without=None):
    """The faults of the list, one line each; `tests` are the names that ctest knows."""
    seen_names, seen_plantings = set(), {}
    for number, entry in enumerate(entries):
        name = entry.get("name", f"entry {number}")
        if set(entry) != FIELDS or not all(isinstance(value, str) for value in entry.values()):
            yield f"{name}: must have the fields {', '.join(sorted(FIELDS))}"
            continue
        planting = (entry["file"], entry["old"], entry["new"])
        if name in seen_names:
            yield f"{name}: this name occurs twice"
        if planting in seen_plantings:
            yield f"{name}: plants the same as {seen_plantings[planting]}"
        seen_names.add(name)
        seen_plantings.setdefault(planting, name)
        if entry["old"] == entry["new"] or not entry["old"].strip():
            yield f"{name}: changes nothing"
        if not (root / entry["file"]).is_file():
            yield f"{name}: there is no file {entry['file']}"
        elif (count := (root / entry["file"]).read_text(encoding="utf-8").count(entry["old"])) != 1:
            yield f"{name}: its text occurs {count} times in {entry['file']}"
        for expression in alternatives(entry["tests"]):
            known = any(re.search(expression, test) for test in tests)
            if not expression or not known and not (without and re.search(without, expression)):
                yield f"{name}: no test matches '{expression}'"


def test_names(build):
    listed = run("ctest", "--test-dir", str(build), "--show-only=json-v1")
    if listed.returncode:
        sys.exit(f"run_faults: {build}: ctest cannot list its tests:\n{listed.stderr}")
    return [test["name"] for test in json.loads(listed.stdout)["tests"]]


def pick(entries, count, commit):
    """`count` entries: always the same for one commit, others for another."""
    return sorted(entries, key=lambda e: hashlib.sha256((commit + e["name"]).encode()).digest())[:count]


def self_test():
    good = {"name": "good", "file": "a.cpp", "old": "one", "new": "1", "tests": "a/|b_(c|d)$"}
    tests = ["a/x", "b_c", "b_d"]
    wrong = {
        "must have the fields": [{key: good[key] for key in FIELDS - {"new"}}],
        "this name occurs twice": [good, {**good, "old": "two"}],
        "plants the same as good": [good, {**good, "name": "other"}],
        "changes nothing": [{**good, "new": "one"}],
        "there is no file b.cpp": [{**good, "file": "b.cpp"}],
        "its text occurs 0 times": [{**good, "old": "three"}],
        "its text occurs 2 times": [{**good, "old": "tw"}],
        "no test matches 'c/'": [{**good, "tests": "a/|c/"}],
        "no test matches 'b_e$'": [{**good, "tests": "b_(c|e)$"}],
        "no test matches ''": [{**good, "tests": ""}],
    }
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        (root / "a.cpp").write_text("one two twice")
        for wanted, entries in {None: [good], **wrong}.items():
            found = list(problems(entries, root, tests))
            fits = len(found) == 1 and wanted in found[0] if wanted else not found
            bad += not fits
            print(f"{'' if fits else 'FAILED '}{wanted or 'a sound list'}: {found}")
        if list(problems([{**good, "tests": "a/|e/"}], root, tests, without="^e/")):
            bad += 1
            print("FAILED --without is not heard")
    entries = [{"name": str(number)} for number in range(40)]
    chosen = [[e["name"] for e in pick(entries, 3, str(commit))] for commit in range(200)]
    if any(len(set(names)) != 3 for names in chosen) or len(set(sum(chosen, []))) != 40 \
            or chosen[0] != [e["name"] for e in pick(entries[::-1], 3, "0")]:
        bad += 1
        print("FAILED --rotate does not reach every entry, or depends on their order")
    return bad


def refresh_copy():
    """Makes the copy's files equal the checkout's and removes others, because the build takes all files of a folder."""
    COPY.mkdir(parents=True, exist_ok=True)
    listed = run("git", "ls-files", "-z", cwd=ROOT, check=True)
    names = {name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()}
    for folder, folders, files in os.walk(COPY):
        folders[:] = [f for f in folders if pathlib.Path(folder, f) != COPY / "build"]
        for file in files:
            if str(pathlib.Path(folder, file).relative_to(COPY)) not in names:
                pathlib.Path(folder, file).unlink()
    for name in names:
        source, target = ROOT / name, COPY / name
        if target.exists() and target.read_bytes() == source.read_bytes():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)  # with the current time: a killed run may have built a fault from an older file


def targets_of(entries, tests):
    """The programs that the entries' tests run; `tests` are the names that ctest knows."""
    found = {"spanforge"}
    for expression in itertools.chain.from_iterable(alternatives(e["tests"]) for e in entries):
        prefix = expression.partition("/")[0]
        if prefix == "oracle":
            found |= {driver.stem for driver in COPY.glob("tests/oracle/*_driver.cpp")
                      if driver.stem == expression.partition("oracle_")[2].rstrip("$") + "_driver"}
        else:
            found |= set(PROGRAMS.get(prefix, [f"{prefix}_test"]))
        if any(test.endswith("/under_emulated_amx") and re.search(expression, test) for test in tests):
            found.add(f"{prefix}_test_emulated_amx")
    return sorted(found)


def build(jobs, targets):
    return run("cmake", "--build", str(BUILD), "-j", str(jobs), *(a for t in targets for a in ("--target", t)))


def ctest(jobs, expression):
    return run("ctest", "--test-dir", str(BUILD), "-j", str(jobs), "-R", expression, "--no-tests=error")


def configure():
    launcher = [f"-DCMAKE_{language}_COMPILER_LAUNCHER={ROOT}/tools/compile.sh" for language in ("C", "CXX")]
    cache = ROOT / "build/release/CMakeCache.txt"  # the same flags find the same objects in ccache
    strict = cache.is_file() and "SPANFORGE_WERROR:BOOL=ON" in cache.read_text(encoding="utf-8")
    return run("cmake", "-S", str(COPY), "-B", str(BUILD), "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
               f"-DSPANFORGE_WERROR={'ON' if strict else 'OFF'}",
               f"-DSPANFORGE_ORACLE_PYTHON={ROOT}/.venv/bin/python", *launcher)


def plant(fault, jobs, targets):
    """True if the tests notice the fault; prints a line about it."""
    file = COPY / fault["file"]
    text = file.read_text(encoding="utf-8")
    begun = time.monotonic()
    try:
        planted = text.replace(fault["old"], fault["new"])
        file.write_text((UNUSED if file.suffix in (".cpp", ".h") else "") + planted, encoding="utf-8")
        built = build(jobs, targets)
        if built.returncode:
            print(f"STALE     {fault['name']}: does not compile\n{built.stdout[-1500:]}", flush=True)
            return False
        tests = ctest(jobs, fault["tests"])
        red = [line.split(" - ")[1].split(" (")[0] for line in tests.stdout.splitlines()
               if " - " in line and "(" in line and ("Failed" in line or "SEGFAULT" in line or "Abort" in line)]
        seconds = time.monotonic() - begun
        if tests.returncode:
            first = red[0] if red else "?"
            print(f"noticed   {fault['name']}: {len(red)} red, first {first} ({seconds:.0f} s)", flush=True)
        else:
            print(f"UNNOTICED {fault['name']}", flush=True)
        return tests.returncode != 0
    finally:
        file.write_text(text, encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="NAME", help="plant the fault of this name")
    parser.add_argument("--rotate", metavar="N", type=int, help="plant N faults, chosen by the commit")
    parser.add_argument("--check", metavar="BUILD", type=pathlib.Path, help="only check that the entries fit")
    parser.add_argument("--without", metavar="REGEX", help="with --check: tests that BUILD may lack")
    parser.add_argument("--self-test", action="store_true")
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()

    if args.self_test:
        sys.exit(1 if self_test() else 0)
    faults = json.loads((ROOT / LIST).read_text(encoding="utf-8"))
    if args.check:
        found = list(problems(faults, ROOT, test_names(args.check), args.without))
        if found or not faults:
            sys.exit("\n".join(f"{LIST}: {line}" for line in found or ["is empty"]))
        print(f"{len(faults)} entries fit")
        return
    if args.only:
        faults = [f for f in faults if f["name"] == args.only]
    if args.rotate is not None:
        commit = run("git", "rev-parse", "HEAD", cwd=ROOT, check=True).stdout.strip()
        faults = pick(faults, args.rotate, commit)
        print(f"chosen by commit {commit[:12]}: " + "; ".join(f["name"] for f in faults), flush=True)
    if not faults:
        sys.exit("run_faults: no fault is chosen")

    COPY.parent.mkdir(parents=True, exist_ok=True)
    lock = open(COPY.parent / "lock", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        sys.exit(f"run_faults: another run works in {COPY.parent}")
    refresh_copy()
    built = configure()
    if not built.returncode:
        targets = targets_of(faults, test_names(BUILD))
        built = build(args.jobs, targets)
    if built.returncode:
        sys.exit("run_faults: the unchanged copy does not build:\n" + (built.stdout + built.stderr)[-3000:])
    without = None if (ROOT / ".venv/bin/python").exists() else "^oracle/"
    if found := list(problems(faults, COPY, test_names(BUILD), without)):
        sys.exit("\n".join(f"STALE     {line}" for line in found))
    clean = ctest(args.jobs, "|".join(sorted({f["tests"] for f in faults})))
    if clean.returncode:
        sys.exit("run_faults: tests fail before any fault is planted:\n" + clean.stdout[-3000:])

    noticed = sum(plant(fault, args.jobs, targets) for fault in faults)
    print(f"{noticed} passed, {len(faults) - noticed} failed")
    sys.exit(0 if noticed == len(faults) else 1)


if __name__ == "__main__":
    main()
