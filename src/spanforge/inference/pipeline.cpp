#include "spanforge/inference/pipeline.h"

#include <algorithm>
#include <cmath>
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
#include "spanforge/features/window_plan.h"
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

// The same distribution that the candidates' scores are of.
double probability_of_no_answer(const DecodedExample& decoded, DecoderKind decoder) {
  if (decoder == DecoderKind::kRecipe) return 0;
  for (const Candidate& candidate : decoded.candidates) {
    if (candidate.text.empty()) return candidate.score;
  }
  double best = 0;
  for (const Candidate& candidate : decoded.candidates) best = std::max(best, candidate.score);
  return std::clamp(best * std::exp(std::min(decoded.null_odds, kNoSpanOdds)), 0.0, 1.0);
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

// Questions that have windows, and what their answers will be made of.
struct Block {
  std::vector<size_t> asked;  // the questions' places in the call
  Dataset dataset;
  std::optional<FeatureSet> features;  // nullopt: no question is left
};

struct PreparedQuestions::Impl {
  AnswerSettings chosen;
  Block block;
  LogitSet logits;
  std::vector<AskResult> results;
};

PreparedQuestions::PreparedQuestions(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PreparedQuestions::~PreparedQuestions() = default;
size_t PreparedQuestions::window_count() const {
  return impl_->block.features ? impl_->block.features->size() : 0;
}
int32_t PreparedQuestions::window_length(size_t window) const {
  return impl_->block.features->windows()[window].length;
}
int64_t PreparedQuestions::token_count() const {
  return impl_->block.features ? impl_->block.features->token_count() : 0;
}
const std::vector<AskResult>& PreparedQuestions::results() const { return impl_->results; }

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

  // Makes the windows of the questions `asked`, and notes those that leave no room for their
  // context.
  Block make_block(const std::vector<QuestionContext>& questions, std::vector<size_t> asked,
                   const WindowOptions& windows, std::vector<AskResult>& results) const {
    Block block;
    block.asked = std::move(asked);
    if (block.asked.empty()) return block;
    block.dataset = make_dataset(questions, block.asked);
    FeatureOptions feature_options;
    feature_options.windows = windows;
    feature_options.with_labels = false;
    try {
      block.features = FeatureSet::build(block.dataset, tokenizer, feature_options);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kBadData) throw;
      for (const WindowFinding& one : check_windows(block.dataset, tokenizer, windows)) {
        const size_t i = block.asked[one.example];
        results[i].error = Error(ErrorCode::kUsage, place_of(questions[i], i), one.reason);
      }
      const size_t count = block.asked.size();
      std::erase_if(block.asked, [&](size_t i) { return results[i].error.has_value(); });
      if (block.asked.size() == count) throw;
      if (block.asked.empty()) return block;
      block.dataset = make_dataset(questions, block.asked);
      block.features = FeatureSet::build(block.dataset, tokenizer, feature_options);
    }
    return block;
  }

  static void decode_block(const Block& block, const LogitSet& logits,
                           const DecoderOptions& decoder, std::vector<AskResult>& results) {
    const auto decoded = decode_all(block.dataset, *block.features, logits, decoder);
    for (size_t i = 0; i < block.asked.size(); ++i) {
      AskResult& result = results[block.asked[i]];
      result.answers = answers_of(decoded[i], decoder.top_k);
      result.no_answer = probability_of_no_answer(decoded[i], decoder.kind);
      const auto [first, end] = block.features->windows_of(i);
      result.windows = end - first;
    }
  }

  void answer_block(const std::vector<QuestionContext>& questions, std::vector<size_t> asked,
                    const AnswerSettings& chosen, int32_t batch_size, Workspace& workspace,
                    std::vector<AskResult>& results) const {
    const Block block = make_block(questions, std::move(asked), chosen.windows, results);
    if (!block.features) return;
    PredictOptions predict;
    predict.batch_size = batch_size;
    const Predictions predictions = predict_all(*model, *block.features, predict, &workspace);
    decode_block(block, predictions.logits, chosen.decoder, results);
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

int64_t Pipeline::count_window_tokens(const std::vector<QuestionContext>& questions,
                                      const AskOptions& options) const {
  const WindowOptions windows = impl_->settings_for(options).windows;
  const int32_t special = impl_->tokenizer.special_token_count(true);
  TextIndex known;
  std::vector<std::string_view> contexts;
  std::vector<int32_t> sizes;
  TokenBuffer tokens;
  int64_t total = 0;
  for (const QuestionContext& asked : questions) {
    const auto [at, is_new] =
        known.insert(asked.context, contexts.size(), [&](size_t i) { return contexts[i]; });
    if (is_new) {
      contexts.push_back(asked.context);
      tokens.clear();
      impl_->tokenizer.tokenize(asked.context, tokens);
      sizes.push_back(static_cast<int32_t>(tokens.size()));
    }
    tokens.clear();
    impl_->tokenizer.tokenize(asked.question, tokens);
    const int32_t fixed = special + static_cast<int32_t>(tokens.size());
    const int32_t room = windows.max_seq_length - fixed;
    if (!leaves_room(room, sizes[at], windows)) continue;
    int64_t count = 1;
    if (sizes[at] > room) {
      const int32_t step = room - windows.window_overlap;
      count += (sizes[at] - room + step - 1) / step;
    }
    total += count * fixed + sizes[at] + (count - 1) * windows.window_overlap;
  }
  return total;
}

std::unique_ptr<PreparedQuestions> Pipeline::prepare(const std::vector<QuestionContext>& questions,
                                                     const AskOptions& options) const {
  auto made = std::make_unique<PreparedQuestions::Impl>();
  made->chosen = impl_->settings_for(options);
  made->results.resize(questions.size());
  std::vector<size_t> sound;
  for (size_t i = 0; i < questions.size(); ++i) {
    made->results[i].error = text_fault(questions[i], i);
    if (!made->results[i].error) sound.push_back(i);
  }
  made->block = impl_->make_block(questions, std::move(sound), made->chosen.windows, made->results);
  if (made->block.features) {
    made->logits.start.resize(static_cast<size_t>(made->block.features->token_count()));
    made->logits.end.resize(made->logits.start.size());
  }
  return std::unique_ptr<PreparedQuestions>(new PreparedQuestions(std::move(made)));
}

void Pipeline::compute(std::span<const PreparedWindow> windows) const {
  std::vector<WindowToPredict> batch;
  batch.reserve(windows.size());
  for (const PreparedWindow& one : windows) {
    PreparedQuestions::Impl& questions = *one.questions->impl_;
    batch.push_back(
        {&*questions.block.features, static_cast<int32_t>(one.window), &questions.logits});
  }
  const ThreadScope scope(impl_->threads);
  std::unique_ptr<Workspace> workspace = impl_->workspaces.take();
  predict_windows(*impl_->model, batch, *workspace);
  impl_->workspaces.give_back(std::move(workspace));
}

std::vector<AskResult> Pipeline::finish(PreparedQuestions& questions) const {
  PreparedQuestions::Impl& made = *questions.impl_;
  if (made.block.features) {
    Impl::decode_block(made.block, made.logits, made.chosen.decoder, made.results);
  }
  return std::move(made.results);
}

std::string_view Pipeline::decoder(const AskOptions& options) const {
  return spelling_of(impl_->settings_for(options).decoder.kind);
}

}  // namespace spanforge
