#pragma once
// What: The CMRC 2018 metric for Chinese: F1 over the longest common run of characters, and exact
//   match after removal of punctuation. Source: the task's cmrc2018_evaluate.py. The script splits
//   text that is not Chinese with NLTK's word tokeniser; here such runs are split only at white
//   space, so numbers with units ("3.5%") count as one token (docs/metrics.md).

#include <string>
#include <string_view>
#include <vector>

#include "spanforge/metrics/metric.h"

namespace spanforge {

// Lower case, stripped, without the script's punctuation.
std::string cmrc_remove_punctuation(std::string_view text);
// The same, split into tokens: each of U+4E00-9FA5 alone, other runs at white space.
std::vector<std::string> cmrc_tokens(std::string_view text);
double cmrc_f1(std::string_view gold, std::string_view prediction);

// Points: {f1, exact}, each the best over the golds. The script cannot score a question without
// golds; here it is right if nothing is left of the prediction. A question without a prediction
// counts 0 and is skipped. Keys: cmrc_average ((exact + f1) / 2), cmrc_f1, cmrc_exact,
// cmrc_skipped; `evaluate` prints cmrc2018_*. It suits Chinese data (chinese.h).
extern const Metric kCmrc2018;

}  // namespace spanforge
