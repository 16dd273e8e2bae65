#include <algorithm>
#include <optional>

#include <fmt/core.h>

#include "answer_options.h"
#include "command.h"
#include "common.h"
#include "data_input.h"
#include "load_model.h"
#include "output.h"
#include "progress.h"
#include "ranks.h"
#include "scores.h"
#include "settings.h"
#include "spanforge/base/error.h"
#include "spanforge/base/hash.h"
#include "spanforge/data/soundness.h"
#include "spanforge/evaluation/analysis.h"
#include "spanforge/evaluation/prediction_files.h"
#include "spanforge/formats/other_weights.h"
#include "spanforge/io/file.h"
#include "spanforge/io/input_file.h"
#include "spanforge/io/staging.h"
#include "spanforge/metrics/predictions_file.h"
#include "spanforge/parallel/together.h"
#include "spanforge/text/tokenizer.h"
#include "start_threads.h"

namespace spanforge::app {
namespace {

constexpr const char* kAnalysisFile = "eval_analysis.json";

struct EvaluateOptions {
  std::string model, data, predictions, null_odds, predictions_dir;
  std::string metric = "squad_v2";
  AutoBool bf16 = AutoBool::kFalse;
  ScoreOptions score;
  double no_answer_threshold = 1.0;
  DataInput input;
  bool explain = false, verify = false, json = false;
  int32_t threads = 0;
  RankOptions ranks;
};

void declare(OptionTable& table, EvaluateOptions& o) {
  table(kModelOption, o.model);
  table({"data", "data to answer and score", ""}, o.data);
  table({"predictions", "score this file {id: text} instead of a model's answers", ""},
        o.predictions);
  table({"null_odds", "with --predictions: file {id: odds of no answer}", ""}, o.null_odds);
  table({"no_answer_threshold", "with --null-odds: above it the answer counts as \"\"", ""},
        o.no_answer_threshold);
  table({"predictions_dir",
         "directory for eval_predictions.json, related files and eval_analysis.json", ""},
        o.predictions_dir);
  table({"metric", "what to score in addition to squad_v2", metric_choices()}, o.metric);
  table({"explain", "compare each answer that is not exact with the gold, word by word", ""},
        o.explain);
  declare_score_options(table, o.score);
  table({"bf16", "compute in bfloat16; auto: if the processor is faster with it", ""}, o.bf16);
  o.input.declare(table);
  table.add_switch(kVerifyOption, o.verify);
  table.add_switch(kJsonOption, o.json);
  table(kThreadsOption, o.threads);
  add_rank_options(table, o.ranks);
}

// Refuses options that would have no effect.
void refuse_idle_options(const OptionTable& table) {
  for (const char* of_models :
       {"predictions_dir", "decoder", "max_seq_length", "window_overlap", "max_answer_length",
        "version_2_with_negative", "null_score_diff_threshold", "batch_size", "bf16", "verify"}) {
    table.need(of_models, "model");
  }
  table.need("null_odds", "predictions");
  table.need("no_answer_threshold", "null_odds");
}

// run_qa writes log odds, but the metric takes probabilities.
void note_improbable_odds(const std::string& file, const PredictionScores& scores,
                          double threshold) {
  note(
      fmt::format("{}: {} of the odds are not between 0 and 1, first {}: they are not "
                  "probabilities, perhaps log odds, as run_qa writes them; they are used "
                  "unchanged: above {} the answer counts as \"\" (--no-answer-threshold; in log "
                  "odds 0 means as likely as not)",
                  file, scores.improbable_odds.size(),
                  quote_for_message(scores.improbable_odds.front()), threshold));
}

void evaluate_file(const EvaluateOptions& o) {
  const Dataset dataset = o.input.load(o.data);
  require_scorable(dataset, true);
  require_references(dataset);
  std::optional<std::filesystem::path> odds;
  if (!o.null_odds.empty()) odds = o.null_odds;
  const PredictionScores scores =
      score_predictions(dataset, std::filesystem::path(o.predictions), odds, o.no_answer_threshold,
                        chosen_metrics(o.metric));
  const std::string predictions_name = input_name(o.predictions).string();
  const std::string odds_name = input_name(o.null_odds).string();
  const auto report = [](const std::string& file, const std::vector<std::string>& ids,
                         const char* what) {
    if (!ids.empty())
      note(fmt::format("{}: {}: {}, {} first", file, what, ids.size(), ids.front()));
  };
  report(predictions_name, scores.missing, "questions without a prediction, which score 0");
  report(predictions_name, scores.empty, "empty predictions where the data have an answer");
  report(predictions_name, scores.extra, "predictions for questions that the data do not have");
  report(odds_name, scores.extra_odds, "odds for questions that the data do not have");
  if (!scores.improbable_odds.empty()) {
    note_improbable_odds(odds_name, scores, o.no_answer_threshold);
  }
  print_scores(metric_values_json(scores.values), o.explain ? explain_json(scores.items) : Json(),
               o.json);
}

// The references' texts are scored in any case; only the loss needs their places.
void note_unlabelled(const EvaluateOptions& o, const Dataset& dataset,
                     const FeatureChunks& chunks) {
  const auto unknown = std::ranges::count_if(dataset.examples, [](const Example& example) {
    return !example.answers.empty() && example.answers[0].source != StartSource::kStated &&
           example.answers[0].answer_start < 0;
  });
  const auto tell = [&](int64_t count, const char* what) {
    if (count == 0) return;
    note(fmt::format(
        "{}: {} of {} questions have a first answer {}: their texts are scored, the loss "
        "skips them (data check finds the causes)",
        input_name(o.data).string(), count, chunks.example_count(), what));
  };
  tell(chunks.label_counts().unlabelled - unknown, "that is not where the file says");
  tell(unknown, "whose place the file does not give");
}

// Collects the answers for --explain.
void add_items(const Dataset& dataset, const JudgedAnswers& answers,
               std::vector<SquadItem>& items) {
  for (size_t i = 0; i < answers.decoded.size(); ++i) {
    items.push_back(squad_item_of(dataset.examples[answers.first_example + i]));
    items.back().prediction = answers.decoded[i].prediction.text;
  }
}

// Reports before the evaluation what cannot be replaced. FileGroup checks again afterwards.
void check_predictions_dir(const std::filesystem::path& directory) {
  for (const std::string& file : PredictionFiles::names()) require_replaceable(directory / file);
  require_replaceable(directory / kAnalysisFile);
}

void print_without_references(const EvaluateOptions& o, const Dataset& dataset) {
  if (o.json) return print_json({{"total", dataset.examples.size()}, {"references", 0}});
  emit("{}: no references: predictions only; {} questions answered in {}\n", o.data,
       dataset.examples.size(), o.predictions_dir);
}

// What an evaluation of a model reads.
struct EvaluationInputs {
  ModelDirectory directory;
  Dataset dataset;
  Tokenizer tokenizer;
  AnswerSettings settings;
  AnsweringModel model;
  FeatureChunks chunks;
};

EvaluationInputs load_inputs(const EvaluateOptions& o) {
  if (!o.predictions_dir.empty()) check_predictions_dir(o.predictions_dir);
  Dataset dataset = o.input.load(o.data);
  require_scorable(dataset, true);
  if (dataset.blind && o.predictions_dir.empty()) {
    throw Error(
        ErrorCode::kUsage, {.parameter = "predictions_dir"},
        fmt::format("is needed: {} has no references to score, so there are predictions only",
                    o.data));
  }
  const ModelDirectory directory = resolve_model(o.model);
  refuse_other_weights(directory.base);
  if (o.verify) verify_model(directory);
  Tokenizer tokenizer = Tokenizer::from_directory(directory.tokenizer());
  if (tokenizer.note()) note(*tokenizer.note());
  AnswerSettings settings = choose_settings(directory, tokenizer, o.score.asked);
  AnsweringModel model = load_trained_model(directory, o.model, resolve_precision(o.bf16));
  FeatureOptions feature_options;
  feature_options.windows = settings.windows;
  feature_options.on_bad_answer = BadAnswerPolicy::kKeepUnlabelled;
  ProgressBar map("Map", "examples", 0);
  feature_options.progress = map.callback();
  FeatureChunks chunks(dataset, tokenizer, feature_options);
  map.finish();
  if (!dataset.blind) note_unlabelled(o, dataset, chunks);
  return {directory,           std::move(dataset), std::move(tokenizer),
          std::move(settings), std::move(model),   std::move(chunks)};
}

// Refuses ranks that read other data, of which each would compute a part.
void require_same_data(Group& group, const EvaluationInputs& in) {
  if (group.size() == 1) return;
  Sha256 sum;
  for (const Example& example : in.dataset.examples) {
    for (const std::string* text :
         {&example.id, &example.question, &in.dataset.context_of(example)}) {
      sum.update(*text);
      sum.update(std::string_view("\0", 1));
    }
  }
  const std::string mine = fmt::format("{} windows, {}", in.chunks.window_count(), sum.hex());
  if (const auto rank = find_other_rank(gather_texts(group, mine))) {
    throw Error(ErrorCode::kUsage, {.parameter = "data"},
                fmt::format("has other contents on rank {} than on rank 0", *rank));
  }
}

void evaluate_model(const EvaluateOptions& o, Group& group) {
  std::optional<EvaluationInputs> inputs;
  work_together(group, [&] { inputs.emplace(load_inputs(o)); });
  require_same_data(group, *inputs);
  require_same_model(group, inputs->directory);
  const auto& [directory, dataset, tokenizer, settings, model, chunks] = *inputs;
  std::optional<FileGroup> written;
  std::optional<PredictionFiles> files;
  work_together(group, [&] {
    if (o.predictions_dir.empty() || !group.leads()) return;
    files.emplace(written.emplace(o.predictions_dir));
  });
  release_notes();
  EvaluationOptions options;
  options.threads = o.threads;
  options.decoder = settings.decoder;
  options.predict.batch_size = o.score.batch_size;
  options.predict.with_losses = true;
  options.predict.group = &group;
  options.more_metrics = chosen_metrics(o.metric);
  options.keep_ranks = false;
  ProgressBar bar("", "examples", 0);
  options.progress = bar.callback();
  Analysis analysis;
  std::vector<SquadItem> items;
  options.on_answers = [&, &of = *inputs](const JudgedAnswers& answers) {
    if (!of.dataset.blind) analyse(of.dataset, answers, of.settings.decoder, analysis);
    if (files) files->add(of.dataset, answers);
    if (o.explain) add_items(of.dataset, answers, items);
  };
  const Evaluation evaluation = evaluate(model, {dataset, tokenizer, chunks}, options);
  bar.finish();
  if (!group.leads()) return;
  if (files) {
    files->finish();
    written->fill([&, &of = *inputs](DirectoryWriter& writer) {
      if (!of.dataset.blind) write_analysis(of.dataset, analysis, writer.create(kAnalysisFile));
    });
    written->commit();
  }
  if (dataset.blind) return print_without_references(o, dataset);
  if (!o.json) print(analysis_table(dataset, analysis));
  Json scores = metric_values_json(evaluation.values);
  scores["qa_topk_recall"] = evaluation.qa_topk_recall;
  if (evaluation.loss) scores["loss"] = *evaluation.loss;
  print_scores(scores, o.explain ? explain_json(items) : Json(), o.json);
}

}  // namespace

int run_evaluate(const Arguments& arguments) {
  EvaluateOptions o;
  OptionTable table;
  declare(table, o);
  if (!table.parse(arguments)) return 0;
  table.require("data");
  if (o.model.empty() == o.predictions.empty()) {
    throw Error(ErrorCode::kUsage, {.parameter = "model"}, "give either --model or --predictions");
  }
  refuse_idle_options(table);
  require_distinct_inputs({o.data, o.predictions, o.null_odds});
  if (o.model.empty()) {  // scoring a file is one process's work
    start_threads(o.threads);
    return evaluate_file(o), 0;
  }
  const std::unique_ptr<Group> group = join_ranks(o.ranks, o.threads);
  start_threads(o.threads);
  evaluate_model(o, *group);
  return 0;
}

}  // namespace spanforge::app
