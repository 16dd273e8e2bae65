#!/usr/bin/env python3
"""docs/parallel.md has the tables that bench/scaling.py calculates, and its constants are those of the measurement there.

  check_scaling.py ROOT | --self-test
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))
import scaling  # noqa: E402
from several_ranks import pasted  # noqa: E402

MEASURED = re.compile(r"EFFECTIVE (\S+) .*CPU_PER_GB (\S+) s .*MESSAGE (\S+) us ")


def differences(page):
    if pasted(page, "bench/scaling.py", scaling.text()) != page:
        yield "the calculated tables are not what bench/scaling.py prints: run it with --write"
    found = MEASURED.search(page)
    if found is None:
        yield "the output of bench/network.py, with the constants of bench/scaling.py, is not there"
        return
    used = (scaling.EFFECTIVE, scaling.CPU_PER_GB, round(1e6 * scaling.MESSAGE))
    if tuple(map(float, found.groups())) != used:
        yield f"bench/network.py measured {', '.join(found.groups())}, but bench/scaling.py uses {used}"


def self_test():
    good = (f"<!-- bench/scaling.py --write -->\n{scaling.text()}<!-- end of bench/scaling.py -->\nEFFECTIVE {scaling.EFFECTIVE} "
            f"(x), CPU_PER_GB {scaling.CPU_PER_GB} s (x), MESSAGE {1e6 * scaling.MESSAGE:.0f} us (x)\n")
    bad = [good.replace(" % |", "1 % |", 1), good.replace(f"EFFECTIVE {scaling.EFFECTIVE}", "EFFECTIVE 0.01"),
           good.replace("MESSAGE", "message")]
    if list(differences(good)):
        sys.exit(f"a right page is not accepted: {list(differences(good))}")
    if missed := [page for page in bad if not list(differences(page))]:
        sys.exit(f"not noticed: {missed[0]}")


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    found = list(differences((pathlib.Path(sys.argv[1]) / "docs/parallel.md").read_text(encoding="utf-8")))
    if found:
        sys.exit("docs/parallel.md: " + "\ndocs/parallel.md: ".join(found))


main()
