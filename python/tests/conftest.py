"""Models that the tests share: a tiny one, and one trained for a few steps. Both made by the program in the module."""

import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
SAMPLE = ROOT / "data/sample"


def run_program(*words: object, **kwargs: object) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "spanforge", *map(str, words)], text=True, capture_output=True, **kwargs)


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    directory = tmp_path_factory.mktemp("models") / "tiny"
    made = run_program("model", "new", "--like", "tiny", "--text", SAMPLE / "text.txt", "--vocab-size", "800", "--seed", "1",
                       "--output", directory)
    assert made.returncode == 0, made.stderr
    return directory


@pytest.fixture(scope="session")
def rows():
    """Ten questions in the form of `datasets`' squad."""
    names = ["Anna", "Berta", "Carl", "Dora", "Emil", "Frida", "Georg", "Hanna", "Ida", "Jan"]
    places = ["market", "garden", "kitchen", "school", "harbour"]
    made = []
    for i, name in enumerate(names):
        place = f"in the {places[i % 5]}"
        context = f"{name} sat {place}. The rest of the day was quiet, and nobody came by."
        made.append({"id": str(i), "title": "", "context": context, "question": f"Where is {name}?",
                     "answers": {"text": [place], "answer_start": [context.index(place)]}})
    return made


@pytest.fixture(scope="session")
def trained(model, rows, tmp_path_factory):
    import spanforge

    output = tmp_path_factory.mktemp("runs") / "run"
    return spanforge.train(model=model, train=rows, output=output, max_steps=4, learning_rate=1e-3, report_to="none",
                           save_strategy="no", quiet=True).trained
