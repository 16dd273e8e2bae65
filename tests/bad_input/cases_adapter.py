"""adapter_config.json, adapter_model.safetensors, and the base model that an adapter names."""
import json

from forge import safetensors, tensor
from table import ASK, INFO, IO, MODEL, NETWORK, TRAIN, USAGE, case

COMMANDS = [command.replace("--model m", "--model a") for command in (ASK, TRAIN, INFO)]
TOKENIZER = ["tokenize --model a 'Mina baked bread.'", "data stats --model a train.json"]
GOOD = {"peft_type": "LORA", "task_type": "QUESTION_ANS", "r": 2, "lora_alpha": 4, "target_modules": ["query"],
        "modules_to_save": ["qa_outputs"], "base_model_name_or_path": "m"}


def tensors(config, rank=2):
    """name -> shape of the adapter's, of a BERT with that config.json."""
    hidden = config["hidden_size"]
    found = {"qa_outputs.weight": [2, hidden], "qa_outputs.bias": [2]}
    for layer in range(config["num_hidden_layers"]):
        front = f"bert.encoder.layer.{layer}.attention.self.query"
        found[f"{front}.lora_A.weight"] = [rank, hidden]
        found[f"{front}.lora_B.weight"] = [hidden, rank]
    return {"base_model.model." + name: shape for name, shape in found.items()}


def stored(shapes, value=b"\0\0\0\0"):
    header, end = {}, 0
    for name, shape in shapes.items():
        size = 4
        for length in shape:
            size *= length
        header[name] = tensor(shape, end, end + size)
        end += size
    return safetensors(header, value * (end // 4))


def adapter(name, exit, *says, config=None, text=None, weights=None, commands=COMMANDS, change=None, value=b"\0\0\0\0"):
    """a/ with one fault. text: adapter_config.json; change: changes the tensors' shapes; weights: the bytes."""
    def make(directory):
        folder = directory / "a"
        folder.mkdir()
        content = json.dumps({**GOOD, **(config or {})}) if text is None else text
        (folder / "adapter_config.json").write_bytes(content if isinstance(content, bytes) else content.encode())
        shapes = tensors(json.loads((directory / "m/config.json").read_text()))
        if change:
            change(shapes)
        (folder / "adapter_model.safetensors").write_bytes(stored(shapes, value) if weights is None else weights)
    case("adapter/" + name, commands, exit, list(says), make)


def config(name, fields, *says, commands=COMMANDS + TOKENIZER):
    key = next(iter(fields))
    adapter(name, MODEL, r"a/adapter_config\.json: ", f'"{key}"', *says, config=fields, commands=commands)


def text(name, content, *says):
    adapter(name, MODEL, r"a/adapter_config\.json: ", *says, text=content)


config("peft-type", {"peft_type": "IA3"}, "LORA")
config("peft-type-null", {"peft_type": None}, "missing")
config("task", {"task_type": "SEQ_CLS"}, "QUESTION_ANS", commands=COMMANDS)
config("dora", {"use_dora": True}, "DoRA", commands=COMMANDS)
config("bias", {"bias": "lora_only"}, "none", commands=COMMANDS)
config("pissa", {"init_lora_weights": "pissa_niter_16"}, "base model", commands=COMMANDS)
config("ranks-by-layer", {"rank_pattern": {"query": 4}}, "off", commands=COMMANDS)
config("other-modules", {"modules_to_save": ["qa_outputs", "word_embeddings"]}, "qa_outputs", commands=COMMANDS)
config("transposed", {"fan_in_fan_out": True}, "off", commands=COMMANDS)
config("key-of-tomorrow", {"use_everything": True}, "version of PEFT", commands=COMMANDS)
config("rank-0", {"r": 0}, "integer")
config("rank-2^31", {"r": 2**31}, "integer")
config("rank-text", {"r": "8"}, "integer", commands=COMMANDS)
config("alpha-text", {"lora_alpha": "16"}, "number", commands=COMMANDS)
config("dropout-1", {"lora_dropout": 1}, "below 1", commands=COMMANDS)
config("targets-number", {"target_modules": 3}, "list", commands=COMMANDS)
config("targets-none", {"target_modules": []}, "list", commands=COMMANDS)
config("base-number", {"base_model_name_or_path": 3}, "text", commands=COMMANDS)
text("empty", "", "empty")
text("list", "[]", "object")
text("bad-utf8", b'{"peft_type": "\xff"}', "UTF-8")
text("depth-100k", '{"a":' * 100_000)
text("rank-nan", '{"peft_type": "LORA", "r": NaN}')
text("line-end-in-base", json.dumps({**GOOD, "base_model_name_or_path": "/no\nwhere"}), r"/no\\nwhere")
text("zero-byte-in-base", json.dumps({**GOOD, "base_model_name_or_path": "m\0x"}), "base_model_name_or_path")

adapter("base-gone", MODEL, r"a/adapter_config\.json: ", "/no/such/base", "base_model_name_or_path",
        config={"base_model_name_or_path": "/no/such/base"}, commands=COMMANDS + TOKENIZER)
adapter("base-none", MODEL, r"a/adapter_config\.json: ", "names no base", config={"base_model_name_or_path": None})
adapter("base-itself", MODEL, r"a/adapter_config\.json: ", "adapter itself", config={"base_model_name_or_path": "a"})
adapter("base-not-cached", NETWORK, r"a/adapter_config\.json: ", "org/name", "base_model_name_or_path",
        config={"base_model_name_or_path": "org/name", "revision": "v1"})
adapter("base-no-id", MODEL, r"a/adapter_config\.json: ", "base_model_name_or_path",
        config={"base_model_name_or_path": "not an id"})
adapter("converted-without-merging", USAGE, "--merge-lora: is needed",
        commands=["model convert --model a --output out"])
case("adapter/merging-a-whole-model", "model convert --model m --merge-lora --output out", USAGE,
     ["--merge-lora: is for LoRA adapters"], lambda directory: None)


def weights(name, *says, exit=MODEL, **more):
    adapter("weights-" + name, exit, r"a/adapter_model\.safetensors: ", *says, **more)


PATTERN = {"target_modules": ".*query"}
weights("empty", weights=b"")
weights("no-file-of-tensors", "line|JSON|header|truncated", weights=b"\x40" + b"\0" * 7 + b"{" * 64)
weights("pattern-without-matrices", "lora_A", config=PATTERN, weights=stored({"qa_outputs.bias": [2]}),
        commands=COMMANDS + TOKENIZER)
weights("missing", "missing: base_model.model.qa_outputs.bias",
        change=lambda shapes: shapes.pop("base_model.model.qa_outputs.bias"))
weights("other-rank", "misshaped", "adapter_config.json says", config={"r": 3})
weights("of-embeddings", "unknown to the adapted model",
        change=lambda shapes: shapes.update({"base_model.model.bert.embeddings.word_embeddings.lora_embedding_A": [2, 3]}))
weights("there-twice", "stored twice", change=lambda shapes: shapes.update({"qa_outputs.bias": [2]}))
weights("nan", "NaN or Inf", value=b"\0\0\xc0\x7f", commands=COMMANDS[:2])


def without_weights(directory):
    folder = directory / "a"
    folder.mkdir()
    (folder / "adapter_config.json").write_text(json.dumps(GOOD))


case("adapter/weights-none", COMMANDS, IO, ["a: has no weights of the adapter"], without_weights)
