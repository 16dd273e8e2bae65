#include <algorithm>
#include <functional>

#include "spanforge/formats/manifest.h"
#include "spanforge/io/file.h"
#include "spanforge/train/checkpoint.h"
#include "spanforge/train/verify.h"
#include "train/fixture.h"

namespace spanforge {
namespace {

using testing::expect_error;
using testing::KillAt;
using testing::Recorder;
using Names = std::vector<std::string>;

class Resume : public testing::RunFixture {};

TEST_F(Resume, EqualsARunThatNeverStopped) {
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

// Each optimiser's state, including an empty one: killed in mid-epoch, in bf16, too.
TEST_F(Resume, EqualsARunThatNeverStoppedWhateverTheOptimiser) {
  for (const char* optim : {"adamw_torch", "adafactor", "sgd"}) {
    for (const char* bf16 : {"false", "true"}) {
      SCOPED_TRACE(std::string(optim) + " bf16 " + bf16);
      const auto options = [&](const std::string& output) {
        TrainingArguments a = stepwise(output + "-" + optim + bf16);
        a.optim = find_spelling<OptimizerName>(optim).value();
        a.bf16 = find_spelling<AutoBool>(bf16).value();
        a.weight_decay = 0.1;
        return a;
      };
      const std::string whole = options("whole").output.filename(),
                        killed = options("killed").output.filename();
      train(options("whole"));
      run_until_killed(options("killed"), 9);
      TrainingArguments from_saved_options;
      from_saved_options.output = at(killed);
      train(resumed(from_saved_options));
      expect_equal_results(whole, killed);
      EXPECT_EQ(bytes(killed + "/checkpoint-12/optimizer.pt"),
                bytes(whole + "/checkpoint-12/optimizer.pt"));
      for (const VerifiedDirectory& one : verify_directories(at(killed))) {
        EXPECT_TRUE(one.whole()) << one.directory << " " << one.damage;
      }
    }
  }
}

// Another optimiser cannot use its state, so nothing allows that; two names of one optimiser are
// fine.
TEST_F(Resume, WithAnotherOptimiserIsRefusedInOneLine) {
  run_until_killed(stepwise("out"), 6);
  TrainingArguments a = resumed(stepwise("out"));
  for (const char* optim : {"adafactor", "sgd"}) {
    a.optim = find_spelling<OptimizerName>(optim).value();
    for (const bool allowed : {false, true}) {
      a.allow_changed = allowed ? std::vector<std::string>{"optim"} : std::vector<std::string>{};
      const Error error = expect_error(ErrorCode::kUsage, [&] { train(a); });
      EXPECT_EQ(error.parameter(), "optim");
      EXPECT_NE(error.reason().find(std::string("is ") + optim +
                                    " but the run to resume has "
                                    "adamw_torch_fused"),
                std::string::npos)
          << error.what();
    }
  }
  // HF's checkpoint does not name the optimiser, but its optimizer.pt shows it.
  std::filesystem::copy(at("out/checkpoint-4"), at("foreign"));
  for (const char* ours : {"spanforge_manifest.json", "spanforge_state.json", "spanforge.json",
                           "training_args.json"}) {
    ASSERT_TRUE(std::filesystem::remove(at("foreign") / ours)) << ours;
  }
  TrainingArguments foreign = resumed(stepwise("new"), at("foreign").string());
  foreign.optim = OptimizerName::kSgd;
  const Error error = expect_error(ErrorCode::kUsage, [&] { train(foreign); });
  EXPECT_EQ(error.parameter(), "optim");
  EXPECT_NE(error.reason().find("give `optim` adamw_torch"), std::string::npos) << error.what();
  EXPECT_FALSE(std::filesystem::exists(at("new")));

  TrainingArguments same = resumed(stepwise("out"));
  same.optim = OptimizerName::kAdamWTorch;
  train(same);
  train(stepwise("whole"));
  expect_equal_results("whole", "out");
}

TEST_F(Resume, TakesTheSavedOptions) {
  TrainingArguments a = stepwise("whole");
  a.weight_decay = 0.1;
  train(a);
  a.output = at("killed");
  run_until_killed(a, 6);
  TrainingArguments b;
  b.output = at("killed");
  train(resumed(b));
  expect_equal_results("whole", "killed");
}

TEST_F(Resume, GoesOnInAnotherOutput) {
  train(stepwise("whole"));
  TrainingArguments a = stepwise("moved");
  train(resumed(a, at("whole/checkpoint-8").string()));
  expect_equal_results("whole", "moved");
  EXPECT_EQ(names_in("moved"), (Names{"checkpoint-12", "log.jsonl", "logs", "trained"}));
}

TEST_F(Resume, WithAccumulationAndShortLastGroup) {
  const auto options = [&](const std::string& output) {
    TrainingArguments a = stepwise(output);
    a.gradient_accumulation_steps = 4;
    a.accumulation_mean = AccumulationMean::kExamples;
    a.save_steps = 1.0;
    return a;
  };
  train(options("whole"));
  run_until_killed(options("killed"), 4);
  train(resumed(options("killed")));
  expect_equal_results("whole", "killed");
}

TEST_F(Resume, WithATokenBoundInTheMiddleOfAnEpochAndOfAnAccumulation) {
  for (const int64_t accumulation : {1, 3}) {
    const auto options = [&](const std::string& output) {
      TrainingArguments a = stepwise(output + std::to_string(accumulation));
      a.per_device_train_batch_size = 8;
      a.max_seq_length = 20;
      a.max_tokens_per_batch = 40;
      a.gradient_accumulation_steps = accumulation;
      a.num_train_epochs = 3.0;
      a.save_steps = 1.0;
      return a;
    };
    const int64_t steps = train(options("whole")).global_step;
    ASSERT_GT(steps, 4);
    for (const int64_t killed : {int64_t{2}, int64_t{5}, steps / 2 + 1, steps}) {
      const std::string output = "killed-" + std::to_string(killed) + "-";
      run_until_killed(options(output), killed);
      TrainingArguments from_saved_options;
      from_saved_options.output = at(output + std::to_string(accumulation));
      train(resumed(from_saved_options));
      expect_equal_results("whole" + std::to_string(accumulation),
                           output + std::to_string(accumulation));
    }
  }
}

TEST_F(Resume, WithoutACheckpointBeginsAndSaysSo) {
  Recorder recorder;
  train(resumed(stepwise("out")), {.observers = {&recorder}});
  EXPECT_NE(recorder.notices.at(0).find("starting from the beginning"), std::string::npos);
}

TEST_F(Resume, SkipsADamagedCheckpoint) {
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
  EXPECT_NE(error.file().find("checkpoint-8"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(at("x")));
}

// If one bit flips in any file of the newest checkpoint, the one before it is used.
TEST_F(Resume, NoticesAFlippedBitInAnyFile) {
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

TEST_F(Resume, ADamagedCheckpointBesideDoesNotStopTheRun) {
  train(stepwise("whole"));
  run_until_killed(stepwise("out"), 9);
  write_file_atomic(at("out/checkpoint-4/spanforge_state.json"), "{");
  write_file_atomic(at("out/checkpoint-8/spanforge_state.json"), "[1]");
  train(resumed(stepwise("out")));  // from the beginning, replacing both
  expect_equal_results("whole", "out");
  for (const VerifiedDirectory& one : verify_directories(at("out"))) {
    EXPECT_TRUE(one.whole()) << one.directory << " " << one.damage;
  }
}

// Starting over would lose the run because of a disk that answers the next time.
TEST_F(Resume, DoesNotTrainOverACheckpointItCannotRead) {
  run_until_killed(stepwise("out"), 6);
  const auto weights = at("out/checkpoint-4/model.safetensors");
  std::filesystem::rename(weights, at("kept"));
  std::filesystem::create_symlink("model.safetensors", weights);  // to itself
  const std::string log = bytes("out/log.jsonl");
  const Error error = expect_error(ErrorCode::kIo, [&] { train(resumed(stepwise("out"))); });
  EXPECT_EQ(error.file(), weights.string());
  EXPECT_EQ(bytes("out/log.jsonl"), log);
  std::filesystem::remove(weights);
  std::filesystem::rename(at("kept"), weights);
  train(resumed(stepwise("out")));
  train(stepwise("whole"));
  expect_equal_results("whole", "out");
}

TEST_F(Resume, RefusesOtherOptionsAndOtherData) {
  run_until_killed(stepwise("out"), 5);
  TrainingArguments a = resumed(stepwise("out"));
  a.learning_rate = 2e-2;
  EXPECT_EQ(expect_error(ErrorCode::kUsage, [&] { train(a); }).parameter(), "learning_rate");
  a.allow_changed = {"learning-rate"};
  EXPECT_NO_THROW(train(a));

  run_until_killed(stepwise("other"), 5);
  TrainingArguments b = resumed(stepwise("other"));
  b.train = at("validation.json");
  EXPECT_EQ(expect_error(ErrorCode::kUsage, [&] { train(b); }).parameter(), "train");
  // The same contents under another name are the same data.
  std::filesystem::copy_file(at("train.json"), at("copy.json"));
  b.train = at("copy.json");
  EXPECT_NO_THROW(train(b));
}

// Options that decide the result: an error with both values, unless --allow-changed names them.
TEST_F(Resume, NamesEachDifferenceAndTakesItWhenAllowed) {
  TrainingArguments base = stepwise("out");
  base.validation = at("validation.json");
  run_until_killed(base, 5);
  std::filesystem::copy(at("model"), at("other-model"));
  const std::string other_model = at("other-model").string();
  struct Row {
    const char *name, *was, *is;
    std::function<void(TrainingArguments&)> change;
  };
  const Row rows[] = {
      {"seed", "42", "43", [](auto& a) { a.seed = 43; }},
      {"data_seed", "null", "7", [](auto& a) { a.data_seed = 7; }},
      {"data_order", "shuffle", "sequential",
       [](auto& a) { a.data_order = WindowOrder::kSequential; }},
      {"per_device_train_batch_size", "2", "3", [](auto& a) { a.per_device_train_batch_size = 3; }},
      {"gradient_accumulation_steps", "1", "2", [](auto& a) { a.gradient_accumulation_steps = 2; }},
      {"window_overlap", "24", "10", [](auto& a) { a.window_overlap = 10; }},
      {"weight_decay", "0.0", "0.5", [](auto& a) { a.weight_decay = 0.5; }},
      {"num_train_epochs", "2.0", "3.0", [](auto& a) { a.num_train_epochs = 3.0; }},
      {"model", "/model", "other-model", [&](auto& a) { a.model = other_model; }},
      {"train", "train.json", "validation.json", [&](auto& a) { a.train = at("validation.json"); }},
      {"validation", "validation.json", "train.json",
       [&](auto& a) { a.validation = at("train.json"); }},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    TrainingArguments a = resumed(base);
    row.change(a);
    const Error error = expect_error(ErrorCode::kUsage, [&] { train(a); });
    EXPECT_EQ(error.parameter(), row.name);
    EXPECT_NE(error.reason().find(row.was), std::string::npos) << error.reason();
    EXPECT_NE(error.reason().find(row.is), std::string::npos) << error.reason();
    EXPECT_NE(error.reason().find("`allow_changed` " + dashed_name(row.name)), std::string::npos)
        << error.reason();
    EXPECT_EQ(names_in("out"), (Names{"checkpoint-4", "log.jsonl", "logs"}));
    a.output = at(std::string("as-allowed-") + row.name);  // "out" stays unchanged for the next
    a.resume_from_checkpoint = at("out/checkpoint-4").string();
    a.allow_changed = {dashed_name(row.name)};
    EXPECT_NO_THROW(train(a));
  }
}

// A checkpoint as HF writes it: without our files, and without a manifest to check it by.
TEST_F(Resume, FromAForeignCheckpointWarnsOnceAndStillLooksAtIt) {
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
  // A half-written file is detected by its structure.
  for (const char* file : {"model.safetensors", "optimizer.pt", "trainer_state.json"}) {
    SCOPED_TRACE(file);
    const std::string name = std::string("foreign/") + file, whole = bytes(name);
    write_file_atomic(at(name), whole.substr(0, whole.size() / 2));
    const Error error = expect_error(
        ErrorCode::kBadModel, [&] { train(resumed(stepwise("refused"), at("foreign").string())); });
    EXPECT_NE(error.file().find(file), std::string::npos) << error.what();
    EXPECT_FALSE(std::filesystem::exists(at("refused")));
    write_file_atomic(at(name), whole);
  }
}

// Without optimiser, as save_only_model leaves it: there is nothing to resume from, only weights to
// start from.
TEST_F(Resume, WithoutOptimiserStateItNamesTheWayToItsWeights) {
  run_until_killed(stepwise("out"), 6);
  std::filesystem::copy(at("out/checkpoint-4"), at("foreign"));
  std::filesystem::remove(at("foreign/spanforge_manifest.json"));
  std::filesystem::remove(at("foreign/spanforge_state.json"));
  for (const char* directory : {"foreign", "out/checkpoint-4"}) {
    SCOPED_TRACE(directory);
    std::filesystem::remove(at(directory) / "optimizer.pt");
    const Error error = expect_error(
        ErrorCode::kIo, [&] { train(resumed(stepwise("new"), at(directory).string())); });
    EXPECT_EQ(error.file(), (at(directory) / "optimizer.pt").string());
    EXPECT_NE(error.reason().find("`model` " + at(directory).string()), std::string::npos)
        << error.what();
    EXPECT_FALSE(std::filesystem::exists(at("new")));
  }
  // If it is the only checkpoint, `last` does not start over.
  for (const auto& entry : std::filesystem::directory_iterator(at("out"))) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("checkpoint-")) std::filesystem::remove(entry.path() / "optimizer.pt");
  }
  expect_error(ErrorCode::kIo, [&] { train(resumed(stepwise("out"))); });
  TrainingArguments anew = stepwise("anew");
  anew.model = at("foreign").string();
  train(anew);
  EXPECT_TRUE(std::filesystem::exists(at("anew/trained/model.safetensors")));
}

// The best checkpoint is found next to the resumed one, wherever the run was moved. If it is
// missing or damaged, the error comes before the first step and not after the last.
TEST_F(Resume, FindsTheBestCheckpointOrSaysSoAtOnce) {
  TrainingArguments a = with_validation("out");
  a.num_train_epochs = 4.0;
  a.load_best_model_at_end = true;
  a.metric_for_best_model = "eval_loss";
  a.greater_is_better = true;  // the first
  train(a);
  run_until_killed(
      [&] {
        TrainingArguments killed = a;
        killed.output = at("old");
        return killed;
      }(),
      20);
  std::filesystem::rename(at("old"), at("moved"));
  a.output = at("moved");
  const TrainResult result = train(resumed(a));
  EXPECT_EQ(result.best_checkpoint, at("moved/checkpoint-6"));
  EXPECT_EQ(bytes("moved/trained/model.safetensors"), bytes("out/trained/model.safetensors"));

  write_file_atomic(at("moved/checkpoint-6/model.safetensors"), "cut off");
  Error error = expect_error(ErrorCode::kBadModel, [&] { train(resumed(a)); });
  EXPECT_NE(error.file().find("checkpoint-6"), std::string::npos) << error.what();
  EXPECT_NE(error.reason().find("`allow_changed` load-best-model-at-end"), std::string::npos);
  std::filesystem::remove_all(at("moved/checkpoint-6"));
  error = expect_error(ErrorCode::kIo, [&] { train(resumed(a)); });
  EXPECT_NE(error.reason().find("is gone"), std::string::npos) << error.what();
  a.load_best_model_at_end = false;
  a.allow_changed = {"load-best-model-at-end"};
  EXPECT_NO_THROW(train(resumed(a)));
}

TEST_F(Resume, EarlyStoppingRemembersAcrossAResume) {
  const auto options = [&] {
    TrainingArguments a = with_validation("out");
    a.num_train_epochs = 9.0;
    a.learning_rate = 0.0;
    a.early_stopping_patience = 2;
    return a;
  };
  run_until_killed(options(), 14);
  EXPECT_EQ(train(resumed(options())).global_step, 18);
}

// The last digits may then differ, and the run says so.
TEST_F(Resume, WithOtherThreadsSaysSo) {
  run_until_killed(stepwise("out"), 6);
  TrainingArguments a = resumed(stepwise("out"));
  Recorder same, other;
  KillAt kill(5);
  EXPECT_THROW(train(a, {.observers = {&same, &kill}}), KillAt::Killed);
  a.threads = 2;
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

}  // namespace
}  // namespace spanforge
