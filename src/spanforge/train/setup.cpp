#include "spanforge/train/setup.h"

#include <algorithm>
#include <future>

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/base/hash.h"
#include "spanforge/base/threads.h"
#include "spanforge/data/column_names.h"
#include "spanforge/data/normalize.h"
#include "spanforge/data/soundness.h"
#include "spanforge/data/unread_kind.h"
#include "spanforge/formats/manifest.h"
#include "spanforge/formats/other_weights.h"
#include "spanforge/io/file.h"
#include "spanforge/io/input_file.h"
#include "spanforge/io/model_files.h"
#include "spanforge/model/adapter_file.h"
#include "spanforge/model/load_report.h"
#include "spanforge/model/model.h"
#include "spanforge/ops/gemm.h"
#include "spanforge/train/data_order.h"
#include "spanforge/train/learning.h"

namespace spanforge {
namespace {

using Kind = Notice::Kind;

struct LoadedModel {
  std::unique_ptr<TrainableModel> model;
  LoadReport report;
};

class SetupBuilder {
 public:
  SetupBuilder(TrainingArguments& arguments, std::optional<CheckpointHead>& checkpoint,
               const TrainContext& context)
      : arguments_(arguments), checkpoint_(checkpoint), context_(context) {}

  // Loading the weights of a large model takes seconds. Meanwhile the data become windows. An error
  // of loading is thrown by take_model(), after those of the data.
  std::future<LoadedModel> start_loading(const ModelDirectory& directory,
                                         const Learning& learning) const {
    return std::async(std::launch::async, [directory, learning, seed = arguments_.seed,
                                           threads = arguments_.threads, kind = precision()] {
      set_thread_count(threads);  // thread counts are per calling thread
      LoadReport report;
      QuestionAnsweringModel model =
          QuestionAnsweringModel::load(directory, seed, &report, learning);
      model.set_precision(kind);
      return LoadedModel{std::make_unique<QuestionAnsweringModel>(std::move(model)),
                         std::move(report)};
    });
  }

  // A checkpoint was checked before. The reader of other models' files decides whether they are
  // good, and a change in them may be intended. The weights are hashed, too: a run takes hours, and
  // a flipped bit would go unnoticed.
  void report_changes(const ModelDirectory& model) {
    if (!checkpoint_) report_changes_of(model.path);
    if (model.is_adapter()) report_changes_of(model.base);
  }

  std::unique_ptr<TrainableModel> take_model(std::future<LoadedModel> loading,
                                             const ModelDirectory& directory) {
    auto [model, report] = loading.get();
    if (checkpoint_ && !report.initialized.empty()) {
      throw Error(ErrorCode::kBadModel, directory.path.string(),
                  fmt::format("the checkpoint has no {}", report.initialized.front()));
    }
    const std::string source = checkpoint_ ? directory.path.string() : arguments_.model;
    for (const std::string& line : report.notes) notify(Kind::kInformation, line);
    for (const auto& message : {unused_weights_message(report, model->config(), source),
                                new_weights_message(report, model->config(), source)}) {
      for (const std::string& line : message_lines(message.value_or(""))) {
        notify(Kind::kWarning, line);
      }
    }
    return std::move(model);
  }

  // Settles adapter options that were not set, so that they are saved and used on resume.
  Learning settle_learning(const ModelDirectory& directory, const ModelConfig& config) {
    Learning learning = learning_of(directory, config);
    const LoraConfig& lora = learning.lora;  // without adapters: its defaults
    if (!arguments_.lora_rank) arguments_.lora_rank = lora.rank;
    if (!arguments_.lora_alpha) arguments_.lora_alpha = lora.alpha;
    if (!arguments_.lora_dropout) arguments_.lora_dropout = lora.dropout;
    if (arguments_.lora_target.empty()) arguments_.lora_target = lora.targets;
    return learning;
  }

  Learning learning_of(const ModelDirectory& directory, const ModelConfig& config) const {
    if (!directory.is_adapter()) return choose_learning(arguments_, config, nullptr);
    const LoraConfig lora = read_adapter_lora(directory.path, config);
    return choose_learning(arguments_, config, &lora);
  }

