// An untrusted tokenizer.json, then (after the first NUL byte) a text, then (after another) a
// tokenizer_config.json: loading throws Error or gives a tokenizer whose encodings of the text are
// valid.

#include "tokenizer_checks.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace spanforge;
  const auto [json, rest] = fuzz::split_input(data, size);
  const size_t end = std::min(rest.find('\0'), rest.size());
  const std::string_view config = rest.substr(std::min(end + 1, rest.size()));
  try {
    const Tokenizer tokenizer = Tokenizer::from_json(json, config, "input");
    fuzz::check_encodings(tokenizer, rest.substr(0, end));
  } catch (const Error& error) {
    fuzz::require(error.code() != ErrorCode::kInternal);
  }
  return 0;
}
