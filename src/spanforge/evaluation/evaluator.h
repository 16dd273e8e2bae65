#pragma once
// What: an evaluation, chunk after chunk of its data (evaluate.h says what comes out).
// Cost: about 110 bytes a question and metric, and with keep_ranks a QaRank with its two texts.

#include <cstdint>
#include <vector>

#include "spanforge/evaluation/evaluate.h"
#include "spanforge/evaluation/null_threshold.h"

namespace spanforge {

class Evaluator {
 public:
  // dataset must outlive it.
  Evaluator(const Dataset& dataset, EvaluationOptions options);

  // Until then the first chunk chooses the temperature: it then must be all there is.
  bool wants_temperature() const { return wants_temperature_; }
  void set_temperature(double temperature);
  const DecoderOptions& decoder() const { return options_.decoder; }

  // The next chunk; on_answers is called with its answers.
  void add(const FeatureSet& chunk, const Predictions& predictions);
  Evaluation finish() &&;

 private:
  // One metric's points: of the answers given, of each question's best that is not "" with the
  // probability of "", of "".
  struct Column {
    const Metric* metric = nullptr;
    Metric::Add add;
    ScoreSheet sheet;
    std::vector<Points> none;
  };

  void add_loss(const FeatureSet& chunk, const std::vector<double>& losses);
  void add_answers(const FeatureSet& chunk, const LogitSet& logits, size_t first, size_t end);
  void add_scores(const Example& example, const DecodedExample& decoded);
  void fit_null_threshold();

  const Dataset& dataset_;
  EvaluationOptions options_;
  bool wants_temperature_;
  // By question that has windows. The first column is squad_v2's.
  std::vector<Column> columns_;
  std::vector<double> null_odds_;
  double loss_ = 0;
  int64_t labelled_windows_ = 0;
  int64_t asked_ = 0, hits_ = 0;  // of the recipe's n-best
  Evaluation result_;
};

}  // namespace spanforge
