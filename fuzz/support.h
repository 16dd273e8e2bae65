#pragma once
// Shared by several targets: how they fail, a directory for files, and a model that is so small
// that building and asking it costs little next to the parsing.

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "spanforge/base/error.h"
#include "spanforge/features/packed_batch.h"
#include "spanforge/model/model.h"
#include "spanforge/text/tokenizer.h"

namespace spanforge::fuzz {

inline void require(bool condition) {
  if (!condition) std::abort();
}

inline std::string_view view_of(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// This process's directory below the system's temporary one.
class Scratch {
 public:
  Scratch() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "spanforge-fuzz-XXXXXX").string();
    require(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

// Not durable, so fast.
inline void write_plain(const std::filesystem::path& file, std::string_view bytes) {
  std::ofstream(file, std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

inline ModelConfig tiny_config() {
  ModelConfig config;
  config.vocab_size = 12;
  config.hidden_size = 8;
  config.num_hidden_layers = 1;
  config.num_attention_heads = 2;
  config.intermediate_size = 8;
  config.max_position_embeddings = 32;
  return config;
}

inline QuestionAnsweringModel tiny_model() {
  return QuestionAnsweringModel::create(tiny_config(), 1);
}

inline Tokenizer tiny_tokenizer() {
  return Tokenizer::from_vocabulary(
      {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "##b", "c", "?", "谁", "who", "."}, {},
      "vocabulary");
}

// Asks the model about one window.
inline void ask(const Predictor& model) {
  PackedBatch batch;
  batch.input_ids = {2, 10, 8, 3, 5, 6, 11, 3};
  batch.token_type_ids = {0, 0, 0, 0, 1, 1, 1, 1};
  batch.position_ids = {0, 1, 2, 3, 4, 5, 6, 7};
  batch.cu_seqlens = {0, 8};
  batch.window_ids = {0};
  batch.start_positions = {0};
  batch.end_positions = {0};
  std::vector<float> logits(2 * batch.input_ids.size());
  Workspace workspace;
  model.predict(batch, workspace, make_tensor(logits.data(), batch.token_count(), 2));
}

}  // namespace spanforge::fuzz
