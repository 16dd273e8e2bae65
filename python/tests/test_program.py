"""python -m spanforge is the program."""

import os
import pathlib
import signal
import subprocess
import sys

import pytest

import spanforge
from conftest import run_program

PROGRAM = os.environ.get("SPANFORGE_PROGRAM", "")


@pytest.mark.parametrize("words", [["--help"], ["help", "ask"], ["data", "check", "no-such-file.json"], ["ask"], ["nonsense"],
                                   ["ask", "--model", "./nothing", "--context", "a", "--question", "b"],
                                   ["tokenize", "--model", "MODEL", "--json", "Where is Anna?"],
                                   ["ask", "--model", "TRAINED", "--context", "Anna sat.", "--question", "Who sat?", "--json"]])
def test_prints_what_the_program_prints(words, model, trained):
    if not pathlib.Path(PROGRAM).is_file():
        pytest.skip("SPANFORGE_PROGRAM names no program")
    words = [{"MODEL": str(model), "TRAINED": str(trained)}.get(word, word) for word in words]
    theirs = subprocess.run([PROGRAM, *words], text=True, capture_output=True)
    ours = run_program(*words)
    assert (ours.returncode, ours.stdout, ours.stderr) == (theirs.returncode, theirs.stdout, theirs.stderr)


def test_version():
    assert run_program("--version").stdout.startswith(f"spanforge {spanforge.__version__}\n")


def test_a_name_that_is_not_utf8():
    done = subprocess.run([sys.executable, "-m", "spanforge", "data", "check", b"\xff.json"], capture_output=True)
    assert done.returncode == 2 and done.stderr.count(b"\n") == 1


def test_ctrl_c_ends_it_as_the_program(model, rows, tmp_path):
    import json

    file = tmp_path / "rows.json"
    file.write_text(json.dumps(rows))
    process = subprocess.Popen([sys.executable, "-m", "spanforge", "train", "--model", str(model), "--train", str(file), "--output",
                                str(tmp_path / "run"), "--max-steps", "100000", "--logging-steps", "1", "--report-to", "none"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    error = process.communicate(timeout=60)[1]
    assert process.returncode == 128 + signal.SIGINT and "--resume-from-checkpoint last" in error
    assert list((tmp_path / "run").glob("checkpoint-*"))
