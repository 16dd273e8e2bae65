"""Fails unless every file that CMake compiles gets the flags that SECURITY.md promises. What they leave in a
program can be read for some of them only (check_elf.py).

Usage: check_flags.py COMPILE_COMMANDS [--not FLAG]... | --self-test
--not: a flag that this processor's compiler does not have.
"""
import argparse
import json
import pathlib
import re
import shlex
import sys

# A flag's last occurrence counts, also that of its opposite.
WANTED = {
    "-fstack-protector-strong": "-fno-stack-protector|-fstack-protector",
    "-fstack-clash-protection": "-fno-stack-clash-protection",
    "-fcf-protection": "-fcf-protection=none",
    "-D_GLIBCXX_ASSERTIONS": "-U_GLIBCXX_ASSERTIONS",
    "-D_FORTIFY_SOURCE=[23]": "-U_FORTIFY_SOURCE|-D_FORTIFY_SOURCE=[01]|-O0",
    "-fPI[CE]": "-fno-pi[ce]|-fno-PI[CE]",
}


def lacks(command, wanted):
    words = shlex.split(command)
    for flag in wanted:
        last = [word for word in words if re.fullmatch(f"{flag}|{WANTED[flag]}", word)][-1:]
        if not last or not re.fullmatch(flag, last[0]):
            yield flag


def self_test():
    good = "c++ -O3 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fPIE -fstack-protector-strong -fstack-clash-protection " \
           "-fcf-protection -D_GLIBCXX_ASSERTIONS -c a.cpp"
    bad = list(lacks(good, WANTED))
    for word in [w for w in good.split() if any(re.fullmatch(flag, w) for flag in WANTED)]:
        if len(list(lacks(good.replace(word, ""), WANTED))) != 1:
            bad.append(f"without {word}")
    for word in ("-fno-stack-protector", "-U_FORTIFY_SOURCE", "-O0", "-fcf-protection=none", "-fno-PIC", "-U_GLIBCXX_ASSERTIONS"):
        if len(list(lacks(good + " " + word, WANTED))) != 1:
            bad.append(f"with {word}")
    return bad


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("commands", nargs="?", type=pathlib.Path)
    parser.add_argument("--not", dest="lacking", action="append", default=[])
    parser.add_argument("--self-test", action="store_true")
    given = parser.parse_args()
    if given.self_test:
        sys.exit("\n".join(f"FAILED {line}" for line in self_test()) or 0)
    commands = json.loads(given.commands.read_text(encoding="utf-8"))
    wanted = [flag for flag in WANTED if flag not in given.lacking]
    found = [f"{one['file']}: lacks {flag}" for one in commands for flag in lacks(one["command"], wanted)]
    sys.exit("\n".join(found if commands else [f"{given.commands}: there are no commands"]) or 0)


main()
