#include "spanforge/model/families/family.h"

namespace spanforge::families {

// He et al. 2021, DeBERTa's versions 2 and 3: BERT's block, but its scores have terms by distance
// from one table, which every layer projects; narrow embeddings are projected before their norm.
EncoderSpec deberta_v2() {
  using Config = ModelConfig;
  EncoderSpec spec = bert();
  spec.model_type = "deberta-v2";
  spec.architecture = "DebertaV2ForQuestionAnswering";
  spec.base_prefix = "deberta.";
  for (ConfigKey& key : spec.config_keys) key.may_be_zero = key.key == "type_vocab_size";
  const ConfigKey more[] = {
      {"embedding_size", &Config::embedding_size, /*may_be_zero=*/true, /*is_optional=*/true},
      {"position_biased_input", &Config::position_biased_input},
      {"relative_attention", &Config::relative_attention},
      {"max_relative_positions", &Config::max_relative_positions},
      {"pos_att_type", &Config::pos_att_type},
      {"position_buckets", &Config::position_buckets, false, /*is_optional=*/true},
      {"norm_rel_ebd", &Config::norm_rel_ebd, false, /*is_optional=*/true},
      {"share_att_key", &Config::share_att_key, false, /*is_optional=*/true},
      {"attention_head_size", &Config::attention_head_size, true, /*is_optional=*/true},
      {"conv_kernel_size", &Config::conv_kernel_size, true, /*is_optional=*/true}};
  spec.config_keys.insert(spec.config_keys.end(), std::begin(more), std::end(more));
  spec.defaults.vocab_size = 128100;
  spec.defaults.embedding_size = 0;
  spec.defaults.hidden_size = 1536;
  spec.defaults.num_hidden_layers = 24;
  spec.defaults.num_attention_heads = 24;
  spec.defaults.intermediate_size = 6144;
  spec.defaults.type_vocab_size = 0;
  spec.defaults.layer_norm_eps = 1e-7;
  // Version 3, because today's fine-tuned models are of version 3.
  spec.usual = spec.defaults;
  spec.usual->position_biased_input = false;
  spec.usual->relative_attention = true;
  spec.usual->pos_att_type = {"p2c", "c2p"};
  spec.usual->position_buckets = 256;
  spec.usual->norm_rel_ebd = "layer_norm";
  spec.usual->share_att_key = true;
  spec.embeddings.tables[1].only_if = &Config::position_biased_input;
  spec.embeddings.width = &Config::embedding_size;
  spec.embeddings.projection = "embeddings.embed_proj";
  spec.embeddings.projected_before_norm = true;
  spec.embeddings.projection_has_bias = false;
  spec.relative = {.kind = RelativeKind::kProjected,
                   .table = "encoder.rel_embeddings",
                   .norm = "encoder.LayerNorm"};
  spec.block.modules = {{BlockRole::kQuery, "attention.self.query_proj"},
                        {BlockRole::kKey, "attention.self.key_proj"},
                        {BlockRole::kValue, "attention.self.value_proj"},
                        {BlockRole::kDistanceKey, "attention.self.pos_key_proj"},
                        {BlockRole::kDistanceQuery, "attention.self.pos_query_proj"},
                        {BlockRole::kAttentionOutput, "attention.output.dense"},
                        {BlockRole::kAttentionNorm, "attention.output.LayerNorm"},
                        {BlockRole::kIntermediate, "intermediate.dense"},
                        {BlockRole::kOutput, "output.dense"},
                        {BlockRole::kOutputNorm, "output.LayerNorm"}};
  spec.dropout.push_back({DropoutSite::kDistances, &Config::hidden_dropout_prob});
  return spec;
}

}  // namespace spanforge::families
