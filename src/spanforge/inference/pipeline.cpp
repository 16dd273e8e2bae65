#include "spanforge/inference/pipeline.h"

#include <fmt/core.h>

#include <algorithm>
#include <mutex>
#include <utility>

#include "spanforge/base/error.h"
#include "spanforge/base/text_index.h"
#include "spanforge/base/utf8.h"
#include "spanforge/evaluation/predict.h"
#include "spanforge/model/answering_model.h"

namespace spanforge {
namespace {

// Questions made into windows and computed together; bounds memory whatever is asked at once.
constexpr size_t kBlockQuestions = 1024;

struct Resolved {
  WindowOptions windows;
  DecoderOptions decoder;
};

// "question 3 (id x): What is ...?" for messages.
std::string place_of(const QuestionContext& asked, size_t number) {
  std::string place = fmt::format("question {}", number + 1);
  if (!asked.id.empty()) place += fmt::format(" (id {})", quote_for_message(asked.id));
  return place + fmt::format(": {}", quote_for_message(asked.question));
}

void check_text(const std::string& text, const char* what, const QuestionContext& asked,
                size_t number) {
  if (text.empty()) {
    throw Error(ErrorCode::kUsage, place_of(asked, number), fmt::format("the {} is empty", what));
  }
  if (const std::optional<size_t> at = find_invalid_utf8(text)) {
    throw Error(ErrorCode::kUsage, place_of(asked, number),
                fmt::format("the {} is not valid UTF-8 at byte {}", what, *at));
  }
}

Dataset make_dataset(const std::vector<QuestionContext>& questions, size_t first, size_t end) {
  Dataset dataset;
  dataset.file = "questions";
  TextIndex known;  // of the contexts
  for (size_t i = first; i < end; ++i) {
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

// Best first, the decision at the front: run_qa decides after its n-best list is made.
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

// Workspaces of calls that are over, for those to come: fresh memory would cost more to clear than
// a short question takes to answer.
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
  mutable Workspaces workspaces{};

  Resolved resolve(const AskOptions& options) const {
    if (options.top_k < 1) throw Error(ErrorCode::kUsage, "--top-k", "must be at least 1");
    if (options.batch_size < 1)
      throw Error(ErrorCode::kUsage, "--batch-size", "must be at least 1");
    const GivenSettings given{.decoder = options.decoder,
                              .max_seq_length = options.max_seq_length,
                              .window_overlap = options.window_overlap,
                              .max_answer_length = options.max_answer_length,
                              .null_answers = options.handle_impossible_answer,
                              .null_threshold = std::nullopt};
    const AnswerSettings chosen =
        choose_answer_settings(settings, given, tokenizer, model->config().max_position_embeddings)
            .settings;
    Resolved result{chosen.windows, chosen.decoder_options(options.top_k)};
    result.decoder.align_to_words = options.align_to_words;
    return result;
  }

  // The features of one block; what a single question makes impossible is told about that question.
  FeatureSet features_of(const Dataset& dataset, const std::vector<QuestionContext>& questions,
                         size_t first, const WindowOptions& window_options) const {
    FeatureOptions options;
    options.windows = window_options;
    options.with_labels = false;
    try {
      return FeatureSet::build(dataset, tokenizer, options);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kBadData) throw;
      for (size_t i = 0; i < dataset.examples.size(); ++i) {
        if (error.place() != dataset.place_of(dataset.examples[i])) continue;
        throw Error(ErrorCode::kUsage, place_of(questions[first + i], first + i), error.reason());
      }
      throw;
    }
  }
};

Pipeline Pipeline::from_directory(const std::filesystem::path& directory, Precision precision,
                                  LoadReport* report) {
  auto model = std::make_unique<const AnsweringModel>(
      AnsweringModel::load(directory, directory.string(), precision, report));
  Tokenizer tokenizer = Tokenizer::from_directory(directory);
  if (report != nullptr && tokenizer.note()) report->notes.push_back(*tokenizer.note());
  return Pipeline(std::move(model), std::move(tokenizer), load_answer_settings(directory));
}

Pipeline::Pipeline(std::unique_ptr<const Predictor> model, Tokenizer tokenizer,
                   std::optional<AnswerSettings> settings)
    : impl_(new Impl{std::move(model), std::move(tokenizer), std::move(settings)}) {}
Pipeline::Pipeline(QuestionAnsweringModel model, Tokenizer tokenizer,
                   std::optional<AnswerSettings> settings)
    : Pipeline(std::make_unique<const QuestionAnsweringModel>(std::move(model)),
               std::move(tokenizer), std::move(settings)) {}
Pipeline::Pipeline(Pipeline&&) noexcept = default;
Pipeline::~Pipeline() = default;

std::vector<std::vector<AskAnswer>> Pipeline::answer(const std::vector<QuestionContext>& questions,
                                                     const AskOptions& options) const {
  const Resolved resolved = impl_->resolve(options);
  for (size_t i = 0; i < questions.size(); ++i) {
    check_text(questions[i].question, "question", questions[i], i);
    check_text(questions[i].context, "context", questions[i], i);
  }
  PredictOptions predict;
  predict.batch_size = options.batch_size;
  std::unique_ptr<Workspace> workspace = impl_->workspaces.take();
  std::vector<std::vector<AskAnswer>> answers;
  answers.reserve(questions.size());
  for (size_t first = 0; first < questions.size(); first += kBlockQuestions) {
    const size_t end = std::min(questions.size(), first + kBlockQuestions);
    const Dataset dataset = make_dataset(questions, first, end);
    const FeatureSet features = impl_->features_of(dataset, questions, first, resolved.windows);
    const Predictions predictions = predict_all(*impl_->model, features, predict, workspace.get());
    for (const DecodedExample& decoded :
         decode_all(dataset, features, predictions.logits, resolved.decoder)) {
      answers.push_back(answers_of(decoded, options.top_k));
    }
  }
  impl_->workspaces.give_back(std::move(workspace));
  return answers;
}

}  // namespace spanforge
