#pragma once
// Finds the tokens of a window for an answer. docs/features.md shows where the two rules differ.

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

// offsets: of one window's context tokens, in code points of the context. Neither starts nor ends
//   decrease; offsets of a token of only spaces may be empty.
// answer: code points, not empty.
// Result: positions count from the first of these tokens.
// kRecipe: the first token that contains the answer's first character, and the last token that
//   contains its last one. nullopt: no token of the window contains one of the two: it is outside
//   the window, white space, or a character that the tokenizer drops.
// kRunQa: the last token that starts at or before the answer's start, and the first token that ends
//   at or after its end. So an edge in white space includes the neighbouring token. nullopt: the
//   tokens' range does not cover the answer. (If the answer starts in the window's last token, HF's
//   script searches past the context and labels the last padding position; here the search ends
//   with the context.)
std::optional<LabelSpan> label_answer(std::span<const CharSpan> offsets, CharSpan answer,
                                      LabelRule rule);

// Whether the answer begins or ends inside a token. Then it is not a span of tokens, and a model
// can only give a longer answer.
bool is_inside_token(std::span<const CharSpan> offsets, CharSpan answer);

}  // namespace spanforge
