#include <algorithm>
#include <atomic>

#include "spanforge/base/json.h"
#include "spanforge/evaluation/answer_settings.h"
#include "spanforge/formats/manifest.h"
#include "spanforge/io/file.h"
#include "spanforge/train/train_state.h"
#include "train/fixture.h"

namespace spanforge {
namespace {

using testing::expect_error;
using testing::Recorder;
using Names = std::vector<std::string>;

class TrainingRun : public testing::RunFixture {};

TEST_F(TrainingRun, WritesWhatHfWrites) {
  Recorder recorder;
  const TrainResult result = train(stepwise("out"), {.observers = {&recorder}});
  EXPECT_EQ(result.global_step, 12);
  EXPECT_EQ(names_in("out"), (Names{"checkpoint-12", "checkpoint-4", "checkpoint-8", "log.jsonl",
                                    "logs", "trained"}));
  const Names files = names_in("out/checkpoint-8");
  for (const char* name :
       {"config.json", "model.safetensors", "optimizer.pt", "rng_state.pth", "scheduler.pt",
        "spanforge_manifest.json", "spanforge_state.json", "tokenizer.json",
        "tokenizer_config.json", "trainer_state.json", "training_args.json", "vocab.txt"}) {
    EXPECT_EQ(std::count(files.begin(), files.end(), name), 1) << name;
  }
  const auto has = [&](const char* name) {
    return std::filesystem::exists(at("out/trained") / name);
  };
  EXPECT_TRUE(has("model.safetensors") && has("config.json") && has("tokenizer.json") &&
              has("spanforge.json"));
  EXPECT_FALSE(has("optimizer.pt"));
  EXPECT_EQ(find_manifest_difference(at("out/trained")), std::nullopt);
  EXPECT_EQ(recorder.lines.size(), 13u);
  EXPECT_EQ(recorder.events.back(), "end");
  double first = 0, last = 0;  // epochs
  for (size_t i = 0; i < 6; ++i) {
    first += *recorder.unrounded_lines[i].number("loss");
    last += *recorder.unrounded_lines[i + 6].number("loss");
  }
  EXPECT_LT(last, first) << "it does not learn";
}

TEST_F(TrainingRun, TrainerStateHasHfsKeysAndNoOther) {
  train(stepwise("out"));
  const Json state =
      parse_json(bytes("out/checkpoint-8/trainer_state.json"), "state", ErrorCode::kBadModel);
  Names keys;
  for (const auto& [key, value] : state.items()) keys.push_back(key);
  EXPECT_EQ(keys, (Names{"best_global_step",
                         "best_metric",
                         "best_model_checkpoint",
                         "epoch",
                         "eval_steps",
                         "global_step",
                         "is_hyper_param_search",
                         "is_local_process_zero",
                         "is_world_process_zero",
                         "log_history",
                         "logging_steps",
                         "max_steps",
                         "num_input_tokens_seen",
                         "num_train_epochs",
                         "save_steps",
                         "stateful_callbacks",
                         "total_flos",
                         "train_batch_size",
                         "trial_name",
                         "trial_params"}));
  EXPECT_EQ(state["log_history"].size(), 8u) << "a checkpoint holds its own step's log";
  EXPECT_EQ(state["log_history"][7]["step"], 8);
  EXPECT_TRUE(state["stateful_callbacks"].contains("TrainerControl"));
}

TEST_F(TrainingRun, FollowsTheRecipeWithValidation) {
  Recorder recorder;
  const TrainResult result = train(with_validation("out"), {.observers = {&recorder}});
  EXPECT_EQ(recorder.events, (Names{"log 6", "log 6", "evaluate 6", "log 12", "log 12",
                                    "evaluate 12", "log 12", "end"}));
  EXPECT_EQ(recorder.saves, (Names{"checkpoint-6", "checkpoint-12"}));
  ASSERT_TRUE(result.evaluation.has_value());
  EXPECT_TRUE(result.evaluation->number("eval_exact").has_value());
  EXPECT_EQ(result.evaluation->values.back().first, "epoch");
  const std::string line = console_line(recorder.lines[0]);
  EXPECT_TRUE(line.starts_with("{'loss': ")) << line;
  EXPECT_TRUE(line.ends_with("'epoch': 1.0}")) << line;
}

TEST_F(TrainingRun, SameOptionsGiveTheSameBytes) {
  train(stepwise("one"));
  train(stepwise("two"));
  expect_equal_results("one", "two");
}

TEST_F(TrainingRun, ATokenBoundThatIsNeverReachedChangesNothing) {
  TrainingArguments plain = stepwise("plain"), wide = stepwise("wide");
  wide.max_tokens_per_batch = 2 * 48;
  train(plain);
  train(wide);
  expect_equal_results("plain", "wide");
}

TEST_F(TrainingRun, RefusesATokenBoundBelowAWindow) {
  TrainingArguments a = stepwise("out");
  a.max_seq_length = 24;
  a.max_tokens_per_batch = 23;
  const Error error = expect_error(ErrorCode::kUsage, [&] { train(a); });
  EXPECT_EQ(error.parameter(), "max_tokens_per_batch");
  EXPECT_NE(error.reason().find("24"), std::string::npos) << error.reason();
  EXPECT_FALSE(std::filesystem::exists(at("out")));
  a.max_tokens_per_batch = 24;
  train(a);
}

TEST_F(TrainingRun, StopRequestSavesAndItsCheckpointGoesLater) {
  train(stepwise("whole"));
  struct StopAt : Observer {
    std::atomic<bool> flag{false};
    void on_step_end(const TrainView& view) override { flag = view.state.global_step == 6; }
  } stop;
  const Error error = expect_error(ErrorCode::kInterrupted, [&] {
    train(stepwise("out"), {.observers = {&stop}, .stop = &stop.flag});
  });
  EXPECT_NE(error.file().find("checkpoint-6"), std::string::npos);
  EXPECT_EQ(names_in("out"), (Names{"checkpoint-4", "checkpoint-6", "log.jsonl", "logs"}));
  train(resumed(stepwise("out")));
  expect_equal_results("whole", "out");
  EXPECT_EQ(names_in("out"), names_in("whole"));
}

TEST_F(TrainingRun, StopRequestCutsAnEvaluationShort) {
  train(with_validation("whole"));
  struct StopInEvaluation : Observer {
    std::atomic<bool> flag{false};
    void on_log(const TrainView& view, const LogLine&, const LogLine&) override {
      if (view.state.global_step == 6) flag = true;  // the evaluation of step 6 comes next
    }
  } stop;
  TrainingArguments a = with_validation("out");
  a.per_device_eval_batch_size = 2;
  expect_error(ErrorCode::kInterrupted,
               [&] { train(a, {.observers = {&stop}, .stop = &stop.flag}); });
  Recorder recorder;
  train(resumed(a), {.observers = {&recorder}});
  EXPECT_EQ(recorder.events.at(0), "log 6");
  EXPECT_EQ(recorder.events.at(1), "evaluate 6");
  EXPECT_EQ(names_in("out"), names_in("whole"));
  EXPECT_EQ(bytes("out/trained/model.safetensors"), bytes("whole/trained/model.safetensors"));
}

TEST_F(TrainingRun, RefusesAnOutputThatHoldsARun) {
  train(stepwise("out"));
  const Error error = expect_error(ErrorCode::kUsage, [&] { train(stepwise("out")); });
  EXPECT_EQ(error.parameter(), "output");
  TrainingArguments a = stepwise("out");
  a.overwrite = true;
  a.max_steps = 3;
  train(a);
  EXPECT_EQ(names_in("out"), (Names{"checkpoint-3", "log.jsonl", "logs", "trained"}));
  EXPECT_EQ(names_in("out/logs").size(), 1u);
}

TEST_F(TrainingRun, BadInputLeavesNoOutput) {
  write_file_atomic(at("broken.json"), "{\"data\": [");
  TrainingArguments a = stepwise("out");
  a.train = at("broken.json");
  const Error error = expect_error(ErrorCode::kBadData, [&] { train(a); });
  EXPECT_NE(error.file().find("broken.json"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(at("out")));
}

TEST_F(TrainingRun, ReportsDataBeforeTheModel) {
  std::filesystem::create_directory(at("broken-model"));
  for (const char* file : {"config.json", "tokenizer.json"}) {
    std::filesystem::copy_file(at("model") / file, at("broken-model") / file);
  }
  write_file_atomic(at("broken-model/model.safetensors"), "no weights");
  write_file_atomic(at("long.json"), R"({"data": [{"context": "anna sat.", "question": ")" +
                                         std::string(60, '?') +
                                         R"(", "id": "long", "answers": []}]})");
  TrainingArguments a = stepwise("out");
  a.model = at("broken-model").string();
  const auto refused = [&](const char* data, ErrorCode code, const char* place) {
    a.train = at(data);
    const Error error = expect_error(code, [&] { train(a); });
    EXPECT_NE(error.place().text().find(place), std::string::npos) << error.what();
    EXPECT_FALSE(std::filesystem::exists(at("out")));
  };
  refused("train.json", ErrorCode::kBadModel, "broken-model");
  refused("long.json", ErrorCode::kBadData, "long.json");  // only the tokenizer shows it
  write_file_atomic(at("short.json"), "{\"data\": [");
  refused("short.json", ErrorCode::kBadData, "short.json");
  a.model = at("nowhere").string();
  refused("short.json", ErrorCode::kBadData, "short.json");
}

