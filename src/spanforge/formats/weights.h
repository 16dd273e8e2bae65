#pragma once
// The weights of a Hugging Face model directory, whatever form they have. Looked for in this order:
// model.safetensors, model.safetensors.index.json (shards), pytorch_model.bin,
// pytorch_model.bin.index.json. Shards must lie in the directory itself; every tensor of the index
// must be in the shard it names and in no other. A Git LFS pointer or a web page in place of
// weights is named as such, and so are weights of a form that is not read (other_weights.h).
// Errors: Error{kBadModel} naming the file, Error{kIo}.

#include <filesystem>
#include <memory>
#include <string_view>
#include <vector>

#include "spanforge/base/text_index.h"
#include "spanforge/formats/stored_tensor.h"
#include "spanforge/io/file.h"

namespace spanforge {

// What a model converted to int8 has instead (model/int8_file.h): it is for answering alone.
inline constexpr const char* kInt8WeightFile = "model.int8.safetensors";

class WeightFiles {
 public:
  explicit WeightFiles(const fs::path& directory);
  // One file of any name: safetensors where its name ends so, else of torch.save.
  static WeightFiles of_file(const fs::path& file);
  ~WeightFiles();
  WeightFiles(WeightFiles&&) noexcept;

  const std::vector<StoredTensor>& tensors() const { return tensors_; }
  const StoredTensor* find(std::string_view name) const;  // nullptr when absent
  // Both Error{kIo} where a file was cut off meanwhile; who reads bytes in place asks afterwards
  // (io/file.h).
  void expect_whole() const;
  // Copies a part of a tensor's bytes.
  void copy(std::string_view part, void* to) const;
  const fs::path& path() const { return path_; }  // the file or index read, for messages
  // The entry of a torch file's dict that holds the weights, "state_dict" say; "": the dict itself.
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

// The weight file a directory would be read from, or an empty path when it has none.
fs::path find_weight_file(const fs::path& directory);

}  // namespace spanforge
