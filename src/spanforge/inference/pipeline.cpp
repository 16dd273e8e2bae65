#include "spanforge/inference/pipeline.h"

#include <algorithm>
#include <mutex>
#include <span>
#include <utility>

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/base/text_index.h"
#include "spanforge/base/threads.h"
#include "spanforge/base/utf8.h"
#include "spanforge/data/dataset.h"
#include "spanforge/evaluation/predict.h"
#include "spanforge/features/window_check.h"
#include "spanforge/model/answering_model.h"
#include "spanforge/model/load_report.h"
#include "spanforge/model/model.h"

namespace spanforge {
namespace {

// The number of questions that are made into windows and computed together. It limits memory.
constexpr size_t kBlockQuestions = 1024;

// {"question 3 (id x): What is ...?"}
ErrorPlace place_of(const QuestionContext& asked, size_t number) {
  ErrorPlace place = row_place({}, fmt::format("question {}", number + 1), asked.id);
  place.where += ": " + quote_for_message(asked.question);
  return place;
}

std::optional<Error> text_fault(const QuestionContext& asked, size_t number) {
  for (const auto& [text, what] :
       {std::pair(&asked.question, "question"), std::pair(&asked.context, "context")}) {
    if (text->empty()) {
      return Error(ErrorCode::kUsage, place_of(asked, number),
                   fmt::format("the {} is empty", what));
    }
    if (const std::optional<size_t> at = find_invalid_utf8(*text)) {
      return Error(ErrorCode::kUsage, place_of(asked, number),
                   fmt::format("the {} is not valid UTF-8 at byte {}", what, *at));
    }
  }
  return std::nullopt;
}

Dataset make_dataset(const std::vector<QuestionContext>& questions, std::span<const size_t> block) {
  Dataset dataset;
  dataset.file = "questions";
  TextIndex known;  // of the contexts
  for (const size_t i : block) {
    Example& example = dataset.examples.emplace_back();
    example.id = questions[i].id.empty() ? std::to_string(i) : questions[i].id;
    example.question = questions[i].question;
    example.place = fmt::format("{}", i);
    const auto [context, is_new] =
        known.insert(questions[i].context, dataset.contexts.size(), texts_in(dataset.contexts));
    if (is_new) dataset.contexts.push_back(questions[i].context);
    example.context = context;
  }
  return dataset;
}

// Best first, but the decision is in front: run_qa decides after it makes its n-best list.
std::vector<AskAnswer> answers_of(const DecodedExample& decoded, int32_t top_k) {
  std::vector<Candidate> order = decoded.candidates;
  const auto chosen = std::find_if(order.begin(), order.end(), [&](const Candidate& c) {
    return c.text == decoded.prediction.text;
  });
  if (chosen != order.end()) std::rotate(order.begin(), chosen, chosen + 1);
  std::vector<AskAnswer> answers;
  for (Candidate& candidate : order) {
    if (answers.size() == static_cast<size_t>(top_k)) break;
    answers.push_back({candidate.score, candidate.span, std::move(candidate.text)});
  }
  return answers;
}

}  // namespace

// Keeps workspaces of finished calls for later calls: clearing new memory would cost more than
// answering a short question.
class Workspaces {
 public:
  std::unique_ptr<Workspace> take() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (idle_.empty()) return std::make_unique<Workspace>();
    std::unique_ptr<Workspace> workspace = std::move(idle_.back());
    idle_.pop_back();
    return workspace;
  }
  void give_back(std::unique_ptr<Workspace> workspace) {
    const std::lock_guard<std::mutex> lock(mutex_);
    idle_.push_back(std::move(workspace));
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Workspace>> idle_;
};

struct Pipeline::Impl {
  std::unique_ptr<const Predictor> model;
  Tokenizer tokenizer;
  std::optional<AnswerSettings> settings;
  int threads = 1;
  mutable Workspaces workspaces{};

  AnswerSettings settings_for(const AskOptions& options) const {
    if (options.top_k.value_or(1) < 1)
      throw Error(ErrorCode::kUsage, {.parameter = "top_k"}, "must be at least 1");
    if (options.batch_size < 1)
      throw Error(ErrorCode::kUsage, {.parameter = "batch_size"}, "must be at least 1");
    return choose_answer_settings(settings, options, tokenizer, model->config().longest_input())
        .settings;
  }

