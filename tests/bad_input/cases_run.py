"""A training's own files and options."""
import json
import os

from table import ASK, IO, MODEL, NETWORK, TRAIN, USAGE, case, put

RESUME = ("train --model m --train train.json --validation validation.json --output run --max-steps 4 "
          "--per-device-train-batch-size 4 --max-seq-length 64 --threads 1 "
          "--resume-from-checkpoint run/checkpoint-4")
VERIFY = "checkpoint verify run/checkpoint-4"


def checkpoint(name, make, *says, exit=MODEL, commands=None):
    case("checkpoint/" + name, commands or [RESUME, VERIFY], exit, list(says), make, run=True)


def edit(name, change, directory="run/checkpoint-4"):
    """A changed JSON file with a matching manifest: only the content is wrong."""
    import hashlib

    def make(root):
        path = root / directory / name
        text = change(path.read_text())
        path.write_text(text)
        manifest = root / directory / "spanforge_manifest.json"
        listed = json.loads(manifest.read_text())
        listed["files"][name] = {"size": len(text.encode()),
                                 "sha256": hashlib.sha256(text.encode()).hexdigest()}
        manifest.write_text(json.dumps(listed))
    return make


def fields(**values):
    return lambda text: json.dumps({**json.loads(text), **values})


def manifest(change):
    def make(directory):
        path = directory / "run/checkpoint-4/spanforge_manifest.json"
        value = json.loads(path.read_text())
        path.write_text(json.dumps(change(value) or value))
    return make


def entry(**values):
    return manifest(lambda m: m["files"]["optimizer.pt"].update(values))


checkpoint("half-written", lambda d: cut(d / "run/checkpoint-4/optimizer.pt"),
           "checkpoint-4", r"optimizer\.pt")
checkpoint("file-missing", lambda d: (d / "run/checkpoint-4/scheduler.pt").unlink(),
           "checkpoint-4", r"scheduler\.pt")
checkpoint("no-optimiser-state", lambda d: (d / "run/checkpoint-4/optimizer.pt").unlink(),
           r"checkpoint-4/optimizer\.pt: ", "--model", exit=IO, commands=[RESUME])
ASK_TRAINED = ASK.replace("--model m", "--model run/trained")
case("trained/changed-config-is-used", ASK_TRAINED, 0, [],
     lambda d: put("run/trained/config.json", (d / "run/trained/config.json").read_text() + "\n")(d), run=True)
case("trained/changed-config-to-verify", ASK_TRAINED + " --verify", MODEL, [r"trained: ", r"config\.json"],
     lambda d: put("run/trained/config.json", (d / "run/trained/config.json").read_text() + "\n")(d), run=True)
case("trained/half-written-weights", [ASK_TRAINED, TRAIN.replace("--model m", "--model run/trained")], MODEL,
     [r"trained/model\.safetensors: ", "truncated"], lambda d: cut(d / "run/trained/model.safetensors"), run=True)
checkpoint("manifest-hash-wrong", entry(sha256="0" * 64), "checkpoint-4", r"optimizer\.pt")
checkpoint("manifest-size-wrong", entry(size=1), "checkpoint-4", r"optimizer\.pt")
checkpoint("manifest-size-negative", entry(size=-1), "checkpoint-4", r"spanforge_manifest\.json")
checkpoint("manifest-size-2^64", entry(size=2**64), "checkpoint-4", r"spanforge_manifest\.json")
checkpoint("manifest-hash-a-number", entry(sha256=7), "checkpoint-4", r"spanforge_manifest\.json")
checkpoint("manifest-names-dot-dot", manifest(
    lambda m: m["files"].update({"../../train.json": {"size": 1, "sha256": "0"}})),
    "checkpoint-4", r"spanforge_manifest\.json")
checkpoint("manifest-names-absolute", manifest(
    lambda m: m["files"].update({"/dev/zero": {"size": 0, "sha256": "0"}})),
    "checkpoint-4", r"spanforge_manifest\.json")
checkpoint("manifest-version-2", manifest(lambda m: m.update(version=2)),
           "checkpoint-4", r"spanforge_manifest\.json")
