#pragma once
// What: An evaluation that takes its data one chunk at a time (evaluate.h describes the result).
// Cost: about 110 bytes per question and metric, and with keep_ranks a QaRank with its two texts.

#include <cstdint>
#include <vector>

#include "spanforge/evaluation/evaluate.h"
#include "spanforge/evaluation/null_threshold.h"

namespace spanforge {

class Evaluator {
 public:
  // dataset must outlive it.
  Evaluator(const Dataset& dataset, EvaluationOptions options);

  // True until the temperature is set. The first chunk would then choose it, and must be the only
  // one.
  bool wants_temperature() const { return wants_temperature_; }
  void set_temperature(double temperature);
  const DecoderOptions& decoder() const { return options_.decoder; }

  // Adds the next chunk, and calls on_answers with its answers.
  void add(const FeatureSet& chunk, const Predictions& predictions);
  Evaluation finish() &&;

 private:
  // One metric's points: of the given answers; of each question's best answer that is not "", with
  // the probability of ""; and of "".
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
