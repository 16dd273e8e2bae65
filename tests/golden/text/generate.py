"""Writes vocab.txt, vocab.json, merges.txt and cases.json: small encodings as Hugging Face tokenizers make them, for the
tests that run without Python. The texts and the vocabulary are this project's own.

    .venv/bin/python tests/golden/text/generate.py

The versions used stand in cases.json.
"""
import json
import pathlib
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "oracle"))
import oracle_tokenizer as oracle

TEXTS = [
    "", " ", "谁今天很高兴？", "谁今天很高兴?", "Unhappily, the day's YESTERDAY!", "x[SEP]y [MASK]。",
    "Ünhàppily\u0301 ÉÀ ﬁ", "İstanbul ſ ẞ ǅ", "한국어 각", "a\u0000b\ufffdc\u200bd\u00ade",
    "a\u2003b\u3000c\u0085d\te\r\nf", "豈更 \U00020000你好", "a\u0344\u0316b \u1b44\u0301z",
    "w" * 100, "w" * 101, "[sep] [SEP [UNK]", "(a)-[b]—“c”…", "the day 是 2024年", "😀的👩🏽",
]
PAIRS = [("谁今天很高兴？", "你今天很高兴。the day he unhappily说了一个国。"), ("", "的"), ("的", ""),
         ("the the the the the the", "day day day day day")]
OPTIONS = [
    {}, {"add_special_tokens": False}, {"pad_length": 12}, {"pad_multiple": 8, "pad_left": True},
    {"max_length": 7, "stride": 0, "strategy": "longest_first"},
    {"max_length": 12, "stride": 2, "strategy": "longest_first", "pad_length": 12},
    {"max_length": 14, "stride": 3, "strategy": "only_second"},
    {"max_length": 14, "stride": 1, "strategy": "only_first"},
]
# Contractions, runs of spaces, letters and numbers of other scripts, tokens of parts of a character.
BYTES = ["it's they're I'LL 'tis ''ve", "a  b\u3000c\n\n d\t", " leading", "x\u00b2\u2167 3\u00bd", "e\u0301\u4e0d",
         "<s>a</s> <mask>  b", "  <mask>", "day yesterday's"]
DECODE = [[2, 5, 18, 3], [60, 61, 3, 0, 1], [100000, 2, -1], list(range(14, 60)), []]


def main():
    vocabulary = oracle.small_chinese_vocabulary()
    (HERE / "vocab.txt").write_text("".join(t + "\n" for t in vocabulary), encoding="utf-8")
    cases = []
    with tempfile.TemporaryDirectory() as scratch:
        maker = oracle.Subjects.__new__(oracle.Subjects)
        maker.scratch, maker.all = pathlib.Path(scratch), []
        maker.vocab_txt("uncased", vocabulary, {})
        maker.vocab_txt("cased", vocabulary, {"do_lower_case": False})
        vocab, merges = oracle.byte_pairs()
        (HERE / "vocab.json").write_text(vocab, encoding="utf-8")
        (HERE / "merges.txt").write_text(merges, encoding="utf-8")
        maker.roberta("roberta", vocab, merges)
        maker.roberta("roberta-prefix", vocab, merges, {"add_prefix_space": True})
        for subject in maker.all:
            texts = {"roberta": TEXTS + BYTES, "roberta-prefix": BYTES}.get(subject.name, TEXTS)
            pairs = PAIRS[-1:] if subject.name == "roberta-prefix" else PAIRS
            requests = [{"text": t} for t in texts]
            requests += [{"text": a, "pair": b, **o} for a, b in pairs for o in OPTIONS]
            requests += [{"text": "谁今天很高兴？the day的一是不了", **o} for o in OPTIONS[:6]]
            for ids in DECODE:
                ids = [i for i in ids if i >= 0]
                requests += [{"decode": ids, "skip": skip, "clean_up": clean}
                             for skip in (True, False) for clean in (True, False)]
            for request in requests:
                cases.append({"case": subject.name, "request": request,
                              "expected": oracle.hf_answer(subject, request)})
    document = {"tokenizers": oracle.tokenizers.__version__,
                "transformers": oracle.transformers.__version__, "cases": cases}
    (HERE / "cases.json").write_text(
        json.dumps(document, ensure_ascii=True, indent=None).replace('{"case"', '\n{"case"') + "\n")
    print(f"{len(cases)} cases")


if __name__ == "__main__":
    main()
