#include "spanforge/evaluation/evaluate.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include "answer_options.h"
#include "bindings.h"
#include "call.h"
#include "convert.h"
#include "dataset.h"
#include "load_options.h"
#include "spanforge/base/threads.h"
#include "spanforge/data/soundness.h"
#include "spanforge/evaluation/prediction_files.h"
#include "spanforge/io/staging.h"
#include "spanforge/metrics/predictions_file.h"
#include "spanforge/model/answering_model.h"
#include "spanforge/model/config.h"
#include "watcher.h"

namespace nb = nanobind;

namespace spanforge::python {
namespace {

struct EvaluateOptions {
  app::ScoreOptions score;
  LoadOptions load;
  std::string metric = "squad_v2";
};

void declare(app::OptionTable& table, EvaluateOptions& o) {
  table({"metric", "what to score in addition to squad_v2", metric_choices()}, o.metric);
  app::declare_score_options(table, o.score);
  declare_load_options(table, o.load);
}

nb::list evaluate_option_rows() {
  EvaluateOptions options;
  app::OptionTable table;
  declare(table, options);
  return rows_of(table);
}

// (stage of _progress.py, done, all)
using StageProgress = std::function<void(const char*, int64_t, int64_t)>;

struct Scores {
  Json values;
  std::vector<std::pair<std::string, std::string>> answers;  // id, text
};

Scores evaluate_model(const std::string& model_name, const Dataset& dataset,
                      const OptionTexts& texts, const std::string& predictions_dir,
                      const StageProgress& progress) {
  EvaluateOptions o;
  app::OptionTable table;
  declare(table, o);
  apply(texts, table);
  require_scorable(dataset, true);
  const ThreadScope threads(o.load.threads);
  const ModelDirectory directory = find_model(model_name, o.load.verify);
  const Tokenizer tokenizer = Tokenizer::from_directory(directory.tokenizer());
  const AnswerSettings settings =
      choose_answer_settings(load_answer_settings(directory.path), o.score.asked, tokenizer,
                             ModelConfig::from_directory(directory.base).longest_input())
          .settings;
  const AnsweringModel model =
      AnsweringModel::load(directory, model_name, precision_of(o.load.bf16));
  FeatureOptions feature_options;
  feature_options.windows = settings.windows;
  feature_options.on_bad_answer = BadAnswerPolicy::kKeepUnlabelled;
  feature_options.progress = [&](int64_t done, int64_t total) { progress("map", done, total); };
  const FeatureChunks chunks(dataset, tokenizer, feature_options);
  std::optional<FileGroup> group;
  std::optional<PredictionFiles> files;
  if (!predictions_dir.empty()) files.emplace(group.emplace(predictions_dir));
  EvaluationOptions options;
  options.threads = o.load.threads;
  options.decoder = settings.decoder;
  options.predict.batch_size = o.score.batch_size;
  options.predict.with_losses = true;
  options.more_metrics = chosen_metrics(o.metric);
  options.keep_ranks = false;
  options.progress = [&](int64_t done, int64_t total) { progress("evaluate", done, total); };
  Scores scores;
  options.on_answers = [&](const JudgedAnswers& answers) {
    if (files) files->add(dataset, answers);
    for (size_t i = 0; i < answers.decoded.size(); ++i) {
      scores.answers.emplace_back(dataset.examples[answers.first_example + i].id,
                                  answers.decoded[i].prediction.text);
    }
  };
  const Evaluation evaluation = evaluate(model, {dataset, tokenizer, chunks}, options);
  if (files) {
    files->finish();
    group->commit();
  }
  if (dataset.blind) {
    scores.values = {{"total", dataset.examples.size()}, {"references", 0}};
    return scores;
  }
  scores.values = metric_values_json(evaluation.values);
  scores.values["qa_topk_recall"] = evaluation.qa_topk_recall;
  if (evaluation.loss) scores.values["loss"] = *evaluation.loss;
  return scores;
}

// (scores, {id: text})
nb::tuple evaluate_on(const std::string& model, const HeldDataset& data, const nb::dict& options,
                      const std::string& predictions_dir, nb::callable progress) {
  const OptionTexts texts = option_texts(options);
  Watcher watcher;
  const auto report = [&](const char* stage, int64_t done, int64_t total) {
    watcher.run([&] { progress(stage, done, total); });
    if (watcher.stop()) throw CallbackFailed{};
  };
  Scores scores;
  try {
    const Call call;
    scores = evaluate_model(model, *data.data, texts, predictions_dir, report);
  } catch (const CallbackFailed&) {
    watcher.raise_kept();
  }
  nb::dict answers;
  for (const auto& [id, text] : scores.answers) answers[id.c_str()] = text;
  return nb::make_tuple(python_of(scores.values), answers);
}

// Both texts are JSON objects. null_odds: "" if there are none.
nb::object score(const HeldDataset& data, nb::str predictions, nb::str null_odds,
                 double no_answer_threshold, const std::string& metric) {
  const std::string texts = text_of(predictions), odds_text = text_of(null_odds);
  Json values;
  {
    const Call call;
    require_scorable(*data.data, true);
    require_references(*data.data);
    std::optional<OddsFile> odds;
    if (!odds_text.empty()) odds = parse_odds(odds_text, "null_odds");
    values =
        metric_values_json(score_predictions(*data.data, parse_predictions(texts, "predictions"),
                                             odds, no_answer_threshold, chosen_metrics(metric))
                               .values);
  }
  return python_of(values);
}

}  // namespace

void bind_evaluate(nb::module_& module) {
  module.def("evaluate", evaluate_on, nb::arg("model"), nb::arg("data"), nb::arg("options"),
             nb::arg("predictions_dir"), nb::arg("progress"));
  module.def("score", score, nb::arg("data"), nb::arg("predictions"), nb::arg("null_odds"),
             nb::arg("no_answer_threshold"), nb::arg("metric"));
  module.def("evaluate_options", evaluate_option_rows);
}

}  // namespace spanforge::python
