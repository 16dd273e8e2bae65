#pragma once
// What: the part of ZIP that torch.save uses: stored (uncompressed) entries, ZIP64, CRC-32.
// Refused: compression (so an archive cannot expand), encryption, several disks, names that leave
//   the archive, repeated names, overlapping entries, wrong checksums.
// Source: PKWARE APPNOTE 6.3.
// Errors: Error{kBadModel, place}; writing throws the sink's errors.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace spanforge {

struct ZipEntry {
  std::string name;
  std::string_view bytes;  // a view of the archive
};

std::vector<ZipEntry> read_zip(std::string_view archive, const std::string& place);

// Streams an archive into a sink. Call add() for each entry, then finish().
class ZipWriter {
 public:
  using Sink = std::function<void(std::string_view)>;
  explicit ZipWriter(Sink sink) : sink_(std::move(sink)) {}
  // The data begin at a multiple of `alignment` (by padding in the extra field, as torch does).
  void add(const std::string& name, std::string_view bytes, uint64_t alignment = 1);
  void finish();

 private:
  void write(std::string_view bytes);

  Sink sink_;
  uint64_t offset_ = 0;
  uint64_t entries_ = 0;
  std::string directory_;
};

// CRC-32 (IEEE) on all threads.
uint32_t crc32_ieee(std::string_view bytes);

}  // namespace spanforge
