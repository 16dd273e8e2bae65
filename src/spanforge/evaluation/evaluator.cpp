#include "spanforge/evaluation/evaluator.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "spanforge/metrics/predictions_file.h"

namespace spanforge {
namespace {

// Questions whose n-best lists stand in memory: thirty texts each.
constexpr size_t kBlockQuestions = 2048;

double sigmoid(double x) {
  return x >= 0 ? 1.0 / (1.0 + std::exp(-x)) : std::exp(x) / (1.0 + std::exp(x));
}

// An n-best list costs the spanforge decoder little and leaves its first answer as it is; the
// pipeline's scores depend on top_k, so it gets what was asked.
EvaluationOptions with_n_best(EvaluationOptions options) {
  DecoderOptions& decoder = options.decoder;
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
    : dataset_(dataset), options_(with_n_best(std::move(options))) {}

void Evaluator::add(const FeatureSet& chunk, const Predictions& predictions) {
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
  item.prediction = decoded.prediction.text;
  given_.push_back(squad_outcome(item));
  const NullChoice choice = null_choice_of(example, decoded);
  const bool knows_null = options_.decoder.kind != DecoderKind::kRecipe;
  best_.push_back({.score = choice.answer,
                   .no_answer_probability = knows_null ? sigmoid(decoded.null_odds) : 0.0,
                   .has_golds = choice.has_golds,
                   .predicts_text = !decoded.best_non_null.empty()});
  none_.push_back(choice.none);
  null_odds_.push_back(choice.log_odds);
}

std::vector<NullChoice> Evaluator::null_choices() const {
  std::vector<NullChoice> choices;
  choices.reserve(best_.size());
  for (size_t i = 0; i < best_.size(); ++i) {
    choices.push_back({null_odds_[i], best_[i].score, none_[i], best_[i].has_golds});
  }
  return choices;
}

void Evaluator::set_null_threshold(double log_odds) {
  for (size_t i = 0; i < given_.size(); ++i) {
    const bool withheld = null_odds_[i] > log_odds;
    given_[i].score = withheld ? none_[i] : best_[i].score;
    given_[i].predicts_text = !withheld && best_[i].predicts_text;
  }
}

Evaluation Evaluator::finish() && {
  result_.squad = score_outcomes(given_);
  const SquadScores best = score_outcomes(best_);
  result_.squad.best_exact = best.best_exact;
  result_.squad.best_exact_thresh = best.best_exact_thresh;
  result_.squad.best_f1 = best.best_f1;
  result_.squad.best_f1_thresh = best.best_f1_thresh;
  if (labelled_windows_ > 0) result_.loss = loss_ / static_cast<double>(labelled_windows_);
  if (asked_ > 0) result_.qa_topk_recall = static_cast<double>(hits_) / static_cast<double>(asked_);
  return std::move(result_);
}

void predict_chunks(const Predictor& model, const EvaluationData& data,
                    const EvaluationOptions& options,
                    const std::function<void(const FeatureSet&, const Predictions&)>& visit) {
  Workspace workspace;
  const auto questions = static_cast<int64_t>(data.dataset.examples.size());
  if (options.progress) options.progress(0, questions);  // the work begins here
  data.chunks.for_each(data.dataset, data.tokenizer, [&](const FeatureSet& chunk) {
    PredictOptions predict = options.predict;
    const auto before = static_cast<int64_t>(chunk.first_example());
    const auto here = static_cast<int64_t>(chunk.example_count());
    predict.progress = [&](int64_t done, int64_t batches) {
      if (options.progress) options.progress(before + here * done / batches, questions);
    };
    visit(chunk, predict_all(model, chunk, predict, &workspace));
  });
}

}  // namespace spanforge
