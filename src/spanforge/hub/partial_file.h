#pragma once
// The file that grows while it is fetched; kept when the connection breaks, to be continued.
// Internal to hub/.

#include <cstdint>
#include <string>
#include <string_view>

namespace spanforge {

class PartialFile {
 public:
  // Errors of this class: Error{kIo, path}.
  explicit PartialFile(const std::string& path);
  ~PartialFile();
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;

  void append(std::string_view bytes);
  void start_again();
  void sync();

 private:
  [[noreturn]] void fail(const char* action) const;
  std::string path_;
  int fd_ = -1;
};

uint64_t partial_size(const std::string& path);     // 0 where there is none
std::string partial_head(const std::string& path);  // its first 200 bytes, which tell what it is

}  // namespace spanforge
