#!/usr/bin/env python3
"""The same fine-tuning by spanforge and by Hugging Face's Trainer, in alternating runs.

Both get the same model directory, data, seed, learning rate, batch size and windows; both log,
evaluate and save a checkpoint each epoch and write TensorBoard files. Runs alternate, so that a
machine that slows down slows both. Prints a Markdown table and the loss curves, and writes
OUTPUT/report.json. Wall clock is the whole process, from its start to its end; memory is the
largest resident set of the process. Both models are scored by run_qa's decoding; ours by its own
decoder too. Leave the machine idle meanwhile.

  .venv/bin/python bench/compare_training.py --model DIR --train F --validation F --output DIR \\
      [--seeds 42 43 44] [--precisions fp32 bf16] [--padding max|dynamic] [--only spanforge|hf]
"""
import argparse
import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def measure(command, log):
    """Runs the command; seconds of wall clock and bytes of peak resident memory."""
    begin = time.time()
    with open(log, "w", encoding="utf-8") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"compare_training: {command[0]} failed, see {log}:\n" + open(log, encoding="utf-8").read()[-2000:])
    return {"seconds_process": time.time() - begin, "peak_rss_bytes": usage.ru_maxrss * 1024}


def options_of_both(args, seed):
    return ["--model", args.model, "--train", args.train, "--validation", args.validation, "--learning-rate",
            str(args.learning_rate), "--seed", str(seed), *window_options(args)]


def window_options(args):
    return ["--max-seq-length", str(args.max_seq_length), "--window-overlap", str(args.window_overlap)]


def run_spanforge(args, seed, precision, work):
    out = work / f"spanforge-{precision}-{seed}"
    shutil.rmtree(out, ignore_errors=True)
    longest = ["--max-answer-length", str(args.max_answer_length)]
    steps = ["--max-steps", str(args.max_steps), "--eval-strategy", "no", "--save-strategy", "no"] if args.max_steps else []
    result = measure([str(args.binary), "train", *options_of_both(args, seed), *longest, "--output", str(out), "--num-train-epochs",
                      str(args.epochs), "--per-device-train-batch-size", str(args.batch_size), "--per-device-eval-batch-size",
                      str(args.batch_size), "--bf16", "true" if precision == "bf16" else "false", *steps],
                     work / f"spanforge-{precision}-{seed}.log")
    lines = [json.loads(line) for line in open(out / "log.jsonl", encoding="utf-8")]
    scores = {"run_qa": {}, "spanforge": {}}
    for decoder in () if args.max_steps else scores:
        text = subprocess.run([str(args.binary), "evaluate", "--model", str(out / "trained"), "--data", args.validation, "--decoder",
                               decoder, "--json", *window_options(args), *longest], capture_output=True, text=True, check=True).stdout
        scores[decoder] = {k: v for k, v in json.loads(text).items() if k in ("exact", "f1", "total")}
    summary = next(line for line in lines if "train_runtime" in line)
    return dict(result, seconds_training=summary["train_runtime"], steps=summary["step"], scores=scores["run_qa"],
                scores_spanforge=scores["spanforge"], flos=summary["total_flos"], losses=[l for l in lines if "loss" in l or "eval_loss" in l])


def run_hf(args, seed, precision, work):
    out = work / f"hf-{precision}-{seed}"
    shutil.rmtree(out, ignore_errors=True)
    report = work / f"hf-{precision}-{seed}.json"
    steps = ["--max-steps", str(args.max_steps), "--no-eval-each-epoch"] if args.max_steps else []
    result = measure([sys.executable, str(ROOT / "bench/hf_trainer.py"), *options_of_both(args, seed), "--output", str(out),
                      "--report", str(report), "--epochs", str(args.epochs), "--batch-size", str(args.batch_size), "--padding",
                      args.padding, *(["--bf16"] if precision == "bf16" else []), *steps],
                     work / f"hf-{precision}-{seed}.log")
    return dict(json.loads(report.read_text(encoding="utf-8")), **result)


