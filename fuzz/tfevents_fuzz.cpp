// Any bytes as an event file, and any bytes as the body of one record with right checksums.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "spanforge/base/error.h"
#include "spanforge/base/hash.h"
#include "spanforge/formats/tfevents.h"

namespace {

using namespace spanforge;

std::string number(uint64_t value, size_t size) {
  std::string out;
  for (size_t i = 0; i < size; ++i) out += static_cast<char>(value >> (8 * i) & 0xFF);
  return out;
}
std::string masked_crc(std::string_view bytes) {
  const uint32_t crc = crc32c(bytes);
  return number((crc >> 15 | crc << 17) + 0xA282EAD8u, 4);
}

void read(std::string_view bytes) {
  try {
    const EventFileContents contents = parse_events(bytes, "f");
    if (contents.valid_bytes > bytes.size()) std::abort();
    for (const Event& event : contents.events) {
      const EventFileContents again = parse_events(encode_event(event), "f");
      if (again.events.size() != 1 || again.events[0].step != event.step ||
          again.events[0].values.size() != event.values.size()) {
        std::abort();
      }
    }
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kBadData) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  read(bytes);
  const std::string length = number(size, 8);
  read(length + masked_crc(length) + std::string(bytes) + masked_crc(bytes));
  return 0;
}
