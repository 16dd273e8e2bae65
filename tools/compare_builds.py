#!/usr/bin/env python3
"""Compares two builds of the program to the bit, on this machine: before and after a redesign.

    python3 tools/compare_builds.py OLD              OLD: a git revision; against this working tree
    ... OLD --only 'bf16|resume'                     the rows whose names match
    ... --list                                       the rows
    ... --old-bin DIR --new-bin DIR                  two folders with a spanforge each, nothing is built
    ... --expect NAME                                an intended difference (EXPECTED), ignored
    ... --self-test                                  checks that a difference is noticed

OLD is built in a worktree, build/compare/REVISION, which stays for the next time. Each row is a list
of commands, run by the old program and by the new one in separate folders. All that they write and
print must be equal: weights, optimiser states, logs, predictions, answers. Times, rates and values
made from them are ignored (VOLATILE). It never compares between machines, because the bits of a sum
depend on the instruction set.

Python's standard library only. Exit code: 0 all equal, 1 something differs.
"""
import argparse
import dataclasses
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import zipfile

SOURCE = pathlib.Path(__file__).resolve().parents[1]
SAMPLE = SOURCE / "data/sample"
QUESTIONS = 160  # of the training data that runs use

# Keys whose values are times or rates, and lines that hold them.
VOLATILE = re.compile(r"(^|_)(runtime|per_second|seconds|time|date|host|hostname|version)$")
VOLATILE_LINE = re.compile(r"it/s|\d+ s\b|examples/s|per_second|runtime")
# Manifests are sums of the other files. (TensorBoard's files repeat the log with their own times, so
# runs do not write them.)
SKIPPED_FILES = re.compile(r"(^|/)[^/]*manifest[^/]*\.json$")



@dataclasses.dataclass
class Expected:
    """What only the new program may print after a change; what both print is still compared."""
    reason: str
    keys: str  # pattern of whole keys of JSON objects
    lines: str  # pattern of the beginning of lines that are not JSON


EXPECTED = {
    "cmrc": Expected("training logs the CMRC metric if the validation data are Chinese, as those here are, and "
                     "suggests it to users who select by f1",
                     keys="eval_cmrc_(f1|exact)", lines="--metric-for-best-model: .*cmrc_f1"),
    "options": Expected("a run saves training options that did not exist before",
                        keys="optim|freeze|lora_(rank|alpha|dropout|target)", lines="(?!)"),
}

TRAIN = ("train --model ../model --train ../train.json --validation ../validation.json --output run"
         " --max-steps 8 --per-device-train-batch-size 6 --learning-rate 2e-3 --logging-steps 1"
         " --save-steps 4 --max-seq-length 48 --window-overlap 12 --disable-tqdm --weight-decay 0.01 --report-to none")
EVALUATE = "evaluate --data ../validation.json --predictions-dir out --json"
ASK = "ask --model ../trained --input ../ask.jsonl --json"


@dataclasses.dataclass
class Row:
    name: str
    commands: list
    threads: int = 2
    isa: str = ""  # SPANFORGE_MAX_ISA; empty: this machine's best


