#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>

#include "spanforge/base/file.h"
#include "spanforge/base/json.h"
#include "spanforge/evaluation/answer_settings.h"
#include "spanforge/formats/manifest.h"
#include "spanforge/train/checkpoint.h"
#include "spanforge/train/train_state.h"
#include "spanforge/train/verify.h"
#include "train/fixture.h"

namespace spanforge {
namespace {

using testing::expect_error;
using testing::give;
using testing::KillAt;
using testing::Recorder;
using Names = std::vector<std::string>;

class TrainingRun : public testing::TrainFixture {
 protected:
  // Steps 6 an epoch, a checkpoint every 4 steps, a log every step.
  TrainingArguments stepwise(const std::string& output) const {
    TrainingArguments a = arguments(output);
    give(a, "logging_steps", a.logging_steps, 1.0);
    give(a, "save_steps", a.save_steps, 4.0);
    return a;
  }
  TrainingArguments with_validation(const std::string& output) const {
    TrainingArguments a = arguments(output);
    give(a, "validation", a.validation, at("validation.json"));
    return a;
  }
  static TrainingArguments resumed(TrainingArguments a, const std::string& from = "last") {
    a.resume_from_checkpoint = from;
    return a;
  }
  void run_until_killed(TrainingArguments a, int64_t step) {
    KillAt kill(step);
    EXPECT_THROW(train(std::move(a), {.observers = {&kill}}), KillAt::Killed);
  }
  // Log lines without times.
  std::string losses(const std::string& output) const {
    std::string kept, text = bytes(output + "/log.jsonl");
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = text.find('\n', begin);
      const std::string line = text.substr(begin, end - begin);
      if (line.find("train_runtime") == std::string::npos) kept += line + "\n";
      begin = end + 1;
    }
    return kept;
  }
  void expect_equal_results(const std::string& one, const std::string& other) const {
    EXPECT_EQ(bytes(one + "/trained/model.safetensors"),
              bytes(other + "/trained/model.safetensors"));
    EXPECT_EQ(losses(one), losses(other));
  }
};

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

TEST_F(TrainingRun, ResumeEqualsARunThatNeverStopped) {
  train(stepwise("whole"));
  for (const int64_t step :
       {3, 5, 9, 12}) {  // before the first checkpoint, mid-epoch, next epoch, the end
    const std::string output = "killed-" + std::to_string(step);
    run_until_killed(stepwise(output), step);
    train(resumed(stepwise(output)));
    expect_equal_results("whole", output);
    EXPECT_EQ(names_in(output), names_in("whole"));
    EXPECT_EQ(bytes(output + "/checkpoint-12/optimizer.pt"),
              bytes("whole/checkpoint-12/optimizer.pt"));
  }
}

TEST_F(TrainingRun, ResumeTakesTheSavedOptions) {
  TrainingArguments a = stepwise("whole");
  give(a, "weight_decay", a.weight_decay, 0.1);
  train(a);
  a.output = at("killed");
  run_until_killed(a, 6);
  TrainingArguments b;
  give(b, "output", b.output, at("killed"));
  train(resumed(b));
  expect_equal_results("whole", "killed");
}

TEST_F(TrainingRun, ResumeGoesOnInAnotherOutput) {
  train(stepwise("whole"));
  TrainingArguments a = stepwise("moved");
  train(resumed(a, at("whole/checkpoint-8").string()));
  expect_equal_results("whole", "moved");
  EXPECT_EQ(names_in("moved"), (Names{"checkpoint-12", "log.jsonl", "logs", "trained"}));
}

TEST_F(TrainingRun, ResumeWithAccumulationAndShortLastGroup) {
  const auto options = [&](const std::string& output) {
    TrainingArguments a = stepwise(output);
    give(a, "gradient_accumulation_steps", a.gradient_accumulation_steps, 4);
    give(a, "accumulation_mean", a.accumulation_mean, "examples");
    give(a, "save_steps", a.save_steps, 1.0);
    return a;
  };
  train(options("whole"));
  run_until_killed(options("killed"), 4);
  train(resumed(options("killed")));
  expect_equal_results("whole", "killed");
}

TEST_F(TrainingRun, ResumeWithATokenBoundInTheMiddleOfAnEpochAndOfAnAccumulation) {
  for (const int64_t accumulation : {1, 3}) {
    const auto options = [&](const std::string& output) {
      TrainingArguments a = stepwise(output + std::to_string(accumulation));
      give(a, "per_device_train_batch_size", a.per_device_train_batch_size, 8);
      give(a, "max_seq_length", a.max_seq_length, 20);
      give(a, "max_tokens_per_batch", a.max_tokens_per_batch, 40);
      give(a, "gradient_accumulation_steps", a.gradient_accumulation_steps, accumulation);
      give(a, "num_train_epochs", a.num_train_epochs, 3.0);
      give(a, "save_steps", a.save_steps, 1.0);
      return a;
    };
    const int64_t steps = train(options("whole")).global_step;
    ASSERT_GT(steps, 4);
    for (const int64_t killed : {int64_t{2}, int64_t{5}, steps / 2 + 1, steps}) {
      const std::string output = "killed-" + std::to_string(killed) + "-";
      run_until_killed(options(output), killed);
      TrainingArguments from_saved_options;
      give(from_saved_options, "output", from_saved_options.output,
           at(output + std::to_string(accumulation)));
      train(resumed(from_saved_options));
      expect_equal_results("whole" + std::to_string(accumulation),
                           output + std::to_string(accumulation));
    }
  }
}

TEST_F(TrainingRun, ATokenBoundThatIsNeverReachedChangesNothing) {
  TrainingArguments plain = stepwise("plain"), wide = stepwise("wide");
  give(wide, "max_tokens_per_batch", wide.max_tokens_per_batch, 2 * 48);
  train(plain);
  train(wide);
  expect_equal_results("plain", "wide");
}

TEST_F(TrainingRun, RefusesATokenBoundBelowAWindow) {
  TrainingArguments a = stepwise("out");
  give(a, "max_seq_length", a.max_seq_length, 24);
  give(a, "max_tokens_per_batch", a.max_tokens_per_batch, 23);
  const Error error = expect_error(ErrorCode::kUsage, [&] { train(a); });
  EXPECT_EQ(error.place(), "--max-tokens-per-batch");
  EXPECT_NE(error.reason().find("24"), std::string::npos) << error.reason();
  EXPECT_FALSE(std::filesystem::exists(at("out")));
  a.max_tokens_per_batch = 24;
  train(a);
}

TEST_F(TrainingRun, ResumeWithoutACheckpointBeginsAndSaysSo) {
  Recorder recorder;
  train(resumed(stepwise("out")), {.observers = {&recorder}});
  EXPECT_NE(recorder.notices.at(0).find("starting from the beginning"), std::string::npos);
}

TEST_F(TrainingRun, ResumeSkipsADamagedCheckpoint) {
  train(stepwise("whole"));
  run_until_killed(stepwise("out"), 9);
  std::string weights = bytes("out/checkpoint-8/model.safetensors");
  weights[weights.size() / 2] ^= 1;
  write_file_atomic(at("out/checkpoint-8/model.safetensors"), weights);
  Recorder recorder;
  const TrainResult result = train(resumed(stepwise("out")), {.observers = {&recorder}});
  EXPECT_EQ(result.resumed_from.filename(), "checkpoint-4");
  EXPECT_NE(recorder.notices.at(0).find("damaged"), std::string::npos);
  expect_equal_results("whole", "out");
  const Error error = expect_error(ErrorCode::kBadModel, [&] {
    write_file_atomic(at("whole/checkpoint-8/model.safetensors"), weights);
    train(resumed(stepwise("x"), at("whole/checkpoint-8").string()));
  });
  EXPECT_NE(error.place().find("checkpoint-8"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(at("x")));
}

// One flipped bit in any file of the newest checkpoint, and the one before it is taken.
TEST_F(TrainingRun, ResumeNoticesAFlippedBitInAnyFile) {
  run_until_killed(stepwise("out"), 9);
  const Names files = names_in("out/checkpoint-8");
  EXPECT_GE(files.size(), 13u);
  for (const std::string& file : files) {
    SCOPED_TRACE(file);
    const std::string name = "out/checkpoint-8/" + file, whole = bytes(name);
    std::string damaged = whole;
    damaged[damaged.size() / 3] ^= 0x10;
    write_file_atomic(at(name), damaged);
    {
      OutputDirectory output(at("out"));
      Names skipped;
      const auto found = newest_checkpoint(output, skipped);
      ASSERT_TRUE(found.has_value());
      EXPECT_EQ(found->directory.filename(), "checkpoint-4");
      EXPECT_EQ(skipped.size(), 1u);
    }
    write_file_atomic(at(name), whole);
  }
  const auto found = verify_directories(at("out"));
  ASSERT_EQ(found.size(), 2u);
  EXPECT_TRUE(found[0].whole() && found[1].whole());
}

TEST_F(TrainingRun, ADamagedCheckpointBesideDoesNotStopTheRun) {
  train(stepwise("whole"));
  run_until_killed(stepwise("out"), 9);
  write_file_atomic(at("out/checkpoint-4/spanforge_state.json"), "{");
  write_file_atomic(at("out/checkpoint-8/spanforge_state.json"), "[1]");
  train(resumed(stepwise("out")));  // from the beginning, and over both
  expect_equal_results("whole", "out");
  for (const VerifiedDirectory& one : verify_directories(at("out"))) {
    EXPECT_TRUE(one.whole()) << one.directory << " " << one.damage;
  }
}

// Begun again, the run would be lost for a disk that answers the next time.
TEST_F(TrainingRun, ResumeDoesNotTrainOverACheckpointItCannotRead) {
  run_until_killed(stepwise("out"), 6);
  const auto weights = at("out/checkpoint-4/model.safetensors");
  std::filesystem::rename(weights, at("kept"));
  std::filesystem::create_symlink("model.safetensors", weights);  // to itself
  const std::string log = bytes("out/log.jsonl");
  const Error error = expect_error(ErrorCode::kIo, [&] { train(resumed(stepwise("out"))); });
  EXPECT_EQ(error.place(), weights.string());
  EXPECT_EQ(bytes("out/log.jsonl"), log);
  std::filesystem::remove(weights);
  std::filesystem::rename(at("kept"), weights);
  train(resumed(stepwise("out")));
  train(stepwise("whole"));
  expect_equal_results("whole", "out");
}

TEST_F(TrainingRun, ResumeRefusesOtherOptionsAndOtherData) {
  run_until_killed(stepwise("out"), 5);
  TrainingArguments a = resumed(stepwise("out"));
  a.learning_rate = 2e-2;
  EXPECT_EQ(expect_error(ErrorCode::kUsage, [&] { train(a); }).place(), "--learning-rate");
  a.allow_changed = {"learning-rate"};
  EXPECT_NO_THROW(train(a));

  run_until_killed(stepwise("other"), 5);
  TrainingArguments b = resumed(stepwise("other"));
  b.train = at("validation.json");
  EXPECT_EQ(expect_error(ErrorCode::kUsage, [&] { train(b); }).place(), "--train");
  // The same contents under another name are the same data.
  std::filesystem::copy_file(at("train.json"), at("copy.json"));
  b.train = at("copy.json");
  EXPECT_NO_THROW(train(b));
}

// Whatever decides the result: refused with both values named, taken with --allow-changed.
TEST_F(TrainingRun, ResumeNamesEachDifferenceAndTakesItWhenAllowed) {
  TrainingArguments base = stepwise("out");
  give(base, "validation", base.validation, at("validation.json"));
  run_until_killed(base, 5);
  std::filesystem::copy(at("model"), at("other-model"));
  const std::string other_model = at("other-model").string();
  struct Row {
    const char *name, *was, *is;
    std::function<void(TrainingArguments&)> change;
  };
  const Row rows[] = {
      {"seed", "42", "43", [](auto& a) { give(a, "seed", a.seed, 43); }},
      {"data_seed", "null", "7", [](auto& a) { give(a, "data_seed", a.data_seed, 7); }},
      {"data_order", "shuffle", "sequential",
       [](auto& a) { give(a, "data_order", a.data_order, "sequential"); }},
      {"per_device_train_batch_size", "2", "3",
       [](auto& a) { give(a, "per_device_train_batch_size", a.per_device_train_batch_size, 3); }},
      {"gradient_accumulation_steps", "1", "2",
       [](auto& a) { give(a, "gradient_accumulation_steps", a.gradient_accumulation_steps, 2); }},
      {"window_overlap", "24", "10",
       [](auto& a) { give(a, "window_overlap", a.window_overlap, 10); }},
      {"weight_decay", "0.0", "0.5",
       [](auto& a) { give(a, "weight_decay", a.weight_decay, 0.5); }},
      {"num_train_epochs", "2.0", "3.0",
       [](auto& a) { give(a, "num_train_epochs", a.num_train_epochs, 3.0); }},
      {"model", "/model", "other-model",
       [&](auto& a) { give(a, "model", a.model, other_model); }},
      {"train", "train.json", "validation.json",
       [&](auto& a) { give(a, "train", a.train, at("validation.json")); }},
      {"validation", "validation.json", "train.json",
       [&](auto& a) { give(a, "validation", a.validation, at("train.json")); }},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    TrainingArguments a = resumed(base);
    row.change(a);
    const Error error = expect_error(ErrorCode::kUsage, [&] { train(a); });
    EXPECT_EQ(error.place(), option_flag(row.name));
    EXPECT_NE(error.reason().find(row.was), std::string::npos) << error.reason();
    EXPECT_NE(error.reason().find(row.is), std::string::npos) << error.reason();
    EXPECT_NE(error.reason().find("--allow-changed " + option_flag(row.name).substr(2)),
              std::string::npos)
        << error.reason();
    EXPECT_EQ(names_in("out"), (Names{"checkpoint-4", "log.jsonl", "logs"}));
    a.output = at(std::string("as-allowed-") + row.name);  // "out" stays as it is for the next
    a.resume_from_checkpoint = at("out/checkpoint-4").string();
    a.allow_changed = {option_flag(row.name).substr(2)};
    EXPECT_NO_THROW(train(a));
  }
}

// A checkpoint as HF leaves it: without our files, and without a manifest to prove it by.
TEST_F(TrainingRun, ResumeFromAForeignCheckpointWarnsOnceAndStillLooksAtIt) {
  train(stepwise("whole"));
  run_until_killed(stepwise("out"), 6);
  const auto foreign = at("out/checkpoint-4");
  for (const char* ours : {"spanforge_manifest.json", "spanforge_state.json", "spanforge.json",
                           "training_args.json"}) {
    ASSERT_TRUE(std::filesystem::remove(foreign / ours)) << ours;
  }
  std::filesystem::copy(foreign, at("foreign"));
  const auto warnings = [](const Recorder& recorder) {
    return std::count_if(recorder.notices.begin(), recorder.notices.end(), [](const auto& text) {
      return text.find("has no spanforge_manifest.json") != std::string::npos;
    });
  };
  Recorder last, named, ours;
  train(resumed(stepwise("out")), {.observers = {&last}});
  EXPECT_EQ(warnings(last), 1);
  EXPECT_EQ(bytes("out/trained/model.safetensors"), bytes("whole/trained/model.safetensors"));
  train(resumed(stepwise("named"), at("foreign").string()), {.observers = {&named}});
  EXPECT_EQ(warnings(named), 1);
  train(resumed(stepwise("ours"), at("whole/checkpoint-8").string()), {.observers = {&ours}});
  EXPECT_EQ(warnings(ours), 0);
  // Half written, it is refused by its structure.
  for (const char* file : {"model.safetensors", "optimizer.pt", "trainer_state.json"}) {
    SCOPED_TRACE(file);
    const std::string name = std::string("foreign/") + file, whole = bytes(name);
    write_file_atomic(at(name), whole.substr(0, whole.size() / 2));
    const Error error = expect_error(ErrorCode::kBadModel, [&] {
      train(resumed(stepwise("refused"), at("foreign").string()));
    });
    EXPECT_NE(error.place().find(file), std::string::npos) << error.what();
    EXPECT_FALSE(std::filesystem::exists(at("refused")));
    write_file_atomic(at(name), whole);
  }
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
  EXPECT_NE(error.place().find("checkpoint-6"), std::string::npos);
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
  give(a, "per_device_eval_batch_size", a.per_device_eval_batch_size, 2);
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
  EXPECT_EQ(error.place(), "--output");
  TrainingArguments a = stepwise("out");
  a.overwrite = true;
  give(a, "max_steps", a.max_steps, 3);
  train(a);
  EXPECT_EQ(names_in("out"), (Names{"checkpoint-3", "log.jsonl", "logs", "trained"}));
  EXPECT_EQ(names_in("out/logs").size(), 1u);
}

TEST_F(TrainingRun, BadInputLeavesNoOutput) {
  write_file_atomic(at("broken.json"), "{\"data\": [");
  TrainingArguments a = stepwise("out");
  a.train = at("broken.json");
  const Error error = expect_error(ErrorCode::kBadData, [&] { train(a); });
  EXPECT_NE(error.place().find("broken.json"), std::string::npos);
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
    EXPECT_NE(error.place().find(place), std::string::npos) << error.what();
    EXPECT_FALSE(std::filesystem::exists(at("out")));
  };
  refused("train.json", ErrorCode::kBadModel, "broken-model");
  refused("long.json", ErrorCode::kBadData, "long.json");  // only the tokenizer tells
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
                   {"context": " \n", "question": "who?", "id": "c", "answers": []}]})");
  TrainingArguments a = stepwise("out");
  a.train = at("blank.json");
  Recorder recorder;
  train(a, {.observers = {&recorder}});
  const auto blank = std::count_if(
      recorder.notices.begin(), recorder.notices.end(), [](const std::string& text) {
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
    EXPECT_EQ(error.place(), "--output");
  }
  EXPECT_EQ(find_manifest_difference(at("out/checkpoint-8")), std::nullopt);
}