  // Resolves --model; downloads the files of a hub id.
  ModelDirectory model_directory() const {
    return context_.resolve_model ? context_.resolve_model(arguments_.model)
                                  : open_model_directory(arguments_.model, nullptr);
  }
  ModelDirectory checkpoint_directory() const {
    return open_model_directory(checkpoint_->directory, context_.resolve_model);
  }

  Tokenizer load_tokenizer(const ModelDirectory& model, const ModelConfig& config) {
    const bool elsewhere = checkpoint_ && !checkpoint_->has_tokenizer;
    const fs::path directory = (elsewhere ? model_directory() : model).tokenizer();
    Tokenizer tokenizer = Tokenizer::from_directory(directory);
    if (tokenizer.note()) notify(Kind::kWarning, *tokenizer.note());
    const auto rows = static_cast<size_t>(config.vocab_size);
    if (tokenizer.vocabulary_size() > rows) {
      throw Error(ErrorCode::kBadModel, (model.base / "config.json").string(),
                  fmt::format("\"vocab_size\" is {}, but the tokenizer in {} has {} tokens", rows,
                              directory.string(), tokenizer.vocabulary_size()));
    }
    if (tokenizer.vocabulary_size() <
        rows) {  // rows were rounded up, or the vocabulary was truncated
      notify(Kind::kInformation,
             fmt::format("the tokenizer in {} has {} tokens, the model has {} rows of embeddings",
                         directory.string(), tokenizer.vocabulary_size(), rows));
    }
    return tokenizer;
  }

  // Settles the window options, so that they are saved and used on resume.
  WindowOptions settle_windows(const Tokenizer& tokenizer, const ModelConfig& config) {
    const int32_t positions = config.longest_input();
    const WindowDefaults defaults = default_windows(tokenizer, positions);
    if (!arguments_.max_seq_length) {
      arguments_.max_seq_length = defaults.windows.max_seq_length;
      if (defaults.used_fallback) {
        notify(Kind::kWarning,
               fmt::format("the tokenizer states no maximum length: windows of {} tokens are used",
                           *arguments_.max_seq_length));
      }
    }
    if (*arguments_.max_seq_length > positions) {
      throw Error(
          ErrorCode::kUsage, {.parameter = "max_seq_length"},
          fmt::format("is {}, the model has {} positions", *arguments_.max_seq_length, positions));
    }
    if (!arguments_.window_overlap) {
      arguments_.window_overlap =
          std::min(*arguments_.max_seq_length / 2, defaults.windows.window_overlap);
    }
    const int64_t tokens = arguments_.max_tokens_per_batch.value_or(*arguments_.max_seq_length);
    if (tokens < *arguments_.max_seq_length) {
      throw Error(
          ErrorCode::kUsage, {.parameter = "max_tokens_per_batch"},
          fmt::format("is {}, and a window may have {} (`max_seq_length`): a batch must hold "
                      "one",
                      tokens, *arguments_.max_seq_length));
    }
    return {*arguments_.max_seq_length, *arguments_.window_overlap};
  }

  Dataset take_data(const DataInMemory& given, const char* option, const fs::path& file,
                    DataFiles& files) {
    if (given.dataset != nullptr) {
      files[option] = {file.string(), given.sha256};
      check_same_data(option, files[option]);
      return *given.dataset;
    }
    refuse_unread_directory(file);
    const MappedFile mapped = map_input(file, context_.stop);
    files[option] = {file.string(),
                     while_whole(mapped, [&] { return sha256_hex(mapped.bytes()); })};
    check_same_data(option, files[option]);
    return read_dataset(mapped, {arguments_.encoding, parse_columns(arguments_.columns)});
  }

