"""What each optimiser costs at BERT-base's shape: peak memory, a checkpoint's optimizer.pt, a step."""
import json
import shutil
import statistics
import subprocess

from harness import BIN, ROOT, Table, megabytes, timed, timed_with_memory, vocabulary

WHAT = "memory, checkpoint and step of each --optim at BERT-base's shape, f32"
SPANFORGE = BIN / "spanforge"
OPTIMIZERS = ("adamw_torch", "adafactor", "sgd")
TOKENS = 512  # of a batch, at most: weights, gradients and state are most of the memory


def state_files(context, model, optimizer):
    """Bytes of the optimizer.pt of a step's checkpoint, and what `model info` estimates for training."""
    output = context.work / "saved"
    shutil.rmtree(output, ignore_errors=True)
    timed([*command(model, optimizer, output, 1), "--save-steps", "1"])
    size = (output / "checkpoint-1/optimizer.pt").stat().st_size
    shutil.rmtree(output)
    info = subprocess.run([SPANFORGE, "model", "info", "--model", model, "--optim", optimizer, "--tokens", str(TOKENS), "--json"],
                          capture_output=True, text=True, check=True)
    return size, json.loads(info.stdout)["memory_to_train"]["total"]


def command(model, optimizer, output, steps):
    return [SPANFORGE, "train", "--model", model, "--train", ROOT / "data/sample/train.json", "--output", output, "--overwrite",
            "--optim", optimizer, "--max-steps", str(steps), "--max-tokens-per-batch", str(TOKENS), "--report-to", "none",
            "--per-device-train-batch-size", "64"]


def run(context):
    shape = "tiny" if context.quick else "base"
    model = context.work / f"model-{shape}"
    if not (model / "config.json").exists():
        timed([SPANFORGE, "model", "new", "--like", shape, "--vocab", vocabulary(context) / "vocab.txt", "--output", model])
    few, many = (2, 4) if context.quick else (2, 8)
    raw = {name: {"processor_a_step": [], "peak_rss": []} for name in OPTIMIZERS}
    for _ in range(context.rounds(3, quick=1)):
        for name in OPTIMIZERS:
            runs = [timed_with_memory([*command(model, name, context.work / "run", steps), "--save-strategy", "no"])
                    for steps in (few, many)]
            raw[name]["processor_a_step"].append((runs[1]["processor"] - runs[0]["processor"]) / (many - few))
            raw[name]["peak_rss"].append(max(r["peak_rss"] for r in runs))
    shutil.rmtree(context.work / "run", ignore_errors=True)
    rows = []
    for name, result in raw.items():
        result["optimizer_pt"], result["estimate"] = state_files(context, model, name)
        peak, usual = max(result["peak_rss"]), max(raw[OPTIMIZERS[0]]["peak_rss"])
        rows.append([name, megabytes(peak), f"{peak / usual:.2f}", megabytes(result["estimate"]),
                     megabytes(result["optimizer_pt"]), f"{statistics.median(result['processor_a_step']):.2f} s"])
    return [Table("Optimisers", ["--optim", "peak memory", "of adamw_torch's", "as model info estimates", "optimizer.pt", "processor time of a step"],
                  rows, [f"Batches of at most {TOKENS} tokens of the sample, all threads. The estimate excludes the program and the",
                         "scratch of matrix products. A step's is the difference of a long and a short run; the median of the rounds."])], raw
