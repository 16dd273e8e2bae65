#pragma once
// safetensors files. Format: https://huggingface.co/docs/safetensors (u64 length, JSON, data).
// Reading maps the file and proves the whole header before anything is returned: types and shapes
// known, sizes equal to shape x type without overflow, offsets contiguous from 0 to the end of the
// file without holes or overlaps, no name twice. Errors: Error{kBadModel, file} for what is wrong
// inside, Error{kIo, file} where the system refuses. Threads: const methods are concurrent.

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "spanforge/base/text_index.h"
#include "spanforge/formats/stored_tensor.h"
#include "spanforge/io/file.h"

namespace spanforge {

using SafetensorsMetadata = std::map<std::string, std::string>;

// What a file's bytes hold; tensors in order of their offsets. The views point into `bytes`.
struct SafetensorsContents {
  std::vector<StoredTensor> tensors;
  SafetensorsMetadata metadata;  // __metadata__
};
SafetensorsContents parse_safetensors(std::string_view bytes, const std::string& place);

class SafetensorsFile {
 public:
  explicit SafetensorsFile(const fs::path& path);
  const std::vector<StoredTensor>& tensors() const { return contents_.tensors; }
  const SafetensorsMetadata& metadata() const { return contents_.metadata; }
  const StoredTensor* find(std::string_view name) const;  // nullptr when absent
  const fs::path& path() const { return file_.path(); }
  const MappedFile& file() const { return file_; }

 private:
  MappedFile file_;
  SafetensorsContents contents_;
  TextIndex index_;  // of the names
};

// Writes the very bytes the safetensors package writes for the same tensors (sorted by type, widest
// first, then name; data at a multiple of 8), and commits the file. alignment: a multiple of 8 that
// the data begin at instead. Tensors are streamed from their views. Throws kInternal where a size
// and a shape disagree.
void write_safetensors(AtomicFile file, std::vector<StoredTensor> tensors,
                       const SafetensorsMetadata& metadata = {{"format", "pt"}},
                       size_t alignment = 8);

}  // namespace spanforge
