#pragma once
// What: an evaluation, chunk after chunk of its data (evaluate.h says what comes out).
// Cost: about 100 bytes a question, and with keep_ranks a QaRank with its two texts.

#include <cstdint>
#include <functional>
#include <vector>

#include "spanforge/evaluation/evaluate.h"

namespace spanforge {

class Evaluator {
 public:
  // dataset must outlive it.
  Evaluator(const Dataset& dataset, EvaluationOptions options);

  // The next chunk; on_answers is called with its answers.
  void add(const FeatureSet& chunk, const Predictions& predictions);
  std::vector<NullChoice> null_choices() const;
  // The answers given as though options.decoder.null_threshold had been this one all along.
  // REQUIRES: decoder spanforge with null_answers.
  void set_null_threshold(double log_odds);
  Evaluation finish() &&;

 private:
  void add_loss(const FeatureSet& chunk, const std::vector<double>& losses);
  void add_answers(const FeatureSet& chunk, const LogitSet& logits, size_t first, size_t end);
  void add_scores(const Example& example, const DecodedExample& decoded);

  const Dataset& dataset_;
  const EvaluationOptions options_;
  // By question that has windows: the answer given; the best one that is not "", with the
  // probability of ""; the score of ""; the odds of "".
  std::vector<SquadOutcome> given_, best_;
  std::vector<SquadItemScore> none_;
  std::vector<double> null_odds_;
  double loss_ = 0;
  int64_t labelled_windows_ = 0;
  int64_t asked_ = 0, hits_ = 0;  // of the recipe's n-best
  Evaluation result_;
};

// Calls visit(chunk, its predictions) for every chunk; tells options.progress.
void predict_chunks(const Predictor& model, const EvaluationData& data,
                    const EvaluationOptions& options,
                    const std::function<void(const FeatureSet&, const Predictions&)>& visit);

}  // namespace spanforge
