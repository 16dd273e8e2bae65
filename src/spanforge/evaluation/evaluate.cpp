#include "spanforge/evaluation/evaluate.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "spanforge/metrics/predictions_file.h"

namespace spanforge {
namespace {

double sigmoid(double x) {
  return x >= 0 ? 1.0 / (1.0 + std::exp(-x)) : std::exp(x) / (1.0 + std::exp(x));
}

bool is_dropped(const FeatureSet& features, size_t example) {
  const auto [first, last] = features.windows_of(example);
  return first == last;
}

// The answers given are scored as they are; thresholds are searched over the best answers.
void score(const Dataset& dataset, const FeatureSet& features, const EvaluationOptions& options,
           Evaluation& evaluation) {
  std::vector<SquadItem> best_answers;
  for (size_t i = 0; i < evaluation.decoded.size(); ++i) {
    if (is_dropped(features, i)) continue;
    const DecodedExample& decoded = evaluation.decoded[i];
    SquadItem item = squad_item_of(dataset.examples[i]);
    item.prediction = decoded.prediction.text;
    evaluation.items.push_back(item);
    item.prediction = decoded.best_non_null;
    const bool knows_null = options.decoder.kind != DecoderKind::kRecipe;
    item.no_answer_probability = knows_null ? sigmoid(decoded.null_odds) : 0.0;
    best_answers.push_back(std::move(item));
  }
  evaluation.squad = squad_v2(evaluation.items);
  const SquadScores best = squad_v2(best_answers);
  evaluation.squad.best_exact = best.best_exact;
  evaluation.squad.best_exact_thresh = best.best_exact_thresh;
  evaluation.squad.best_f1 = best.best_f1;
  evaluation.squad.best_f1_thresh = best.best_f1_thresh;
}

QaRank rank_of(const Example& example, const DecodedExample& decoded) {
  QaRank result;
  result.id = example.id;
  for (size_t k = 0; k < decoded.candidates.size() && result.rank == 0; ++k) {
    const Candidate& candidate = decoded.candidates[k];
    for (const Answer& answer : example.answers) {
      if (candidate.text != answer.text) continue;
      result.rank = static_cast<int32_t>(k + 1);
      result.score = candidate.score;
      result.text = candidate.text;
      break;
    }
  }
  if (!decoded.candidates.empty()) {
    result.top1_score = decoded.candidates.front().score;
    result.top1_text = decoded.candidates.front().text;
  }
  return result;
}

void rank(const Dataset& dataset, const FeatureSet& features, const LogitSet& logits,
          const EvaluationOptions& options, Evaluation& evaluation) {
  DecoderOptions recipe;
  recipe.kind = DecoderKind::kRecipe;
  recipe.top_k = options.recipe_top_k;
  recipe.max_answer_ratio = options.recipe_max_answer_ratio;
  evaluation.recipe = decode_all(dataset, features, logits, recipe);
  int64_t hits = 0, asked = 0;
  for (size_t i = 0; i < evaluation.recipe.size(); ++i) {
    evaluation.ranks.push_back(rank_of(dataset.examples[i], evaluation.recipe[i]));
    if (is_dropped(features, i)) continue;
    ++asked;
    if (evaluation.ranks.back().rank > 0) ++hits;
  }
  if (asked > 0) evaluation.qa_topk_recall = static_cast<double>(hits) / static_cast<double>(asked);
}

std::optional<double> mean_loss(const FeatureSet& features, const std::vector<double>& losses) {
  double sum = 0;
  int64_t labelled = 0;
  for (size_t w = 0; w < losses.size(); ++w) {
    if (!features.windows()[w].labelled) continue;
    sum += losses[w];
    ++labelled;
  }
  return labelled > 0 ? std::optional(sum / static_cast<double>(labelled)) : std::nullopt;
}

}  // namespace

Evaluation evaluate_predictions(const Dataset& dataset, const FeatureSet& features,
                                const Predictions& predictions, const EvaluationOptions& options) {
  Evaluation evaluation;
  evaluation.window_count = static_cast<int64_t>(features.size());
  evaluation.loss = mean_loss(features, predictions.window_losses);
  DecoderOptions decoder = options.decoder;
  // An n-best list costs the spanforge decoder nothing and leaves its first answer as it is; the
  // pipeline's scores depend on top_k, so it gets what was asked.
  if (decoder.kind == DecoderKind::kSpanforge)
    decoder.top_k = std::max(decoder.top_k, decoder.n_best_size);
  evaluation.decoded = decode_all(dataset, features, predictions.logits, decoder);
  score(dataset, features, options, evaluation);
  if (options.recipe_ranks) rank(dataset, features, predictions.logits, options, evaluation);
  return evaluation;
}

Evaluation evaluate(const Predictor& model, const Dataset& dataset,
                    const FeatureSet& features, const EvaluationOptions& options) {
  const auto begin = std::chrono::steady_clock::now();
  const Predictions predictions = predict_all(model, features, options.predict);
  Evaluation evaluation = evaluate_predictions(dataset, features, predictions, options);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  evaluation.runtime_seconds = seconds.count();
  return evaluation;
}

}  // namespace spanforge