TEST_F(TrainingRun, SaysHowManyTextsAreBlank) {
  write_file_atomic(
      at("blank.json"),
      R"({"data": [{"context": "anna sat.", "question": " ", "id": "a", "answers": []},
                   {"context": "anna sat.", "question": "\u3000", "id": "b", "answers": []},
                   {"context": " \n", "question": "who?", "id": "c", "answers": [],
                    "is_impossible": true}]})");
  TrainingArguments a = stepwise("out");
  a.train = at("blank.json");
  Recorder recorder;
  train(a, {.observers = {&recorder}});
  const auto blank =
      std::count_if(recorder.notices.begin(), recorder.notices.end(), [](const std::string& text) {
        return text.find("2 questions are blank and 1 have a blank context") != std::string::npos;
      });
  EXPECT_EQ(blank, 1);
  Recorder other;
  train(stepwise("sound"), {.observers = {&other}});
  for (const std::string& text : other.notices) EXPECT_EQ(text.find("blank"), std::string::npos);
}

TEST_F(TrainingRun, RefusesAnOutputInsideAnotherRun) {
  train(stepwise("out"));
  for (const char* name : {"out/checkpoint-8", "out/checkpoint-9", "out/trained"}) {
    TrainingArguments a = stepwise(name);
    a.overwrite = true;
    const Error error = expect_error(ErrorCode::kUsage, [&] { train(a); });
    EXPECT_EQ(error.parameter(), "output");
  }
  EXPECT_EQ(find_manifest_difference(at("out/checkpoint-8")), std::nullopt);
}