checkpoint("manifest-lists-nothing", manifest(lambda m: m.update(files={})), "checkpoint-4", "lists no file")
checkpoint("manifest-a-list", manifest(lambda m: [m]), "checkpoint-4", r"spanforge_manifest\.json")
checkpoint("manifest-empty", put("run/checkpoint-4/spanforge_manifest.json", ""),
           "checkpoint-4", r"spanforge_manifest\.json")
checkpoint("manifest-missing",
           lambda d: (d / "run/checkpoint-4/spanforge_manifest.json").unlink(),
           "checkpoint-4", "manifest")


def state(name, file, change, *says):
    checkpoint(name, edit(file, change), file.replace(".", r"\."), *says, commands=[RESUME])


STATE, TRAINER, ARGUMENTS = "spanforge_state.json", "trainer_state.json", "training_args.json"
state("newer-format", STATE, fields(format=2), "newer spanforge")
state("format-text", STATE, fields(format="1"), "format")
state("format-missing", STATE, lambda t: "{}")
state("progress-missing", STATE, lambda t: json.dumps(without(t, "progress")), "progress")
state("progress-a-text", STATE, fields(progress="x"))
state("progress-1e300-steps", STATE, lambda t: json.dumps({**json.loads(t), "progress": {
    **json.loads(t)["progress"], "last_logged_step": 1e300}}))
state("observers-a-number", STATE, fields(observers=7))
state("observer-state-a-number", STATE, fields(observers={"run_log": 7}))
state("log-cut-off", STATE, fields(observers={"run_log": {"text": '{"loss": 1}\n{"lo'}}), "run_log", "line 2")
state("log-line-a-number", STATE, fields(observers={"run_log": {"text": "1\n"}}), "run_log")
state("data-a-list", STATE, fields(data=[1]))
state("computing-a-list", STATE, fields(computing=[1]))
state("trainer-state-cut-off", TRAINER, lambda t: t[:-10])
state("trainer-state-a-list", TRAINER, lambda t: "[]")
state("step-negative", TRAINER, fields(global_step=-1))
state("step-2^63", TRAINER, fields(global_step=2**63), "9223372036854775808")
state("step-2^64", TRAINER, fields(global_step=2**64))
state("step-a-float", TRAINER, fields(global_step=4.5))
state("history-a-text", TRAINER, fields(log_history="x"))
state("history-of-numbers", TRAINER, fields(log_history=[1]))
state("epoch-a-text", TRAINER, fields(epoch="x"))
state("arguments-a-list", ARGUMENTS, lambda t: "[]")
state("arguments-of-another-type", ARGUMENTS, fields(seed="x"))
state("arguments-key-twice", ARGUMENTS, lambda t: t.replace("{", '{"seed": 1,', 1))
checkpoint("optimizer-of-other-steps", edit(TRAINER, fields(global_step=3)), r"optimizer\.pt",
           commands=[RESUME])


# Another run than the one that was saved.
def other(name, options, *says, make=lambda d: None):
    case("resume/" + name, RESUME + " " + options, USAGE, list(says), make, run=True)


other("another-seed", "--seed 7", "--seed", "7", "42")
other("another-batch", "--per-device-train-batch-size 2".replace("2", "8"), "batch-size")
other("another-rate", "--learning-rate 1", "--learning-rate")
other("other-data", "", "--train", r"train\.json",
      make=lambda d: (d / "train.json").write_text((d / "train.json").read_text() + "\n"))
other("another-optimiser", "--optim adafactor", "--optim", "adafactor", "adamw_torch")
other("another-optimiser-allowed", "--optim sgd --allow-changed optim", "--optim", "sgd", "adamw_torch")
other("another-length", "--max-seq-length 32", "--max-seq-length")
case("resume/no-such-directory", RESUME.replace("checkpoint-4", "checkpoint-9"), IO, "checkpoint-9",
     lambda d: None, run=True)
case("resume/newest-half-written-falls-back",
     RESUME.replace("run/checkpoint-4", "last"), 0, [],
     lambda d: cut(d / "run/checkpoint-4/optimizer.pt"), run=True)


# Options.
def option(name, words, *says, exit=USAGE, make=lambda d: None):
    case("option/" + name, TRAIN + " " + words, exit, list(says), make)


