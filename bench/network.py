#!/usr/bin/env python3
"""Ranks over slow links: how much of the exchange the backward pass hides, and seconds a step of a small training.

  network.py --bin build/release/bin [--rates 100mbit,1gbit,none] [--ranks 1,2,4] [--compute 13,50] [--elements 8388608]
             [--steps 3] [--train-steps 20] [--write]

Each rank has a network namespace of its own on a bridge, and its link carries at most the rate, both ways (tc's token
bucket; none: no limit). bench/exchange_bench.cpp exchanges --elements gradients in buckets of 4 MB. Its backward pass
is a loop that uses so many milliseconds of processor time a bucket. Ranks are pinned to two cores in turn: 4 ranks
share them, and then the loop gets half of that time, so that the seconds of compute stay about the same.

Needs root, iproute2, and programs built with -DSPANFORGE_BENCH=ON. --write: also into docs/parallel.md.
Python's standard library only.
"""
import argparse
import json
import pathlib
import statistics
import sys
import tempfile

import scaling
from several_ranks import ROOT, SmallTraining, give, heading, run_ranks, table, two_cores

sys.path.insert(0, str(ROOT / "tests/parallel"))
from namespaces import Namespaces, why_not  # noqa: E402

MANY = 32  # ranks whose barriers tell the cost of a message
NAMES = {"mbit": ("Mbit/s", 1e6 / 8), "gbit": ("Gbit/s", 1e9 / 8)}  # bytes a second


def link_of(rate):
    """-> its name and bytes a second."""
    if rate == "none":
        return "no limit", float("inf")
    for ending, (name, unit) in NAMES.items():
        if rate.endswith(ending) and rate.removesuffix(ending).isdigit():
            return f"{rate.removesuffix(ending)} {name}", int(rate.removesuffix(ending)) * unit
    raise SystemExit(f"--rates: {rate} is none of none, Nmbit, Ngbit")


def medians(output):
    """{field: median over the steps}"""
    lines = [json.loads(line) for line in output.splitlines()]
    return {name: statistics.median(line[name] for line in lines) for name in lines[0]}


