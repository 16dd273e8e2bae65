#include "spanforge/evaluation/evaluator.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "spanforge/evaluation/calibrate.h"
#include "spanforge/metrics/squad.h"

namespace spanforge {
namespace {

// The number of questions whose n-best lists are in memory: thirty texts each.
constexpr size_t kBlockQuestions = 2048;

double sigmoid(double x) {
  return x >= 0 ? 1.0 / (1.0 + std::exp(-x)) : std::exp(x) / (1.0 + std::exp(x));
}

bool is_fitted(const EvaluationOptions& options) {
  return options.fit && options.decoder.kind == DecoderKind::kSpanforge;
}

// An n-best list costs the spanforge decoder little and does not change its first answer. The
// pipeline's scores depend on top_k, so it gets the caller's value.
EvaluationOptions settled(EvaluationOptions options) {
  DecoderOptions& decoder = options.decoder;
  if (options.fit) {
    decoder.temperature = DecoderOptions{}.temperature;
    decoder.null_threshold = DecoderOptions{}.null_threshold;
  }
  if (options.on_answers && decoder.kind == DecoderKind::kSpanforge)
    decoder.top_k = std::max(decoder.top_k, decoder.n_best_size);
  return options;
}

QaRank rank_of(const Example& example, const DecodedExample& decoded) {
  QaRank result;
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

DecoderOptions recipe_decoder(const EvaluationOptions& options) {
  DecoderOptions recipe;
  recipe.kind = DecoderKind::kRecipe;
  recipe.top_k = options.recipe_top_k;
  recipe.max_answer_ratio = options.recipe_max_answer_ratio;
  return recipe;
}

bool is_dropped(const FeatureSet& features, size_t example) {
  const auto [first, last] = features.windows_of(example);
  return first == last;
}

}  // namespace

Evaluator::Evaluator(const Dataset& dataset, EvaluationOptions options)
    : dataset_(dataset),
      options_(settled(std::move(options))),
      wants_temperature_(is_fitted(options_)) {
  const auto add_column = [&](const Metric* metric) {
    columns_.push_back({.metric = metric, .add = metric->start()});
  };
  add_column(&kSquadV2);
  for (const Metric* metric : options_.more_metrics) add_column(metric);
}

void Evaluator::set_temperature(double temperature) {
  options_.decoder.temperature = temperature;
  wants_temperature_ = false;
}

void Evaluator::add(const FeatureSet& chunk, const Predictions& predictions) {
  if (wants_temperature_) {
    set_temperature(fit_temperature(dataset_, chunk, predictions.logits, options_.decoder));
  }
  result_.window_count += static_cast<int64_t>(chunk.size());
  add_loss(chunk, predictions.window_losses);
  const size_t end = chunk.first_example() + chunk.example_count();
  for (size_t first = chunk.first_example(); first < end; first += kBlockQuestions) {
    add_answers(chunk, predictions.logits, first, std::min(end, first + kBlockQuestions));
  }
}

void Evaluator::add_answers(const FeatureSet& chunk, const LogitSet& logits, size_t first,
                            size_t end) {
  const std::vector<DecodedExample> decoded =
      decode_range(dataset_, chunk, logits, first, end, options_.decoder);
  std::vector<DecodedExample> recipe;
  if (options_.recipe_ranks)
    recipe = decode_range(dataset_, chunk, logits, first, end, recipe_decoder(options_));
  std::vector<QaRank> ranks;
  for (size_t i = first; i < end; ++i) {
    const Example& example = dataset_.examples[i];
    const bool asked = !is_dropped(chunk, i);
    if (asked) add_scores(example, decoded[i - first]);
    if (!options_.recipe_ranks) continue;
    ranks.push_back(rank_of(example, recipe[i - first]));
    asked_ += asked;
    hits_ += asked && ranks.back().rank > 0;
  }
  if (options_.on_answers) options_.on_answers({chunk, first, decoded, recipe, ranks});
  if (!options_.keep_ranks) return;
  std::move(ranks.begin(), ranks.end(), std::back_inserter(result_.ranks));
}

void Evaluator::add_loss(const FeatureSet& chunk, const std::vector<double>& losses) {
  for (size_t w = 0; w < losses.size(); ++w) {
    if (!chunk.windows()[w].labelled) continue;
    loss_ += losses[w];
    ++labelled_windows_;
  }
}

void Evaluator::add_scores(const Example& example, const DecodedExample& decoded) {
  SquadItem item = squad_item_of(example);
  SquadItem best = item;
  item.prediction = decoded.prediction.text;
  best.prediction = decoded.best_non_null;
  const bool knows_null = options_.decoder.kind != DecoderKind::kRecipe;
  if (knows_null) best.no_answer_probability = sigmoid(decoded.null_odds);
  SquadItem none = item;
  none.prediction.clear();
  for (Column& column : columns_) {
    const Points of_best = column.add(best), of_none = column.add(none);
    const bool gives_best = item.prediction == best.prediction;
    const Points given = gives_best                ? of_best
                         : item.prediction.empty() ? of_none
                                                   : column.add(item);
    column.sheet.given.push_back(scored_answer(item, given));
    column.sheet.best.push_back(scored_answer(best, of_best));
    column.none.push_back(of_none);
  }
  null_odds_.push_back(decoded.null_odds);
}

// Replaces the answers by those that the threshold would have given from the beginning.
void Evaluator::fit_null_threshold() {
  const Column& squad = columns_.front();
  const auto score = [](const Points& points) {
    return SquadItemScore{.exact = points[0] != 0, .f1 = points[1]};
  };
  std::vector<NullChoice> choices;
  choices.reserve(null_odds_.size());
  for (size_t i = 0; i < null_odds_.size(); ++i) {
    const ScoredAnswer& best = squad.sheet.best[i];
    choices.push_back({null_odds_[i], score(best.points), score(squad.none[i]), best.has_golds});
  }
  const auto threshold = find_null_threshold(std::move(choices));
  if (!threshold) return;
  options_.decoder.null_threshold = threshold->log_odds;
  for (Column& column : columns_) {
    for (size_t i = 0; i < null_odds_.size(); ++i) {
      const bool withheld = null_odds_[i] > threshold->log_odds;
      ScoredAnswer& given = column.sheet.given[i];
      const ScoredAnswer& best = column.sheet.best[i];
      given.points = withheld ? column.none[i] : best.points;
      given.predicts_text = !withheld && best.predicts_text;
    }
  }
}

Evaluation Evaluator::finish() && {
  if (is_fitted(options_) && options_.decoder.null_answers) fit_null_threshold();
  for (const Column& column : columns_) {
    const MetricValues values = column.metric->finish(column.sheet);
    result_.values.insert(result_.values.end(), values.begin(), values.end());
  }
  result_.temperature = options_.decoder.temperature;
  result_.null_threshold = options_.decoder.null_threshold;
  if (labelled_windows_ > 0) result_.loss = loss_ / static_cast<double>(labelled_windows_);
  if (asked_ > 0) result_.qa_topk_recall = static_cast<double>(hits_) / static_cast<double>(asked_);
  return std::move(result_);
}

}  // namespace spanforge
