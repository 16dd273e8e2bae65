#pragma once
// A model's config.json: what of it changes computation, typed; the rest kept as it was, so that a
// saved directory loses nothing another tool reads.

#include <cstdint>
#include <filesystem>
#include <string>

#include "spanforge/base/json.h"
#include "spanforge/ops/activation.h"

namespace spanforge {

struct ModelConfig {
  std::string model_type = "bert";
  int32_t vocab_size = 30522;
  int32_t hidden_size = 768;
  int32_t num_hidden_layers = 12;
  int32_t num_attention_heads = 12;
  int32_t intermediate_size = 3072;
  int32_t max_position_embeddings = 512;
  int32_t type_vocab_size = 2;
  int32_t pad_token_id = 0;
  std::string hidden_act = "gelu";
  double hidden_dropout_prob = 0.1;
  double attention_probs_dropout_prob = 0.1;
  double layer_norm_eps = 1e-12;
  double initializer_range = 0.02;

  // Errors: Error{kBadModel, file} naming the key, what stands there and what may.
  static ModelConfig from_directory(const std::filesystem::path& directory);
  static ModelConfig from_json_text(std::string_view text, const std::string& place);
  // "tiny" (3 layers, 128 wide), "small", "base", "large". Error{kUsage} otherwise.
  static ModelConfig like(const std::string& name);

  // config.json's text for a BertForQuestionAnswering directory (HF's keys, sorted, indent 2), made
  // from the original text where there was one.
  std::string to_json_text() const;

 private:
  std::string original_text_;
};

}  // namespace spanforge
