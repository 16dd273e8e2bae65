#include "support/framing.h"

#include <string_view>

#include "spanforge/base/hash.h"

namespace spanforge::testing {

std::string little_endian(uint64_t value, size_t size) {
  std::string out;
  for (size_t i = 0; i < size; ++i) out += static_cast<char>(value >> (8 * i) & 0xFF);
  return out;
}

std::string event_record(const std::string& body) {
  const auto masked = [](std::string_view bytes) {
    const uint32_t crc = crc32c(bytes);
    return little_endian((crc >> 15 | crc << 17) + 0xA282EAD8u, 4);
  };
  const std::string length = little_endian(body.size(), 8);
  return length + masked(length) + body + masked(body);
}

}  // namespace spanforge::testing