option("rate-nan", "--learning-rate nan", "--learning-rate")
option("rate-negative", "--learning-rate -1e-5", "--learning-rate")
option("rate-inf", "--learning-rate inf", "--learning-rate")
option("rate-a-word", "--learning-rate fast", "--learning-rate")
option("batch-0", "--per-device-train-batch-size 0", "--per-device-train-batch-size")
option("batch-2^63", "--per-device-train-batch-size 9223372036854775808", "batch-size")
option("accumulation-0", "--gradient-accumulation-steps 0", "--gradient-accumulation-steps")
option("steps-2^63", "--max-steps 9223372036854775808", "--max-steps")
option("steps-0", "--max-steps 0", "--max-steps")
option("save-steps-nan", "--save-steps nan", "--save-steps")
option("epochs-negative", "--num-train-epochs -1", "--num-train-epochs")
option("epochs-1e300", "--num-train-epochs 1e300 --max-steps -1", "--num-train-epochs")
option("epochs-1e18", "--num-train-epochs 1e18 --max-steps -1", "--num-train-epochs")
option("steps-2^63-1", "--max-steps 9223372036854775807", "--max-steps")
option("save-steps-1e300", "--save-steps 1e300", "--save-steps")
option("batch-2^62", "--per-device-train-batch-size 4611686018427387904", "batch-size")
option("length-0", "--max-seq-length 0", "--max-seq-length")
option("seed-negative", "--seed -1", "--seed")
option("threads-100000", "--threads 100000", "--threads")
option("beta-1", "--adam-beta1 1", "--adam-beta1")
option("optim-unknown", "--optim foo", "--optim", "foo", "adafactor")
option("optim-empty", "--optim ''", "--optim")
option("optim-args", "--optim sgd --optim-args momentum=0.9", "--optim-args", "momentum")
option("dropped-value", "--seed", "--seed")
case("option/padding-2^31", "tokenize --model m --pad-to 2147483648 text", USAGE,
     "--pad-to: .* at most 2147483647", lambda d: None)
option("unknown", "--lerning-rate 1", "--lerning-rate", "--learning-rate")
option("report-elsewhere", "--report-to wandb", "--report-to", "none.tensorboard")
option("resume-and-overwrite", "--overwrite --resume-from-checkpoint last", "--overwrite")
case("option/tokens-under-a-window", TRAIN + " --max-tokens-per-batch 63", USAGE,
     "--max-tokens-per-batch: is 63", lambda d: None)
case("option/model-empty", ["ask --model '' --context Mina --question Who?",
                            "train --model '' --train train.json --output out"], USAGE, "--model",
     lambda d: None)
# A variable of a shell that is not set.
case("option/empty-file", ["evaluate --predictions train.json --data train.json --null-odds ''",
                           "evaluate --model m --data ''", "data split train.json --output ''",
                           "evaluate --model m --data train.json --predictions-dir ''",
                           "data fix train.json --output new.json --report ''",
                           "ask --model m --question Who? --context-file ''",
                           "model new --text '' --output new", "model new --text text.txt --output ''",
                           "model convert --model m --output new --int8 --calibrate ''",
                           TRAIN + " --config ''", TRAIN + " --resume-from-checkpoint ''"], USAGE,
     "--[a-z-]+: is empty", lambda d: None)
case("option/empty-argument", ["data check ''", "checkpoint verify ''", "help ''"], USAGE,
     "(FILE|DIR|COMMAND): is empty", lambda d: None)
case("option/empty-command", ["''", "data ''"], USAGE, ["which", "spanforge.*--help"], lambda d: None)
case("option/no-effect", [
    "evaluate --predictions p.json --data train.json " + words for words in (
        "--decoder pipeline", "--bf16", "--max-seq-length 64", "--window-overlap 8",
        "--max-answer-length 9", "--null-score-diff-threshold 0", "--version-2-with-negative false",
        "--batch-size 2", "--verify", "--predictions-dir out", "--no-answer-threshold 0.5")] + [
    "evaluate --model m --data train.json --null-odds o.json",
    "evaluate --model m --data train.json --no-answer-threshold 0.5"], USAGE,
     "has no effect without", lambda d: None)
