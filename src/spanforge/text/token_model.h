#pragma once
// The part of a tokenizer that turns words into tokens (tokenizer.json's "model").
// Threads: const methods are concurrent.

#include <span>

#include "spanforge/text/normalized_text.h"
#include "spanforge/text/tokenizer.h"
#include "spanforge/text/vocabulary.h"

namespace spanforge {

class TokenModel {
 public:
  virtual ~TokenModel() = default;
  // Appends the tokens of the words, which are numbered from first_word_id.
  virtual void tokenize(const NormalizedText& text, std::span<const CharRange> words,
                        int32_t first_word_id, TokenBuffer& out) const = 0;
  virtual const Vocabulary& vocabulary() const = 0;
  virtual int32_t unknown_id() const = 0;  // -1: the model has none
};

}  // namespace spanforge
