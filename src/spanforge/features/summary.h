#pragma once
// The line about labels that training prints before it starts, and the rows of `data labels`.

#include <cstddef>
#include <string>

#include "spanforge/features/feature_set.h"

namespace spanforge {

// One line without line end: "labels: 85 aligned, 3 truncated, 2 dropped; 10 without an answer; 104
// windows of at most 384 tokens, overlap 128".
std::string label_summary(const FeatureSet& features);
// The same for all chunks of a FeatureStream.
std::string label_summary(const LabelCounts& counts, int64_t window_count,
                          const WindowOptions& windows);

// One window's label turned back into text.
struct LabelRow {
  std::string id;
  std::string question;
  std::string answer;  // the first answer's text; "": there is none
  // The next three are "" if the label is [CLS].
  std::string decoded;  // the labelled tokens decoded, including [UNK]
  std::string source;   // the context's characters under the labelled tokens
  std::string label;    // the labelled tokens, decoded one by one as in the recipe
  std::string input;    // all tokens of the window, decoded one by one (Tokenizer::decode_each)
};

// REQUIRES: features were built from the dataset, with labels.
LabelRow label_row(const Dataset& dataset, const FeatureSet& features, const Tokenizer& tokenizer,
                   size_t window);

}  // namespace spanforge