def curve(run, key):
    return " ".join(f"{entry[key]:.3f}" for entry in run["losses"] if key in entry)


def print_tables(runs):
    print("\n| precision | seed | program | process s | training s | peak GB | exact | f1 |\n|---|---|---|---|---|---|---|---|")
    for r in runs:
        exact, f1 = (f"{r['scores'][k]:.1f}" if r["scores"] else "" for k in ("exact", "f1"))
        print(f"| {r['precision']} | {r['seed']} | {r['program']} | {r['seconds_process']:.0f} | {r['seconds_training']:.0f} "
              f"| {r['peak_rss_bytes'] / 1e9:.1f} | {exact} | {f1} |")
    print("\nLoss of each epoch, training / validation:")
    for r in runs:
        print(f"- {r['program']}, {r['precision']}, seed {r['seed']}: {curve(r, 'loss')} / {curve(r, 'eval_loss')}")
    for precision in dict.fromkeys(r["precision"] for r in runs):
        of = {p: [r for r in runs if r["precision"] == precision and r["program"] == p] for p in ("spanforge", "Trainer")}
        if not all(of.values()):
            continue
        mean = {p: {k: statistics.mean(r[k] for r in rs) for k in ("seconds_process", "seconds_training", "peak_rss_bytes")}
                for p, rs in of.items()}
        print(f"\n{precision}: Trainer / spanforge: process {mean['Trainer']['seconds_process'] / mean['spanforge']['seconds_process']:.2f}, "
              f"training {mean['Trainer']['seconds_training'] / mean['spanforge']['seconds_training']:.2f}, "
              f"memory {mean['Trainer']['peak_rss_bytes'] / mean['spanforge']['peak_rss_bytes']:.2f}")
        for p, rs in of.items():
            for key in ("exact", "f1") if rs[0]["scores"] else ():
                values = [r["scores"][key] for r in rs]
                print(f"  {p} {key}: mean {statistics.mean(values):.2f}, from {min(values):.2f} to {max(values):.2f}")


def make_parser():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--model", "--train", "--validation", "--output"):
        parser.add_argument(name, required=True)
    parser.add_argument("--binary", type=pathlib.Path, default=ROOT / "build/release/bin/spanforge")
    parser.add_argument("--epochs", type=float, default=3)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--learning-rate", type=float, default=5e-5)
    parser.add_argument("--max-seq-length", type=int, default=384)
    parser.add_argument("--window-overlap", type=int, default=128)
    parser.add_argument("--max-answer-length", type=int, default=30)
    parser.add_argument("--padding", choices=["max", "dynamic"], default="max", help="of the Trainer; spanforge never pads")
    parser.add_argument("--seeds", type=int, nargs="+", default=[42])
    parser.add_argument("--precisions", nargs="+", choices=["fp32", "bf16"], default=["fp32"])
    parser.add_argument("--max-steps", type=int, help="train this many steps; no evaluation and no checkpoint by either")
    parser.add_argument("--only", choices=["spanforge", "hf"])
    return parser


def main():
    args = make_parser().parse_args()
    work = pathlib.Path(args.output)
    work.mkdir(parents=True, exist_ok=True)
    runs = []
    for precision in args.precisions:
        for seed in args.seeds:
            for name, program in (("spanforge", run_spanforge), ("hf", run_hf)):
                if args.only in (None, name):
                    runs.append(dict(program(args, seed, precision, work), precision=precision, seed=seed,
                                     program="spanforge" if name == "spanforge" else "Trainer"))
                    print(f"done: {name} {precision} seed {seed}, {runs[-1]['seconds_process']:.0f} s", file=sys.stderr, flush=True)
                    (work / "report.json").write_text(json.dumps({"machine": platform.machine(), "runs": runs}, indent=1))
    print_tables(runs)


if __name__ == "__main__":
    main()
