"""The families of encoders for the oracle tests, a row each. A new family only needs a row."""

from dataclasses import dataclass, field

# Most families' names of sizes in config.json.
BERT_KEYS = dict(hidden="hidden_size", layers="num_hidden_layers", heads="num_attention_heads",
                 inner="intermediate_size", act="hidden_act", hidden_dropout="hidden_dropout_prob",
                 attention_dropout="attention_probs_dropout_prob")


@dataclass
class Family:
    model_type: str
    prefix: str  # of the base model's weights
    norms: tuple = ("LayerNorm",)  # how names of LayerNorm modules end
    keys: dict = field(default_factory=lambda: BERT_KEYS)
    extra: dict = field(default_factory=dict)  # in the config of every test
    dropout: dict = field(default_factory=dict)  # probabilities in addition to the two that all have
    # More configs to try, in the family's own keys. No relu: within rounding of 0 its gradient may differ.
    variants: list = field(default_factory=list)
    longest: int = 80  # tokens of the longest window
    # Positions are counted after this row: a number, or the config's value of this key. None: from 0.
    positions_behind: object = None
    # Those of them with other dropout sites.
    dropout_variants: list = field(default_factory=list)
    # Ends of the names of parameters whose gradients are zero by algebra, {last} being the last layer:
    # key biases do not change softmax, and what all tokens share does not change the loss.
    zero_gradients: tuple = ("key.bias", "qa_outputs.bias", "layer.{last}.output.LayerNorm.bias")
    head: tuple = ("qa_outputs",)  # its modules
    # Of the model at the start of the Trainer's runs. Another one if some element's first gradient is as small
    # as AdamW's epsilon, because rounding then decides its step (the Trainer's in float64 differs, too).
    seed: int = 1
    query_and_value: tuple = ("q", "v")  # the beginnings of the last parts of their names
    # More of them, if a config meets a condition, as (end, condition).
    zero_where: tuple = ()

    def rows_of_positions(self, config, longest=None):
        """max_position_embeddings for windows of this many tokens, or of the longest."""
        row = self.positions_behind
        return (longest or self.longest) + (0 if row is None else 1 + (getattr(config, row) if isinstance(row, str) else row))

    def zero_ends(self, config):
        """From a config's dict."""
        more = tuple(end for end, condition in self.zero_where if condition(config))
        layers = next(v for k, v in config.items() if k == self.keys["layers"])
        return tuple(end.format(last=layers - 1) for end in self.zero_gradients + more)

    def sizes(self, **values):
        """The family's spelling of hidden, layers, heads, inner, act, ..."""
        return {self.keys[name]: value for name, value in values.items()}


DISTILBERT_KEYS = dict(hidden="dim", layers="n_layers", heads="n_heads", inner="hidden_dim", act="activation",
                       hidden_dropout="dropout", attention_dropout="attention_dropout")

MODERNBERT_KEYS = dict(BERT_KEYS, act="hidden_activation", hidden_dropout="mlp_dropout",
                       attention_dropout="attention_dropout")

FAMILIES = [
    Family("bert", "bert.", variants=[dict(type_vocab_size=1, hidden_act="gelu_new")]),
    Family("modernbert", "model.", norms=("norm",), keys=MODERNBERT_KEYS,
           # Rows of more than 7 tokens see a part of their window; layer 2 sees all of it.
           extra=dict(pad_token_id=1, local_attention=14, global_attn_every_n_layers=2, reference_compile=False,
                      bos_token_id=2, eos_token_id=3, cls_token_id=2, sep_token_id=3),
           dropout=dict(embedding_dropout=0.15, classifier_dropout=0.3),
           variants=[dict(norm_bias=True, attention_bias=True, mlp_bias=True, classifier_bias=True),
                     dict(global_attn_every_n_layers=3, local_attention=10, hidden_activation="gelu_new"),
                     dict(local_rope_theta=None, global_attn_every_n_layers=1,
                          classifier_activation="gelu_new")],
           zero_gradients=("classifier.bias", "head.norm.bias"), head=("head.dense", "head.norm", "classifier"),
           seed=2, query_and_value=("Wqkv",)),
    Family("roberta", "roberta.", extra=dict(type_vocab_size=1, layer_norm_eps=1e-5), positions_behind="pad_token_id",
           variants=[dict(pad_token_id=0), dict(pad_token_id=7), dict(type_vocab_size=2)]),
    Family("distilbert", "distilbert.", norms=("layer_norm", "LayerNorm"), keys=DISTILBERT_KEYS,
           dropout=dict(qa_dropout=0.3), variants=[dict(activation="gelu_new")],
           zero_gradients=("k_lin.bias", "qa_outputs.bias", "layer.{last}.output_layer_norm.bias")),
    Family("electra", "electra.", extra=dict(embedding_size=12),
           variants=[dict(embedding_size=24), dict(embedding_size=40)]),
    Family("albert", "albert.", norms=("layer_norm", "LayerNorm"), extra=dict(embedding_size=12),
           variants=[dict(num_hidden_groups=2), dict(num_hidden_groups=3, embedding_size=24)],
           # Only the last group's, if it is used once.
           zero_gradients=("key.bias", "qa_outputs.bias", "full_layer_layer_norm.bias")),
    # Windows longer than 128 tokens, beyond which all distances are equal.
    Family("mpnet", "mpnet.", extra=dict(layer_norm_eps=1e-5), positions_behind=1, longest=170,
           variants=[dict(pad_token_id=0), dict(relative_attention_num_buckets=40)],
           zero_gradients=("attn.k.bias", "qa_outputs.bias", "layer.{last}.output.LayerNorm.bias")),
    # Like version 3, with windows longer than the distance beyond which all are equal. In queries by position
    # key biases matter.
    Family("deberta-v2", "deberta.", longest=170,
           extra=dict(relative_attention=True, position_buckets=16, max_relative_positions=64, share_att_key=True,
                      pos_att_type="p2c|c2p", norm_rel_ebd="layer_norm", position_biased_input=False),
           variants=[dict(pos_att_type=["c2p"]), dict(pos_att_type=["p2c"]), dict(share_att_key=False),
                     dict(share_att_key=False, pos_att_type="c2p"), dict(share_att_key=False, pos_att_type="p2c"),
                     dict(norm_rel_ebd="none", position_buckets=32, max_relative_positions=-1),
                     dict(position_buckets=-1, max_relative_positions=40), dict(position_buckets=-1),
                     dict(embedding_size=12, position_biased_input=True, type_vocab_size=2), dict(embedding_size=40),
                     dict(relative_attention=False, norm_rel_ebd="none"),
                     dict(relative_attention=False, norm_rel_ebd="none", pos_att_type=None, position_biased_input=True)],
           dropout_variants=[dict(share_att_key=False), dict(norm_rel_ebd="none", embedding_size=12)],
           zero_gradients=("qa_outputs.bias", "layer.{last}.output.LayerNorm.bias", "pos_key_proj.bias"),
           zero_where=(("key_proj.bias", lambda config: not (config["relative_attention"] and "p2c" in config["pos_att_type"])),)),
    Family("ernie", "ernie.", extra=dict(use_task_id=True), variants=[dict(use_task_id=False), dict(type_vocab_size=4)]),
]
