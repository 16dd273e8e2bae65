#pragma once
// Which tokens of a window an answer is labelled with. See docs/features.md for where the two rules
// differ, with examples.

#include <optional>
#include <span>

#include "spanforge/base/utf8.h"
#include "spanforge/features/feature_set.h"

namespace spanforge {

// First and last token (inclusive) of an answer.
struct LabelSpan {
  int32_t first = 0;
  int32_t last = 0;
  bool operator==(const LabelSpan&) const = default;
};

// offsets: of one window's context tokens, in code points of the context; neither starts nor ends
// decrease, and those of a token of spaces alone may be empty. answer: code points, not empty.
// Positions in the result count from the first of these tokens. kRecipe: the first token that
// contains the answer's first character and the last token that
//   contains its last one; nullopt where no token of the window contains one of the two: it is cut
//   off by the window, or white space or a character the tokenizer drops.
// kRunQa: nullopt unless the tokens' range covers the answer; else the last token that starts at or
//   before the answer's start and the first one that ends at or after its end. An edge in white
//   space thus takes in the neighbouring token. (HF's script runs past the context where the answer
//   starts in the window's last token, and then labels the last padding position; here the search
//   ends with the context.)
std::optional<LabelSpan> label_answer(std::span<const CharSpan> offsets, CharSpan answer,
                                      LabelRule rule);

// Whether the answer begins or ends inside a token, so that it is no span of tokens: a model can
// only answer with more than it.
bool is_inside_token(std::span<const CharSpan> offsets, CharSpan answer);

}  // namespace spanforge
