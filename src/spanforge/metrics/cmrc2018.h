#pragma once
// What: the CMRC 2018 metric for Chinese: F1 over the longest common run of characters, and exact
//   match after removal of punctuation. Source: the task's cmrc2018_evaluate.py. It splits what is
//   not a Chinese character with NLTK's word tokeniser; here such runs are split at white space
//   only, so numbers with units ("3.5%") count as one token (docs/metrics.md).

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "spanforge/metrics/squad.h"

namespace spanforge {

struct CmrcScores {
  double average = 0;  // (exact + f1) / 2
  double f1 = 0, exact = 0;
  int64_t total = 0;
  int64_t skipped = 0;  // questions without a prediction: they count 0
};

// Lower case, stripped, the script's punctuation removed.
std::string cmrc_remove_punctuation(std::string_view text);
// The same split into tokens: each of U+4E00-9FA5 alone, other runs at white space.
std::vector<std::string> cmrc_tokens(std::string_view text);
double cmrc_f1(std::string_view gold, std::string_view prediction);

// Best over the golds of each item. A question without golds, which the script cannot score, is
// right when nothing is left of the prediction.
CmrcScores cmrc2018(const std::vector<SquadItem>& items);

}  // namespace spanforge
