// Going on from another checkpoint than the newest, and what "last" may not skip.
#include <algorithm>
#include <functional>
#include <sstream>

#include "spanforge/formats/manifest.h"
#include "spanforge/io/file.h"
#include "train/fixture.h"

namespace spanforge {
namespace {

using testing::expect_error;
using testing::KillAt;
using testing::Recorder;
using Names = std::vector<std::string>;

// Of a directory that was written in another way.
void add_manifest(const fs::path& directory) {
  DirectoryWriter writer(directory);
  write_manifest(writer);
}

class Rewind : public testing::RunFixture {
 protected:
  // Steps 4, 8 and 12 are kept.
  TrainingArguments keeping(const std::string& output) const {
    TrainingArguments a = stepwise(output);
    a.save_total_limit = 9;
    return a;
  }

  // Goes on from step 4 at another rate.
  TrainingArguments faster(const std::string& output, const std::string& from) {
    TrainingArguments a = resumed(keeping(output), from);
    a.learning_rate = 2e-2;
    a.allow_changed = {"learning_rate"};
    return a;
  }

  // The checkpoint's file with one value replaced, and a manifest that agrees.
  void edit(const std::string& directory, const std::string& file,
            const std::function<void(Json&)>& change) {
    const std::string name = directory + "/" + file;
    Json json = parse_json(bytes(name), name, ErrorCode::kBadModel);
    change(json);
    write_file_atomic(at(name), dump_python_json(json));
    if (file != kManifestName) add_manifest(at(directory));
  }
};

const Names kAll = {"checkpoint-12", "checkpoint-4", "checkpoint-8",
                    "log.jsonl",     "logs",         "trained"};

TEST_F(Rewind, LeavesNothingBehindThatLastWouldFind) {
  train(keeping("out"));
  const std::string log = bytes("out/log.jsonl");
  TrainingArguments a = faster("out", at("out/checkpoint-4").string());
  const Error error = expect_error(ErrorCode::kUsage, [&] { train(a); });
  EXPECT_EQ(error.parameter(), "resume_from_checkpoint");
  EXPECT_NE(error.reason().find("checkpoint-12 came after"), std::string::npos) << error.what();
  EXPECT_EQ(names_in("out"), kAll);
  EXPECT_EQ(bytes("out/log.jsonl"), log);

  train(faster("straight", at("out/checkpoint-4").string()));
  a.overwrite = true;
  KillAt kill(10);
  EXPECT_THROW(train(a, {.observers = {&kill}}), KillAt::Killed);
  EXPECT_EQ(names_in("out"), (Names{"checkpoint-4", "checkpoint-8", "log.jsonl", "logs"}));
  TrainingArguments last;
  last.output = at("out");
  const TrainResult result = train(resumed(last));
  EXPECT_EQ(result.resumed_from.filename(), "checkpoint-8");
  expect_equal_results("straight", "out");
  EXPECT_EQ(names_in("out"), kAll);
}

TEST_F(Rewind, TheNewestByItsNameIsGoneOnFrom) {
  run_until_killed(keeping("out"), 9);
  train(resumed(keeping("out"), at("out/checkpoint-8").string()));
  train(keeping("whole"));
  expect_equal_results("whole", "out");
}

TEST_F(Rewind, AnotherRunsCheckpointNeedsAFreeOutput) {
  train(keeping("other"));
  train(stepwise("out"));
  TrainingArguments a = faster("out", at("other/checkpoint-4").string());
  const Error error = expect_error(ErrorCode::kUsage, [&] { train(a); });
  EXPECT_EQ(error.parameter(), "output");
  a.overwrite = true;
  train(a);
  train(faster("straight", at("other/checkpoint-4").string()));
  expect_equal_results("straight", "out");
  EXPECT_EQ(names_in("out"), names_in("straight"));
}

TEST_F(Rewind, OverwriteContradictsLast) {
  TrainingArguments a = resumed(stepwise("out"));
  a.overwrite = true;
  EXPECT_EQ(expect_error(ErrorCode::kUsage, [&] { train(a); }).parameter(), "overwrite");
}

TEST_F(Rewind, ARunsDirectoryIsNoCheckpoint) {
  train(stepwise("out"));
  const Error error =
      expect_error(ErrorCode::kUsage, [&] { train(resumed(stepwise("x"), at("out").string())); });
  EXPECT_NE(error.reason().find("give last"), std::string::npos) << error.what();
}

// It is whole, but not for this version: if it were skipped, training would replace it.
TEST_F(Rewind, LastDoesNotPassOverWhatANewerVersionWrote) {
  const auto expect_kept = [&] {
    const Names names = names_in("out");
    const Error error = expect_error(ErrorCode::kBadModel, [&] { train(resumed(keeping("out"))); });
    EXPECT_NE(error.reason().find("newer spanforge"), std::string::npos) << error.what();
    EXPECT_EQ(names_in("out"), names);
  };
  run_until_killed(keeping("out"), 9);
  const std::string state = bytes("out/checkpoint-8/spanforge_state.json");
  edit("out/checkpoint-8", "spanforge_state.json", [](Json& json) { json["format"] = 2; });
  expect_kept();
  edit("out/checkpoint-8", kManifestName, [](Json& json) { json["version"] = 2; });
  expect_kept();
  write_file_atomic(at("out/checkpoint-8/spanforge_state.json"), state);
  add_manifest(at("out/checkpoint-8"));
  train(resumed(keeping("out")));
}

// The best moved to the checkpoint that is now damaged, and the one before was removed.
TEST_F(Rewind, BehindADamagedBestGoesOnAndFindsItAgain) {
  TrainingArguments a = with_validation("whole");
  a.save_total_limit = 2;
  a.load_best_model_at_end = true;
  a.metric_for_best_model = "eval_loss";
  a.num_train_epochs = 4.0;
  train(a);
  const auto best = [&](const std::string& checkpoint) {
    return parse_json(bytes(checkpoint + "/trainer_state.json"), checkpoint, ErrorCode::kBadModel)
        .at("best_global_step")
        .get<int64_t>();
  };
  a.output = at("out");
  run_until_killed(a, 20);
  ASSERT_EQ(best("out/checkpoint-18"), 18) << "the loss falls";
  ASSERT_EQ(best("out/checkpoint-12"), 12);
  // As after a save that moved the best and removed the one before.
  std::filesystem::remove_all(at("out/checkpoint-6"));
  edit("out/checkpoint-12", "trainer_state.json", [&](Json& json) {
    json["best_global_step"] = 6;
    json["best_model_checkpoint"] = at("out/checkpoint-6").string();
  });
  write_file_atomic(at("out/checkpoint-18/model.safetensors"), "cut off");
  Recorder recorder;
  const TrainResult result = train(resumed(a), {.observers = {&recorder}});
  EXPECT_EQ(result.resumed_from.filename(), "checkpoint-12");
  EXPECT_EQ(result.best_checkpoint.filename(), "checkpoint-24");
  const auto says = [&](const std::string& text) {
    return std::any_of(recorder.notices.begin(), recorder.notices.end(),
                       [&](const auto& notice) { return notice.find(text) != std::string::npos; });
  };
  EXPECT_TRUE(says("skipped 1 damaged"));
  EXPECT_TRUE(says("checkpoint-6, the best so far, is gone"));
  EXPECT_EQ(bytes("out/trained/model.safetensors"), bytes("whole/trained/model.safetensors"));
}

// Log lines as checkpoints held them before they were kept as text.
TEST_F(Rewind, ReadsAnEarlierFormOfTheLog) {
  train(stepwise("whole"));
  run_until_killed(stepwise("out"), 9);
  edit("out/checkpoint-8", "spanforge_state.json", [](Json& json) {
    Json& log = json["observers"]["run_log"];
    std::istringstream text(log.at("text").get<std::string>());
    log = {{"lines", Json::array()}};
    for (std::string line; std::getline(text, line);)
      log["lines"].push_back(parse_json(line, "line", ErrorCode::kBadModel));
    ASSERT_EQ(log["lines"].size(), 8u);
  });
  train(resumed(stepwise("out")));
  expect_equal_results("whole", "out");
}

}  // namespace
}  // namespace spanforge