  // Reports errors of the data before it looks for a model.
  Dataset read_data(const char* option, const fs::path& file, DataFiles& files) {
    const bool training = std::string_view(option) == "train";
    Dataset dataset =
        take_data(training ? context_.train : context_.validation, option, file, files);
    for (const std::string& line : dataset.notes) {
      notify(Kind::kInformation, fmt::format("{}: {}", dataset.file.string(), line));
    }
    std::string left_out;
    if (arguments_.on_bad_answer == BadAnswerPolicy::kDrop) {
      dataset = training ? drop_untrainable(std::move(dataset), left_out)
                         : drop_unscorable(std::move(dataset), left_out);
      if (!left_out.empty()) notify(Kind::kWarning, left_out);
    } else {
      require_trainable(dataset);
      if (!training) require_scorable(dataset, false);
      require_sound_answers(dataset);
    }
    require_references(dataset);
    if (const auto line = faults_line(dataset)) notify(Kind::kWarning, *line);
    return dataset;
  }

  // Such questions teach nothing and cost as much as others. They are not an error, because HF
  // trains on them, too.
  void report_blank_texts(const Dataset& train) {
    const auto blank = [](const std::string& text) { return trim_white_space(text).empty(); };
    int64_t questions = 0, contexts = 0;
    for (const Example& example : train.examples) {
      if (blank(example.question)) ++questions;
      if (blank(train.context_of(example))) ++contexts;
    }
    if (questions + contexts == 0) return;
    notify(Kind::kWarning,
           fmt::format("{}: {} questions are blank and {} have a blank context; they are still "
                       "trained on (data check names them)",
                       train.file.string(), questions, contexts));
  }

  TrainingData make_training_windows(Dataset dataset, const Tokenizer& tokenizer,
                                     const WindowOptions& windows) {
    FeatureOptions options = feature_options("train", dataset.file, windows);
    // A question without a usable label cannot be trained on, but it can be asked and scored.
    if (arguments_.on_bad_answer == BadAnswerPolicy::kDrop)
      options.on_bad_answer = BadAnswerPolicy::kDrop;
    options.with_places = false;
    FeatureSet features = FeatureSet::build(dataset, tokenizer, options);
    report_labels("train", dataset, features.label_counts(), static_cast<int64_t>(features.size()));
    return {std::move(dataset), std::move(features)};
  }

  ValidationData make_validation_windows(Dataset dataset, const Tokenizer& tokenizer,
                                         const WindowOptions& windows) {
    FeatureOptions options = feature_options("validation", dataset.file, windows);
    if (arguments_.on_bad_answer == BadAnswerPolicy::kDrop)
      options.on_bad_answer = BadAnswerPolicy::kKeepUnlabelled;
    FeatureChunks chunks(dataset, tokenizer, options);
    report_labels("validation", dataset, chunks.label_counts(), chunks.window_count());
    return {std::move(dataset), std::move(chunks)};
  }

  // Scores on questions that settings were chosen on are better than those on new ones.
  void report_fitting(const AnswerSettings& settings, const Dataset& validation) {
    if (arguments_.eval_strategy == IntervalStrategy::kNo ||
        settings.decoder.kind != DecoderKind::kSpanforge)
      return;
    const auto unanswerable =
        std::count_if(validation.examples.begin(), validation.examples.end(),
                      [](const Example& example) { return example.answers.empty(); });
    const bool both =
        unanswerable > 0 && unanswerable < static_cast<int64_t>(validation.examples.size());
    notify(Kind::kInformation,
           settings.decoder.null_answers && both
               ? "each evaluation chooses temperature and no-answer threshold on the validation "
                 "questions, so its scores are optimistic, above all where there is no answer"
               : "each evaluation chooses the scores' temperature on the validation questions");
  }

  EvaluationMetrics choose_metrics(const ValidationData& validation) {
    if (arguments_.eval_strategy == IntervalStrategy::kNo) return {};
    EvaluationMetrics metrics = choose_evaluation_metrics(
        validation.dataset, validation.chunks.label_counts(), arguments_.metric_for_best_model);
    for (const std::string& line : metrics.advice) notify(Kind::kInformation, line);
    return metrics;
  }

