#include "spanforge/model/families/family.h"

namespace spanforge::families {

// Devlin et al. 2018. Chinese "roberta-wwm", MacBERT and many other checkpoints have this type,
// too.
EncoderSpec bert() {
  using Config = ModelConfig;
  return {
      .model_type = "bert",
      .architecture = "BertForQuestionAnswering",
      .base_prefix = "bert.",
      .config_keys = {{"vocab_size", &Config::vocab_size},
                      {"hidden_size", &Config::hidden_size},
                      {"num_hidden_layers", &Config::num_hidden_layers},
                      {"num_attention_heads", &Config::num_attention_heads},
                      {"intermediate_size", &Config::intermediate_size},
                      {"max_position_embeddings", &Config::max_position_embeddings},
                      {"type_vocab_size", &Config::type_vocab_size},
                      {"pad_token_id", &Config::pad_token_id},
                      {"hidden_act", &Config::hidden_act},
                      {"hidden_dropout_prob", &Config::hidden_dropout_prob},
                      {"attention_probs_dropout_prob", &Config::attention_probs_dropout_prob},
                      {"layer_norm_eps", &Config::layer_norm_eps},
                      {"initializer_range", &Config::initializer_range}},
      .defaults = {},
      .embeddings = {.tables = {{"embeddings.word_embeddings", &Config::vocab_size,
                                 EmbeddingIds::kTokens, /*has_padding_row=*/true},
                                {"embeddings.position_embeddings", &Config::max_position_embeddings,
                                 EmbeddingIds::kPositions},
                                {"embeddings.token_type_embeddings", &Config::type_vocab_size,
                                 EmbeddingIds::kTokenTypes}},
                     .norm = "embeddings.LayerNorm"},
      .layers = {.module = "encoder.layer"},
      .block = {.modules = {{BlockRole::kQuery, "attention.self.query"},
                            {BlockRole::kKey, "attention.self.key"},
                            {BlockRole::kValue, "attention.self.value"},
                            {BlockRole::kAttentionOutput, "attention.output.dense"},
                            {BlockRole::kAttentionNorm, "attention.output.LayerNorm"},
                            {BlockRole::kIntermediate, "intermediate.dense"},
                            {BlockRole::kOutput, "output.dense"},
                            {BlockRole::kOutputNorm, "output.LayerNorm"}}},
      .dropout = {{DropoutSite::kEmbeddings, &Config::hidden_dropout_prob},
                  {DropoutSite::kAttention, &Config::attention_probs_dropout_prob},
                  {DropoutSite::kAttentionOutput, &Config::hidden_dropout_prob},
                  {DropoutSite::kOutput, &Config::hidden_dropout_prob}},
      .head = {.output = "qa_outputs"},
  };
}

}  // namespace spanforge::families
