#include "spanforge/model/families/family.h"

namespace spanforge::families {

// Lan et al. 2019: BERT's block, run several times with one set of weights; narrow embeddings,
// always projected; no dropout after the feed-forward half.
EncoderSpec albert() {
  using Config = ModelConfig;
  EncoderSpec spec = bert();
  spec.model_type = "albert";
  spec.architecture = "AlbertForQuestionAnswering";
  spec.base_prefix = "albert.";
  spec.config_keys.push_back({"embedding_size", &Config::embedding_size});
  spec.config_keys.push_back({"num_hidden_groups", &Config::num_hidden_groups});
  spec.config_keys.push_back({"inner_group_num", &Config::inner_group_num});
  spec.defaults.vocab_size = 30000;
  spec.defaults.embedding_size = 128;
  spec.defaults.hidden_size = 4096;
  spec.defaults.num_attention_heads = 64;
  spec.defaults.intermediate_size = 16384;
  spec.defaults.hidden_act = "gelu_new";
  spec.defaults.hidden_dropout_prob = 0;
  spec.defaults.attention_probs_dropout_prob = 0;
  spec.embeddings.width = &Config::embedding_size;
  spec.embeddings.projection = "encoder.embedding_hidden_mapping_in";
  spec.embeddings.always_projected = true;
  spec.layers = {.module = "encoder.albert_layer_groups",
                 .inside = "albert_layers.0",
                 .blocks = &Config::num_hidden_groups};
  spec.block.modules = {{BlockRole::kOutputNorm, "full_layer_layer_norm"},
                        {BlockRole::kQuery, "attention.query"},
                        {BlockRole::kKey, "attention.key"},
                        {BlockRole::kValue, "attention.value"},
                        {BlockRole::kAttentionOutput, "attention.dense"},
                        {BlockRole::kAttentionNorm, "attention.LayerNorm"},
                        {BlockRole::kIntermediate, "ffn"},
                        {BlockRole::kOutput, "ffn_output"}};
  spec.dropout = {{DropoutSite::kEmbeddings, &Config::hidden_dropout_prob},
                  {DropoutSite::kAttention, &Config::attention_probs_dropout_prob},
                  {DropoutSite::kAttentionOutput, &Config::hidden_dropout_prob}};
  return spec;
}

}  // namespace spanforge::families
