"""config.json and what must agree with it; options that a model does not allow."""
import json

from table import ASK, INFO, IO, MODEL, TRAIN, USAGE, case, put

COMMANDS = [ASK, TRAIN, INFO]


def config(name, fields, *says, exit=MODEL, commands=COMMANDS):
    def make(directory):
        path = directory / "m/config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))
    case("config/" + name, commands, exit, [r"config\.json|model\.safetensors", *says], make)


def text(name, content, *says):
    case("config/" + name, COMMANDS, MODEL, [r"config\.json", *says], put("m/config.json", content))


config("hidden-size-0", {"hidden_size": 0})
config("hidden-size-negative", {"hidden_size": -16})
config("hidden-size-2^31", {"hidden_size": 2**31})
config("hidden-size-2^64", {"hidden_size": 2**64})
config("hidden-size-1e999", {"hidden_size": 1e18})
config("hidden-size-text", {"hidden_size": "16"})
config("hidden-size-null", {"hidden_size": None})
config("hidden-size-float", {"hidden_size": 16.5})
config("heads-do-not-divide", {"num_attention_heads": 3})
config("heads-0", {"num_attention_heads": 0})
config("layers-0", {"num_hidden_layers": 0})
config("layers-2", {"num_hidden_layers": 2})
config("layers-2^31-1", {"num_hidden_layers": 2**31 - 1})
config("all-sizes-huge", {"hidden_size": 2**20, "intermediate_size": 2**22, "num_hidden_layers": 1000})
config("intermediate-0", {"intermediate_size": 0})
config("vocab-size-less", {"vocab_size": 100}, "vocab|word_embeddings")
config("vocab-size-more", {"vocab_size": 130})
config("vocab-size-0", {"vocab_size": 0})
config("positions-0", {"max_position_embeddings": 0})
config("positions-less", {"max_position_embeddings": 64})
config("types-0", {"type_vocab_size": 0})
config("types-1", {"type_vocab_size": 1})
config("pad-outside", {"pad_token_id": 5000})
config("pad-negative", {"pad_token_id": -2})
config("model-type-number", {"model_type": 7})
config("unknown-activation", {"hidden_act": "softplus3"})
config("dropout-2", {"hidden_dropout_prob": 2.0})
config("dropout-negative", {"attention_probs_dropout_prob": -0.1})
config("dropout-text", {"hidden_dropout_prob": "nan"})
config("eps-0", {"layer_norm_eps": 0})


def modern(name, fields, *says):
    config("modernbert-" + name, {"model_type": "modernbert", **fields}, *says)


