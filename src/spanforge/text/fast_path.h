#pragma once
// A shorter way to the tokens of a text than a tokenizer's parts one after the other, for the
// combinations of parts that most models have. The parts stay the definition.
// Threads: const methods are concurrent.

#include <string_view>

#include "spanforge/text/tokenizer.h"

namespace spanforge {

class FastPath {
 public:
  virtual ~FastPath() = default;
  // Appends the tokens of a text of valid UTF-8, as the parts give them before the post-processor.
  // False, with nothing appended: the parts must do it.
  virtual bool tokenize(std::string_view text, TokenBuffer& out) const = 0;
};

}  // namespace spanforge
