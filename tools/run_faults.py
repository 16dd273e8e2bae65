#!/usr/bin/env python3
"""Plants deliberate faults, one at a time, and proves that the tests notice each.

tests/faults/faults.json lists them: {name, file, old, new, tests}. `old` must stand exactly once in
the file; `tests` is the ctest regular expression that must turn red. The work happens in a copy of
the checkout under build/faults/, so the working tree is never touched. A fault that no test notices,
or a list entry that no longer fits the code, fails the run.

  python3 tools/run_faults.py [--only NAME] [--jobs N]
"""
import argparse
import json
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
COPY = ROOT / "build" / "faults" / "source"
BUILD = ROOT / "build" / "faults" / "build"


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, **options)


def refresh_copy():
    COPY.mkdir(parents=True, exist_ok=True)
    files = run("git", "ls-files", "-z", cwd=ROOT, check=True).stdout.split("\0")
    for name in filter(None, files):
        source, target = ROOT / name, COPY / name
        if not source.exists():
            continue
        if target.exists() and target.read_bytes() == source.read_bytes():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)


def build(jobs, targets=()):
    names = [a for t in targets for a in ("--target", t)]
    return run("cmake", "--build", str(BUILD), "-j", str(jobs), *names)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="run the fault of this name")
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()

    faults = json.loads((ROOT / "tests/faults/faults.json").read_text(encoding="utf-8"))
    if args.only:
        faults = [f for f in faults if f["name"] == args.only]
    refresh_copy()
    launcher = ["-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"] if shutil.which("ccache") else []
    configure = run("cmake", "-S", str(COPY), "-B", str(BUILD), "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
                    f"-DSPANFORGE_ORACLE_PYTHON={ROOT}/.venv/bin/python", *launcher)
    if configure.returncode or build(args.jobs).returncode:
        sys.exit("run_faults: the unchanged copy does not build")
    expression = "|".join(sorted({f["tests"] for f in faults}))
    clean = run("ctest", "--test-dir", str(BUILD), "-j", str(args.jobs), "-R", expression, "--no-tests=error")
    if clean.returncode:
        sys.exit("run_faults: tests fail before any fault is planted:\n" + clean.stdout[-3000:])

    unnoticed = []
    for fault in faults:
        file = COPY / fault["file"]
        text = file.read_text(encoding="utf-8")
        if text.count(fault["old"]) != 1:
            unnoticed.append(fault["name"])
            print(f"STALE     {fault['name']}: its text stands {text.count(fault['old'])} times in {fault['file']}", flush=True)
            continue
        file.write_text(text.replace(fault["old"], fault["new"]), encoding="utf-8")
        built = build(args.jobs)
        if built.returncode:
            unnoticed.append(fault["name"])
            print(f"STALE     {fault['name']}: does not compile\n{built.stdout[-1500:]}", flush=True)
        else:
            tests = run("ctest", "--test-dir", str(BUILD), "-j", str(args.jobs), "-R", fault["tests"], "--no-tests=error")
            red = [line.split(" - ")[1].split(" (")[0] for line in tests.stdout.splitlines()
                   if " - " in line and "(" in line and ("Failed" in line or "SEGFAULT" in line or "Abort" in line)]
            if tests.returncode:
                print(f"noticed   {fault['name']}: {len(red)} red, first {red[0] if red else '?'}", flush=True)
            else:
                unnoticed.append(fault["name"])
                print(f"UNNOTICED {fault['name']}", flush=True)
        file.write_text(text, encoding="utf-8")
    print(f"{len(faults) - len(unnoticed)} passed, {len(unnoticed)} failed")
    sys.exit(1 if unnoticed else 0)


if __name__ == "__main__":
    main()
