#include "spanforge/model/families/family.h"

namespace spanforge::families {

// Sanh et al. 2019: BERT's block under other names and keys, no token types, dropout before the
// head instead of after attention.
EncoderSpec distilbert() {
  using Config = ModelConfig;
  EncoderSpec spec = bert();
  spec.model_type = "distilbert";
  spec.architecture = "DistilBertForQuestionAnswering";
  spec.base_prefix = "distilbert.";
  spec.config_keys = {{"vocab_size", &Config::vocab_size},
                      {"dim", &Config::hidden_size},
                      {"n_layers", &Config::num_hidden_layers},
                      {"n_heads", &Config::num_attention_heads},
                      {"hidden_dim", &Config::intermediate_size},
                      {"max_position_embeddings", &Config::max_position_embeddings},
                      {"pad_token_id", &Config::pad_token_id},
                      {"activation", &Config::hidden_act},
                      {"dropout", &Config::hidden_dropout_prob},
                      {"attention_dropout", &Config::attention_probs_dropout_prob},
                      {"qa_dropout", &Config::head_dropout_prob},
                      {"initializer_range", &Config::initializer_range}};
  spec.defaults.num_hidden_layers = 6;
  spec.defaults.head_dropout_prob = 0.1;
  spec.embeddings.tables.pop_back();
  spec.layers.module = "transformer.layer";
  spec.block.modules = {{BlockRole::kQuery, "attention.q_lin"},
                        {BlockRole::kKey, "attention.k_lin"},
                        {BlockRole::kValue, "attention.v_lin"},
                        {BlockRole::kAttentionOutput, "attention.out_lin"},
                        {BlockRole::kAttentionNorm, "sa_layer_norm"},
                        {BlockRole::kIntermediate, "ffn.lin1"},
                        {BlockRole::kOutput, "ffn.lin2"},
                        {BlockRole::kOutputNorm, "output_layer_norm"}};
  spec.dropout = {{DropoutSite::kEmbeddings, &Config::hidden_dropout_prob},
                  {DropoutSite::kAttention, &Config::attention_probs_dropout_prob},
                  {DropoutSite::kOutput, &Config::hidden_dropout_prob},
                  {DropoutSite::kHead, &Config::head_dropout_prob}};
  return spec;
}

}  // namespace spanforge::families
