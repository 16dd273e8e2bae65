#pragma once
// What: The cause of each wrong answer: the label, the window, the length limit, the tokenizer, the
//   no-answer threshold, the ranking, the boundary, or the model. Each question has one verdict:
//   the first of Verdict that applies. gold_rank and confident are reported in addition.

#include <filesystem>
#include <string>
#include <vector>

#include "spanforge/evaluation/evaluate.h"
#include "spanforge/io/file.h"

namespace spanforge {

enum class Verdict {
  kRight,
  kRightUnsure,  // right, with a score below kConfidentScore
  kLabelBad,     // no reference is where the data says (if they say), or all normalise to nothing
  kFalseAnswer,  // an answer was given, but there is none
  kCutOff,       // no window holds a whole reference
  kTooLong,      // every reference is longer than the longest allowed answer
  kInsideToken,  // every reference is a part of its tokens, so it cannot be given
  kFalseNone,    // "no answer" was given, but there is one
  kBoundary,     // the answer overlaps a reference
  kRankedLower,  // a reference is in the top k, but not first
  kConfidentWrong,  // no reference in the top k, score at least kConfidentScore
  kUnsureWrong,     // no reference in the top k, score below it
};
inline constexpr int kVerdictCount = 12;

const char* verdict_name(Verdict verdict);     // "boundary off", for tables and JSON
const char* verdict_lost_by(Verdict verdict);  // "model", "window", ...; "" for right ones

struct Judgement {
  size_t example = 0;
  Verdict verdict = Verdict::kRight;
  std::string prediction;
  double score = 0;       // of the prediction, on the decoder's scale
  double f1 = 0;          // squad_v2's, 0 to 1
  int32_t gold_rank = 0;  // 1-based, in the recipe's n-best; 0: not in it, or not computed
  bool confident = false;
};

struct Analysis {
  std::vector<Judgement> judgements;  // by example, without dropped ones
  std::vector<int64_t> counts = std::vector<int64_t>(kVerdictCount, 0);  // by Verdict
};

inline constexpr double kConfidentScore = 0.5;

// Adds the judgements of these questions. decoder: the options of their decoding.
void analyse(const Dataset& dataset, const JudgedAnswers& answers, const DecoderOptions& decoder,
             Analysis& analysis);

// {"questions", "right", "wrong", "in_top_k", "verdicts": {name: count}, "lost_by": {who: count},
//  "details": [{"id", "question", "prediction", "references", "verdict", "lost_by", "score", "f1",
//  "gold_rank", "confident"}]}: details of wrong and of unsure answers. The bytes are those of
// json.dumps(value, indent=4) + "\n". Writes one question at a time and commits the file. Errors:
// Error{kIo}.
void write_analysis(const Dataset& dataset, const Analysis& analysis, AtomicFile file);

// A table of counts, then up to `shown` wrong answers of each verdict; lines end with \n.
std::string analysis_table(const Dataset& dataset, const Analysis& analysis, size_t shown = 3);

}  // namespace spanforge
