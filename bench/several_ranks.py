"""What the measurements of docs/parallel.md share: starting ranks, a small training, and a place in that page.

Python's standard library only.
"""
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

from run import machine

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/parallel"))
from launchers import rank_environment  # noqa: E402

PAGE = ROOT / "docs/parallel.md"


def two_cores():
    cores = [str(core) for core in sorted(os.sched_getaffinity(0))[:2]]
    if len(cores) < 2:
        raise SystemExit("this process may use one core only; two are needed")
    return cores


def run_ranks(commands, directory, seconds=600):
    """Runs commands[rank] of every rank at the same time; -> rank 0's standard output. Raises SystemExit with the
    line of the first that fails."""
    meet = tempfile.mkdtemp(dir=directory)
    processes = []
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        try:
            for rank, command in enumerate(commands):
                processes.append(subprocess.Popen(
                    [*map(str, command), "--rendezvous", meet], cwd=directory, stdin=subprocess.DEVNULL, stderr=errors,
                    stdout=output if rank == 0 else subprocess.DEVNULL,
                    env=rank_environment(rank, len(commands))))
            deadline = time.monotonic() + seconds
            while None in (states := [process.poll() for process in processes]) and not any(states):
                if time.monotonic() > deadline:
                    raise SystemExit(f"not done after {seconds} s: {shlex.join(map(str, commands[0]))}")
                time.sleep(0.02)
        finally:
            for process in processes:  # if one has failed, the others wait for it
                if process.poll() is None:
                    process.terminate()
                    try:
                        process.wait(10)
                    except subprocess.TimeoutExpired:
                        process.kill()
                        process.wait()
        output.seek(0)
        errors.seek(0)
        if any(process.returncode for process in processes):
            first = (errors.read().strip().splitlines() or ["no message"])[0]
            raise SystemExit(f"{shlex.join(map(str, commands[0]))}: {first}")
        return output.read()


class SmallTraining:
    """A training of a new BERT on the bundled sample. A step always takes `windows` windows."""

    def __init__(self, binary, work, size, layers, windows, steps):
        self.binary, self.work, self.windows, self.steps = binary, work, windows, steps
        data = json.loads((ROOT / "data/sample/train.json").read_text(encoding="utf-8"))
        articles = []
        questions = 0
        for article in data["data"]:
            articles.append(article)
            questions += sum(len(paragraph["qas"]) for paragraph in article["paragraphs"])
            if questions > 2000:
                break
        (work / "train.json").write_text(json.dumps({**data, "data": articles}), encoding="utf-8")
        done = subprocess.run([binary, "model", "new", "--like", "tiny", "--text", ROOT / "data/sample/text.txt",
                               "--hidden-size", str(size), "--num-hidden-layers", str(layers),
                               "--num-attention-heads", str(max(1, size // 64)), "--output", "model"],
                              cwd=work, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(done.stderr.strip())

    def command(self, shards, threads, *more):
        return [self.binary, "train", "--model", "model", "--train", "train.json", "--output", "run", "--overwrite",
                "--per-device-train-batch-size", self.windows // shards, "--gradient-shards", shards,
                "--max-steps", self.steps, "--bf16", "auto", "--save-strategy", "no", "--report-to", "none",
                "--disable-tqdm", "--json", "--threads", threads, *more]

    def seconds_a_step(self, commands):
        shutil.rmtree(self.work / "run", ignore_errors=True)
        output = run_ranks(commands, self.work)
        return json.loads(output.splitlines()[-1])["train_runtime"] / self.steps

    def what(self):
        with open(self.work / "model/config.json", encoding="utf-8") as file:
            config = json.load(file)
        log = json.loads((self.work / "run/log.jsonl").read_text().splitlines()[-1])
        from workloads.growth import encoder_weights
        weights = encoder_weights(self.work / "model")
        tokens = log["total_flos"] / (6 * weights) / self.steps
        return (f"{config['num_hidden_layers']} layers of {config['hidden_size']} ({weights / 1e6:.1f} million weights "
                f"outside of the embeddings), {self.windows} windows ({tokens:.0f} tokens) a step, {self.steps} steps a run")


def table(columns, rows):
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in [columns, ["---"] * len(columns), *rows]) + "\n"


def heading():
    """The command, the date and the machine, for the line above a table."""
    words = [f"bench/{pathlib.Path(sys.argv[0]).name}", *(word for word in sys.argv[1:] if word != "--write")]
    return f"`python3 {shlex.join(words)}`, {time.strftime('%Y-%m-%d')}, {machine()}"


def pasted(page, name, text):
    """`page` with the lines between the comments of `name` replaced by `text`."""
    begin, end = f"<!-- {name} --write -->\n", f"<!-- end of {name} -->\n"
    before, found, rest = page.partition(begin)
    _, ended, after = rest.partition(end)
    if not found or not ended:
        raise SystemExit(f"docs/parallel.md has no place for {name}: {begin.strip()} ... {end.strip()}")
    return before + begin + text + end + after


def give(text, write):
    """Prints it and, with --write, puts it into docs/parallel.md."""
    print(text, end="")
    if write:
        name = f"bench/{pathlib.Path(sys.argv[0]).name}"
        PAGE.write_text(pasted(PAGE.read_text(encoding="utf-8"), name, text), encoding="utf-8")
