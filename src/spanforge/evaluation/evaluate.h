#pragma once
// What: Evaluates a model on a dataset: logits, a decoder's answers, the metrics' numbers, the
//   recipe's n-best ranks. Training, the command `evaluate`, the conversion to int8 and the tests
//   all use this.
// Memory: Windows, logits and answers exist one chunk at a time (features/feature_chunks.h). For
//   each question some hundred bytes per metric stay. A caller that needs the answers takes them in
//   on_answers.
// Scores: exact, f1 and their parts score the given answers, including "". best_* score each
//   question's best answer that is not "", with sigmoid(null odds) as its no-answer probability, so
//   they show what a better threshold would give. A question whose reference is not where its file
//   says is scored by the reference's text like any other; it only has no label and so no loss.
//   Questions whose example was dropped from the features (BadAnswerPolicy::kDrop) are not scored.
// Processes: If options.predict.group is set, all its ranks call with the same data and options.
//   Each predicts a part. Rank 0 alone decodes and scores, so the others get an empty Evaluation
//   and no call of on_answers.
// Threads: options.threads of them; each forward pass in a Turn (base/threads.h).
// Fitting (options.fit): First chooses the two settings that only data can give: the temperature
//   that makes scores probabilities (calibrate.h), then, with it, the no-answer threshold. Then
//   scores the answers under both. If the data are several chunks, the temperature's sample is
//   predicted first, separately.
//   Why one step: training logs these scores and stores these settings with the checkpoint. So an
//   evaluation and a Pipeline with the stored settings give the same answers and the same scores.
//   What is fitted: only the spanforge decoder. The others have their originals' rules, which know
//   neither setting. The threshold is fitted if "" may be answered and the data has questions with
//   and without an answer; else it is 0.
//   Bias: both are chosen on the same questions that are scored. The temperature hardly changes an
//   answer. The threshold does, so scores on data with unanswerable questions are optimistic.
//   Scores of other data under these settings are not.

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "spanforge/decode/decoder.h"
#include "spanforge/evaluation/predict.h"
#include "spanforge/features/feature_chunks.h"
#include "spanforge/metrics/metric.h"

namespace spanforge {

// The recipe's view of one question: the place of the first candidate that equals a reference in
// the joint log-probability n-best (top 10), and the first candidate.
struct QaRank {
  int32_t rank = 0;  // 1-based; 0: no reference among the candidates
  double score = 0;  // 0 when rank is 0
  std::string text;  // "" when rank is 0
  double top1_score = 0;
  std::string top1_text;
};

// The answers of some consecutive questions, with their windows. [i] belongs to example
// first_example + i. With options.fit they are those at threshold 0.
struct JudgedAnswers {
  const FeatureSet& features;
  size_t first_example = 0;
  std::span<const DecodedExample> decoded;
  std::span<const DecodedExample> recipe;  // empty without recipe_ranks, like ranks
  std::span<const QaRank> ranks;
};

struct EvaluationOptions {
  DecoderOptions decoder;
  int threads = 0;   // 0: the cores this process may use
  bool fit = false;  // choose the decoder's temperature and null_threshold, ignoring those given
  std::vector<const Metric*> more_metrics;               // in addition to squad_v2
  PredictOptions predict;                                // its progress is not called
  std::function<void(int64_t, int64_t)> progress;        // (questions predicted, all questions)
  std::function<void(const JudgedAnswers&)> on_answers;  // in the order of the examples
  bool recipe_ranks = true;                              // also run the recipe's n-best
  bool keep_ranks = true;  // in Evaluation::ranks; on_answers always receives them
  int32_t recipe_top_k = 10;
  double recipe_max_answer_ratio = 0.4;
};

struct Evaluation {
  std::optional<double>
      loss;  // mean over the windows that have a label; nullopt: no window has one
  int64_t window_count = 0;
  MetricValues values;  // squad_v2's, then those of more_metrics in their order
  double temperature = 1.0, null_threshold = 0.0;  // the decoder's: as given, or fitted
  std::vector<QaRank> ranks;  // by example; empty without recipe_ranks or keep_ranks
  double qa_topk_recall = 0;
  double runtime_seconds = 0;

  // REQUIRES: the key is reported. "exact" and "f1" always are.
  double number(std::string_view key) const { return find_number(values, key).value(); }
};

// The data to evaluate on.
struct EvaluationData {
  const Dataset& dataset;
  const Tokenizer& tokenizer;
  const FeatureChunks& chunks;  // of these two
};

Evaluation evaluate(const Predictor& model, const EvaluationData& data,
                    const EvaluationOptions& options);

}  // namespace spanforge
