"""Fails unless make_sample_data writes data/sample/'s bytes, and the documents have the right numbers of
contexts and questions.

Usage: check_sample_data.py CHECKOUT --program MAKE_SAMPLE_DATA | --self-test
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile


def counts(file):
    """(contexts, questions) of a SQuAD file."""
    paragraphs = [p for entry in json.loads(file.read_text(encoding="utf-8"))["data"] for p in entry["paragraphs"]]
    return len(paragraphs), sum(len(p["qas"]) for p in paragraphs)


def problems(root, made):
    sample = root / "data/sample"
    names = {file.name for file in made.iterdir()}
    if names != {file.name for file in sample.iterdir()} - {"README.md", "hand_written.json"}:
        yield f"data/sample/ has other files than make_sample_data writes, which are {sorted(names)}"
    for name in sorted(names):
        if not (sample / name).exists() or (made / name).read_bytes() != (sample / name).read_bytes():
            yield f"data/sample/{name} is not what make_sample_data writes"

    text = (sample / "README.md").read_text(encoding="utf-8")
    for name, pattern in (("train.json", r"`train.json`.* (\d+) Chinese and (\d+) English contexts"),
                          ("validation.json", r"`validation.json`.* (\d+) \+ (\d+) contexts")):
        told = re.search(pattern, text)
        if not told or sum(map(int, told.groups())) != counts(sample / name)[0]:
            yield f"data/sample/README.md: {name} has {counts(sample / name)[0]} contexts"
    _, hand_written = counts(sample / "hand_written.json")
    if f"{hand_written} questions" not in text:
        yield f"data/sample/README.md: hand_written.json has {hand_written} questions"
    _, asked = counts(sample / "validation.json")
    for page in ("README.md", "README.zh.md"):
        if not re.search(rf"\b{asked}\b", (root / page).read_text(encoding="utf-8")):
            yield f"{page} does not say that quickstart.sh scores {asked} questions"


def self_test():
    def squad(contexts, questions):
        return json.dumps({"data": [{"paragraphs": [{"qas": [{}] * questions}] * contexts}]})

    checkout = {
        "data/sample/train.json": squad(5, 1), "data/sample/validation.json": squad(4, 2), "data/sample/hand_written.json": squad(1, 3),
        "data/sample/README.md": "`train.json` | 2 Chinese and 3 English contexts\n`validation.json` | 2 + 2 contexts\n3 questions",
        "README.md": "of 8 questions", "README.zh.md": "8 个",
    }
    planted = [("", "", []), ("data/sample/train.json", " ", ["train.json is not what"]),
               ("data/sample/README.md", "2 + 2", ["validation.json has 4 contexts"]), ("data/sample/README.md", "2 Chinese", ["train.json has 5"]),
               ("data/sample/README.md", "3 questions", ["has 3 questions"]), ("README.md", "8", ["README.md does not say"])]
    bad = []
    with tempfile.TemporaryDirectory() as folder:
        root, made = pathlib.Path(folder, "checkout"), pathlib.Path(folder, "made")
        for directory in (root / "data/sample", made):
            directory.mkdir(parents=True)
        for name in ("train.json", "validation.json"):
            (made / name).write_text(checkout[f"data/sample/{name}"])
        for file, lost, wanted in planted:
            for name, text in checkout.items():
                (root / name).write_text(text.replace(lost, "9") if name == file else text)
                if name == file and lost == " ":
                    (root / name).write_text(text + "\n")
            found = list(problems(root, made))
            if len(found) != len(wanted) or not all(w in line for w, line in zip(wanted, found)):
                bad.append(f"{file} without '{lost}': wanted {wanted}, found {found}")
        for name in checkout:
            (root / name).write_text(checkout[name])
        (made / "more.json").write_text("")
        if len(list(problems(root, made))) != 2:
            bad.append("a file too many is not seen")
    return bad


def main():
    if sys.argv[1:] == ["--self-test"]:
        found = self_test()
    else:
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([sys.argv[3], folder], check=True, capture_output=True)
            found = list(problems(pathlib.Path(sys.argv[1]), pathlib.Path(folder)))
    if found:
        sys.exit("\n".join(found))


main()
