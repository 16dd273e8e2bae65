#pragma once
// What: a model judged on a dataset: logits, answers by a decoder, the metrics' numbers, the
//   recipe's n-best ranks. Training, the command `evaluate`, the conversion to int8 and the tests
//   all go through this.
// Memory: windows, logits and answers are there a chunk at a time (features/feature_chunks.h); of a
//   question some hundred bytes a metric stay. Who wants its answers takes them in on_answers.
// Scores: exact, f1 and their parts judge the answers given, "" included. best_* come from each
//   question's best answer that is not "", with sigmoid(null odds) as its no-answer probability, so
//   they say what a better threshold would give. A question whose reference is not where its file
//   says is scored by the reference's text like any other; it only has no label and so no loss.
//   Questions whose example was dropped from the features (BadAnswerPolicy::kDrop) are not scored.
// Threads: of options.threads, each forward pass in a Turn (base/threads.h).
// Fitting (options.fit): the two settings that only data can tell are chosen first: the temperature
//   that makes scores honest (calibrate.h), then, with it in place, the no-answer threshold; the
//   answers under both are scored. Where the data are several chunks, the temperature's sample of
//   them is predicted first, by itself.
//   Why one step: training logs these scores and stores these settings with the checkpoint, so that
//   an evaluation and Pipeline under the stored settings give the same answers and the same scores.
//   What is fitted: nothing but the spanforge decoder; the others have their originals' rules, and
//   those know neither. The threshold: where "" may be answered and the data has questions with and
//   without an answer; else it is 0.
//   Honesty: both are chosen on the very questions that are scored. The temperature hardly moves an
//   answer; the threshold does, so scores of data with unanswerable questions are optimistic by
//   that choice. Other data evaluated under the settings is free of it.

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
// first_example + i. With options.fit they are as they are at threshold 0.
struct JudgedAnswers {
  const FeatureSet& features;
  size_t first_example = 0;
  std::span<const DecodedExample> decoded;
  std::span<const DecodedExample> recipe;  // empty without recipe_ranks, as ranks
  std::span<const QaRank> ranks;
};

struct EvaluationOptions {
  DecoderOptions decoder;
  int threads = 0;   // 0: the cores this process may use
  bool fit = false;  // the decoder's temperature and null_threshold are chosen, not looked at
  std::vector<const Metric*> more_metrics;               // besides squad_v2
  PredictOptions predict;                                // its progress is not called
  std::function<void(int64_t, int64_t)> progress;        // (questions predicted, questions in all)
  std::function<void(const JudgedAnswers&)> on_answers;  // in the order of the examples
  bool recipe_ranks = true;                              // also run the recipe's n-best
  bool keep_ranks = true;  // in Evaluation::ranks; on_answers sees them in any case
  int32_t recipe_top_k = 10;
  double recipe_max_answer_ratio = 0.4;
};

struct Evaluation {
  std::optional<double> loss;  // mean over the windows that have a label; nullopt: none has
  int64_t window_count = 0;
  MetricValues values;                             // squad_v2's, then more_metrics' in their order
  double temperature = 1.0, null_threshold = 0.0;  // the decoder's: as given, or fitted
  std::vector<QaRank> ranks;  // by example; empty without recipe_ranks or keep_ranks
  double qa_topk_recall = 0;
  double runtime_seconds = 0;

  // REQUIRES: the key is reported, as "exact" and "f1" always are.
  double number(std::string_view key) const { return find_number(values, key).value(); }
};

// What is to be judged on.
struct EvaluationData {
  const Dataset& dataset;
  const Tokenizer& tokenizer;
  const FeatureChunks& chunks;  // of these two
};

Evaluation evaluate(const Predictor& model, const EvaluationData& data,
                    const EvaluationOptions& options);

}  // namespace spanforge
