#pragma once
// What: reads and writes safetensors files. Reading maps the file.
// Format: https://huggingface.co/docs/safetensors (u64 length, JSON, data).
// Checks: the reader proves the whole header before it returns anything. Types and shapes are
//   known; each size equals shape x type without overflow; offsets cover the file from 0 to its end
//   without holes or overlaps; no name occurs twice.
// Errors: Error{kBadModel, file} for malformed content, Error{kIo, file} from the system.
// Threads: const methods are concurrent.

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

// The content of a file, with tensors in order of their offsets. The views point into the bytes.
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
  const StoredTensor* find(std::string_view name) const;  // nullptr: absent
  const fs::path& path() const { return file_.path(); }
  const MappedFile& file() const { return file_; }

 private:
  MappedFile file_;
  SafetensorsContents contents_;
  TextIndex index_;  // of the names
};

// Writes the same bytes as the safetensors package (tensors sorted by type, widest first, then
// name; data at a multiple of 8), and commits the file. Streams the tensors from their views.
// alignment: the data begin at a multiple of this; must be a multiple of 8. Throws kInternal if a
// size and a shape disagree.
void write_safetensors(AtomicFile file, std::vector<StoredTensor> tensors,
                       const SafetensorsMetadata& metadata = {{"format", "pt"}},
                       size_t alignment = 8);

}  // namespace spanforge
