#pragma once
// What: what a training and a validation file share. A validation score over shared questions says
//   how well the model remembers, not how well it answers.

#include <cstdint>
#include <string>

#include "spanforge/data/dataset.h"

namespace spanforge {

// Numbers of distinct values that stand in both.
struct SharedCounts {
  int64_t contexts = 0;
  int64_t questions = 0;
  int64_t pairs = 0;  // a question with its context
  bool any() const { return contexts > 0 || questions > 0 || pairs > 0; }
  bool operator==(const SharedCounts&) const = default;
};

struct Overlap {
  SharedCounts exact;
  SharedCounts normalized;  // after normalize_for_overlap; at least the exact counts' values
  int64_t ids = 0;          // shared ids: no leak by itself, but odd
  // Questions of the second dataset whose pair, or only whose question, stands in the first.
  int64_t second_pairs_seen = 0;
  int64_t second_questions_seen = 0;
  int64_t second_questions = 0;
  bool any() const { return exact.any() || normalized.any(); }
  // Every question of the second dataset stands in the first: it cannot judge what learnt from it.
  bool second_is_seen() const {
    return second_questions > 0 && second_pairs_seen == second_questions;
  }
};

Overlap find_overlap(const Dataset& first, const Dataset& second);

// One line without line end, for people: "overlap: ... share 5 contexts, 15 questions and 15
// question+context pairs ...". Empty where nothing is shared.
std::string overlap_line(const Overlap& overlap, const std::string& first_name,
                         const std::string& second_name);

}  // namespace spanforge