TEST_F(TrainingRun, KeepsTheBestAndTheNewestCheckpoint) {
  TrainingArguments a = with_validation("out");
  give(a, "num_train_epochs", a.num_train_epochs, 4.0);
  give(a, "save_total_limit", a.save_total_limit, int64_t{1});
  give(a, "load_best_model_at_end", a.load_best_model_at_end, true);
  give(a, "metric_for_best_model", a.metric_for_best_model, "eval_runtime");  // any metric will do
  give(a, "greater_is_better", a.greater_is_better, true);
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

// The best checkpoint is found beside the resumed one, wherever the run was moved; where it is gone
// or damaged, that is said before the first step and not after the last.
TEST_F(TrainingRun, ResumeFindsTheBestCheckpointOrSaysSoAtOnce) {
  TrainingArguments a = with_validation("out");
  give(a, "num_train_epochs", a.num_train_epochs, 4.0);
  give(a, "load_best_model_at_end", a.load_best_model_at_end, true);
  give(a, "metric_for_best_model", a.metric_for_best_model, "eval_loss");
  give(a, "greater_is_better", a.greater_is_better, true);  // the first
  train(a);
  run_until_killed([&] {
    TrainingArguments killed = a;
    killed.output = at("old");
    return killed;
  }(), 20);
  std::filesystem::rename(at("old"), at("moved"));
  a.output = at("moved");
  const TrainResult result = train(resumed(a));
  EXPECT_EQ(result.best_checkpoint, at("moved/checkpoint-6"));
  EXPECT_EQ(bytes("moved/trained/model.safetensors"), bytes("out/trained/model.safetensors"));

  write_file_atomic(at("moved/checkpoint-6/model.safetensors"), "cut off");
  Error error = expect_error(ErrorCode::kBadModel, [&] { train(resumed(a)); });
  EXPECT_NE(error.place().find("checkpoint-6"), std::string::npos) << error.what();
  EXPECT_NE(error.reason().find("--allow-changed load-best-model-at-end"), std::string::npos);
  std::filesystem::remove_all(at("moved/checkpoint-6"));
  error = expect_error(ErrorCode::kIo, [&] { train(resumed(a)); });
  EXPECT_NE(error.reason().find("is gone"), std::string::npos) << error.what();
  a.load_best_model_at_end = false;
  a.allow_changed = {"load-best-model-at-end"};
  EXPECT_NO_THROW(train(resumed(a)));
}

TEST_F(TrainingRun, StopsEarlyWithoutABetterMetric) {
  TrainingArguments a = with_validation("out");
  give(a, "num_train_epochs", a.num_train_epochs, 9.0);
  give(a, "learning_rate", a.learning_rate, 0.0);  // nothing changes, so nothing gets better
  give(a, "early_stopping_patience", a.early_stopping_patience, int64_t{2});
  const TrainResult result = train(a);
  EXPECT_EQ(result.global_step, 18);
  const Json state =
      parse_json(bytes("out/checkpoint-12/trainer_state.json"), "s", ErrorCode::kBadModel);
  EXPECT_EQ(state["stateful_callbacks"]["EarlyStoppingCallback"]["attributes"]
                 ["early_stopping_patience_counter"],
            1);
}

TEST_F(TrainingRun, EarlyStoppingRemembersAcrossAResume) {
  const auto options = [&] {
    TrainingArguments a = with_validation("out");
    give(a, "num_train_epochs", a.num_train_epochs, 9.0);
    give(a, "learning_rate", a.learning_rate, 0.0);
    give(a, "early_stopping_patience", a.early_stopping_patience, int64_t{2});
    return a;
  };
  run_until_killed(options(), 14);
  EXPECT_EQ(train(resumed(options())).global_step, 18);
}

TEST_F(TrainingRun, StopsAtNaNBeforeTheWeightsMove) {
  TrainingArguments a = stepwise("out");
  give(a, "learning_rate", a.learning_rate, 1e38);
  give(a, "lr_scheduler_type", a.lr_scheduler_type, "constant");
  const Error error = expect_error(ErrorCode::kNonFinite, [&] { train(a); });
  EXPECT_TRUE(error.place().starts_with("step ")) << error.place();
  EXPECT_NE(error.reason().find("who-0-"), std::string::npos) << error.reason();
  EXPECT_FALSE(std::filesystem::exists(at("out/trained")));
}

TEST_F(TrainingRun, AccumulatedExamplesEqualOneLargeBatch) {
  TrainingArguments large = stepwise("large"), small = stepwise("small");
  for (TrainingArguments* a : {&large, &small}) {
    give(*a, "max_steps", a->max_steps, 3);
    // AdamW's first steps go by a gradient's sign, which rounding decides where it is all but 0.
    give(*a, "learning_rate", a->learning_rate, 1e-6);
  }
  give(large, "per_device_train_batch_size", large.per_device_train_batch_size, 12);
  give(small, "per_device_train_batch_size", small.per_device_train_batch_size, 5);
  give(small, "gradient_accumulation_steps", small.gradient_accumulation_steps, 3);  // 5 + 5 + 2
  give(small, "accumulation_mean", small.accumulation_mean, "examples");
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

// The last digits may be others then, and the run says so.
TEST_F(TrainingRun, ResumeWithOtherThreadsSaysSo) {
  run_until_killed(stepwise("out"), 6);
  TrainingArguments a = resumed(stepwise("out"));
  Recorder same, other;
  KillAt kill(5);
  EXPECT_THROW(train(a, {.observers = {&same, &kill}}), KillAt::Killed);
  give(a, "threads", a.threads, 2);
  train(a, {.observers = {&other}});
  const auto says = [](const Recorder& recorder) {
    return std::any_of(recorder.notices.begin(), recorder.notices.end(), [](const auto& notice) {
      return notice.find("computed with 1 thread, ") != std::string::npos &&
             notice.find("2 threads") != std::string::npos;
    });
  };
  EXPECT_FALSE(says(same));
  EXPECT_TRUE(says(other));
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
  give(a, "max_seq_length", a.max_seq_length, 24);
  train(a);
  const auto settings = load_answer_settings(at("out/trained"));
  ASSERT_TRUE(settings.has_value());
  EXPECT_EQ(settings->windows.max_seq_length, 24);
  EXPECT_EQ(settings->windows.window_overlap, 12);
  EXPECT_FALSE(settings->null_answers);
}

TEST_F(TrainingRun, SaveStrategyNoStillWritesTrained) {
  TrainingArguments a = arguments("out");
  give(a, "save_strategy", a.save_strategy, "no");
  give(a, "report_to", a.report_to, "none");
  train(a);
  EXPECT_EQ(names_in("out"), (Names{"log.jsonl", "trained"}));
}

}  // namespace
}  // namespace spanforge
