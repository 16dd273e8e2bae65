#pragma once
// What: F1 over words, also for scripts that write no spaces. squad_v2 takes a Chinese answer as
//   one token, so its F1 is its exact match; here ICU's word segmentation finds the words.
// Words: Lower case; runs without letter or digit, and the articles a/an/the, do not count. ICU's
//   dictionary splits unknown names into single characters. Adjacent single Chinese characters are
//   therefore one word, except a character that is a word of the other text. So 空派蒙 is 空 + 派蒙
//   if the other text is 风景|优美|空, and their F1 is 2 * (1/3 * 1/2) / (1/3 + 1/2) = 0.4.
// Errors: Error{kInternal} if ICU's data lack word rules.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "spanforge/metrics/metric.h"

namespace spanforge {

// One prediction compared with one gold answer, with all that explains the number.
struct WordMatch {
  std::vector<std::string> gold_words, prediction_words;
  std::vector<std::string> matched;  // words of the prediction found in the gold, with repeats
  double precision = 0, recall = 0, f1 = 0;  // all 1 if neither side has a word
};

// Holds ICU's segmenter: use one object per thread.
class WordMatcher {
 public:
  WordMatcher();
  ~WordMatcher();
  WordMatch match(std::string_view gold, std::string_view prediction);
  // The gold (or "" if there is none) with the highest F1; the first among equals.
  WordMatch best_match(const std::vector<std::string>& golds, std::string_view prediction);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Points: {f1, precision, recall} of the best gold. Keys: word_f1, word_precision, word_recall, the
// means over all questions in per cent.
extern const Metric kWordF1;

}  // namespace spanforge