def rows():
    yield Row("train fp32", [TRAIN])
    yield Row("train fp32, one thread", [TRAIN], threads=1)
    yield Row("train fp32 avx2", [TRAIN], isa="avx2")
    yield Row("train fp32 avx2, one thread", [TRAIN], threads=1, isa="avx2")
    yield Row("train bf16", [TRAIN + " --bf16"])
    yield Row("train bf16 avx2", [TRAIN + " --bf16"], isa="avx2")
    yield Row("train without dropout", [TRAIN.replace("../model", "../model0")])
    yield Row("train bf16 without dropout", [TRAIN.replace("../model", "../model0") + " --bf16"])
    yield Row("train a model of a few wide layers", [TRAIN.replace("../model", "../wide")])
    yield Row("train with accumulation", [TRAIN + " --gradient-accumulation-steps 3"])
    yield Row("train with a token bound", [TRAIN + " --max-tokens-per-batch 192"])
    yield Row("train by epochs, cosine, evaluated, best kept", [
        TRAIN.replace("--max-steps 8", "--num-train-epochs 1") +
        " --lr-scheduler-type cosine --warmup-ratio 0.1 --eval-strategy steps --eval-steps 7"
        " --save-strategy best --metric-for-best-model f1"])
    yield Row("train in HF's order", [TRAIN + " --data-order hf --accumulation-mean examples"
                                      " --gradient-accumulation-steps 2"])
    again = " --resume-from-checkpoint run/checkpoint-4 --overwrite"
    yield Row("resume", [TRAIN, TRAIN + again])
    yield Row("resume bf16", [TRAIN + " --bf16", TRAIN + " --bf16" + again])
    for decoder in ("spanforge", "pipeline", "run_qa", "recipe"):
        yield Row(f"evaluate {decoder}", [f"{EVALUATE} --model ../trained --decoder {decoder}"])
        yield Row(f"ask {decoder}", [f"{ASK} --decoder {decoder} --top-k 3"])
    yield Row("evaluate avx2, one thread", [EVALUATE + " --model ../trained"], threads=1, isa="avx2")
    yield Row("evaluate bf16", [EVALUATE + " --model ../trained --bf16"])
    yield Row("evaluate bf16 avx2", [EVALUATE + " --model ../trained --bf16"], isa="avx2")
    yield Row("ask, one thread", [ASK], threads=1)
    yield Row("ask bf16", [ASK + " --bf16"])
    convert = ("model convert --model ../trained --output int8 --int8 --calibrate ../train.json"
               " --validation ../validation.json --max-drop 100")
    yield Row("int8", [convert, EVALUATE + " --model int8", ASK.replace("../trained", "int8")])
    yield Row("int8 avx2", [convert, EVALUATE + " --model int8"], isa="avx2")
    yield Row("model new and info", ["model new --like tiny --text ../text.txt --vocab-size 500 --output m",
                                     "model info --model m --json", "model info --model ../trained --json"])
    yield Row("labels and tokens", ["data labels --model ../trained ../train.json --json --max-seq-length 48",
                                    "tokenize --model ../trained --input ../text.txt --json"])


def prepare(binary, folder):
    """The files that all rows start from, made by the old program."""
    document = json.loads((SAMPLE / "train.json").read_text(encoding="utf-8"))
    texts, kept, questions = [], [], 0
    for article in document["data"]:
        if questions < QUESTIONS:
            kept.append(article)
        for paragraph in article["paragraphs"]:
            texts.append(paragraph["context"])
            questions += len(paragraph["qas"])
    (folder / "train.json").write_text(json.dumps({"version": "v2.0", "data": kept}), encoding="utf-8")
    (folder / "text.txt").write_text("\n".join(texts[:400]) + "\n", encoding="utf-8")
    validation = json.loads((SAMPLE / "validation.json").read_text(encoding="utf-8"))
    validation["data"] = validation["data"][:40]
    (folder / "validation.json").write_text(json.dumps(validation), encoding="utf-8")
    with open(folder / "ask.jsonl", "w", encoding="utf-8") as out:
        for article in validation["data"][:10]:
            for paragraph in article["paragraphs"]:
                for qa in paragraph["qas"]:
                    out.write(json.dumps({"id": qa["id"], "question": qa["question"],
                                          "context": paragraph["context"] * 5}) + "\n")
    new = "model new --text text.txt --vocab-size 700 --num-attention-heads 4 --max-position-embeddings 512"
    for command in (new + " --hidden-size 64 --num-hidden-layers 3 --output model",
                    new + " --hidden-size 64 --num-hidden-layers 2 --dropout 0 --output model0",
                    new + " --hidden-size 256 --num-hidden-layers 1 --output wide",
                    "train --model model0 --train train.json --output first --max-steps 60"
                    " --learning-rate 3e-3 --save-strategy no --disable-tqdm"):
        run(binary, command, folder, Row("", []))
    (folder / "first/trained").rename(folder / "trained")


