"""What the flags of cmake/SpanforgeHardening.cmake cost: compared with a program built without them."""
import os
import statistics
import subprocess

from harness import BIN, ROOT, Table, paragraphs, timed_with_memory, vocabulary

WHAT = "the cost of the hardening flags: processor time of whole commands with and without them"


def build_without(context):
    folder = ROOT / "build/plain"
    subprocess.run(["cmake", "--preset", "release", "-B", folder, "-DSPANFORGE_HARDENING=OFF", "-DSPANFORGE_TESTS=OFF"],
                   cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", folder, "-j", str(context.threads), "--target", "spanforge"], check=True,
                   stdout=subprocess.DEVNULL)
    return folder / "bin/spanforge"


def commands(context):
    sample, texts = ROOT / "data/sample", context.work / "text.txt"
    texts.write_text("".join(text.replace("\n", " ") + "\n" for language in ("zh", "en")
                             for text in paragraphs(context, language)) * 10, encoding="utf-8")
    small, base = context.work / "small", context.work / "base"
    for model, shape in ((small, "tiny"), (base, "tiny" if context.quick else "base")):
        if not (model / "config.json").exists():
            timed_with_memory([BIN / "spanforge", "model", "new", "--like", shape, "--vocab", vocabulary(context) / "vocab.txt",
                               "--output", model])
    one = ["--threads", "1"]
    train = ["train", "--train", sample / "train.json", "--output", context.work / "out", "--overwrite", "--save-strategy", "no", *one]
    return {
        "tokenize": ["tokenize", "--model", small, "--input", texts, "--count", "--json", *one],
        "data check": ["data", "check", sample / "train.json", "--json"],
        "train, tiny, 60 steps": [*train, "--model", small, "--max-steps", "60"],
        "train, base, 3 steps": [*train, "--model", base, "--max-steps", "3"],
        "evaluate, tiny": ["evaluate", "--model", small, "--data", sample / "validation.json", "--json", *one],
        "evaluate, base": ["evaluate", "--model", base, "--data", sample / "hand_written.json", "--json", *one],
    }


def run(context):
    programs = {"with": BIN / "spanforge", "without": build_without(context)}
    os.environ["OMP_NUM_THREADS"] = "1"
    rows, raw = [], {}
    for name, arguments in commands(context).items():
        seconds = {which: [] for which in programs}
        for i in range(context.rounds(9)):
            for which in sorted(programs, reverse=i % 2 == 1):
                seconds[which].append(timed_with_memory([programs[which], *arguments])["processor"])
        raw[name] = seconds
        ratios = [a / b for a, b in zip(seconds["with"], seconds["without"])]
        rows.append([name, *(f"{statistics.median(seconds[which]):.2f} s" for which in programs),
                     f"{100 * (statistics.median(ratios) - 1):+.1f} %",
                     f"{100 * (min(seconds['with']) / min(seconds['without']) - 1):+.1f} %"])
    return [Table("Processor time of whole commands, one thread",
                  ["command", "hardened", "without", "median of the rounds' differences", "difference of the least"], rows)], raw
