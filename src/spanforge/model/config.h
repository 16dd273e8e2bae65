#pragma once
// A model's config.json. Keys that change computation are typed fields. The rest of the file is
// kept as it was, so that a saved directory loses nothing that another tool reads. Fields have
// BERT's names; a family's own keys and their defaults are in its file (families/).

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "spanforge/base/error.h"
#include "spanforge/base/spelling.h"

namespace spanforge {

// The size of a new model. Each family says what it means (families/).
enum class PresetSize { kTiny, kSmall, kBase, kLarge };
constexpr auto spellings(PresetSize) {
  return std::to_array<Spelling<PresetSize>>({{"tiny", PresetSize::kTiny},
                                              {"small", PresetSize::kSmall},
                                              {"base", PresetSize::kBase},
                                              {"large", PresetSize::kLarge}});
}

struct ModelConfig {
  std::string model_type = "bert";
  int32_t vocab_size = 30522;
  int32_t embedding_size =
      768;  // of families whose embeddings have a width of their own; 0: hidden_size
  int32_t hidden_size = 768;
  int32_t num_hidden_layers = 12;
  int32_t num_hidden_groups = 1;  // of families whose layers share weights: the number of sets
  int32_t inner_group_num = 1;    // blocks of a set; only 1 is supported
  int32_t num_attention_heads = 12;
  int32_t intermediate_size = 3072;
  int32_t max_position_embeddings = 512;
  int32_t type_vocab_size = 2;
  int32_t task_type_vocab_size = 3;             // used if use_task_id is true
  int32_t relative_attention_num_buckets = 32;  // rows of MPNet's table of distances
  // DeBERTa's. pos_att_type: "c2p", "p2c", both or none; norm_rel_ebd: "none" or "layer_norm".
  bool relative_attention = false;
  int32_t max_relative_positions = -1;  // below 1: max_position_embeddings
  int32_t position_buckets = -1;        // below 1: a row for every distance
  std::vector<std::string> pos_att_type;
  std::string norm_rel_ebd = "none";
  bool share_att_key = false;
  bool position_biased_input = true;  // false: no table of positions
  int32_t attention_head_size =
      0;                         // 0: hidden_size / num_attention_heads; nothing else is supported
  int32_t conv_kernel_size = 0;  // only 0 is supported
  bool use_task_id = false;
  int32_t pad_token_id = 0;  // -1: null in config.json
  std::string hidden_act = "gelu";
  double hidden_dropout_prob = 0.1;
  double attention_probs_dropout_prob = 0.1;
  double head_dropout_prob = 0.0;
  double embedding_dropout_prob = 0.1;  // of families that have a key for it
  double layer_norm_eps = 1e-12;
  double initializer_range = 0.02;
  double initializer_cutoff =
      2.0;                 // of families that truncate the first weights' distribution; 0: null
  bool norm_bias = false;  // of families that have these four keys; others have the biases
  bool attention_bias = false;
  bool mlp_bias = false;
  bool head_bias = false;
  std::string head_act = "gelu";       // of heads with several parts
  int32_t global_attention_every = 3;  // of families with local attention
  int32_t local_attention = 128;
  double rope_theta = 160000.0;       // of families with rotary positions
  double local_rope_theta = 10000.0;  // 0: null, as rope_theta

  // A missing key has the default of HF's configuration of that model_type. Reads config.json, or,
  // if there is none, bert_config.json, as in Google's and others' archives. A file without
  // model_type is read as BERT's if its keys say so and the names of the weights next to it do not
  // contradict; note() then says that.
  // Errors: Error{kBadModel, file} naming the key, its value and what is allowed; Error{kIo} for a
  // missing file.
  static ModelConfig from_directory(const std::filesystem::path& directory);
  static ModelConfig from_json_text(std::string_view text, const std::string& place);
  // The file that from_directory() reads: config.json if there is neither.
  static std::filesystem::path file_in(const std::filesystem::path& directory);
  // One line that says what was assumed; nullopt if nothing was.
  const std::optional<std::string>& note() const { return note_; }
  // A new model of a family; kTiny has 3 layers of width 128. Inputs may have 512 tokens, or the
  // usual number in families whose weights do not grow with it. The caller sets vocab_size to that
  // of the vocabulary. Error{kUsage, "model_type"} for an unknown family.
  static ModelConfig like(PresetSize size, const std::string& model_type = "bert");

  // Tokens of the longest window that the model takes: max_position_embeddings, less the rows that
  // the family does not use for tokens. For a model with a table of distances instead of positions:
  // 65536, or as far as its distances have rows.
  int32_t longest_input() const;
  // Sets max_position_embeddings so that longest_input() is `tokens`.
  void set_longest_input(int32_t tokens);

  // Checks that every value is in its range and that the values fit together. Reading calls this;
  // the caller calls it after setting fields by hand. Errors: Error{code, place} naming the key.
  void check(ErrorCode code, const ErrorPlace& place) const;

  // The text of config.json for a question-answering directory (HF's keys, sorted, indent 2). It
  // is made from the original text, if there was one: unknown keys stay, the stored dtype becomes
  // float32, architectures becomes the class with the question-answering head.
  std::string to_json_text() const;

 private:
  std::string original_text_;
  std::optional<std::string> note_;
};

}  // namespace spanforge
