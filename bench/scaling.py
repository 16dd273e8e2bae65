#!/usr/bin/env python3
"""How training by several processes may scale: a calculation from measured figures, no measurement.

  scaling.py [--write]   --write: also into docs/parallel.md, which the test claims/scaling compares with this

Every rank takes the same number of tokens a step, whatever the number of ranks. The update is divided among the
ranks: gradients go to their owners bucket by bucket while the backward pass runs, owners update, weights come back
bucket by bucket. A rank's step is

  passes + wait for the slowest + processor time of the exchange + what the backward pass does not hide of the way
  there + the way back + update / N

Times are in seconds, sizes in bytes, rates in bytes a second. bench/network.py compares the exchange with what it
measures. Python's standard library only.
"""
import argparse
import math

GBIT = 1e9 / 8
BUCKET, PIECE = 4 << 20, 64 << 10  # the least size of a bucket, and of a rank's piece of it: src/spanforge/train/division.cpp
RANKS = (2, 8, 64, 1024)

# Measured: bench/network.py prints these three, and docs/parallel.md has its output, with date and machine.
EFFECTIVE = 0.72    # of a link's rate: 4 ranks over 1 Gbit/s
CPU_PER_GB = 1.89   # processor time a GB that a rank sends; it receives as much, and adds: 2 ranks, all links
MESSAGE = 30e-6     # processor time of a small message, sent and received: barriers of 32 ranks by loopback
# The only figure that is assumed: how much the ranks' passes differ (standard deviation / mean). It depends on
# machines and data, and ranks that share two cores do not show it.
SPREAD = 0.02

# BERT-large's encoder; of embeddings only the touched rows are exchanged. A step of 400 tokens on 2 cores takes 0.95 s,
# 24 % of it update and norm (docs/design/performance.md). More tokens: in proportion. 32 cores: 16 times as
# fast, but an update is bound by memory (both assumed, not measured).
WEIGHTS = 302.3e6
PASSES, UPDATE = 0.72, 0.23
CASES = {  # name: passes, the part of them in the last micro-batch, update, link, cores
    "2 cores, 400 tokens, 1 Gbit/s": (PASSES, 1, UPDATE, GBIT, 2),
    "2 cores, 3,200 tokens, 1 Gbit/s": (8 * PASSES, 1, UPDATE, GBIT, 2),
    "2 cores, 16 micro-batches of 3,200 tokens, 1 Gbit/s": (128 * PASSES, 1 / 16, UPDATE, GBIT, 2),
    "2 cores, 400 tokens, 25 Gbit/s": (PASSES, 1, UPDATE, 25 * GBIT, 2),
    "2 cores, 3,200 tokens, 25 Gbit/s": (8 * PASSES, 1, UPDATE, 25 * GBIT, 2),
    "32 cores, 6,400 tokens, 25 Gbit/s": (PASSES, 1, 0.05, 25 * GBIT, 32),
    "32 cores, 51,200 tokens, 25 Gbit/s": (8 * PASSES, 1, 0.05, 25 * GBIT, 32),
}


def exchange_seconds(sent, messages, link, core=1.0):
    """One way of the exchange, when a rank sends so many bytes in so many messages. Its threads have `core` of a core:
    however fast the link is, they must handle every byte."""
    return sent * max(1 / (link * EFFECTIVE), CPU_PER_GB / 1e9 / core) + messages * MESSAGE / core


def processor_seconds(sent, messages):
    return sent * CPU_PER_GB / 1e9 + messages * MESSAGE


def step(ranks, case, halves=False, bucket=BUCKET, hidden_return=False):
    """Seconds of a step. halves: log2 N messages a bucket instead of N - 1, of the same bytes. hidden_return: the next
    forward pass begins while weights still come."""
    passes, last, update, link, cores = case
    buckets = WEIGHTS * 4 / max(bucket, ranks * PIECE)
    sent = (ranks - 1) / ranks * WEIGHTS * 4  # each way
    messages = buckets * (math.log2(ranks) if halves else ranks - 1)
    there = back = exchange_seconds(sent, messages, link)
    slowest = passes * SPREAD * math.sqrt(2 * math.log(ranks))
    backward, forward = (passes * last * part * (1 - 1 / buckets) for part in (2 / 3, 1 / 3))
    exposed = max(0.0, there - backward) + max(0.0, back - (forward if hidden_return else 0))
    return passes + slowest + 2 * processor_seconds(sent, messages) / cores + exposed + update / ranks


def efficiency(ranks, case, **changes):
    return f"{(case[0] + case[2]) / step(ranks, case, **changes):.0%}".replace("%", " %")


def text():
    from several_ranks import table
    rows = [[name, *(efficiency(n, case) for n in RANKS)] for name, case in CASES.items()]
    out = table(["a rank, a step (calculated, not measured)", *(f"{n:,} ranks" for n in RANKS)], rows)
    out += "\nWhat would be needed beyond, one change after the other (calculated as well):\n\n"
    stages = {"as it is": {}, "an exchange by halves": {"halves": True}, "buckets of 32 MB": {"bucket": 8 * BUCKET},
              "the return hidden": {"hidden_return": True}}
    rows = []
    for name, case in CASES.items():
        for n in (64, 1024):
            changes, cells = {}, []
            for change in stages.values():
                changes |= change
                cells.append(efficiency(n, case, **changes))
            rows.append([name, f"{n:,}", *cells])
    out += table(["a rank, a step", "ranks", *stages], rows)
    return out


def main():
    from several_ranks import give
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    give(text(), parser.parse_args().write)


if __name__ == "__main__":
    main()
