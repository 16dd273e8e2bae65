#pragma once
// What: a model judged on a dataset: logits, answers by a decoder, squad_v2 scores, the recipe's
//   n-best ranks. Training, `evaluate` and the tests all go through this one function.

#include <optional>
#include <string>
#include <vector>

#include "spanforge/base/json.h"
#include "spanforge/decode/decoder.h"
#include "spanforge/evaluation/predict.h"
#include "spanforge/metrics/squad.h"

namespace spanforge {

// The recipe's view of one question: where the first candidate that equals a reference stands in
// the joint log-probability n-best (top 10), and what stands first.
struct QaRank {
  std::string id;
  int32_t rank = 0;        // 1-based; 0: no reference among the candidates
  double score = 0;        // 0 when rank is 0
  std::string text;        // "" when rank is 0
  double top1_score = 0;
  std::string top1_text;
};

struct EvaluationOptions {
  DecoderOptions decoder;
  PredictOptions predict;
  bool recipe_ranks = true;   // also run the recipe's n-best
  int32_t recipe_top_k = 10;
  double recipe_max_answer_ratio = 0.4;
};

struct Evaluation {
  std::optional<double> loss;              // mean over windows; with labels only
  int64_t window_count = 0;
  std::vector<DecodedExample> decoded;     // by example
  std::vector<DecodedExample> recipe;      // by example; empty without recipe_ranks
  SquadScores squad;
  std::vector<QaRank> ranks;               // by example; empty without recipe_ranks
  double qa_topk_recall = 0;
  double runtime_seconds = 0;
};

Evaluation evaluate(const QuestionAnsweringModel& model, const Dataset& dataset,
                    const FeatureSet& features, const EvaluationOptions& options);

// {"exact": ..., "f1": ..., "total": ..., "HasAns_exact": ...}: the reference's keys and order.
Json squad_scores_json(const SquadScores& scores);

}  // namespace spanforge
