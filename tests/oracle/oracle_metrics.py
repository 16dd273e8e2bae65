"""squad_v2 and cmrc2018 against Python: every digit must be the same.

squad_v2's reference is the official script as transformers vendors it (the same functions that
evaluate's squad_v2 holds); cmrc2018's is written out below from the task's definition.
"""
import argparse
import collections
import json
import os
import random
import re
import subprocess
import sys
import types
import unicodedata

from transformers.data.metrics import squad_metrics as official

SHARED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../shared/data")
failures = []


def driver(binary_directory, mode, value):
    result = subprocess.run([os.path.join(binary_directory, "metrics_driver"), mode], text=True,
                            input=json.dumps(value), capture_output=True, check=True)
    return json.loads(result.stdout)


def compare(name, ours, theirs, context):
    if ours != theirs:
        failures.append(f"{name}: ours {ours!r}, reference {theirs!r}, input {context!r}")


def texts_of_every_character():
    for code in range(0x110000):
        character = chr(code)
        # Our tables classify characters that are newer than this Python.
        if unicodedata.category(character) in ("Cn", "Cs", "Co"):
            continue
        yield f"A{character}Σ {character}a the{character}"
        yield f"x{character}an{character}y"


def random_text(rng, words):
    pool = ["The", "a", "an", "the", "Paris", "paris.", "U.S.", "İstanbul", "ΟΔΟΣ", "co-op", "éa", "的",
            "风景优美空", "3.5%", "\u3000", "\xa0", "“the”", "_a", "-", "", "x", "y", "z"]
    glue = [" ", "  ", "", "-", "\t", "\u2009"]
    return "".join(rng.choice(pool) + rng.choice(glue) for _ in range(rng.randint(0, words)))


def reference_squad(golds, predictions, odds):
    examples = [types.SimpleNamespace(qas_id=key, answers=[{"text": text} for text in texts])
                for key, texts in golds.items()]
    scores = official.squad_evaluate(examples, predictions, no_answer_probs=odds)
    # The version evaluate vendors searches thresholds with the same loop and adds no has_ans_*.
    return {key: value for key, value in scores.items() if not key.startswith("has_ans")}


def random_case(rng, size):
    golds, predictions, odds = {}, {}, {}
    for i in range(size):
        key = f"q{i}"
        golds[key] = [] if rng.random() < 0.3 else [random_text(rng, 4) for _ in range(rng.randint(1, 3))]
        style = rng.random()
        if style < 0.2:
            predictions[key] = ""
        elif style < 0.6 and golds[key]:
            predictions[key] = rng.choice(golds[key]).upper()
        else:
            predictions[key] = random_text(rng, 5)
        odds[key] = rng.choice([round(rng.uniform(-2, 2), 1), rng.random()])
    order = list(odds)
    rng.shuffle(order)
    return golds, predictions, {key: odds[key] for key in order}


def real_golds(limit):
    for path in ("squad/squad_v2_dev_part.json", "xquad/xquad.en.json", "cmrc2018/cmrc2018_dev.json"):
        path = os.path.join(SHARED, path)
        if not os.path.exists(path):
            continue
        golds = {}
        with open(path, encoding="utf-8") as file:
            for article in json.load(file)["data"]:
                for paragraph in article["paragraphs"]:
                    for qa in paragraph["qas"]:
                        golds[qa["id"]] = [answer["text"] for answer in qa["answers"]]
        yield dict(list(golds.items())[:limit])


def cmrc_clean(text):
    removed = set("-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』")
    return "".join(c for c in text.lower().strip() if c not in removed)


def cmrc_tokens(text):
    tokens = []
    for piece in re.split("([\u4e00-\u9fa5])", cmrc_clean(text)):
        tokens += piece.split()
    return tokens


def cmrc_f1(gold, prediction):
    gold, prediction = cmrc_tokens(gold), cmrc_tokens(prediction)
    longest = 0
    lengths = collections.defaultdict(int)
    for i, a in enumerate(gold):
        for j, b in enumerate(prediction):
            if a == b:
                lengths[i, j] = lengths[i - 1, j - 1] + 1
                longest = max(longest, lengths[i, j])
    if longest == 0:
        return 0
    precision, recall = 1.0 * longest / len(prediction), 1.0 * longest / len(gold)
    return (2 * precision * recall) / (precision + recall)


def reference_cmrc(golds, predictions):
    f1 = exact = 0
    for key, texts in golds.items():
        f1 += max(cmrc_f1(text, predictions[key]) for text in texts)
        exact += any(cmrc_clean(text) == cmrc_clean(predictions[key]) for text in texts)
    return {"f1": 100.0 * f1 / len(golds), "exact": 100.0 * exact / len(golds)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--self-test", action="store_true")
    options = parser.parse_args()
    rng = random.Random(20)

    texts = list(texts_of_every_character())
    for text, ours in zip(texts, driver(options.bin, "normalize", texts), strict=True):
        compare("normalize", ours, official.normalize_answer(text), text)

    pairs = [(random_text(rng, 6), random_text(rng, 6)) for _ in range(30000)]
    for (gold, prediction), ours in zip(pairs, driver(options.bin, "f1", pairs), strict=True):
        expected = [bool(official.compute_exact(gold, prediction)), float(official.compute_f1(gold, prediction))]
        compare("f1", ours, expected, (gold, prediction))

    cases = 0
    for _ in range(150):
        golds, predictions, odds = random_case(rng, rng.randint(1, 60))
        for chosen in (odds, None):
            case = {"golds": golds, "predictions": predictions} | ({"odds": chosen} if chosen else {})
            ours = driver(options.bin, "squad", case)
            if options.self_test:
                ours["f1"] += 1e-13
            compare("squad", ours, reference_squad(golds, predictions, chosen), case)
            cases += 1
    for golds in real_golds(3000):
        predictions = {}
        for key, answers in golds.items():
            other = rng.choice(list(golds.values()))
            predictions[key] = rng.choice([answers or [""], other or [""]])[0][: rng.randint(0, 40)]
        odds = {key: rng.uniform(-8, 8) for key in golds}
        case = {"golds": golds, "predictions": predictions, "odds": odds}
        compare("squad", driver(options.bin, "squad", case), reference_squad(golds, predictions, odds), "real")
        answered = {key: value for key, value in golds.items() if value}
        case = {"golds": answered, "predictions": {key: predictions[key] for key in answered}}
        ours = driver(options.bin, "cmrc", case)
        if options.self_test:
            ours["f1"] += 1e-13
        compare("cmrc", ours, reference_cmrc(answered, predictions), "real")
        cases += 2

    if options.self_test:
        found = all(any(failure.startswith(name) for failure in failures) for name in ("squad", "cmrc"))
        print("self-test:", "the planted fault was found" if found else "THE PLANTED FAULT WAS MISSED")
        return 0 if found else 1
    for failure in failures[:20]:
        print(failure)
    print(f"metrics: {len(texts)} texts, {len(pairs)} pairs, {cases} score sets, {len(failures)} differences")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
