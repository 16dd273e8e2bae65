#!/usr/bin/env python3
"""How training by several processes may scale: a calculation, no measurement (docs/parallel.md has its table).

A rank's step is its forward and backward pass, a wait for the slowest rank, the processor time of the exchange, and
what the exchange of gradients takes longer than the rest of the backward pass. Times in seconds, sizes in bytes.

  scaling.py [--divided]   --divided: as if the update were divided among the ranks and weights came back in 2 bytes
"""
import math
import sys

WEIGHTS = 302.3e6  # of BERT-large's encoder; of embeddings only the touched rows are exchanged
BUCKET = 4 << 20
LATENCY = 50e-6  # of a message
EFFECTIVE = 0.75  # of a link's rate, measured with Gloo's TCP in network namespaces
CPU_PER_GB = 1.25  # of fp32 gradients there and back, measured
SPREAD = 0.02  # of the ranks' times, assumed
RANKS = (2, 8, 64, 1024)


def step(ranks, passes, update, link, cores, divided):
    share, buckets = (ranks - 1) / ranks, WEIGHTS * 4 / BUCKET
    there = share * WEIGHTS * 4 / (link * EFFECTIVE) + buckets * math.log2(ranks) * LATENCY
    back_bytes = 2 if divided else 4
    back = share * WEIGHTS * back_bytes / (link * EFFECTIVE) + buckets * LATENCY
    cpu = CPU_PER_GB * share * WEIGHTS * (4 + back_bytes) / 2e9 / cores
    slowest = passes * SPREAD * math.sqrt(2 * math.log(ranks))
    hidden = passes * 2 / 3 * (1 - 1 / buckets)
    # Gradients come back in the buckets' exchange, too; gathered weights come after the update.
    shown = max(0.0, there - hidden) + back if divided else max(0.0, there + back - hidden)
    return passes + slowest + cpu + shown + (update / ranks if divided else update)


def main():
    gbit = 1e9 / 8
    for name, passes, update, link, cores in [
            ("2 cores, 400 tokens, 1 Gbit/s", 0.72, 0.23, gbit, 2),
            ("2 cores, 400 tokens, 25 Gbit/s", 0.72, 0.23, 25 * gbit, 2),
            ("2 cores, 3,200 tokens, 25 Gbit/s", 5.76, 0.23, 25 * gbit, 2),
            ("32 cores, 6,400 tokens, 25 Gbit/s", 0.72, 0.05, 25 * gbit, 32)]:
        one = passes + update
        cells = [f"{one / step(n, passes, update, link, cores, '--divided' in sys.argv):.0%}" for n in RANKS]
        print(f"| {name} | {' | '.join(cells)} |")


main()