modern("global-every-0", {"global_attn_every_n_layers": 0})
modern("local-attention-negative", {"local_attention": -2})
modern("theta-0", {"global_rope_theta": 0})
modern("theta-null", {"global_rope_theta": None})
modern("local-theta-text", {"local_rope_theta": "10000"})
modern("cutoff-0", {"initializer_cutoff_factor": 0})
modern("norm-bias-number", {"norm_bias": 1})
modern("activation", {"classifier_activation": "silu"}, "classifier_activation")
modern("mlp-dropout-1", {"mlp_dropout": 1})
modern("odd-heads", {"hidden_size": 12, "num_attention_heads": 4}, "even multiple")
modern("rope-scaling", {"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}, "scaled")
modern("partial-rotary", {"partial_rotary_factor": 0.5})
modern("layer-types-short", {"layer_types": []}, "one per layer")
modern("layer-types", {"layer_types": ["sliding_attention"]}, "other patterns")
modern("rope-parameters", {"rope_parameters": {"rope_theta": 10000.0}}, "sliding_attention")
modern("rope-parameters-linear",
       {"rope_parameters": {"full_attention": {"rope_type": "linear", "rope_theta": 160000.0}}}, "scaled")
modern("two-thetas", {"global_rope_theta": 1e4, "rope_parameters": {"full_attention": {"rope_theta": 2e4}}}, "says")
config("eps-negative", {"layer_norm_eps": -1e-12})

def family(name, model_type, fields, *says):
    """Keys that only the family has. The weights are BERT's, because loading never reaches them."""
    config(f"{model_type}-{name}", {"model_type": model_type, "tokenizer_class": "BertTokenizer", **fields}, *says)


family("convolution", "deberta-v2", {"conv_kernel_size": 3}, "conv_kernel_size")
family("head-size", "deberta-v2", {"attention_head_size": 5}, "attention_head_size")
family("unknown-term", "deberta-v2", {"pos_att_type": "c2p|p2p"}, "pos_att_type")
family("term-twice", "deberta-v2", {"pos_att_type": ["c2p", "c2p"]}, "pos_att_type")
family("terms-are-numbers", "deberta-v2", {"pos_att_type": [1, 2]}, "pos_att_type")
family("no-terms", "deberta-v2", {"relative_attention": True}, "pos_att_type")
family("unknown-norm", "deberta-v2", {"norm_rel_ebd": "batch_norm"}, "norm_rel_ebd")
family("one-bucket", "deberta-v2", {"relative_attention": True, "pos_att_type": "c2p", "position_buckets": 1},
       "position_buckets")
family("relative-text", "deberta-v2", {"relative_attention": "yes"}, "relative_attention")
family("distances-2^31", "deberta-v2", {"max_relative_positions": 2**31}, "max_relative_positions")
family("few-buckets", "mpnet", {"relative_attention_num_buckets": 16}, "relative_attention_num_buckets")
family("no-word-behind-padding", "mpnet", {"vocab_size": 1, "pad_token_id": 0}, "vocab_size")
text("empty", "")
text("dropout-nan", '{"model_type": "bert", "hidden_dropout_prob": NaN}')
text("dropout-infinity", '{"model_type": "bert", "hidden_dropout_prob": 1e999}')
text("list", "[]")
text("duplicate-key", '{"hidden_size": 16, "hidden_size": 16}')
text("depth-100k", '{"a":' * 100_000)
text("bad-utf8", b'{"model_type": "\xff"}')
text("lone-surrogate", '{"model_type": "\\ud800"}')
text("two-values", "{}{}")
text("html-page", "<!DOCTYPE html><html>404</html>")

text("10-MB-of-numbers", lambda: '{"a": [' + "0," * 5_000_000 + "0]}")
text("10-MB-of-lists", lambda: '{"a": [' + "[]," * 3_300_000 + "0]}")
text("10-MB-of-keys", lambda: "{" + ",".join(f'"{i}":0' for i in range(900_000)) + "}")
text("key-of-1-MB", lambda: '{"%s": }' % ("k" * 1_000_000))



def pack(name, change, exit, *says):
    """The model as an archive: bert_config.json without model_type and architectures."""
    def make(directory):
        path = directory / "m/config.json"
        fields = json.loads(path.read_text())
        for key in ("model_type", "architectures"):
            fields.pop(key, None)
        (directory / "m/bert_config.json").write_text(json.dumps({**fields, **change}))
        path.unlink()
    case("pack/" + name, COMMANDS, exit, [r"bert_config\.json: ", *says] if exit else [], make)


pack("is-read", {}, 0)
pack("of-albert", {"embedding_size": 128}, MODEL, "embedding_size")
pack("of-roberta", {"pad_token_id": 1}, MODEL, "RoBERTa")
pack("of-another-architecture", {"architectures": ["XLNetModel"]}, MODEL, "XLNetModel")
case("model/is-not-there", [ASK.replace("--model m", "--model ./nowhere"),
                            TRAIN.replace("--model m", "--model ./nowhere")], IO, "nowhere",
     lambda d: None)
case("model/is-a-file", [ASK.replace("--model m", "--model ./train.json")], IO, r"train\.json",
     lambda d: None)
case("model/empty-directory", COMMANDS, IO, r"m/config\.json", lambda d: empty(d / "m"))
case("model/length-over-positions", [
    ASK + " --max-seq-length 513",
    "evaluate --model m --data validation.json --max-seq-length 513",
    "train --model m --train train.json --output out --max-seq-length 513"],
    USAGE, ["--max-seq-length", "513", "512"], lambda d: None)
case("model/length-without-room", ASK + " --max-seq-length 3", USAGE, "--max-seq-length: 3 tokens",
     lambda d: None)
case("model/overlap-over-length", [
    ASK + " --max-seq-length 64 --window-overlap 64",
    "train --model m --train train.json --output out --max-seq-length 64 --window-overlap 64",
    "evaluate --model m --data validation.json --max-seq-length 64 --doc-stride 100"],
    USAGE, "window.overlap", lambda d: None)


def settings(name, content, *says):
    case("spanforge.json/" + name, [ASK], MODEL, [r"spanforge\.json", *says],
         put("m/spanforge.json", content))


settings("not-json", "{")
settings("newer-format", '{"format": 2}')
settings("format-text", '{"format": "1"}')
settings("unknown-decoder", '{"format": 1, "decoder": "magic"}')
settings("length-0", '{"format": 1, "max_seq_length": 0}')
settings("length-over-positions", '{"format": 1, "max_seq_length": 100000}')
settings("overlap-over-length", '{"format": 1, "max_seq_length": 64, "window_overlap": 64}')
settings("answer-length-negative", '{"format": 1, "max_answer_length": -1}')
settings("temperature-0", '{"format": 1, "temperature": 0}')
settings("threshold-huge", '{"format": 1, "null_threshold": 1e999}')
settings("list", "[1]")


def empty(directory):
    for path in directory.iterdir():
        path.unlink()
