#!/usr/bin/env python3
"""Writes a made-up SQuAD v2.0 file of any size, and predictions for it.

    bench/make_questions.py COUNT DATA.json [PREDICTIONS.json]

Four questions per context of about 120 words, every fifth without an answer; every answer is where
the file says; no id, question or context occurs twice. Writes piece by piece: memory does not grow.
"""
import json
import random
import sys

WORDS = ("river mountain village doctor winter energy council bridge letter garden history machine market "
         "island teacher morning coffee railway winner museum protein language festival emperor library").split()


def questions(count):
    """(context, [(id, question, answer text or None, start)]) for each context."""
    rng = random.Random(11)
    for c in range((count + 3) // 4):
        words = rng.choices(WORDS, k=118) + [f"place{c}", f"name{c}"]
        rng.shuffle(words)
        starts, at = [], 0
        for word in words:
            starts.append(at)
            at += len(word) + 1
        rows = []
        for q in range(min(4, count - 4 * c)):
            first = rng.randrange(115)
            length = rng.randint(1, 4)
            text = " ".join(words[first:first + length])
            asked = f"Which {rng.choice(WORDS)} stands at {c}.{q} beside the {rng.choice(WORDS)}?"
            rows.append((f"id{4 * c + q:07d}", asked, None if (4 * c + q) % 5 == 4 else text, starts[first]))
        yield " ".join(words), rows


def write_dataset(path, count, predictions=None):
    with open(path, "w", encoding="utf-8") as file, open(predictions or "/dev/null", "w", encoding="utf-8") as answers:
        file.write('{"version": "v2.0", "data": [')
        answers.write("{")
        for c, (context, rows) in enumerate(questions(count)):
            qas = [{"id": key, "question": asked, "is_impossible": text is None,
                    "answers": [] if text is None else [{"text": text, "answer_start": start}]}
                   for key, asked, text, start in rows]
            article = {"title": f"article {c}", "paragraphs": [{"context": context, "qas": qas}]}
            file.write((",\n" if c else "\n") + json.dumps(article))
            answers.write(("," if c else "") + ",".join(
                f"\n{json.dumps(key)}: {json.dumps((text or '')[:12])}" for key, _, text, _ in rows))
        file.write("\n]}\n")
        answers.write("\n}\n")


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    write_dataset(sys.argv[2], int(sys.argv[1]), *sys.argv[3:])
