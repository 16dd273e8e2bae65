// Any bytes: RequestReader reads the same requests and the same end wherever the bytes are split in
// two, and holds no more bytes than its limits allow.
#include <algorithm>

#include "spanforge/serve/framing.h"
#include "support.h"

using namespace spanforge::serve;

namespace {

constexpr size_t kPiece = 512;

// Reads `bytes` in pieces of at most kPiece, also split at `cut`. Returns what it read as one text.
std::string read(std::string_view bytes, size_t cut, const Limits& limits) {
  std::string seen;
  RequestReader reader(limits);
  for (size_t at = 0; at < bytes.size();) {
    size_t end = std::min(bytes.size(), at + kPiece);
    if (at < cut && cut < end) end = cut;
    reader.feed(bytes.substr(at, end - at));
    at = end;
    for (auto state = reader.advance(); state != RequestReader::State::kNeedMore;
         state = reader.advance()) {
      if (state == RequestReader::State::kRefused) {
        return seen + "refused " + std::to_string(reader.refusal().status);
      }
      if (state == RequestReader::State::kHead) {
        spanforge::fuzz::require(reader.head().fields.size() <= limits.fields);
        reader.accept_body();
        continue;
      }
      const std::string body = reader.take_body();
      spanforge::fuzz::require(body.size() <= limits.body_bytes);
      seen += reader.head().method + " " + reader.framing().path + " " + reader.framing().host +
              " " + body + "\n";
      for (const auto& [name, value] : reader.head().fields) seen += name + ": " + value + "\n";
      reader.next();
    }
    spanforge::fuzz::require(reader.buffered() <= limits.header_bytes + kPiece);
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Limits limits;
  limits.header_bytes = 600;
  limits.target_bytes = 100;
  limits.fields = 10;
  limits.body_bytes = 1000;
  const std::string_view bytes = spanforge::fuzz::view_of(data, std::min<size_t>(size, 4096));
  const std::string whole = read(bytes, 0, limits);
  const size_t step = std::max<size_t>(1, bytes.size() / 64);
  for (size_t cut = 1; cut < bytes.size(); cut += step) {
    spanforge::fuzz::require(read(bytes, cut, limits) == whole);
  }
  return 0;
}
