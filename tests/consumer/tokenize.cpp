// Links only the tokenizer and the layers below it.
#include <cstdio>

#include "spanforge/base/error.h"
#include "spanforge/text/tokenizer.h"
#include "spanforge/version.h"

int main() {
  const auto tokenizer = spanforge::Tokenizer::from_vocabulary(
      {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "boat"}, {}, "here");
  try {
    spanforge::Tokenizer::from_directory("/nowhere");
    return 1;
  } catch (const spanforge::Error& error) {
    std::printf("spanforge %s: %s\n", SPANFORGE_VERSION, error.what());
  }
  return tokenizer.encode("boat").tokens.size() == 3 ? 0 : 1;
}