  void report_overlap(const Overlap& overlap) {
    const std::string line = overlap_line(overlap, input_name(arguments_.train).filename().string(),
                                          input_name(arguments_.validation).filename().string());
    if (!line.empty()) notify(Kind::kWarning, line);
  }

  void report_other_length(const TrainPlan& plan) {
    if (!checkpoint_ || checkpoint_->max_steps == plan.max_steps) return;
    notify(Kind::kWarning,
           fmt::format("the run to resume planned {} steps, this one plans {}: the learning "
                       "rate now follows the new schedule",
                       checkpoint_->max_steps, plan.max_steps));
  }

  void report_other_computing(const TrainableModel& model) {
    if (!checkpoint_ || !checkpoint_->computing) return;
    const auto text = [](const Computing& c) {
      return fmt::format("{} thread{}, {}, {}", c.threads, c.threads == 1 ? "" : "s",
                         c.instructions, c.precision);
    };
    const Computing now = computing_of(model);
    if (now == *checkpoint_->computing) return;
    notify(Kind::kWarning,
           fmt::format("the run to resume computed with {}, this one computes with {}: it goes on, "
                       "but its last digits may differ",
                       text(*checkpoint_->computing), text(now)));
  }

  // REQUIRES: the windows are settled.
  AnswerSettings answer_settings(const FeatureSet& features, const Tokenizer& tokenizer,
                                 const ModelConfig& config) {
    if (!arguments_.max_answer_length)
      arguments_.max_answer_length = longest_answer_from_labels(features);
    const AutoBool choice = arguments_.version_2_with_negative;
    const bool has_impossible = features.label_counts().impossible > 0;
    const AnswerOverlay asked{
        .decoder = arguments_.decoder,
        .max_seq_length = arguments_.max_seq_length,
        .window_overlap = arguments_.window_overlap,
        .max_answer_length = arguments_.max_answer_length,
        .null_answers = choice == AutoBool::kAuto ? has_impossible : choice == AutoBool::kTrue};
    return choose_answer_settings(std::nullopt, asked, tokenizer, config.longest_input()).settings;
  }

  void stop_if_asked(const fs::path& while_at) const {
    if (context_.stop == nullptr || !context_.stop->load()) return;
    throw Error(ErrorCode::kInterrupted, while_at.string(),
                "stopped on request before the first step; nothing was written");
  }

 private:
  Precision precision() const {
    const bool bf16 = arguments_.bf16 == AutoBool::kTrue ||
                      (arguments_.bf16 == AutoBool::kAuto && ops::bf16_is_fast());
    return bf16 ? Precision::kBF16 : Precision::kF32;
  }

  void report_changes_of(const fs::path& model) {
    if (const auto changes = describe_changes(model, /*with_weights=*/true)) {
      notify(Kind::kWarning, *changes);
    }
  }

  void notify(Kind kind, const std::string& text) {
    for (Observer* observer : context_.observers) observer->on_notice({kind, text});
  }

  // Other contents under the same option would continue a different run.
  void check_same_data(const char* option, const DataFile& file) {
    if (!checkpoint_ || !checkpoint_->arguments) return;
    const auto& allowed = arguments_.allow_changed;
    if (std::find(allowed.begin(), allowed.end(), option) != allowed.end()) return;
    const auto saved = checkpoint_->data.find(option);
    if (saved == checkpoint_->data.end()) {
      throw Error(
          ErrorCode::kUsage, {.parameter = std::string(option)},
          fmt::format("the run to resume has none; `allow_changed` {} lets it change", option));
    }
    if (saved->second.sha256 == file.sha256) return;
    throw Error(
        ErrorCode::kUsage, {.parameter = std::string(option)},
        fmt::format(
            "{} does not hold what {} held when the run was saved (SHA-256 {} now, {} then); "
            "`allow_changed` {} lets it change",
            input_name(file.file).string(), input_name(saved->second.file).string(),
            file.sha256.substr(0, 12), saved->second.sha256.substr(0, 12), option));
  }

