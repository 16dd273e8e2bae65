// A stranger's tokenizer.json, then (after the first NUL byte) a text: loading throws Error or gives
// a tokenizer whose encodings of the text are sound.

#include "tokenizer_checks.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace spanforge;
  const auto [json, text] = fuzz::split_input(data, size);
  try {
    const Tokenizer tokenizer = Tokenizer::from_json(json, "", "input");
    fuzz::check_encodings(tokenizer, text);
  } catch (const Error&) {
  }
  return 0;
}