TEST_F(TrainingRun, KeepsTheBestAndTheNewestCheckpoint) {
  TrainingArguments a = with_validation("out");
  a.num_train_epochs = 4.0;
  a.save_total_limit = 1;
  a.load_best_model_at_end = true;
  a.metric_for_best_model = "eval_runtime";  // any metric will do
  a.greater_is_better = true;
  const TrainResult result = train(a);
  ASSERT_FALSE(result.best_checkpoint.empty());
  EXPECT_TRUE(std::filesystem::exists(result.best_checkpoint));
  EXPECT_TRUE(std::filesystem::exists(at("out/checkpoint-24")));
  const Names names = names_in("out");
  const auto is_checkpoint = [](const std::string& name) {
    return name.starts_with("checkpoint-");
  };
  EXPECT_LE(std::count_if(names.begin(), names.end(), is_checkpoint), 2);
  EXPECT_EQ(bytes("out/trained/model.safetensors"),
            bytes("out/" + result.best_checkpoint.filename().string() + "/model.safetensors"));
}

TEST_F(TrainingRun, StopsEarlyWithoutABetterMetric) {
  TrainingArguments a = with_validation("out");
  a.num_train_epochs = 9.0;
  a.learning_rate = 0.0;  // nothing changes, so nothing gets better
  a.early_stopping_patience = 2;
  const TrainResult result = train(a);
  EXPECT_EQ(result.global_step, 18);
  const Json state =
      parse_json(bytes("out/checkpoint-12/trainer_state.json"), "s", ErrorCode::kBadModel);
  EXPECT_EQ(state["stateful_callbacks"]["EarlyStoppingCallback"]["attributes"]
                 ["early_stopping_patience_counter"],
            1);
}

