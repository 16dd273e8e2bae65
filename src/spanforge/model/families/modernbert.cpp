#include "spanforge/model/families/family.h"

namespace spanforge::families {

// Warner et al. 2024: norms before the branches, rotary positions, gated feed-forward layers,
// hardly any biases; two layers of three see near tokens only. The head is that of the
// masked-language model with another last layer.
EncoderSpec modernbert() {
  using Config = ModelConfig;
  ModelConfig defaults;
  defaults.vocab_size = 50368;
  defaults.num_hidden_layers = 22;
  defaults.intermediate_size = 1152;
  defaults.max_position_embeddings = 8192;
  defaults.pad_token_id = 50283;
  defaults.hidden_dropout_prob = 0;
  defaults.embedding_dropout_prob = 0;
  defaults.attention_probs_dropout_prob = 0;
  defaults.layer_norm_eps = 1e-5;
  return {
      .model_type = "modernbert",
      .architecture = "ModernBertForQuestionAnswering",
      .base_prefix = "model.",
      .config_keys = {{"vocab_size", &Config::vocab_size},
                      {"hidden_size", &Config::hidden_size},
                      {"num_hidden_layers", &Config::num_hidden_layers},
                      {"num_attention_heads", &Config::num_attention_heads},
                      {"intermediate_size", &Config::intermediate_size},
                      {"max_position_embeddings", &Config::max_position_embeddings},
                      {"pad_token_id", &Config::pad_token_id},
                      {"hidden_activation", &Config::hidden_act},
                      {"classifier_activation", &Config::head_act},
                      {"norm_eps", &Config::layer_norm_eps},
                      {"norm_bias", &Config::norm_bias},
                      {"attention_bias", &Config::attention_bias},
                      {"mlp_bias", &Config::mlp_bias},
                      {"classifier_bias", &Config::head_bias},
                      {"embedding_dropout", &Config::embedding_dropout_prob},
                      {"attention_dropout", &Config::attention_probs_dropout_prob},
                      {"mlp_dropout", &Config::hidden_dropout_prob},
                      {"classifier_dropout", &Config::head_dropout_prob},
                      {"global_attn_every_n_layers", &Config::global_attention_every},
                      {"local_attention", &Config::local_attention},
                      {"global_rope_theta", &Config::rope_theta},
                      {"local_rope_theta", &Config::local_rope_theta},
                      {"initializer_range", &Config::initializer_range},
                      {"initializer_cutoff_factor", &Config::initializer_cutoff}},
      .defaults = defaults,
      .embeddings = {.tables = {{"embeddings.tok_embeddings", &Config::vocab_size,
                                 EmbeddingIds::kTokens, /*has_padding_row=*/true}},
                     .norm = "embeddings.norm"},
      .layers = {.module = "layers", .final_norm = "final_norm"},
      .block = {.modules = {{BlockRole::kAttentionNorm, "attn_norm"},
                            {BlockRole::kQueryKeyValue, "attn.Wqkv", Spread::kRange,
                             &Config::attention_bias},
                            {BlockRole::kAttentionOutput, "attn.Wo", Spread::kRangeByDepth,
                             &Config::attention_bias},
                            {BlockRole::kOutputNorm, "mlp_norm"},
                            {BlockRole::kIntermediate, "mlp.Wi", Spread::kRange, &Config::mlp_bias},
                            {BlockRole::kOutput, "mlp.Wo", Spread::kRangeByDepth,
                             &Config::mlp_bias}},
                .norms = NormPlace::kBeforeBranches,
                .gated = true},
      .dropout = {{DropoutSite::kEmbeddings, &Config::embedding_dropout_prob},
                  {DropoutSite::kAttention, &Config::attention_probs_dropout_prob},
                  {DropoutSite::kAttentionOutput, &Config::attention_probs_dropout_prob},
                  {DropoutSite::kInner, &Config::hidden_dropout_prob},
                  {DropoutSite::kHead, &Config::head_dropout_prob}},
      .head = {.output = "classifier",
               .spread = Spread::kInputs,
               .transform = HeadSpec::Transform{.dense = "head.dense",
                                                .bias = &Config::head_bias,
                                                .spread = Spread::kRangeByDepth,
                                                .activation = &Config::head_act,
                                                .norm = "head.norm"}},
      .norm_bias = &Config::norm_bias,
      .rotary = RotarySpec{&Config::rope_theta, &Config::local_rope_theta},
      .local_attention =
          LocalAttentionSpec{&Config::global_attention_every, &Config::local_attention},
      .initial_cutoff = &Config::initializer_cutoff,
      .sizes = {{PresetSize::kTiny, 3, 128, 4, 192},
                {PresetSize::kSmall, 6, 384, 6, 576},
                {PresetSize::kBase, 22, 768, 12, 1152},
                {PresetSize::kLarge, 28, 1024, 16, 2624}},
  };
}

}  // namespace spanforge::families
