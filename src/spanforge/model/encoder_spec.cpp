#include "spanforge/model/encoder_spec.h"

namespace spanforge {
namespace {

// Devlin et al. 2018; names of transformers' modeling_bert.py. Chinese "roberta-wwm" and MacBERT
// checkpoints are of this type as well.
EncoderSpec bert() {
  return {
      .model_type = "bert",
      .architecture = "BertForQuestionAnswering",
      .base_prefix = "bert.",
      .embeddings = {{"embeddings.word_embeddings", &ModelConfig::vocab_size, EmbeddingIds::kTokens,
                      /*has_padding_row=*/true},
                     {"embeddings.position_embeddings", &ModelConfig::max_position_embeddings,
                      EmbeddingIds::kPositions},
                     {"embeddings.token_type_embeddings", &ModelConfig::type_vocab_size,
                      EmbeddingIds::kTokenTypes}},
      .embedding_norm = "embeddings.LayerNorm",
      .layers = "encoder.layer",
      .block = {.query = "attention.self.query",
                .key = "attention.self.key",
                .value = "attention.self.value",
                .attention_output = "attention.output.dense",
                .attention_norm = "attention.output.LayerNorm",
                .intermediate = "intermediate.dense",
                .output = "output.dense",
                .output_norm = "output.LayerNorm"},
      .head = "qa_outputs",
  };
}

const std::vector<EncoderSpec>& families() {
  static const std::vector<EncoderSpec> all = {bert()};
  return all;
}

}  // namespace

const EncoderSpec& encoder_spec(std::string_view model_type, ErrorCode code,
                                std::string_view place) {
  std::string supported;
  for (const EncoderSpec& spec : families()) {
    if (spec.model_type == model_type) return spec;
    supported += (supported.empty() ? "" : ", ") + std::string(spec.model_type);
  }
  throw Error(
      code, std::string(place),
      "\"model_type\" is \"" + quote_for_message(model_type) + "\"; supported: " + supported);
}

}  // namespace spanforge
