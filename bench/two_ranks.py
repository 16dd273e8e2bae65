#!/usr/bin/env python3
"""Two ranks of one core against one process of two cores: seconds a step of the same training.

  two_ranks.py --bin build/release/bin [--shapes 256x4,768x12] [--windows 32] [--steps 20] [--rounds 5] [--write]

All take the same windows in a step, and are pinned to the same two cores. The one process runs as one usually does,
and once more with --gradient-shards 2, with which its result has the same bits as that of the two ranks. The ranks
talk by loopback. Rounds alternate; a ratio is the median over the rounds. --write: also into docs/parallel.md.
Python's standard library only.
"""
import argparse
import pathlib
import statistics
import tempfile

from several_ranks import SmallTraining, give, heading, table, two_cores

ONE, SHARDED, TWO = "one process of two cores", "the same with `--gradient-shards 2`", "two ranks of one core"


def measure(binary, shape, windows, steps, rounds):
    cores = two_cores()
    size, layers = map(int, shape.split("x"))
    with tempfile.TemporaryDirectory() as folder:
        training = SmallTraining(binary, pathlib.Path(folder), size, layers, windows, steps)
        whole = ["taskset", "-c", ",".join(cores)]
        sides = {ONE: [[*whole, *training.command(1, 2)]],
                 SHARDED: [[*whole, *training.command(2, 2)]],
                 TWO: [["taskset", "-c", core, *training.command(2, 1)] for core in cores]}
        seconds = {name: [] for name in sides}
        for _ in range(rounds):
            for name, commands in sides.items():
                seconds[name].append(training.seconds_a_step(commands))
        return seconds, training.what()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--shapes", default="256x4,768x12", help="width x layers of the models")
    parser.add_argument("--windows", type=int, default=32, help="of a step; even")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    if args.windows < 2 or args.windows % 2:
        parser.error("--windows must be even: two ranks share them")
    rows, notes = [], []
    for shape in args.shapes.split(","):
        seconds, what = measure(args.bin.resolve() / "spanforge", shape, args.windows, args.steps, args.rounds)
        for name, runs in seconds.items():
            ratio = statistics.median(one / run for one, run in zip(seconds[ONE], runs))
            rows.append([shape, name, *(f"{f(runs):.4f} s" for f in (statistics.median, min, max)), f"{ratio:.2f}"])
        notes.append(f"{shape}: {what}.")
    text = f"{heading()}; {args.rounds} rounds:\n\n"
    text += table(["model", "program", "a step, median", "fastest", "slowest", "times as fast as the one process"], rows)
    give(text + "\n" + "\n".join(notes) + "\n", args.write)


main()