  FeatureOptions feature_options(const char* option, const fs::path& file,
                                 const WindowOptions& windows) {
    FeatureOptions options;
    options.windows = windows;
    options.progress = [this, option, file](int64_t done, int64_t total) {
      stop_if_asked(file);
      for (Observer* observer : context_.observers) {
        observer->on_progress({Progress::Stage::kMap, option, done, total});
      }
    };
    return options;
  }

  void report_labels(const char* option, const Dataset& dataset, const LabelCounts& counts,
                     int64_t windows) {
    if (windows == 0)
      throw Error(ErrorCode::kBadData, dataset.file.string(), "holds no usable question");
    std::string line = fmt::format(
        "{}: {} questions, {} windows; answers aligned {}, truncated {}, dropped {}; without "
        "answer {}",
        option, dataset.examples.size(), windows, counts.aligned, counts.truncated, counts.dropped,
        counts.impossible);
    if (counts.unlabelled > 0) {
      line += fmt::format("; {} not where the file says: scored by their text, without a loss",
                          counts.unlabelled);
    }
    if (counts.inside_token > 0) {
      line += fmt::format("; answer_inside_token {} (labelled with the whole token)",
                          counts.inside_token);
    }
    notify(Kind::kInformation, line);
    if (100 * counts.dropped > counts.aligned + counts.truncated + counts.dropped) {
      notify(Kind::kWarning,
             fmt::format("{}: {} answers, more than 1 %, are not where the file says, and their "
                         "questions are skipped: spanforge data check explains, data fix repairs",
                         dataset.file.string(), counts.dropped));
    }
  }

  TrainingArguments& arguments_;
  std::optional<CheckpointHead>& checkpoint_;
  const TrainContext& context_;
};

}  // namespace

Setup prepare_setup(TrainingArguments arguments, std::optional<CheckpointHead> checkpoint,
                    const TrainContext& context) {
  SetupBuilder builder(arguments, checkpoint, context);
  // Checks data first: before a model is downloaded, and before its weights are loaded.
  DataFiles files;
  Dataset train_data = builder.read_data("train", arguments.train, files);
  std::optional<Dataset> validation_data;
  Overlap overlap;
  if (!arguments.validation.empty()) {
    validation_data = builder.read_data("validation", arguments.validation, files);
    overlap = find_overlap(train_data, *validation_data);
  }
  const ModelDirectory directory =
      checkpoint ? builder.checkpoint_directory() : builder.model_directory();
  if (!checkpoint) refuse_other_weights(directory.base);
  const ModelConfig config = ModelConfig::from_directory(directory.base);
  Tokenizer tokenizer = builder.load_tokenizer(directory, config);
  const WindowOptions windows = builder.settle_windows(tokenizer, config);
  std::future<LoadedModel> loading =
      builder.start_loading(directory, builder.settle_learning(directory, config));
  builder.report_blank_texts(train_data);
  TrainingData train = builder.make_training_windows(std::move(train_data), tokenizer, windows);
  std::optional<ValidationData> validation;
  EvaluationMetrics metrics;
  if (validation_data) {
    validation = builder.make_validation_windows(std::move(*validation_data), tokenizer, windows);
    metrics = builder.choose_metrics(*validation);
    builder.report_overlap(overlap);
  }
  std::unique_ptr<TrainableModel> model = builder.take_model(std::move(loading), directory);
  builder.report_changes(directory);
  builder.stop_if_asked(directory.path);
  const AnswerSettings settings = builder.answer_settings(train.features, tokenizer, config);
  if (validation) builder.report_fitting(settings, validation->dataset);
  const TrainPlan plan = make_plan(arguments, train.features.windows());
  builder.report_other_length(plan);
  builder.report_other_computing(*model);
  return Setup{std::move(arguments),  std::move(model),
               std::move(tokenizer),  std::move(train),
               std::move(validation), overlap,
               std::move(files),      settings,
               std::move(metrics),    plan,
               std::move(checkpoint)};
}

}  // namespace spanforge
