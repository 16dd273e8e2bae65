#!/usr/bin/env python3
"""Two ranks of one core against one process of two cores: seconds a step of the same training.

  two_ranks.py --bin build/release/bin [--size 256] [--layers 4] [--steps 30] [--rounds 3]

Both take the same windows in a step and are pinned to the first two cores; the ranks talk by loopback. Rounds
alternate, and the best of each is printed. Python's standard library only.
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

DATA = pathlib.Path(__file__).resolve().parents[1] / "data/sample"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--size", type=int, default=256, help="hidden size of the model")
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    binary = str(args.bin.resolve() / "spanforge")
    cores = [str(core) for core in sorted(os.sched_getaffinity(0))[:2]]
    if len(cores) < 2:
        raise SystemExit("this process may use one core only")
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        document = json.loads((DATA / "train.json").read_text(encoding="utf-8"))
        texts = [paragraph["context"] for article in document["data"] for paragraph in article["paragraphs"]]
        (work / "text.txt").write_text("\n".join(texts), encoding="utf-8")
        subprocess.run([binary, "model", "new", "--like", "tiny", "--text", "text.txt", "--hidden-size", str(args.size),
                        "--num-hidden-layers", str(args.layers), "--num-attention-heads", "4", "--output", "model"],
                       cwd=work, check=True, capture_output=True)
        train = [binary, "train", "--model", "model", "--train", str(DATA / "train.json"), "--output", "run",
                 "--per-device-train-batch-size", "4", "--gradient-shards", "2", "--max-steps", str(args.steps),
                 "--save-strategy", "no", "--report-to", "none", "--disable-tqdm", "--json"]

        def measure(ranks):
            shutil.rmtree(work / "run", ignore_errors=True)
            processes = []
            for rank in range(ranks):
                pinned = ["taskset", "-c", cores[rank] if ranks == 2 else ",".join(cores)]
                env = {**os.environ, "RANK": str(rank), "WORLD_SIZE": str(ranks), "GOMP_SPINCOUNT": "0"}
                processes.append(subprocess.Popen(
                    [*pinned, *train, "--threads", str(2 // ranks), "--rendezvous", "meet"], cwd=work, env=env,
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
            outputs = [process.communicate() for process in processes]
            if any(process.returncode for process in processes):
                raise SystemExit("\n".join(err for _, err in outputs))
            return json.loads(outputs[0][0].splitlines()[-1])["train_runtime"] / args.steps

        best = {1: float("inf"), 2: float("inf")}
        for _ in range(args.rounds):
            for ranks in best:
                best[ranks] = min(best[ranks], measure(ranks))
    print(f"one process of two cores: {best[1]:.4f} s a step\ntwo ranks of one core:    {best[2]:.4f} s a step, "
          f"{best[1] / best[2]:.2f} times as fast")


main()
