"""A row of the table: how its bad files are made, the command, and what it must print.

To add one, write case(...) in the cases_*.py it belongs to, run run.py --record and read its lines in
said.txt: place and reason must be right, because later runs compare every letter. `make` gets a new directory with
good files: m/ (a model), train.json, validation.json, text.txt and, with run=True, run/ (a training
that ended at step 4, with checkpoint-2, checkpoint-4 and trained/).
"""
import dataclasses
import pathlib
import typing

ASK = "ask --model m --question Who? --context 'Mina baked bread.' --threads 1"
INFO = "model info --model m"
TRAIN = "train --model m --train train.json --output out --max-steps 1 --max-seq-length 64 --threads 1"
CHECK = "data check bad.json"
TRAIN_BAD = TRAIN.replace("train.json", "bad.json")

MODEL, USAGE, NETWORK, IO = 3, 2, 4, 74  # exit codes, by what was wrong
DATA = MODEL


@dataclasses.dataclass
class Case:
    name: str
    commands: list
    exit: int  # SOME: whatever is right for damage that need not show, 0 or an error that `says`
    says: list
    make: typing.Callable
    run: bool = False
    nobody: bool = False  # the program runs as a user who may not read everything
    server: typing.Callable = None  # cases_hub.py
    made: bool = False  # by sweep.py: what is said is not in said.txt


SOME = -1
CASES = []


def case(name, commands, exit, says, make, **more):
    """commands: what follows "spanforge"; says: regexps that the one line on standard error matches,
    as file, place and reason; make: a function of the directory."""
    if any(known.name == name for known in CASES):
        raise ValueError(f"two cases are named {name}")
    CASES.append(Case(name, [commands] if isinstance(commands, str) else commands, exit,
                      [says] if isinstance(says, str) else says, make, **more))


def put(name, content):
    """A `make` that writes one file. content: text, bytes or, where it is large, what makes it: the
    driver must stay small, because a child's peak memory begins with its parent's."""
    def make(directory):
        data = content() if callable(content) else content
        path = pathlib.Path(directory) / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
    return make
