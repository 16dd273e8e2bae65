#pragma once
// What training says about its labels before it starts, and the rows of `data labels`.

#include <cstddef>
#include <string>

#include "spanforge/features/feature_set.h"

namespace spanforge {

// "labels: 85 aligned, 3 truncated, 2 dropped; 10 without an answer; 104 windows of at most 384
// tokens, overlap 128": one line, no line end.
std::string label_summary(const FeatureSet& features);
// The same of all chunks of a FeatureStream.
std::string label_summary(const LabelCounts& counts, int64_t window_count,
                          const WindowOptions& windows);

// One window's label turned back into text.
struct LabelRow {
  std::string id;
  std::string question;
  std::string answer;   // the first answer's text, "" where there is none
  std::string decoded;  // the labelled tokens decoded, [UNK] too; "" where the label is [CLS]
  std::string source;   // the context's characters under the labelled tokens; "" likewise
  // The recipe's way, token by token (Tokenizer::decode_each):
  std::string label;  // of decoded's tokens; "" likewise
  std::string input;  // of all the window's tokens
};

// REQUIRES: features built from dataset with labels.
LabelRow label_row(const Dataset& dataset, const FeatureSet& features, const Tokenizer& tokenizer,
                   size_t window);

}  // namespace spanforge
