#!/usr/bin/env python3
"""Each planted fault must be reported by this build's sanitizers; the faultless forms must not.

  planted.py --program build/asan/bin/planted_fault --sanitizers address,undefined,float-cast-overflow
"""
import argparse
import subprocess
import sys

# Sanitizer -> {fault: what the report must say; None: no report, and the program ends well}.
WANTED = {
    "address": {
        "heap_overflow": "heap-buffer-overflow",
        "use_after_free": "heap-use-after-free",
        "use_after_scope": "stack-use-after-scope",
        "index_past_the_end": "Assertion '__n < this->size()' failed",
        "leak": "detected memory leaks",
        "nothing_wrong": None,
    },
    "undefined": {
        "signed_overflow": "signed integer overflow",
        "shift_too_far": "shift exponent 32 is too large",
        "misaligned": "misaligned address",
        "nothing_wrong": None,
    },
    "float-cast-overflow": {"float_to_int_overflow": "outside the range of representable values"},
    "thread": {
        "thread_race": "data race",
        "parallel_for_race": "data race",
        "region_without_a_barrier": "data race",
        "region_without_a_critical_section": "data race",
        "parallel_for_clean": None,
        "region_clean": None,
        "nothing_wrong": None,
    },
}


def problem(program, fault, report):
    ran = subprocess.run([program, fault], capture_output=True, text=True, timeout=120)
    said = ran.stdout + ran.stderr
    if report is None:
        return None if ran.returncode == 0 and not ran.stderr else f"exit {ran.returncode}: {said}"
    if ran.returncode == 0:
        return f"ended well; wanted a report of {report!r}"
    return None if report in said else f"no {report!r} in: {said}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--sanitizers", required=True)
    given = parser.parse_args()
    looked_at, bad = 0, 0
    for sanitizer in given.sanitizers.split(","):
        for fault, report in WANTED[sanitizer].items():
            looked_at += 1
            if (what := problem(given.program, fault, report)) is not None:
                bad += 1
                print(f"FAILED {sanitizer}: {fault}: {what}")
            else:
                print(f"{sanitizer}: {fault}: {'silent' if report is None else report}")
    print(f"{looked_at} looked at, {bad} failed")
    return 1 if bad or not looked_at else 0


if __name__ == "__main__":
    sys.exit(main())
