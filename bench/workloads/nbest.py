"""The recipe's n-best search over random logits, against the recipe's Python and against numpy."""
from harness import Program, Table, alternate, median, milliseconds, ours, ratio, reference

WHAT = "ten best spans of 3,000 windows of 384 tokens against the recipe's Python (target 100x) and numpy"
TOKENS = 384


def run(context):
    import numpy as np
    windows = 300 if context.quick else 3000
    share = {"loops": 20 if context.quick else 150, "numpy": 100 if context.quick else 600}
    file = context.work / "logits.bin"
    np.random.default_rng(1).normal(0, 2.5, (2, windows, TOKENS)).astype(np.float32).tofile(file)
    side = {f"{d} {n}": Program(ours("nbest", file, windows, TOKENS, n, d))
            for d, n in [("recipe", 1), ("recipe", context.threads), ("spanforge", 1), ("run_qa", 1), ("pipeline", 1)]}
    results = alternate(side | {name: Program(reference("nbest", file, windows, TOKENS, count, name))
                                for name, count in share.items()}, context.rounds(7))
    for name in share:
        if results[name]["last"]["last"] != results["recipe 1"]["last"]["last"]:
            raise RuntimeError(f"{name} finds other spans: {results[name]['last']}, {results['recipe 1']['last']}")
    rows = []
    for name, result in results.items():
        scale = windows / share.get(name, windows)
        title = {"loops": "the recipe's loops in Python", "numpy": "S x S matrix in numpy"}.get(name)
        title = title or f"spanforge, --decoder {name.split()[0]}, {name.split()[1]} thread(s)"
        compared = f"{ratio(results, 'recipe 1', name, scale):.1f}"
        rows.append([title, milliseconds(scale * median(result)), f"{1e6 * scale * median(result) / windows:.1f}", compared])
    notes = [f"{windows} windows; the Python sides did {share['loops']} and {share['numpy']} of them, and their time is "
             "scaled up. The spans found are checked to be equal."]
    return [Table(f"n-best of {windows} windows of {TOKENS} tokens",
                  ["program", "time", "us a window", "time : recipe, 1 thread"], rows, notes)], results
