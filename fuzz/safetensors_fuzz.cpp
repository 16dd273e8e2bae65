// Any bytes: parse_safetensors gives tensors whose every byte can be read, or an Error.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "spanforge/base/error.h"
#include "spanforge/base/hash.h"
#include "spanforge/formats/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace spanforge;
  try {
    const SafetensorsContents contents =
        parse_safetensors({reinterpret_cast<const char*>(data), size}, "f");
    uint64_t total = 0;
    for (const StoredTensor& tensor : contents.tensors) {
      crc32c(tensor.bytes);
      total += tensor.bytes.size();
      if (stored_bytes(tensor.type, tensor.shape) != tensor.bytes.size()) std::abort();
    }
    if (total > size) std::abort();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kBadModel || error.place().text().empty()) std::abort();
  }
  return 0;
}
