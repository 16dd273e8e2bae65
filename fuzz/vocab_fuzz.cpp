// An untrusted vocab.txt, then (after the first NUL byte) a text: loading throws Error or gives a
// tokenizer whose encodings of the text are valid. It is cased if the file's size is odd, because
// making both takes twice as long.

#include "tokenizer_checks.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace spanforge;
  const auto [file, text] = fuzz::split_input(data, size);
  Tokenizer::BertOptions options;
  options.do_lower_case = file.size() % 2 == 0;
  try {
    fuzz::check_encodings(Tokenizer::from_vocabulary_text(std::string(file), options, "input"),
                          text);
  } catch (const Error& error) {
    fuzz::require(error.code() != ErrorCode::kInternal);
  }
  return 0;
}
