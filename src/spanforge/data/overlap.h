#pragma once
// What: finds what a training and a validation file share. A validation score over shared questions
//   says how well the model remembers, not how well it answers.

#include <cstdint>
#include <string>

#include "spanforge/data/dataset.h"

namespace spanforge {

// Numbers of distinct values that both files have.
struct SharedCounts {
  int64_t contexts = 0;
  int64_t questions = 0;
  int64_t pairs = 0;  // a question with its context
  bool any() const { return contexts > 0 || questions > 0 || pairs > 0; }
  bool operator==(const SharedCounts&) const = default;
};

struct Overlap {
  SharedCounts exact;
  SharedCounts normalized;  // after normalize_for_overlap(); not less than `exact`
  int64_t ids = 0;          // shared ids: not a leak, but odd
  // Questions of the second dataset whose pair, or only whose question, is in the first.
  int64_t second_pairs_seen = 0;
  int64_t second_questions_seen = 0;
  int64_t second_questions = 0;
  bool any() const { return exact.any() || normalized.any(); }
  // Whether the first dataset has every question of the second, with its context. The second cannot
  // judge a model trained on the first.
  bool second_is_seen() const {
    return second_questions > 0 && second_pairs_seen == second_questions;
  }
};

Overlap find_overlap(const Dataset& first, const Dataset& second);

// One line for people, without line end: "overlap: ... share 5 contexts, 15 questions and 15
// question+context pairs ...". "" if nothing is shared.
std::string overlap_line(const Overlap& overlap, const std::string& first_name,
                         const std::string& second_name);

}  // namespace spanforge
