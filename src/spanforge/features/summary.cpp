#include "spanforge/features/summary.h"

#include <vector>

#include <fmt/core.h>

#include "spanforge/data/dataset.h"
#include "spanforge/text/tokenizer.h"

namespace spanforge {

std::string label_summary(const FeatureSet& features) {
  return label_summary(features.label_counts(), static_cast<int64_t>(features.size()),
                       features.window_options());
}

std::string label_summary(const LabelCounts& counts, int64_t window_count,
                          const WindowOptions& windows) {
  std::string line =
      fmt::format("labels: {} aligned, {} truncated, {} dropped; {} without an answer",
                  counts.aligned, counts.truncated, counts.dropped, counts.impossible);
  if (counts.inside_token > 0) {
    line += fmt::format(
        " (answer_inside_token: {} of the aligned begin or end inside a token, which is labelled "
        "whole)",
        counts.inside_token);
  }
  if (counts.edges_outside > 0) {
    line += fmt::format(
        " ({} of the truncated begin or end in white space or at a character the "
        "tokenizer drops)",
        counts.edges_outside);
  }
  return line + fmt::format("; {} windows of at most {} tokens, overlap {}", window_count,
                            windows.max_seq_length, windows.window_overlap);
}

LabelRow label_row(const Dataset& dataset, const FeatureSet& features, const Tokenizer& tokenizer,
                   size_t window) {
  const Window& w = features.windows()[window];
  const Example& example = dataset.examples[static_cast<size_t>(w.example)];
  LabelRow row{example.id, example.question, "", "", "", "", ""};
  row.input = tokenizer.decode_each(features.input_ids(w));
  if (!example.answers.empty()) row.answer = example.answers.front().text;
  if (w.end_position == 0) return row;
  const auto first = static_cast<size_t>(w.start_position);
  const auto last = static_cast<size_t>(w.end_position);
  // For a character of several tokens, run_qa's rule gives its last token as first and its first as
  // last.
  const auto ids = features.input_ids(w).subspan(first, last < first ? 0 : last - first + 1);
  row.decoded = tokenizer.decode(std::vector<int32_t>(ids.begin(), ids.end()), false);
  row.label = tokenizer.decode_each(ids);
  const auto offsets = features.offsets(w);
  row.source =
      slice_code_points(dataset.context_of(example), offsets[first].start, offsets[last].end);
  return row;
}

}  // namespace spanforge
