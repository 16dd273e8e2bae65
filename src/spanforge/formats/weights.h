#pragma once
// What: reads the weights of a Hugging Face model directory in any form. The first of these files
//   counts: model.safetensors, model.safetensors.index.json (shards), pytorch_model.bin,
//   pytorch_model.bin.index.json.
// Shards: must be in the directory itself. Every tensor of the index must be in its shard and in no
//   other.
// Errors: Error{kBadModel} with the file, Error{kIo}. Recognizes a Git LFS pointer or a web page in
//   place of weights, and weights of other forms (other_weights.h).

#include <filesystem>
#include <memory>
#include <string_view>
#include <vector>

#include "spanforge/base/text_index.h"
#include "spanforge/formats/stored_tensor.h"
#include "spanforge/io/file.h"

namespace spanforge {

// The weights of a model converted to int8 (model/int8_file.h), which only answers.
inline constexpr const char* kInt8WeightFile = "model.int8.safetensors";

class WeightFiles {
 public:
  explicit WeightFiles(const fs::path& directory);
  // One file of any name: safetensors if its name ends so, else a file of torch.save.
  static WeightFiles of_file(const fs::path& file);
  ~WeightFiles();
  WeightFiles(WeightFiles&&) noexcept;

  const std::vector<StoredTensor>& tensors() const { return tensors_; }
  const StoredTensor* find(std::string_view name) const;  // nullptr: absent
  // Throws Error{kIo} if a file was truncated meanwhile. Call it after reading bytes in place
  // (io/file.h).
  void expect_whole() const;
  // Copies a part of a tensor's bytes. Throws Error{kIo} if its file was truncated meanwhile.
  void copy(std::string_view part, void* to) const;
  const fs::path& path() const { return path_; }  // the file or index that was read, for messages
  // The entry of a torch file's dict with the weights, such as "state_dict"; "": the dict itself.
  const std::string& entry() const;

 private:
  struct Files;
  WeightFiles();
  void index_names();
  fs::path path_;
  std::unique_ptr<Files> files_;  // keeps the mappings alive
  std::vector<StoredTensor> tensors_;
  TextIndex index_;  // of the names
};

// The weight file or index that WeightFiles reads in a directory; an empty path if there is none.
fs::path find_weight_file(const fs::path& directory);

}  // namespace spanforge