class Bench:
    def __init__(self, args, work):
        self.args, self.work, self.cores = args, work, two_cores()
        self.exchanges = {}  # (rate, ranks, compute): medians
        self.trainings = {}  # (rate, ranks): seconds a step
        self.message = 0.0

    def commands(self, ranks, command, network=None):
        """The command of each rank, pinned and in its namespace."""
        inside = network.wrapper if network else lambda rank: []
        return [[*inside(rank), "taskset", "-c", self.cores[rank % 2], *command] for rank in range(ranks)]

    def exchange(self, ranks, compute, elements, network=None):
        sharing = max(1, ranks / 2)
        command = [self.args.bin / "exchange_bench", "--elements", elements, "--steps", self.args.steps,
                   "--compute-ms", compute / sharing, *(["--interface", "eth0"] if network else [])]
        return medians(run_ranks(self.commands(ranks, command, network), self.work))

    def measure(self, rate, network):
        if rate != "none":
            network.limit(rate)
        for ranks in self.args.ranks:
            for compute in self.args.compute:
                self.exchanges[rate, ranks, compute] = self.exchange(ranks, compute, self.args.elements, network)
            if self.args.train_steps:
                command = self.training.command(max(self.args.ranks), 1, "--interface", "eth0")
                self.trainings[rate, ranks] = self.training.seconds_a_step(self.commands(ranks, command, network))

    def run(self):
        if self.args.train_steps:
            self.training = SmallTraining(self.args.bin / "spanforge", self.work, 256, 4, 32, self.args.train_steps)
        self.message = self.exchange(MANY, 0, 1)["message_s"]
        for rate in self.args.rates:
            network = Namespaces(max(self.args.ranks))
            try:
                self.measure(rate, network)
            finally:
                network.remove()

    def calculated(self, rate, ranks, seen):
        """Compute and exchange together, by scaling.py's formula."""
        if ranks == 1:
            return seen["compute_s"]
        ways = round(seen["sent"] / ((ranks - 1) / ranks * 4 * self.args.elements))
        messages, core = ways * seen["buckets"] * (ranks - 1), min(1, 2 / ranks)
        alone = scaling.exchange_seconds(seen["sent"], messages, link_of(rate)[1], core)
        processor = scaling.processor_seconds(seen["sent"], messages) / core
        return seen["compute_s"] + processor + max(0, alone - seen["compute_s"] * (1 - 1 / seen["buckets"]))

    def exchange_rows(self):
        for rate in self.args.rates:
            name, link = link_of(rate)
            for ranks in self.args.ranks:
                for compute in self.args.compute:
                    seen = self.exchanges[rate, ranks, compute]
                    row = [name, ranks, f"{compute:g} ms", f"{seen['compute_s']:.2f} s"]
                    if ranks == 1:
                        yield row + ["-", f"{seen['together_s']:.2f} s", *["-"] * 6]
                        continue
                    can = min(1, seen["compute_s"] * (1 - 1 / seen["buckets"]) / seen["exchange_s"])
                    hidden = seen["hidden_s"] / seen["exchange_s"]
                    share = seen["sent"] / seen["exchange_s"] / link
                    yield row + [
                        f"{seen['exchange_s']:.2f} s", f"{seen['together_s']:.2f} s",
                        f"{self.calculated(rate, ranks, seen):.2f} s", f"{hidden:.0%} of {can:.0%}",
                        f"{seen['sent'] / 1e6:.0f} MB", f"{share:.0%}" if share else "-",
                        f"{seen['processor_s'] / seen['sent'] * 1e9:.2f} s", f"{seen['back_s']:.2f} s"]

    def training_rows(self):
        for rate in self.args.rates:
            for ranks in self.args.ranks:
                seconds = self.trainings[rate, ranks]
                one = self.trainings.get((rate, 1))
                yield [link_of(rate)[0], ranks, f"{seconds:.3f} s", f"{one / seconds:.2f}" if one else "-"]

    def constants(self):
        """What scaling.py takes from here."""
        limited = [rate for rate in self.args.rates if rate != "none"]
        if not limited or max(self.args.ranks) < 2:
            return ""
        fastest, most = max(limited, key=lambda rate: link_of(rate)[1]), max(self.args.ranks)
        shares = [seen["sent"] / seen["exchange_s"] / link_of(fastest)[1]
                  for (rate, ranks, _), seen in self.exchanges.items() if rate == fastest and ranks == most]
        # Two ranks have a core each. More take turns, and what waits for its turn comes in larger parts, which cost less.
        costs = [seen["processor_s"] / seen["sent"] * 1e9
                 for (_, ranks, _), seen in self.exchanges.items() if ranks == min(2, most)]
        return (f"For `bench/scaling.py`: EFFECTIVE {statistics.median(shares):.2f} ({most} ranks, "
                f"{link_of(fastest)[0]}), CPU_PER_GB {statistics.median(costs):.2f} s (2 ranks), MESSAGE "
                f"{1e6 * self.message:.0f} us (barriers of {MANY} ranks by loopback).\n")

    def text(self):
        out = f"{heading()}; medians of {self.args.steps} steps:\n\n"
        out += table(["link", "ranks", "compute a bucket", "compute", "exchange", "together", "calculated", "hidden",
                      "a rank sends", "of the link", "processor time a GB", "weights back"], self.exchange_rows())
        out += f"\n{self.args.elements / 1e6:.1f} million gradients. {self.constants()}".rstrip() + "\n"
        if self.args.train_steps:
            out += f"\nA training, the same for all, `--gradient-shards {max(self.args.ranks)}`: {self.training.what()}:\n\n"
            out += table(["link", "ranks", "a step", "times as fast as one rank"], self.training_rows())
        return out


def main():
    def numbers(of):
        return lambda text: [of(word) for word in text.split(",")]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--rates", type=numbers(str), default=["100mbit", "1gbit", "none"])
    parser.add_argument("--ranks", type=numbers(int), default=[1, 2, 4], help="powers of two")
    parser.add_argument("--compute", type=numbers(float), default=[13, 50], help="milliseconds a bucket")
    parser.add_argument("--elements", type=int, default=8 << 20)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--train-steps", type=int, default=20, help="of the small training; 0: none")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    args.bin = args.bin.resolve()
    for rate in args.rates:
        link_of(rate)
    if why := why_not(limited=True):
        sys.exit(f"network.py: {why}")
    if not (args.bin / "exchange_bench").exists():
        sys.exit(f"network.py: {args.bin} has no exchange_bench: build with -DSPANFORGE_BENCH=ON")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(args, pathlib.Path(folder))
        try:
            bench.run()
        except OSError as error:  # of ip or tc
            sys.exit(f"network.py: {error}")
        give(bench.text(), args.write)


main()
