#pragma once
// Compares a tokenizer's fast path with its parts, which define the tokens.

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "spanforge/text/tokenizer_impl.h"

namespace spanforge::testing {

// Compares if the fast path accepts the text; returns whether it does.
inline bool fast_path_agrees(const Tokenizer::Impl& impl, const std::string& text) {
  const TokenBuffer before{{1}, {{2, 3}}, {4}, {}};
  TokenBuffer fast = before, parts = before;
  std::vector<SpeltToken> ends;
  const bool taken = impl.fast_path->tokenize(text, fast);
  if (taken) impl.tokenize_by_parts(text, parts, nullptr, ends);
  EXPECT_EQ(fast.ids, parts.ids) << text;
  EXPECT_EQ(fast.offsets, parts.offsets) << text;
  EXPECT_EQ(fast.word_ids, parts.word_ids) << text;
  return taken;
}

}  // namespace spanforge::testing
