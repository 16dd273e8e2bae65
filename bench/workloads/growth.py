"""Time and memory per question as data grow, and training time per token as windows grow."""
import json
import math
import random
import struct

from harness import BIN, Program, Table, megabytes, milliseconds, ours, timed, timed_with_memory
from make_questions import WORDS, questions, write_dataset

WHAT = ("time and peak memory of data check, stats, labels, windows and evaluate at 10k, 100k and 1M questions; "
        "training time a token at windows of 64 to 512 tokens")
SPANFORGE = BIN / "spanforge"


def new_model(context, name, *shape):
    model = context.work / name
    if not (model / "config.json").exists():
        text = context.work / "text.txt"
        text.write_text("\n".join(c for c, _ in questions(2000)), encoding="utf-8")
        timed([SPANFORGE, "model", "new", "--like", "tiny", "--text", text, *shape, "--output", model])
    return model


# ---------------------------------------------------------------- questions

def commands(tokenizer, small, data, predictions):
    return {"data check": ["data", "check", data, "--json"],
            "data stats": ["data", "stats", data, "--json"],
            "data labels": ["data", "labels", "--model", tokenizer, data, "--json"],
            "evaluate --predictions": ["evaluate", "--predictions", predictions, "--data", data, "--json"],
            "evaluate --model": ["evaluate", "--model", small, "--data", data, "--batch-size", "64", "--json"]}


def make_windows(tokenizer, data, rounds):
    program = Program(ours("growth", tokenizer, data))
    try:
        runs = [program.run() for _ in range(rounds)]
        peak = program.peak_rss()
    finally:
        program.close()
    return [{"seconds": r["seconds"], "processor": r["processor"], "peak_rss": peak} for r in runs]


def measure_questions(context):
    tokenizer = new_model(context, "tokenizer")
    # So small that windows, decoding and scoring are most of its time.
    small = new_model(context, "small", "--hidden-size", "32", "--num-hidden-layers", "1", "--num-attention-heads", "2")
    raw = {}
    for count in [1000, 10_000] if context.quick else [10_000, 100_000, 1_000_000]:
        data, predictions = context.work / f"{count}.json", context.work / f"{count}.predictions.json"
        write_dataset(data, count, predictions)
        rounds = 3 if count < 1_000_000 else 1
        runs = {name: [timed_with_memory([SPANFORGE, *command]) for _ in range(rounds)]
                for name, command in commands(tokenizer, small, data, predictions).items()}
        runs["windows, data in memory"] = make_windows(tokenizer, data, rounds)
        for name, of_name in runs.items():
            raw.setdefault(name, {})[count] = {key: [r[key] for r in of_name] for key in of_name[0]} | {
                "bytes": data.stat().st_size}
        data.unlink()
        predictions.unlink()
    return raw


def questions_table(raw):
    rows = []
    for name, by_count in raw.items():
        for count, result in by_count.items():
            seconds, processor, memory = min(result["seconds"]), min(result["processor"]), max(result["peak_rss"])
            rows.append([name, f"{count:,}", megabytes(result["bytes"]), milliseconds(seconds),
                         milliseconds(processor), f"{1e6 * processor / count:.1f}", megabytes(memory), f"{memory / count:.0f}"])
    columns = ["command", "questions", "file", "time", "processor time", "us a question", "peak memory", "bytes a question"]
    return Table("Growth: questions", columns, rows, [
        "Whole processes, the fastest of three (one at 1M); data of bench/make_questions.py. Memory is that of the",
        "data set, about 700 bytes a question, and of one chunk of windows, which does not grow. The model of",
        "evaluate --model has one layer of width 32."])


# ---------------------------------------------------------------- tokens

def long_contexts(path, count, words):
    """Questions about contexts of many windows, so that nearly every window is full."""
    rng = random.Random(5)
    rows = []
    for i in range(count):
        text = rng.choices(WORDS, k=words)
        rows.append({"id": str(i), "title": "t", "question": f"Which {rng.choice(WORDS)}?", "context": " ".join(text),
                     "answers": [{"text": text[0], "answer_start": 0}]})
    path.write_text(json.dumps({"data": rows}), encoding="utf-8")


def encoder_weights(model):
    """Weights that are not embedding tables: total_flos counts 6 per token for each of them."""
    with open(model / "model.safetensors", "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    return sum(math.prod(tensor["shape"]) for name, tensor in header.items()
               if name != "__metadata__" and not name.endswith("_embeddings.weight"))


def measure_tokens(context):
    shapes = {"tiny": (new_model(context, "tokenizer"), 40)}
    if not context.quick:
        shapes["6 layers of 384"] = (new_model(context, "minilm", "--hidden-size", "384", "--num-hidden-layers", "6",
                                               "--num-attention-heads", "12"), 8)
    data, output = context.work / "long.json", context.work / "run"
    long_contexts(data, 24, 4000)
    raw = {}
    for shape, (model, steps) in shapes.items():
        weights = encoder_weights(model)
        for length in [64, 512] if context.quick else [64, 128, 192, 256, 320, 384, 448, 512]:
            runs = []
            for _ in range(1 if context.quick else 3):
                timed([SPANFORGE, "train", "--model", model, "--train", data, "--output", output, "--overwrite",
                       "--max-seq-length", length, "--window-overlap", 0, "--per-device-train-batch-size", 64,
                       "--max-tokens-per-batch", 4096, "--max-steps", 4 if context.quick else steps,
                       "--data-order", "sequential", "--save-strategy", "no", "--report-to", "none"])
                last = json.loads((output / "log.jsonl").read_text().splitlines()[-1])
                runs.append(last["train_runtime"] / (last["total_flos"] / (6 * weights)))
            raw.setdefault(shape, {})[length] = runs
    return raw


def fit(by_length):
    """Least squares of seconds a token = a + b length."""
    xs, ys = list(by_length), [min(runs) for runs in by_length.values()]
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    b = sum((p - x) * (q - y) for p, q in zip(xs, ys)) / sum((p - x) ** 2 for p in xs)
    return y - b * x, b


def tokens_table(raw):
    rows, notes = [], []
    for shape, by_length in raw.items():
        a, b = fit(by_length)
        for length, runs in by_length.items():
            rows.append([shape, length, f"{1e6 * min(runs):.2f}", f"{1e6 * (a + b * length):.2f}",
                         f"{100 * b * length / (a + b * length):.0f} %"])
        notes.append(f"{shape}: {1e6 * a:.2f} us + {1e9 * b:.2f} ns x length.")
    columns = ["model", "tokens a window", "us a token", "a + b length", "b's share"]
    return Table("Growth: tokens of a training", columns, rows, notes + [
        "Training steps of at most 4,096 tokens, forward, backward and update, fp32; the fastest of three. A window's",
        "attention grows with the square of its length, so a token's with the length: that is b."])


def run(context):
    by_questions, by_tokens = measure_questions(context), measure_tokens(context)
    tables = [questions_table(by_questions), tokens_table(by_tokens)]
    return tables, {"questions": by_questions, "tokens": by_tokens}