TEST_F(TrainingRun, StopsAtNaNBeforeTheWeightsMove) {
  TrainingArguments a = stepwise("out");
  a.learning_rate = 1e38;
  a.lr_scheduler_type = ScheduleKind::kConstant;
  const Error error = expect_error(ErrorCode::kNonFinite, [&] { train(a); });
  EXPECT_TRUE(error.place().text().starts_with("step ")) << error.place().text();
  EXPECT_NE(error.reason().find("who-0-"), std::string::npos) << error.reason();
  EXPECT_FALSE(std::filesystem::exists(at("out/trained")));
}

TEST_F(TrainingRun, AccumulatedExamplesEqualOneLargeBatch) {
  TrainingArguments large = stepwise("large"), small = stepwise("small");
  for (TrainingArguments* a : {&large, &small}) {
    a->max_steps = 3;
    // AdamW's first steps follow a gradient's sign, which rounding decides if it is nearly 0.
    a->learning_rate = 1e-6;
  }
  large.per_device_train_batch_size = 12;
  small.per_device_train_batch_size = 5;
  small.gradient_accumulation_steps = 3;  // 5 + 5 + 2
  small.accumulation_mean = AccumulationMean::kExamples;
  Recorder one, other;
  train(large, {.observers = {&one}});
  train(small, {.observers = {&other}});
  for (size_t i = 0; i < 3; ++i) {
    for (const char* key : {"loss", "grad_norm"}) {
      const double expected = *one.unrounded_lines[i].number(key);
      EXPECT_NEAR(*other.unrounded_lines[i].number(key), expected, 1e-6 * expected) << key;
    }
  }
}

TEST_F(TrainingRun, SaysWhenValidationIsTraining) {
  TrainingArguments a = with_validation("out");
  a.validation = at("train.json");
  Recorder recorder;
  const TrainResult result = train(a, {.observers = {&recorder}});
  EXPECT_EQ(std::count_if(
                recorder.notices.begin(), recorder.notices.end(),
                [](const std::string& text) { return text.find("overlap") != std::string::npos; }),
            1);
  EXPECT_EQ(result.evaluation->number("eval_overlap_pairs"), 12.0);
}

TEST_F(TrainingRun, TrainedModelSaysHowToBeAsked) {
  TrainingArguments a = stepwise("out");
  a.max_seq_length = 24;
  train(a);
  const auto settings = load_answer_settings(at("out/trained"));
  ASSERT_TRUE(settings.has_value());
  EXPECT_EQ(settings->windows.max_seq_length, 24);
  EXPECT_EQ(settings->windows.window_overlap, 12);
  EXPECT_FALSE(settings->decoder.null_answers);
}

TEST_F(TrainingRun, SaveStrategyNoStillWritesTrained) {
  for (TrainingArguments a : {arguments("out"), with_validation("evaluated")}) {
    SCOPED_TRACE(a.output);
    a.save_strategy = SaveStrategy::kNo;
    a.report_to = ReportTo::kNone;
    train(a);
    EXPECT_EQ(names_in(a.output.filename()), (Names{"log.jsonl", "trained"}));
  }
}

}  // namespace
}  // namespace spanforge
