#include "spanforge/model/families/family.h"

namespace spanforge::families {

// Song et al. 2020: BERT's block, but its scores have a bias by distance from one table; no token
// types; positions after a padding row that is always 1.
EncoderSpec mpnet() {
  using Config = ModelConfig;
  EncoderSpec spec = bert();
  spec.model_type = "mpnet";
  spec.architecture = "MPNetForQuestionAnswering";
  spec.base_prefix = "mpnet.";
  std::erase_if(spec.config_keys,
                [](const ConfigKey& key) { return key.key == "type_vocab_size"; });
  spec.config_keys.push_back(
      {"relative_attention_num_buckets", &Config::relative_attention_num_buckets});
  spec.defaults.vocab_size = 30527;
  spec.defaults.pad_token_id = 1;
  spec.embeddings.tables.pop_back();
  spec.embeddings.tables[1].has_padding_row = true;
  spec.embeddings.positions = PositionRule::kBehindPadding;
  spec.embeddings.padding_row = 1;
  spec.relative = {.kind = RelativeKind::kBiases, .table = "encoder.relative_attention_bias"};
  spec.block.modules = {{BlockRole::kQuery, "attention.attn.q"},
                        {BlockRole::kKey, "attention.attn.k"},
                        {BlockRole::kValue, "attention.attn.v"},
                        {BlockRole::kAttentionOutput, "attention.attn.o"},
                        {BlockRole::kAttentionNorm, "attention.LayerNorm"},
                        {BlockRole::kIntermediate, "intermediate.dense"},
                        {BlockRole::kOutput, "output.dense"},
                        {BlockRole::kOutputNorm, "output.LayerNorm"}};
  return spec;
}

}  // namespace spanforge::families