def run(binary, command, folder, row):
    """Runs one command; returns what it printed."""
    environment = {key: value for key, value in os.environ.items() if key != "SPANFORGE_MAX_ISA"}
    if row.isa:
        environment["SPANFORGE_MAX_ISA"] = row.isa
    words = [str(binary), *command.split()]
    if command.split()[0] not in ("data", "tokenize") and command.split()[:2] != ["model", "info"]:
        words += ["--threads", str(row.threads)]
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{row.name}: {' '.join(words)} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout + "\n" + done.stderr


def steady(value, more=()):
    """The JSON value without keys that change from run to run, and without those in `more`."""
    if isinstance(value, dict):
        return {key: steady(item, more) for key, item in value.items()
                if not VOLATILE.search(key) and not any(re.fullmatch(one.keys, key) for one in more)}
    if isinstance(value, list):
        return [steady(item, more) for item in value]
    if isinstance(value, str) and "\n" in value:  # a checkpoint holds the log up to it
        return steady_text(value, more)
    return value


def steady_text(text, more=()):
    """Each line: parsed if it is JSON, whole if it contains no time."""
    out = []
    for line in text.splitlines():
        try:
            out.append(json.dumps(steady(json.loads(line), more)))
        except ValueError:
            try:  # log lines are printed as Python dictionaries
                out.append(json.dumps(steady(json.loads(line.replace("'", '"')), more)))
            except ValueError:
                expected = any(re.match(one.lines, line) for one in more)
                if not expected and not VOLATILE_LINE.search(line):
                    out.append(line)
    return "\n".join(out)


def digest(file, more):
    """The part of a file that must be equal."""
    data = file.read_bytes()
    if zipfile.is_zipfile(file):  # PyTorch's files
        with zipfile.ZipFile(file) as archive:
            parts = {name: hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist()}
        return json.dumps(parts, indent=0)
    if file.suffix == ".json":
        return json.dumps(steady(json.loads(data), more), indent=0)
    if file.suffix == ".jsonl":
        return steady_text(data.decode(), more)
    return hashlib.sha256(data).hexdigest()


def results(folder, printed, more):
    found = {"(printed)": steady_text(printed, more)}
    for file in sorted(folder.rglob("*")):
        name = str(file.relative_to(folder))
        if file.is_file() and not SKIPPED_FILES.search(name):
            found[name] = digest(file, more)
    return found


def differences(old, new):
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) == new.get(name):
            continue
        if name not in old or name not in new:
            yield f"{name}: only the {'new' if name not in old else 'old'} one has it"
            continue
        pairs = list(zip(old[name].splitlines(), new[name].splitlines()))
        at = next((i for i, (a, b) in enumerate(pairs) if a != b), len(pairs))
        shown = f": {pairs[at][0][:150]} became {pairs[at][1][:150]}" if at < len(pairs) else ""
        yield f"{name}: differs from line {at + 1} on{shown}"


def compare(row, old, new, work, expected):
    found = {}
    for name, binary, more in (("old", old, ()), ("new", new, expected)):
        folder = work / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        printed = "".join(run(binary, command, folder, row) for command in row.commands)
        found[name] = results(folder, printed, more)
    if len(found["old"]) < 2 and not found["old"]["(printed)"].strip():
        raise SystemExit(f"{row.name}: nothing was written or printed")
    return list(differences(found["old"], found["new"]))


