// An untrusted vocab.json, then (after the first NUL byte) a merges.txt, then a text, then a
// tokenizer_config.json: loading throws Error or gives a tokenizer whose encodings of the text are
// valid.

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "tokenizer_checks.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace spanforge;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  std::vector<std::string> parts;
  for (size_t at = 0; at <= input.size() && parts.size() < 4;) {
    const size_t end = std::min(input.find('\0', at), input.size());
    parts.emplace_back(input.substr(at, end - at));
    at = end + 1;
  }
  parts.resize(4);
  std::map<std::string, std::string> files = {{"vocab.json", parts[0]}, {"merges.txt", parts[1]}};
  if (!parts[3].empty()) files["tokenizer_config.json"] = parts[3];
  try {
    fuzz::check_encodings(Tokenizer::from_files(std::move(files), "input"), parts[2]);
  } catch (const Error& error) {
    fuzz::require(error.code() != ErrorCode::kInternal);
  }
  return 0;
}
