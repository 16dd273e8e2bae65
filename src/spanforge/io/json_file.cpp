#include "spanforge/io/json_file.h"

#include "spanforge/base/json_builder.h"
#include "spanforge/io/file.h"

namespace spanforge {

Json parse_json_file(const std::filesystem::path& path, ErrorCode code, int times_size) {
  const MappedFile file(path);
  const std::string_view text = file.bytes();
  const auto release = [&](const char* at) {
    file.release_before(static_cast<size_t>(at - text.data()));
  };
  JsonReader in(text, path.string(), code, {.on_read = release});
  return while_whole(file, [&] {
    return read_document(in, static_cast<uint64_t>(times_size) * text.size() + kJsonBesidesText);
  });
}

}  // namespace spanforge
