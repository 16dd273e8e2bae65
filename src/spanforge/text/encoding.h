#pragma once
// Makes Encodings of the tokens of one or two texts: truncation into windows, special tokens,
// padding. Source: tokenizers 0.22, utils/{truncation,padding}.rs, processors/template.rs,
// tokenizer/encoding.rs.

#include <optional>
#include <string>
#include <vector>

#include "spanforge/text/post_processor.h"
#include "spanforge/text/tokenizer.h"
#include "spanforge/text/vocabulary.h"

namespace spanforge {

// A text's tokens with the texts of its added tokens.
struct TokenizedText {
  TokenBuffer tokens;
  std::vector<std::pair<size_t, std::string>> spelt;  // token index and text of each added token
};

// Half-open ranges of a sequence's tokens: the main window, then the overflowing ones.
using TokenWindows = std::vector<std::pair<int32_t, int32_t>>;

// Windows of the first text and, if second >= 0, of the second one. room: tokens without special
// ones. Errors: Error{kUsage, parameter "truncation"} if truncation is needed but impossible.
struct PairWindows {
  TokenWindows first, second;
};
PairWindows truncate(int32_t first, int32_t second, int32_t room, const Truncation& truncation);

// Builds the encoding and its overflowing windows (every combination of the two texts' windows) in
// HF's order. Unlike in HF, overflowing windows have no overflowing ones themselves.
class EncodingBuilder {
 public:
  // second: null for a single text. All must outlive the builder.
  EncodingBuilder(const Vocabulary& vocabulary, const TokenizedText* first,
                  const TokenizedText* second)
      : vocabulary_(vocabulary), texts_{first, second} {}
  Encoding build(const Template& pieces, const PairWindows& windows, bool add_special_tokens) const;

 private:
  Encoding build_one(const Template& pieces, const std::vector<int32_t>& choice,
                     const PairWindows& windows, bool add_special_tokens) const;
  // The number of tokens of build_one()'s result.
  static size_t size_of(const Template& pieces, const std::vector<int32_t>& choice,
                        const PairWindows& windows, bool add_special_tokens);
  void append_sequence(int32_t sequence, std::pair<int32_t, int32_t> window, int32_t type_id,
                       Encoding& out) const;
  const Vocabulary& vocabulary_;
  const TokenizedText* texts_[2];
};

// Pads an encoding and its overflowing windows to `length`; does not change longer ones.
void pad(Encoding& encoding, size_t length, int32_t pad_id, const std::string& pad_token,
         PaddingSide side);
size_t padded_length(size_t longest, const Padding& padding);

}  // namespace spanforge
