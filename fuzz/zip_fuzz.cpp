// Any bytes as a ZIP archive: entries whose every byte can be read, or an Error. The checksums
// would stop nearly every mutation, so those of all entries found are corrected first, unless
// the first byte is 0.
#include <set>
#include <string>

#include "spanforge/base/hash.h"
#include "spanforge/formats/zip.h"
#include "support.h"

namespace {

using namespace spanforge;

uint64_t number(std::string_view bytes, size_t at, size_t size) {
  uint64_t value = 0;
  for (size_t i = size; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

void put_right(std::string& archive) {
  size_t at = 0;
  while ((at = archive.find("PK\x01\x02", at)) != std::string::npos && at + 46 <= archive.size()) {
    const uint64_t size = number(archive, at + 24, 4), local = number(archive, at + 42, 4);
    if (local + 30 <= archive.size()) {
      const uint64_t begin =
          local + 30 + number(archive, local + 26, 2) + number(archive, local + 28, 2);
      if (begin <= archive.size() && size <= archive.size() - begin) {
        const uint32_t crc = crc32_ieee(std::string_view(archive).substr(begin, size));
        for (size_t i = 0; i < 4; ++i) archive[at + 16 + i] = static_cast<char>(crc >> (8 * i));
      }
    }
    at += 46;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::string archive(fuzz::view_of(data + 1, size - 1));
  if (data[0] != 0) put_right(archive);
  try {
    uint64_t total = 0;
    std::set<std::string> names;
    for (const ZipEntry& entry : read_zip(archive, "f")) {
      crc32c(entry.bytes);
      total += entry.bytes.size();
      fuzz::require(names.insert(entry.name).second && entry.name[0] != '/');
    }
    fuzz::require(total <= size);
  } catch (const Error& error) {
    fuzz::require(error.code() == ErrorCode::kBadModel && !error.place().text().empty());
  }
  return 0;
}
