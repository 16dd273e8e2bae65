"""What the workloads of bench.sh share: programs that answer "run", alternating runs, and tables.

Both sides of a comparison are separate programs with one protocol (bench/workload.h): they prepare
everything, print "ready", and then answer every line "run" (or "run K N": the Kth of N parts of the work)
with one line of JSON that holds "seconds". So the sides run in turn, under the same load of the machine, and start-up does not count.
A ratio is the median over the rounds of (alternative's seconds / our seconds): above 1 we are faster.
"""
import dataclasses
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
BIN = ROOT / "build/release/bin"
REFERENCES = ROOT / "bench/references.py"


class Skipped(Exception):
    """The workload cannot run here; the text says why."""


@dataclasses.dataclass
class Context:
    quick: bool
    data: pathlib.Path | None  # folder with real data, if there is one
    work: pathlib.Path         # scratch files of this workload
    part: str | None = None    # of a workload that runs in parts
    threads: int = dataclasses.field(default_factory=lambda: len(os.sched_getaffinity(0)))

    def rounds(self, usual, quick=2):
        return quick if self.quick else usual


class Program:
    """One side of a comparison."""

    def __init__(self, command, **environment):
        self.command = [str(part) for part in command]
        self.errors = tempfile.TemporaryFile("w+")  # a pipe that nobody reads would fill up and block it
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.errors, text=True,
                                        env=os.environ | {k: str(v) for k, v in environment.items()})
        self.expect("ready")

    def expect(self, wanted=None):
        line = self.process.stdout.readline()
        if not line or (wanted and line.strip() != wanted):
            self.process.kill()
            self.process.wait()
            self.errors.seek(0)
            errors = self.errors.read().strip().splitlines()
            raise RuntimeError(f"{' '.join(self.command)}: {errors[-1] if errors else 'no answer'}")
        return line

    def run(self, part=None, parts=None):
        self.process.stdin.write("run\n" if part is None else f"run {part} {parts}\n")
        self.process.stdin.flush()
        return json.loads(self.expect())

    def peak_rss(self):
        for line in open(f"/proc/{self.process.pid}/status", encoding="ascii"):
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        raise RuntimeError("no VmHWM")

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def ours(name, *arguments):
    return [BIN / f"{name}_workload", *arguments]


def reference(name, *arguments):
    return [sys.executable, REFERENCES, name, *arguments]


def alternate(programs, rounds, warm_up=1):
    """Runs {name: Program} in turn and closes them: {name: {"seconds": [...], "peak_rss", "last"}}."""
    out = {name: {"seconds": []} for name in programs}
    try:
        for i in range(warm_up + rounds):
            for name, program in programs.items():
                result = program.run()
                if i >= warm_up:
                    out[name]["seconds"].append(result["seconds"])
                out[name]["last"] = result
        for name, program in programs.items():
            out[name]["peak_rss"] = program.peak_rss()
    finally:
        for program in programs.values():
            program.close()
    return out


def median(run):
    return statistics.median(run["seconds"])


def ratio(results, mine, other, scale=1.0):
    """Median of the rounds' (other / mine); scale: how much more work mine does than the other."""
    return statistics.median(scale * b / a for a, b in
                             zip(results[mine]["seconds"], results[other]["seconds"]))


def timed(command, **environment):
    """A whole process: seconds of wall clock, peak memory in bytes, standard output."""
    start = time.perf_counter()
    process = subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True, env=os.environ | {k: str(v) for k, v in environment.items()})
    output, errors = process.communicate()
    seconds = time.perf_counter() - start
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: exit {process.returncode}: {errors.strip()[-300:]}")
    return seconds, output


def timed_with_memory(command):
    """The same with processor seconds and peak memory, which only a parent that waits for this one child can know."""
    code = ("import json,resource,subprocess,sys,time\ns=time.perf_counter()\n"
            "r=subprocess.run(sys.argv[1:],stdout=subprocess.DEVNULL,stderr=subprocess.PIPE,text=True)\n"
            "t=time.perf_counter()-s\n"
            "u=resource.getrusage(resource.RUSAGE_CHILDREN)\n"
            "print(json.dumps([t,u.ru_utime+u.ru_stime,u.ru_maxrss*1024,r.returncode,r.stderr[-300:]]))")
    output = subprocess.run([sys.executable, "-c", code, *map(str, command)], capture_output=True,
                            text=True, check=True).stdout
    seconds, processor, memory, status, errors = json.loads(output)
    if status not in (0, 3):  # 3: data check found faults
        raise RuntimeError(f"{' '.join(map(str, command))}: exit {status}: {errors.strip()}")
    return {"seconds": seconds, "processor": processor, "peak_rss": memory}


@dataclasses.dataclass
class Table:
    title: str
    columns: list
    rows: list
    notes: list = dataclasses.field(default_factory=list)

    def markdown(self):
        def row(cells):
            return "| " + " | ".join(str(c) for c in cells) + " |"
        lines = [f"### {self.title}", "", row(self.columns), row(["---"] * len(self.columns))]
        lines += [row(r) for r in self.rows]
        if self.notes:
            lines += [""] + self.notes
        return "\n".join(lines) + "\n"


def milliseconds(seconds):
    return f"{1000 * seconds:.2f} ms" if seconds < 0.1 else f"{seconds:.2f} s"


def megabytes(size):
    return f"{size / 1e6:.0f} MB"


# ---------------------------------------------------------------- data

def contexts_of(value):
    if isinstance(value, dict):
        for key, item in value.items():
            if key in ("context", "context_text") and isinstance(item, str):
                yield item
            else:
                yield from contexts_of(item)
    elif isinstance(value, list):
        for item in value:
            yield from contexts_of(item)


def questions_of(value, context=None):
    if isinstance(value, dict):
        context = value.get("context", context)
        if isinstance(value.get("question"), str) and context:
            yield value["question"], context
        for item in value.values():
            yield from questions_of(item, context)
    elif isinstance(value, list):
        for item in value:
            yield from questions_of(item, context)


def paragraphs(context, language):
    """Distinct paragraphs of real data, or of the bundled sample if there is none."""
    names = {"zh": ["cmrc2018/cmrc2018_dev.json", "drcd/DRCD_test.json", "xquad/xquad.zh.json"],
             "en": ["xquad/xquad.en.json", "squad/squad_v2_dev_part.json"]}[language]
    texts = {}
    for name in names:
        path = context.data / name if context.data else None
        if path and path.exists():
            texts |= dict.fromkeys(contexts_of(json.loads(path.read_text(encoding="utf-8"))))
    if not texts:
        if language == "zh":
            raise Skipped("no Chinese paragraphs: give --data DIR with cmrc2018/ or drcd/")
        sample = ROOT / "data/sample/train.json"
        texts = dict.fromkeys(contexts_of(json.loads(sample.read_text(encoding="utf-8"))))
    texts = list(texts)
    while sum(map(len, texts)) < 500_000:
        texts += texts
    return texts


def vocabulary(context):
    """A model directory with a tokenizer: bert-base-chinese's vocabulary, or one trained on the sample."""
    real = context.data / "vocab/bert-base-chinese/vocab.txt" if context.data else None
    directory = context.work / "tokenizer"
    if real and real.exists():
        directory.mkdir(exist_ok=True)
        (directory / "vocab.txt").write_bytes(real.read_bytes())
        return directory
    if not (directory / "config.json").exists():
        timed([BIN / "spanforge", "model", "new", "--like", "tiny", "--text", ROOT / "data/sample/text.txt",
               "--output", directory])
    return directory
