"""Generated rows: every file of a model, of a checkpoint and of the data is replaced by each kind of
thing that may be in a file's place, truncated at several points, and has one bit flipped at several
points."""
import functools
import os

import table
from table import ASK, IO, MODEL, SOME, TRAIN
from cases_run import RESUME, VERIFY

case = functools.partial(table.case, made=True)
# True: the model needs the file. special_tokens_map.json is not among them: as in transformers it is
# read only where tokenizer_config.json lists no added tokens (a row of cases_tokenizer.py).
MODEL_FILES = {
    "config.json": True, "model.safetensors": True, "tokenizer.json": True,
    "tokenizer_config.json": False, "vocab.txt": False}
CHECKPOINT_FILES = ["config.json", "model.safetensors", "optimizer.pt", "rng_state.pth", "scheduler.pt",
                    "spanforge.json", "spanforge_manifest.json", "spanforge_state.json",
                    "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json",
                    "trainer_state.json", "training_args.json", "vocab.txt"]
CUTS = (0.0, 0.25, 0.5, 0.9)
FLIPS = 12


def zero_device(path):
    os.symlink("/dev/zero", path)


def loop(path):
    os.symlink(path.name, path)


def dangling(path):
    os.symlink("gone", path)


PUT_IN_PLACE = {"directory": lambda path: path.mkdir(), "fifo": os.mkfifo, "dev-zero": zero_device,
                "loop-of-links": loop}


def replaced(name, by):
    def make(root):
        path = root / name
        path.unlink()
        by(path)
    return make


def cut(name, share):
    def make(root):
        path = root / name
        size = int(path.stat().st_size * share)
        if share:
            size = min(size, path.stat().st_size - 1)
        os.truncate(path, size)
    return make


def flipped(name, number):
    """One bit, at places spread over the file and over a byte's bits."""
    def make(root):
        path = root / name
        data = bytearray(path.read_bytes())
        at = (2 * number + 1) * len(data) // (2 * FLIPS)
        data[at] ^= 1 << (number * 3 % 8)
        path.write_bytes(data)
    return make


def unreadable(name):
    return lambda root: (root / name).chmod(0)


def escaped(name):
    return name.split("/")[-1].replace(".", r"\.")


# A model directory: visible damage is an error naming the file; a flipped bit may give another valid file.
for file, needed in MODEL_FILES.items():
    path = "m/" + file
    for what, by in PUT_IN_PLACE.items():
        case(f"sweep/{file}/{what}", [ASK, TRAIN], IO, escaped(file), replaced(path, by))
    case(f"sweep/{file}/unreadable", [ASK, TRAIN], IO, escaped(file), unreadable(path), nobody=True)
    for share in CUTS:
        case(f"sweep/{file}/cut-{share}", [ASK, TRAIN],
             SOME if file == "vocab.txt" else MODEL, escaped(file), cut(path, share))
    for number in range(FLIPS):
        says = r"vocab\.txt|tokenizer\.json|tokenizer_config\.json" if not needed or "tok" in file \
            else r"config\.json|model\.safetensors|tokenizer\.json|\bm\b"
        case(f"sweep/{file}/flip-{number}", [ASK, TRAIN], SOME, says, flipped(path, number))

# A checkpoint: all damage is noticed.
for file in CHECKPOINT_FILES:
    path = "run/checkpoint-4/" + file
    for what, by in PUT_IN_PLACE.items():
        case(f"sweep/checkpoint-{file}/{what}", [RESUME, VERIFY], (MODEL, IO), "checkpoint-4.*",
             replaced(path, by), run=True)
    case(f"sweep/checkpoint-{file}/unreadable", [RESUME, VERIFY], IO, escaped(file), unreadable(path),
         run=True, nobody=True)
    for share in CUTS:
        case(f"sweep/checkpoint-{file}/cut-{share}", [RESUME, VERIFY], MODEL,
             ["checkpoint-4", escaped(file)], cut(path, share), run=True)
    for number in range(FLIPS):
        case(f"sweep/checkpoint-{file}/flip-{number}", [RESUME, VERIFY], MODEL,
             "checkpoint-4", flipped(path, number), run=True)
for file in MODEL_FILES:
    for number in range(FLIPS):
        case(f"sweep/trained-{file}/flip-{number}",
             ["checkpoint verify run/trained", ASK.replace("--model m", "--model run/trained --verify")],
             MODEL, ["trained", escaped(file)], flipped("run/trained/" + file, number), run=True)

# Data.
TRAIN_ON = "train --model m --train train.json --validation validation.json --output out --threads 1"
for file, commands in {"train.json": ["data check train.json", TRAIN_ON],
                       "validation.json": ["evaluate --model m --data validation.json", TRAIN_ON]}.items():
    for what, by in {**PUT_IN_PLACE, "dangling-link": dangling}.items():
        if what == "fifo":  # data may come from one: the program waits
            continue
        case(f"sweep/{file}/{what}", commands, IO, escaped(file), replaced(file, by))
    case(f"sweep/{file}/unreadable", commands, IO, escaped(file), unreadable(file), nobody=True)
    for share in CUTS:
        case(f"sweep/{file}/cut-{share}", commands, MODEL, escaped(file), cut(file, share))
    for number in range(FLIPS):
        case(f"sweep/{file}/flip-{number}", commands, SOME, escaped(file), flipped(file, number))