def build(revision):
    sha = subprocess.run(["git", "rev-parse", "--short=12", revision + "^{commit}"], cwd=SOURCE, check=True,
                         capture_output=True, text=True).stdout.strip()
    tree = SOURCE / "build/compare" / sha
    if not tree.exists():
        subprocess.run(["git", "worktree", "prune"], cwd=SOURCE, check=True)
        subprocess.run(["git", "worktree", "add", "--detach", str(tree), sha], cwd=SOURCE, check=True)
    for place in (tree, SOURCE):
        subprocess.run(["tools/build.sh", "program"], cwd=place, check=True)
    return tree / "build/release/bin/spanforge", SOURCE / "build/release/bin/spanforge"


def self_test():
    """A changed weight, a changed figure and a missing file are noticed; a changed time is not."""
    base = {"(printed)": steady_text("{'loss': 1.5, 'eval_runtime': 2.0}\ntrain: 3 windows\n")}
    timed = {"(printed)": steady_text("{'loss': 1.5, 'eval_runtime': 9.0}\ntrain: 3 windows\n")}
    other = {"(printed)": steady_text("{'loss': 1.25, 'eval_runtime': 2.0}\ntrain: 3 windows\n")}
    assert list(differences(base, timed)) == []
    assert len(list(differences(base, other))) == 1
    assert len(list(differences(base | {"w": "1"}, base))) == 1
    assert len(list(differences(base | {"w": "1"}, base | {"w": "2"}))) == 1
    assert steady({"a": {"train_runtime": 1, "b": [{"eval_samples_per_second": 2, "c": 3}]}}) == \
        {"a": {"b": [{"c": 3}]}}
    # Only expected differences are ignored, and only if one side alone has them.
    more = [EXPECTED["cmrc"]]
    said = "{'eval_f1': 1.5, 'eval_cmrc_f1': 2.0}\n--metric-for-best-model: take cmrc_f1\n"
    was = {"(printed)": steady_text("{'eval_f1': 1.5}\n")}
    assert list(differences(was, {"(printed)": steady_text(said, more)})) == []
    assert len(list(differences(was, {"(printed)": steady_text(said)}))) == 1
    for other in (said.replace("1.5", "1.25"), said.replace("cmrc_f1'", "cmrc_f2'"), said + "more\n"):
        assert len(list(differences(was, {"(printed)": steady_text(other, more)}))) == 1
    assert len(list(differences({"(printed)": steady_text(said)}, {"(printed)": steady_text(said, more)}))) == 1
    assert steady({"a": [{"eval_cmrc_exact": 1, "b": "{\"eval_cmrc_f1\": 2}\n"}]}, more) == {"a": [{"b": "{}"}]}
    names = [row.name for row in rows()]
    assert len(names) == len(set(names)) >= 20
    print("a difference is noticed, a time is not")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", nargs="?")
    parser.add_argument("--only", default="")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--old-bin", type=pathlib.Path)
    parser.add_argument("--new-bin", type=pathlib.Path)
    parser.add_argument("--expect", action="append", default=[], choices=EXPECTED)
    parser.add_argument("--self-test", action="store_true")
    options = parser.parse_args()
    if options.self_test:
        return self_test()
    chosen = [row for row in rows() if re.search(options.only, row.name)]
    if options.list:
        return print("\n".join(row.name for row in chosen))
    if options.old_bin and options.new_bin:
        old, new = (folder.resolve() / "spanforge" for folder in (options.old_bin, options.new_bin))
    elif options.old:
        old, new = build(options.old)
    else:
        parser.error("give OLD, or --old-bin and --new-bin")
    work = SOURCE / "build/compare/work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    prepare(old, work)
    for name in options.expect:
        print(f"ignored, {name}: {EXPECTED[name].reason}")
    unequal = 0
    for row in chosen:
        found = compare(row, old, new, work, [EXPECTED[name] for name in options.expect])
        unequal += bool(found)
        print(f"{'equal' if not found else 'DIFFERS'}  {row.name}", flush=True)
        for line in found:
            print("    " + line, flush=True)
    print(f"{len(chosen) - unequal} rows equal, {unequal} not")
    return sys.exit(1 if unequal else 0)


if __name__ == "__main__":
    main()
