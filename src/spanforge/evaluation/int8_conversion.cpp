#include "spanforge/evaluation/int8_conversion.h"

#include <algorithm>

#include <fmt/core.h>

#include "spanforge/base/threads.h"
#include "spanforge/evaluation/calibrate.h"
#include "spanforge/io/directory_writer.h"
#include "spanforge/model/answering_model.h"
#include "spanforge/model/int8_calibration.h"
#include "spanforge/text/tokenizer.h"

namespace spanforge {
namespace {

Int8Ranges calibrate(const AnsweringModel& model, const FeatureSet& features,
                     const Int8Options& options) {
  const std::vector<size_t> spread =
      evenly_spread(features.size(), static_cast<size_t>(options.windows));
  const std::vector<int32_t> chosen(spread.begin(), spread.end());
  Int8Calibration calibration(model.block_count());
  Workspace workspace;
  PackedBatch batch;
  std::vector<float> logits;
  const auto run = [&](const InputObserver& observer) {
    const auto size = static_cast<size_t>(options.batch_size);
    for (size_t first = 0; first < chosen.size(); first += size) {
      const size_t count = std::min(size, chosen.size() - first);
      pack_windows(features, std::span(chosen).subspan(first, count), batch);
      logits.resize(static_cast<size_t>(batch.token_count()) * 2);
      model.predict(batch, workspace, make_tensor(logits.data(), batch.token_count(), 2), observer);
    }
  };
  run([&](size_t block, BlockLinear linear, const Tensor& x) {
    calibration.see_ends(block, linear, x);
  });
  if (options.share < 1.0) {
    run([&](size_t block, BlockLinear linear, const Tensor& x) {
      calibration.see_values(block, linear, x);
    });
  }
  return calibration.ranges(options.share);
}

class Judge {
 public:
  Judge(const Dataset& dataset, const Tokenizer& tokenizer, const AnswerSettings& settings,
        const Int8Options& options)
      : dataset_(dataset),
        tokenizer_(tokenizer),
        chunks_(dataset, tokenizer, feature_options(settings)) {
    options_.threads = thread_count();
    options_.decoder = settings.decoder;
    options_.predict.batch_size = options.batch_size;
    options_.recipe_ranks = false;
  }
  Int8Scores::Scores scores(const Predictor& model) const {
    const Evaluation found = evaluate(model, {dataset_, tokenizer_, chunks_}, options_);
    return {.exact = found.number("exact"), .f1 = found.number("f1")};
  }

 private:
  static FeatureOptions feature_options(const AnswerSettings& settings) {
    FeatureOptions options;
    options.windows = settings.windows;
    options.on_bad_answer = BadAnswerPolicy::kKeepUnlabelled;
    return options;
  }
  const Dataset& dataset_;
  const Tokenizer& tokenizer_;
  const FeatureChunks chunks_;
  EvaluationOptions options_;
};

}  // namespace

Int8Scores convert_to_int8(const ModelDirectory& source, const std::string& name,
                           const Dataset& calibration, const Dataset& validation,
                           const Int8Options& options, DirectoryWriter& writer) {
  const Tokenizer tokenizer = Tokenizer::from_directory(source.tokenizer());
  const AnsweringModel before = AnsweringModel::load(source, name, Precision::kF32);
  const AnswerSettings settings = choose_answer_settings(load_answer_settings(source.path), {},
                                                         tokenizer, before.config().longest_input())
                                      .settings;
  FeatureOptions unlabelled;
  unlabelled.windows = settings.windows;
  unlabelled.with_labels = false;
  // A question has at least one window, so no more questions than windows are needed, even from
  // large data.
  const Dataset sample = select_examples(
      calibration,
      evenly_spread(calibration.examples.size(), static_cast<size_t>(options.windows)));
  const Int8Ranges ranges =
      calibrate(before, FeatureSet::build(sample, tokenizer, unlabelled), options);
  write_int8_file(writer, QuestionAnsweringModel::load(source, 0), ranges);
  const Judge judge(validation, tokenizer, settings, options);
  Int8Scores scores;
  scores.questions = validation.examples.size();
  scores.before = judge.scores(before);
  scores.after = judge.scores(AnsweringModel::load(writer.directory(), name, Precision::kF32));
  const double exact_drop = scores.before.exact - scores.after.exact;
  const double f1_drop = scores.before.f1 - scores.after.f1;
  if (std::max(exact_drop, f1_drop) > options.max_drop) {
    throw Error(ErrorCode::kBadModel, name,
                fmt::format("loses too much in int8: exact {:.2f} -> {:.2f}, f1 {:.2f} -> {:.2f} "
                            "on {} validation questions, but `max_drop` allows {:g} points",
                            scores.before.exact, scores.after.exact, scores.before.f1,
                            scores.after.f1, scores.questions, options.max_drop));
  }
  return scores;
}

}  // namespace spanforge
