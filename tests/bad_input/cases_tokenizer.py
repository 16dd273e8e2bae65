"""tokenizer.json, vocab.txt and the small files next to them."""
import json

from table import ASK, IO, MODEL, TRAIN, case, put

TOKENIZE = "tokenize --model m 'Mina baked bread.'"
COMMANDS = [TOKENIZE, ASK, TRAIN]
FILE = "m/tokenizer.json"


def tokenizer(name, change, *says, commands=COMMANDS, exit=MODEL):
    """m/ with its tokenizer.json changed, and no other file about it."""
    def make(directory):
        path = directory / FILE
        document = json.loads(path.read_text())
        (directory / "m/vocab.txt").unlink()
        path.write_text(json.dumps(change(document) or document))
    case("tokenizer/" + name, commands, exit, says or [r"tokenizer\.json"], make)


def text(name, content, *says):
    case("tokenizer/" + name, COMMANDS, MODEL, [r"tokenizer\.json", *says], put(FILE, content))


def vocab(entries):
    def change(document):
        document["model"]["vocab"].update(entries)
    return change


def bpe(merges):
    def change(document):
        document["model"] = {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": merges}
    return change


def part(name, value):
    def change(document):
        document[name] = value
    return change


def added(**fields):
    def change(document):
        document["added_tokens"].append({**document["added_tokens"][0], **fields})
    return change


def processor(single):
    return {"type": "TemplateProcessing", "single": single, "pair": [], "special_tokens": {}}


tokenizer("merge-longer-than-any-token", bpe(["a bbbbbbbbbbbbbbbb"]))
tokenizer("merge-without-a-space", bpe(["ab"]))
tokenizer("merge-of-two-numbers", bpe([[1, 2]]))
tokenizer("merges-an-object", bpe({}))
tokenizer("dropout", lambda document: document.update(model={
    "type": "BPE", "dropout": 0.5, "vocab": {"a": 0}, "merges": []}), r"tokenizer\.json: .model\.dropout", "random")
tokenizer("post-processors-in-another-order", part("post_processor", {"type": "Sequence", "processors": [
    processor([]), {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}]}),
    r"post_processor\.processors", "last")
tokenizer("id-twice", vocab({"xxx": 5}))
tokenizer("id-negative", vocab({"xxx": -1}))
tokenizer("id-2^31", vocab({"xxx": 2**31}))
tokenizer("id-2^64", vocab({"xxx": 2**64}))
tokenizer("id-huge", vocab({"xxx": 1_000_000_000}))
tokenizer("id-float", vocab({"xxx": 120.0}))
tokenizer("id-text", vocab({"xxx": "120"}))
tokenizer("id-beyond-the-embedding", vocab({"xxx": 120}), r"config\.json", commands=[TRAIN])
tokenizer("vocab-list", lambda d: d["model"].update(vocab=["a", "b"]))
tokenizer("vocab-empty", lambda d: d["model"].update(vocab={}))
tokenizer("no-unknown-token", lambda d: d["model"].update(unk_token="[NIX]"))
tokenizer("unknown-model", lambda d: d["model"].update(type="Unigram"))
tokenizer("no-model", lambda d: d.pop("model") and None)
tokenizer("prefix-a-number", lambda d: d["model"].update(continuing_subword_prefix=1))
tokenizer("longest-word-negative", lambda d: d["model"].update(max_input_chars_per_word=-1))
tokenizer("template-names-an-unknown-token", part("post_processor", processor(
    [{"SpecialToken": {"id": "[NIX]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}])))
tokenizer("template-without-the-text", part("post_processor", processor([])),
          commands=[ASK, TRAIN])
tokenizer("template-with-sequence-C", part("post_processor", processor(
    [{"Sequence": {"id": "C", "type_id": 0}}])))
tokenizer("template-type-negative", part("post_processor", processor(
    [{"Sequence": {"id": "A", "type_id": -1}}])))
tokenizer("bad-charsmap", part("normalizer", {"type": "Precompiled", "precompiled_charsmap": "AAAA"}))
tokenizer("unknown-normalizer", part("normalizer", {"type": "Magic"}))
tokenizer("unknown-pre-tokenizer", part("pre_tokenizer", {"type": "Metaspace"}))
tokenizer("unknown-decoder", part("decoder", {"type": "Fuse"}))
tokenizer("nested-normalizers", part("normalizer", {"type": "Sequence", "normalizers": 7}))
tokenizer("added-token-with-another-id", added(content="[NEW]", id=5000))
tokenizer("added-token-twice", lambda d: d["added_tokens"].append(d["added_tokens"][0]))
tokenizer("added-token-without-content", lambda d: d["added_tokens"].append({"id": 1}))
tokenizer("added-token-empty-is-left-out", added(content="", id=120), exit=0)
tokenizer("version-2", part("version", "2.0"))
tokenizer("token-of-1-MB", vocab({"x" * 1_000_000: 120}))
tokenizer("added-token-of-1-MB", added(content="x" * 1_000_000, id=120))
text("10-MB-of-numbers", lambda: '{"model": [' + "0," * 5_000_000 + "0]}")
text("empty", "")
text("cut-off", '{"version": "1.0", "model": {"type": "WordPiece", "vocab": {"a": 0')
text("list", "[]")
text("key-twice", '{"version": "1.0", "version": "1.0"}')
text("depth-100k", '{"normalizer":' * 100_000)
text("bad-utf8", b'{"version": "\xc3\x28"}')
text("lfs-pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:00\n")


def without(*tokens):
    """Only vocab.txt, with those lines replaced."""
    def make(directory):
        for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
            (directory / "m" / name).unlink()
        path = directory / "m/vocab.txt"
        lines = path.read_text().splitlines()
        path.write_text("".join(f"{'x' + str(i) if line in tokens else line}\n"
                                for i, line in enumerate(lines)))
    return make


def lines(name, change, exit, *says, commands=COMMANDS):
    def make(directory):
        without()(directory)
        path = directory / "m/vocab.txt"
        path.write_bytes(change(path.read_bytes()))
    case("vocab/" + name, commands, exit, list(says), make)


for token in ("[CLS]", "[SEP]", "[UNK]"):
    case(f"vocab/no-{token.strip('[]')}", COMMANDS, MODEL, [r"vocab\.txt|\bm\b", token.strip("[]")],
         without(token))
lines("crlf-is-read", lambda t: t.replace(b"\n", b"\r\n"), 0)
lines("bom-belongs-to-the-first-token", lambda t: b"\xef\xbb\xbf" + t, 0, commands=[TOKENIZE, ASK])
lines("bom-makes-a-token-more", lambda t: b"\xef\xbb\xbf" + t, MODEL, r"config\.json", commands=[TRAIN])
lines("blank-line-is-a-token", lambda t: t.replace(t.splitlines(True)[-1], b"\n"), 0)
lines("blank-lines-at-the-end", lambda t: t + b"\n\n\n", MODEL, r"config\.json",
      commands=[TRAIN])
lines("bad-utf8", lambda t: t + b"\xff\n", MODEL, r"vocab\.txt", "line 121", "UTF-8")
lines("line-of-1-MB", lambda t: t + b"x" * 1_000_000 + b"\n", MODEL, r"vocab\.txt")
lines("lfs-pointer", lambda t: b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", MODEL,
      r"vocab\.txt", "Git LFS")
lines("empty", lambda t: b"", MODEL, r"vocab\.txt|\bm\b")
lines("nul", lambda t: t.replace(t.splitlines(True)[-1], b"a\0b\n"), 0)
lines("cut-off", lambda t: t[:100], 0)
case("vocab/disagrees-with-tokenizer.json", COMMANDS, MODEL, [r"vocab\.txt", "line 1"],
     lambda d: (d / "m/vocab.txt").write_text("[NIX]\n" + (d / "m/vocab.txt").read_text()))
case("tokenizer/none", COMMANDS, IO, [r"\bm\b", "tokenizer.json"],
     lambda d: [(d / "m" / n).unlink() for n in ("tokenizer.json", "vocab.txt")])


BYTES = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "M": 4, "i": 5, "n": 6, "a": 7, "in": 8, "<mask>": 9}
MERGES = "#version: 0.2\ni n\n"


def roberta(name, vocab, merges, exit, *says, commands=COMMANDS, config=None):
    """m/ with RoBERTa's tokenizer of vocab.json and merges.txt; None: the file is not there."""
    def make(directory):
        for file in ("tokenizer.json", "vocab.txt", "special_tokens_map.json"):
            (directory / "m" / file).unlink()
        put("m/tokenizer_config.json", json.dumps(config or {"tokenizer_class": "RobertaTokenizer"}))(directory)
        for file, content in (("vocab.json", vocab), ("merges.txt", merges)):
            if content is not None:
                is_text = isinstance(content, (str, bytes)) or callable(content)
                put("m/" + file, content if is_text else json.dumps(content))(directory)
    case("roberta/" + name, commands, exit, list(says), make)


roberta("is-read", BYTES, MERGES, 0, commands=[TOKENIZE])
roberta("no-merges.txt", BYTES, None, MODEL, r"\bm\b", r"merges\.txt is missing")
roberta("no-vocab.json", None, MERGES, IO, r"\bm\b", r"vocab\.json with merges\.txt")
roberta("vocabulary-a-list", [1], MERGES, MODEL, r"vocab\.json", "object")
roberta("vocabulary-not-json", "{", MERGES, MODEL, r"vocab\.json")
roberta("vocabulary-without-the-end-token", {**BYTES, "</s>": "x"}, MERGES, MODEL, r"vocab\.json", "</s>")
roberta("vocabulary-without-the-first-token", {"a": 0, "</s>": 1}, "", MODEL, r"vocab\.json", "<s>")
roberta("id-negative", {**BYTES, "b": -1}, MERGES, MODEL, r"vocab\.json", "-1")
roberta("id-twice", {**BYTES, "b": 4}, MERGES, MODEL, r"vocab\.json", "id 4")
roberta("id-2^64", {**BYTES, "b": 2**64}, MERGES, MODEL, r"vocab\.json")
roberta("vocabulary-bad-utf8", b'{"\xff": 1}', MERGES, MODEL, r"vocab\.json")
roberta("vocabulary-lfs-pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:00\n", MERGES, MODEL,
        r"vocab\.json", "Git LFS")
roberta("merge-of-three", BYTES, MERGES + "a a a\n", MODEL, r"merges\.txt: line 3", "two tokens")
roberta("merge-of-one", BYTES, MERGES + "a\n", MODEL, r"merges\.txt: line 3", "two tokens")
roberta("merge-blank", BYTES, MERGES + "\n", MODEL, r"merges\.txt: line 3", "two tokens")
roberta("merge-of-nothing-known", BYTES, MERGES + "x y\n", MODEL, r"vocab\.json", '"x"')
roberta("merge-makes-nothing-known", BYTES, MERGES + "a i\n", MODEL, r"vocab\.json", '"ai"')
roberta("merges-bad-utf8", BYTES, MERGES.encode() + b"a \xff\n", MODEL, r"merges\.txt: line 3", "UTF-8")
roberta("merges-empty", BYTES, "", 0, commands=[TOKENIZE])
roberta("merges-lfs-pointer", BYTES, "version https://git-lfs.github.com/spec/v1\noid sha256:00\n", MODEL,
        r"merges\.txt", "Git LFS")
roberta("token-of-1-MB", lambda: json.dumps({**BYTES, "x" * 1_000_000: 10}), MERGES, MODEL, r"vocab\.json")
roberta("class-of-vocab.txt", BYTES, MERGES, MODEL, r"\bm\b", r"BertTokenizer reads tokenizer\.json or vocab\.txt",
        config={"tokenizer_class": "BertTokenizer"})
roberta("prefix-space-a-text", BYTES, MERGES, MODEL, r"tokenizer_config\.json", "add_prefix_space",
        config={"tokenizer_class": "RobertaTokenizer", "add_prefix_space": "yes"})
roberta("trim-a-number", BYTES, MERGES, MODEL, r"tokenizer_config\.json", "trim_offsets",
        config={"tokenizer_class": "RobertaTokenizer", "trim_offsets": 1})


def config(name, fields, *says):
    def make(directory):
        path = directory / "m/tokenizer_config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))
    case("tokenizer_config/" + name, COMMANDS, MODEL, [r"tokenizer_config\.json", *says], make)


config("class-of-another-kind", {"tokenizer_class": "BertJapaneseTokenizer"}, "BertJapaneseTokenizer")
config("class-a-number", {"tokenizer_class": 7})
config("words-by-mecab", {"word_tokenizer_type": "mecab"}, "mecab")
config("code-of-its-own", {"auto_map": {"AutoTokenizer": ["t.T", None]}}, "auto_map")
config("inputs-a-number", {"model_input_names": 7}, "model_input_names")
config("case-a-text", {"do_lower_case": "no"})
config("special-token-a-number", {"cls_token": 101})
config("special-token-without-content", {"sep_token": {"lstrip": False}})
config("added-tokens-a-list", {"added_tokens_decoder": []})
config("added-token-of-a-name", {"added_tokens_decoder": {"x": {"content": "a"}}})
config("accents-a-number", {"strip_accents": 1})
def in_config_json(**fields):
    def make(directory):
        path = directory / "m/tokenizer_config.json"
        told = json.loads(path.read_text())
        told.pop("tokenizer_class", None)
        path.write_text(json.dumps(told))
        path = directory / "m/config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))
    return make


case("config/tokenizer-of-another-class", COMMANDS, MODEL, [r"m/config\.json: ", "XLMRobertaTokenizer"],
     in_config_json(tokenizer_class="XLMRobertaTokenizer"))
case("tokenizer_config/not-json", COMMANDS, MODEL, r"tokenizer_config\.json",
     put("m/tokenizer_config.json", "{,}"))
case("special_tokens_map/not-json",
     COMMANDS, MODEL, r"special_tokens_map\.json",
     lambda d: (put("m/special_tokens_map.json", "{,}")(d),
                put("m/tokenizer_config.json", "{}")(d)))
case("added_tokens/id-of-another-type",
     COMMANDS, MODEL, r"added_tokens\.json",
     lambda d: (put("m/added_tokens.json", '["a"]')(d), put("m/tokenizer_config.json", "{}")(d)))
case("tokenizer/input-not-utf8", "tokenize --model m --input bad.txt --json", MODEL,
     [r"bad\.txt", "line 2"], put("bad.txt", b"good\nb\xffd\n"))
case("tokenizer/input-missing", "tokenize --model m --input bad.txt --json", IO, r"bad\.txt",
     lambda d: None)
