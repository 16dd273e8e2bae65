#pragma once
// A faster way to the tokens of a text than a tokenizer's parts one after the other, for the
// combinations of parts that most models have. The parts are the definition.
// Threads: const methods are concurrent.

#include <string_view>

#include "spanforge/text/tokenizer.h"

namespace spanforge {

class FastPath {
 public:
  virtual ~FastPath() = default;
  // Appends the tokens of a text of valid UTF-8, without post-processing. false: appends nothing;
  // the parts must tokenize this text.
  virtual bool tokenize(std::string_view text, TokenBuffer& out) const = 0;
};

}  // namespace spanforge
