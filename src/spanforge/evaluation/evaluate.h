#pragma once
// What: a model judged on a dataset: logits, answers by a decoder, squad_v2 scores, the recipe's
//   n-best ranks. Training, `evaluate` and the tests all go through this.
// Memory: windows, logits and answers are there a chunk at a time (features/feature_chunks.h); of a
//   question some hundred bytes stay. Who wants its answers takes them in on_answers.
// Scores: exact, f1 and their parts judge the answers given, "" included. best_* come from each
//   question's best answer that is not "", with sigmoid(null odds) as its no-answer probability, so
//   they say what a better threshold would give. A question whose reference is not where its file
//   says is scored by the reference's text like any other; it only has no label and so no loss.
//   Questions whose example was dropped from the features (BadAnswerPolicy::kDrop) are not scored.

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "spanforge/base/json.h"
#include "spanforge/decode/decoder.h"
#include "spanforge/evaluation/predict.h"
#include "spanforge/features/feature_chunks.h"
#include "spanforge/metrics/squad.h"

namespace spanforge {

// The recipe's view of one question: where the first candidate that equals a reference stands in
// the joint log-probability n-best (top 10), and what stands first.
struct QaRank {
  int32_t rank = 0;  // 1-based; 0: no reference among the candidates
  double score = 0;  // 0 when rank is 0
  std::string text;  // "" when rank is 0
  double top1_score = 0;
  std::string top1_text;
};

// The answers of some consecutive questions, while their windows are there. [i] belongs to example
// first_example + i.
struct JudgedAnswers {
  const FeatureSet& features;
  size_t first_example = 0;
  std::span<const DecodedExample> decoded;
  std::span<const DecodedExample> recipe;  // empty without recipe_ranks, as ranks
  std::span<const QaRank> ranks;
};

struct EvaluationOptions {
  DecoderOptions decoder;
  PredictOptions predict;  // its progress is not called
  std::function<void(int64_t, int64_t)> progress;  // (questions predicted, questions in all)
  std::function<void(const JudgedAnswers&)> on_answers;  // in the order of the examples
  bool recipe_ranks = true;  // also run the recipe's n-best
  bool keep_ranks = true;    // in Evaluation::ranks; on_answers sees them in any case
  int32_t recipe_top_k = 10;
  double recipe_max_answer_ratio = 0.4;
};

struct Evaluation {
  std::optional<double> loss;  // mean over the windows that have a label; nullopt: none has
  int64_t window_count = 0;
  SquadScores squad;
  std::vector<QaRank> ranks;  // by example; empty without recipe_ranks or keep_ranks
  double qa_topk_recall = 0;
  double runtime_seconds = 0;
};

// What is to be judged on.
struct EvaluationData {
  const Dataset& dataset;
  const Tokenizer& tokenizer;
  const FeatureChunks& chunks;  // of these two
};

Evaluation evaluate(const Predictor& model, const EvaluationData& data,
                    const EvaluationOptions& options);

// The same from logits that are there already, of all examples; runtime_seconds stays 0.
Evaluation evaluate_predictions(const Dataset& dataset, const FeatureSet& features,
                                const Predictions& predictions, const EvaluationOptions& options);

// {"exact": ..., "f1": ..., "total": ..., "HasAns_exact": ...}: the reference's keys and order.
Json squad_scores_json(const SquadScores& scores);

// The Trainer's evaluation line: eval_loss, eval_exact ... eval_runtime, eval_samples_per_second,
// eval_steps_per_second, epoch, in HF's order; times and rates rounded as HF's. Samples are
// windows.
Json trainer_metrics_json(const Evaluation& evaluation, int64_t batch_size,
                          std::optional<double> epoch);

// A question whose best answer may be given or withheld.
struct NullChoice {
  double log_odds = 0;  // of "" over its best answer that is not ""
  SquadItemScore answer, none;  // of that answer, of ""
  bool has_golds = false;
};
NullChoice null_choice_of(const Example& example, const DecodedExample& decoded);

// Where to draw the line between an answer and none, in log odds: the threshold with the highest F1
// (then exact match, then the middle of the gap to the next question). nullopt: all questions have
// an answer, or none has.
struct NullThreshold {
  double log_odds = 0;
  double exact = 0, f1 = 0;  // per cent, with this threshold
};
std::optional<NullThreshold> find_null_threshold(std::vector<NullChoice> questions);

}  // namespace spanforge