  // Answers the questions of one block, and records those that leave no room for their context.
  void answer_block(const std::vector<QuestionContext>& questions, std::vector<size_t> block,
                    const AnswerSettings& chosen, int32_t batch_size, Workspace& workspace,
                    std::vector<AskResult>& results) const {
    Dataset dataset = make_dataset(questions, block);
    FeatureOptions feature_options;
    feature_options.windows = chosen.windows;
    feature_options.with_labels = false;
    std::optional<FeatureSet> features;
    try {
      features = FeatureSet::build(dataset, tokenizer, feature_options);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kBadData) throw;
      for (const WindowFinding& one : check_windows(dataset, tokenizer, chosen.windows)) {
        const size_t i = block[one.example];
        results[i].error = Error(ErrorCode::kUsage, place_of(questions[i], i), one.reason);
      }
      const size_t asked = block.size();
      std::erase_if(block, [&](size_t i) { return results[i].error.has_value(); });
      if (block.size() == asked) throw;
      if (block.empty()) return;
      dataset = make_dataset(questions, block);
      features = FeatureSet::build(dataset, tokenizer, feature_options);
    }
    PredictOptions predict;
    predict.batch_size = batch_size;
    const Predictions predictions = predict_all(*model, *features, predict, &workspace);
    const auto decoded = decode_all(dataset, *features, predictions.logits, chosen.decoder);
    for (size_t i = 0; i < block.size(); ++i) {
      results[block[i]].answers = answers_of(decoded[i], chosen.decoder.top_k);
    }
  }

  // stop_at_error: throws the error of the first question that cannot be answered.
  std::vector<AskResult> answer(const std::vector<QuestionContext>& questions,
                                const AskOptions& options, bool stop_at_error) const {
    const AnswerSettings chosen = settings_for(options);
    const ThreadScope scope(threads);
    std::vector<AskResult> results(questions.size());
    std::vector<size_t> sound;
    for (size_t i = 0; i < questions.size(); ++i) {
      results[i].error = text_fault(questions[i], i);
      if (!results[i].error) sound.push_back(i);
      if (results[i].error && stop_at_error) throw Error(*results[i].error);
    }
    std::unique_ptr<Workspace> workspace = workspaces.take();
    for (size_t first = 0; first < sound.size(); first += kBlockQuestions) {
      const size_t end = std::min(sound.size(), first + kBlockQuestions);
      const Turn turn;
      answer_block(questions,
                   {sound.begin() + static_cast<std::ptrdiff_t>(first),
                    sound.begin() + static_cast<std::ptrdiff_t>(end)},
                   chosen, options.batch_size, *workspace, results);
      for (size_t i = first; stop_at_error && i < end; ++i) {
        if (results[sound[i]].error) throw Error(*results[sound[i]].error);
      }
    }
    workspaces.give_back(std::move(workspace));
    return results;
  }
};

Pipeline Pipeline::from_directory(const ModelDirectory& given, Precision precision,
                                  LoadReport* report, int threads) {
  const ThreadScope scope(threads);
  const ModelDirectory directory =
      given.is_adapter() ? given : open_model_directory(given.path, nullptr);
  auto model = std::make_unique<const AnsweringModel>(
      AnsweringModel::load(directory, directory.path.string(), precision, report));
  Tokenizer tokenizer = Tokenizer::from_directory(directory.tokenizer());
  if (report != nullptr && tokenizer.note()) report->notes.push_back(*tokenizer.note());
  return Pipeline(std::move(model), std::move(tokenizer), load_answer_settings(directory.path),
                  threads);
}

Pipeline::Pipeline(std::unique_ptr<const Predictor> model, Tokenizer tokenizer,
                   std::optional<AnswerSettings> settings, int threads)
    : impl_(new Impl{std::move(model), std::move(tokenizer), std::move(settings),
                     resolve_thread_count(threads)}) {}
Pipeline::Pipeline(QuestionAnsweringModel model, Tokenizer tokenizer,
                   std::optional<AnswerSettings> settings, int threads)
    : Pipeline(std::make_unique<const QuestionAnsweringModel>(std::move(model)),
               std::move(tokenizer), std::move(settings), threads) {}
Pipeline::Pipeline(Pipeline&&) noexcept = default;
Pipeline::~Pipeline() = default;

std::vector<std::vector<AskAnswer>> Pipeline::answer(const std::vector<QuestionContext>& questions,
                                                     const AskOptions& options) const {
  std::vector<std::vector<AskAnswer>> answers;
  answers.reserve(questions.size());
  for (AskResult& result : impl_->answer(questions, options, true)) {
    answers.push_back(std::move(result.answers));
  }
  return answers;
}

std::vector<AskResult> Pipeline::answer_each(const std::vector<QuestionContext>& questions,
                                             const AskOptions& options) const {
  return impl_->answer(questions, options, false);
}

}  // namespace spanforge
