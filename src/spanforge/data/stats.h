#pragma once
// Counts and lengths of a dataset.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "spanforge/base/json.h"
#include "spanforge/data/dataset.h"
#include "spanforge/text/tokenizer.h"

namespace spanforge {

// A summary of lengths; zeros if there are none. Percentiles are by nearest rank.
struct LengthSummary {
  int64_t count = 0, min = 0, median = 0, p95 = 0, max = 0;
  double mean = 0;
};
LengthSummary summarize_lengths(std::vector<int64_t> lengths);

struct TextLengths {
  LengthSummary contexts;   // of distinct contexts
  LengthSummary questions;  // of every question
  LengthSummary answers;    // of every answer of every question
};

struct FormCount {
  std::string form;  // see question_form.h
  int64_t questions = 0;
};

struct DataStats {
  std::string file;
  int64_t questions = 0, answers = 0, titles = 0;  // titles: distinct ones
  int64_t distinct_contexts = 0, distinct_questions = 0;
  int64_t without_answer = 0;         // questions
  int64_t several_answers = 0;        // questions with more than one
  TextLengths characters;             // code points
  std::optional<TextLengths> tokens;  // without special tokens; if a tokenizer was given
  std::vector<FormCount> forms;       // most frequent first
  // How evenly the forms are spread, 0 to 1: the entropy divided by its maximum.
  double form_spread = 0;
  double without_answer_share() const {
    return questions == 0 ? 0
                          : static_cast<double>(without_answer) / static_cast<double>(questions);
  }
};

DataStats compute_stats(const Dataset& dataset, const Tokenizer* tokenizer = nullptr);

Json stats_to_json(const DataStats& stats);
std::string stats_to_text(const DataStats& stats);  // several lines

}  // namespace spanforge