case("option/model-missing", "train --train train.json --output out", USAGE, "--model", lambda d: None)
case("option/command-unknown", "trian --model m", USAGE, ["trian", "train"], lambda d: None)
case("option/not-utf8", "data check \udcff", USAGE, "UTF-8", lambda d: None)

case("option/length-over-positions", "train --model m --train train.json --output out "
     "--max-seq-length 600", USAGE, "--max-seq-length", lambda d: None)
case("option/train-missing", "train --model m --output out", USAGE, "--train", lambda d: None)
case("download/no-such-model", ["download no-org/no-model", ASK.replace("--model m", "--model no-org/no-model"),
                                TRAIN.replace("--model m", "--model no-org/no-model")], NETWORK,
     ["no-org/no-model", "offline|OFFLINE"], lambda d: None)
case("download/no-id", "download ''", USAGE, "ID: is empty", lambda d: None)
case("download/dot-dot", "download ../x", USAGE, r"\.\./x", lambda d: None)

# The output.
case("output/is-a-file", TRAIN.replace("--output out", "--output text.txt"), IO, r"text\.txt",
     lambda d: None)
case("output/below-a-file", TRAIN + " --logging-dir text.txt/logs", IO, r"text\.txt", lambda d: None)
case("output/holds-a-run", TRAIN.replace("--output out", "--output run"), USAGE, ["run", "overwrite"],
     lambda d: None, run=True)
case("output/loop-of-links", TRAIN, IO, "out", lambda d: os.symlink("out", d / "out"))
case("output/link-to-nowhere", TRAIN, IO, "out", lambda d: os.symlink("gone/away", d / "out"))
case("output/link-is-followed", TRAIN, 0, [], lambda d: (
    (d / "elsewhere").mkdir(), os.symlink("elsewhere", d / "out")))


# The configuration file.
def config(name, content, *says, exit=USAGE):
    case("config-file/" + name, TRAIN + " --config bad.toml", exit, [r"bad\.toml", *says],
         content if callable(content) else put("bad.toml", content))


config("not-toml", "model = \n", "line 1")
config("unknown-key", "seed = 1\nlerning_rate = 2\n", "line 2", "learning_rate")
config("wrong-type", 'seed = "x"\n', "line 1")
config("out-of-range", "per_device_train_batch_size = 0\n", "line 1")
config("table", "[train]\nseed = 1\n")
config("date", "seed = 1979-05-27\n")
config("list-for-a-value", "seed = [1, 2]\n")
config("key-twice", "seed = 1\nseed = 2\n", "line 2")
config("option-twice", "per_device_train_batch_size = 2\ntrain_batch_size = 4\n",
       "train_batch_size", "per_device_train_batch_size")
config("another-file", 'config = "other.toml"\n', "line 1: config")
config("empty-path", 'logging_dir = ""\n', "line 1: logging_dir", "is empty")
config("nan", "learning_rate = nan\n", "line 1")
config("integer-2^63", "max_steps = 9223372036854775808\n", "line 1")
config("nested-lists", "allow_changed = " + "[" * 100_000)
config("bad-utf8", b'metric_for_best_model = "\xff"\n')
config("letter-outside-quotes", "seed = 1\nmodel = \u02ca\n", "line 2")
config("letter-in-a-key", "s\u00e9ed = 1\n", "line 1")
config("key-of-100-KB", "a" * 100_000 + " = 1\n")
config("key-of-4000-parts", "a" + ".a" * 4_000 + " = 1\n", "line 1")
config("key-of-1M-parts", "a" + ".a" * 1_000_000 + " = 1\n", ": has more than 4096 dots")
config("table-of-1M-parts", "[a" + ".a" * 1_000_000 + "]\n", ": has more than 4096 dots")
config("text-with-nul", 'logging_dir = "x\\u0000y"\n', "line 1", "NUL")
config("missing", lambda d: None, exit=IO)
config("a-directory", lambda d: (d / "bad.toml").mkdir(), exit=IO)


def cut(path):
    path.write_bytes(path.read_bytes()[:path.stat().st_size // 2])


def without(text, key):
    value = json.loads(text)
    value.pop(key)
    return value
