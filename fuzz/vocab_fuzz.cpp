// A stranger's vocab.txt, then (after the first NUL byte) a text: loading throws Error or gives a
// tokenizer whose encodings of the text are sound, cased and uncased.

#include <vector>

#include "tokenizer_checks.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace spanforge;
  auto [file, text] = fuzz::split_input(data, size);
  std::vector<std::string> lines;
  while (!file.empty()) {
    const size_t end = std::min(file.find('\n'), file.size());
    lines.emplace_back(file.substr(0, end));
    file.remove_prefix(std::min(end + 1, file.size()));
  }
  for (const bool lower_case : {true, false}) {
    try {
      Tokenizer::BertOptions options;
      options.do_lower_case = lower_case;
      fuzz::check_encodings(Tokenizer::from_vocabulary(lines, options, "input"), text);
    } catch (const Error&) {
    }
  }
  return 0;
}
