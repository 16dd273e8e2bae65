"""spanforge.Pipeline(decoder="pipeline") against transformers' question-answering pipeline: every argument, alone and
with others at random, one question and lists of them, all the ways to pass them. Models: MiniLM's real encoder with a
random head, and tiny random ones of two families (tests/oracle/oracle_pipeline.py makes them and compares).

--self-test changes one thing of one answer, each in turn, and fails unless all are noticed.
"""
import os
import pathlib
import random
import sys
import tempfile
import warnings

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tests/oracle"))

import torch
from transformers import logging, pipeline

import oracle_pipeline as oracle
import spanforge
from families import FAMILIES

SETS = 14  # of arguments, for each model
CHOICES = {
    "top_k": [1, 2, 3, 7, 20],
    "doc_stride": [0, 8, 24, 40],
    "max_answer_len": [1, 3, 15, 60],
    "max_seq_len": [64, 96, 128],
    "max_question_len": [8, 64],
    "handle_impossible_answer": [True, False],
    "align_to_words": [True, False],
    "padding": ["do_not_pad", "max_length", True],
    "batch_size": [1, 4],
}


def options_of(rng, number):
    """First each argument alone, then several."""
    names = list(CHOICES)
    if number < len(names):
        chosen = [names[number]]
    else:
        chosen = rng.sample(names, rng.randrange(2, len(names)))
    return {name: rng.choice(CHOICES[name]) for name in chosen}


def calls(rng, rows):
    """Arguments of one call each, with the number of answers it gives."""
    question, context = rows[0]
    yield (), {"question": question, "context": context}, 1
    yield (), {"question": [q for q, _ in rows], "context": [c for _, c in rows]}, len(rows)
    way = rng.randrange(4)
    if way == 0:
        yield (), {"question": [q for q, _ in rows], "context": context}, len(rows)
    elif way == 1:
        yield ([{"question": q, "context": c} for q, c in rows],), {}, len(rows)
    elif way == 2:
        yield ({"question": question, "context": context},), {}, 1
    else:
        yield (question, context), {}, 1


def outcome(pipe, args, kwargs, options):
    """The answers, or "error": both must refuse the same."""
    try:
        return pipe(*args, **kwargs, **options)
    except Exception as error:  # tokenizers raise a BaseException of Rust's for an impossible stride
        return f"error: {type(error).__name__}: {error}"
    except BaseException as error:
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise
        return f"error: {type(error).__name__}: {error}"


def listed(answers, count):
    """A list of answers for each question; what is a dict stays one, because its form is compared, too."""
    return [answers] if count == 1 else answers


def compare(ours, theirs, count):
    if isinstance(ours, str) or isinstance(theirs, str):
        return None if isinstance(ours, str) and isinstance(theirs, str) else f"ours {ours!r:.120}, reference {theirs!r:.120}"
    ours, theirs = listed(ours, count), listed(theirs, count)
    if len(ours) != len(theirs):
        return f"answers to {len(ours)} questions, reference {len(theirs)}"
    for one, other in zip(ours, theirs):
        kept = [a for a in other if a["score"] > 0] if isinstance(other, list) else other
        if isinstance(one, dict) != isinstance(other, dict) and len(kept) > 1:
            return f"a {type(one).__name__}, reference a {type(other).__name__}"
        found = oracle.difference([one] if isinstance(one, dict) else one, other)
        if found:
            return found
    return None


def missed_changes(ours, theirs, count):
    ours, theirs = listed(ours, count)[0], listed(theirs, count)[0]
    return oracle.unnoticed([ours] if isinstance(ours, dict) else ours, theirs)


def main():
    self_test = "--self-test" in sys.argv
    warnings.filterwarnings("ignore")
    logging.set_verbosity_error()
    torch.set_num_threads(1)
    families = {family.model_type: family for family in FAMILIES if oracle.tokenizer_class(family)}
    models = [("minilm", oracle.minilm), *((name, oracle.tiny(families[name])) for name in ("bert", "roberta"))]
    asked, refused, failures = 0, 0, []
    with tempfile.TemporaryDirectory() as directory:
        for name, make in models:
            model = os.path.join(directory, name)
            make(model)
            reference = pipeline("question-answering", model=model, tokenizer=model, device="cpu")
            ours = spanforge.Pipeline(model, decoder="pipeline", threads=2)
            for number in range(SETS):
                rng = random.Random(f"{name} {number}")
                options = options_of(rng, number)
                if name == "minilm" and number % 2:
                    continue  # the larger model with every other set, for time
                for args, kwargs, count in calls(rng, oracle.questions(rng, 3)):
                    mine = outcome(ours, args, kwargs, options)
                    theirs = outcome(reference, args, kwargs, options)
                    if self_test and not isinstance(mine, str):
                        failures += [f"a changed {what} was missed" for what in missed_changes(mine, theirs, count)]
                    found = compare(mine, theirs, count)
                    if found:
                        failures.append(f"{name} {options} {args or kwargs!r:.80}: {found}")
                    refused += isinstance(theirs, str)
                    asked += count
    for failure in failures[:20]:
        print(failure)
    print(f"python pipeline: {asked} questions ({refused} calls refused by both), {len(failures)} "
          + ("changes missed" if self_test else "differences"))
    return 1 if failures or not asked else 0


if __name__ == "__main__":
    sys.exit(main())
