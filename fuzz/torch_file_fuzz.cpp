// Any bytes as a torch file: values whose every byte can be read, or an Error. The checksums of a
// ZIP archive would stop nearly every mutation, so the first byte chooses: 0 wraps the rest as the
// data.pkl of a valid archive with two storages, others give the rest as the file itself.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "spanforge/base/error.h"
#include "spanforge/base/hash.h"
#include "spanforge/formats/torch_file.h"
#include "spanforge/formats/zip.h"

namespace {

using namespace spanforge;

void read_all(const TorchValue& value) {
  if (const auto* tensor = value.get_if<TorchTensor>()) {
    crc32c(tensor->bytes);
    if (stored_bytes(tensor->type, tensor->shape) != tensor->bytes.size()) std::abort();
  }
  if (const auto* list = value.sequence()) {
    for (const TorchValue& item : *list) read_all(item);
  }
  if (const auto* dict = value.get_if<TorchDict>()) {
    for (const auto& [key, member] : dict->items) {
      read_all(key);
      read_all(member);
    }
  }
  value.number();
}

std::string wrap(std::string_view pickle) {
  std::string out;
  ZipWriter zip([&](std::string_view bytes) { out += bytes; });
  zip.add("archive/data.pkl", pickle);
  zip.add("archive/data/0", "aaaabbbbccccdddd");
  zip.add("archive/data/1", std::string(64, '\1'));
  zip.finish();
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string file = data[0] == 0 ? wrap(rest) : std::string(rest);
  try {
    const TorchValue value = parse_torch_file(file, "f");
    read_all(value);
    try {
      state_dict_tensors(value, "f");
    } catch (const Error&) {
    }
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kBadModel || error.place().text().empty()) std::abort();
  }
  return 0;
}
