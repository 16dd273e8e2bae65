#include "spanforge/train/tensorboard.h"

#include <algorithm>
#include <map>
#include <set>

#include "spanforge/formats/tfevents.h"
#include "spanforge/io/file.h"
#include "train/fixture.h"

namespace spanforge {
namespace {

using testing::KillAt;

class TensorBoardFile : public testing::TrainFixture {
 protected:
  TrainingArguments options(const std::string& output) const {
    TrainingArguments a = arguments(output);
    a.validation = at("validation.json");
    return a;
  }
  std::vector<Event> events(const std::string& output) const {
    const auto names = names_in(output + "/logs");
    EXPECT_EQ(names.size(), 1u) << "event files";
    return read_events(at(output + "/logs/" + names.at(0))).events;
  }
  // tag -> steps, in the order written.
  static std::map<std::string, std::vector<int64_t>> steps(const std::vector<Event>& events) {
    std::map<std::string, std::vector<int64_t>> result;
    for (const Event& event : events) {
      for (const EventValue& value : event.values) result[value.tag].push_back(event.step);
    }
    return result;
  }
};

TEST_F(TensorBoardFile, HoldsEveryTagOfTheRecipe) {
  train(options("out"));
  const auto found = steps(events("out"));
  for (const char* tag : {"train/loss", "train/grad_norm", "train/learning_rate", "train/epoch",
                          "eval/loss", "eval/exact", "eval/f1", "qa_topk_recall", "qa_rank/who-1-0",
                          "qa_score/who-1-0", "qa_debug/who-1-0/text_summary", "top1_rank/who-1-0",
                          "top1_score/who-1-0", "top1_debug/who-1-0/text_summary"}) {
    ASSERT_TRUE(found.count(tag)) << tag;
    EXPECT_EQ(found.at(tag).front(), 6) << tag;
  }
  EXPECT_EQ(found.at("qa_rank/where-1-5"), (std::vector<int64_t>{6, 12}));
  EXPECT_EQ(found.at("args/text_summary"), std::vector<int64_t>{0});
  EXPECT_EQ(found.at("model_config/text_summary"), std::vector<int64_t>{0});
}

TEST_F(TensorBoardFile, AMissHasRankZeroAndTop1IsRankOne) {
  // The recipe never gives an answer as long as its context.
  write_file_atomic(at("missed.json"), R"({"version": "v2.0", "data": [
    {"id": "short", "title": "people", "context": "dario sat in the park.",
     "question": "who sat in the park?", "answers": [{"text": "dario", "answer_start": 0}]},
    {"id": "whole", "title": "people", "context": "dario sat in the park.",
     "question": "who sat?", "answers": [{"text": "dario sat in the park.", "answer_start": 0}]}]})");
  TrainingArguments a = options("out");
  a.validation = at("missed.json");
  train(a);
  int first_places = 0, misses = 0;
  for (const Event& event : events("out")) {
    for (const EventValue& value : event.values) {
      if (value.tag.starts_with("top1_rank/")) {
        ++first_places;
        EXPECT_EQ(value.scalar, 1.0f);
      }
      if (value.tag.starts_with("qa_debug/") && value.text->ends_with("(Rank: 0)")) {
        ++misses;
        EXPECT_EQ(value.tag, "qa_debug/whole/text_summary");
        EXPECT_EQ(value.text, "Answer: <> (Rank: 0)");
      }
    }
  }
  EXPECT_EQ(first_places, 4);  // two questions, two evaluations
  EXPECT_EQ(misses, 2);
}

TEST_F(TensorBoardFile, HoldsNoStepTwiceAfterAResume) {
  train(options("whole"));
  KillAt kill(11);
  EXPECT_THROW(train(options("out"), {.observers = {&kill}}), KillAt::Killed);
  TrainingArguments a = options("out");
  a.resume_from_checkpoint = "last";
  train(a);
  EXPECT_EQ(steps(events("out")), steps(events("whole")));
}

// A directory that several runs share: files of a start that was killed before its first checkpoint
// are replaced, and other runs' files stay.
TEST_F(TensorBoardFile, ASharedDirectoryHoldsNoStepTwiceEither) {
  const auto shared = [&](const std::string& output) {
    TrainingArguments a = options(output);
    a.logging_steps = 1.0;
    a.logging_dir = at("shared");
    return a;
  };
  train(shared("other"));
  KillAt kill(4);
  EXPECT_THROW(train(shared("out"), {.observers = {&kill}}), KillAt::Killed);
  EXPECT_EQ(names_in("shared").size(), 2u);
  TrainingArguments again = shared("out");
  again.resume_from_checkpoint = "last";
  train(again);
  const auto names = names_in("shared");
  ASSERT_EQ(names.size(), 2u);
  for (const std::string& name : names) {
    const auto found = steps(read_events(at("shared/" + name)).events);
    EXPECT_EQ(found.at("train/learning_rate").size(), 12u) << name;
  }
}

// Also if the directory is another run's own.
TEST_F(TensorBoardFile, OverwriteLeavesOtherRunsFiles) {
  TrainingArguments a = options("out");
  train(a);
  TrainingArguments guest = options("guest");
  guest.logging_dir = at("out/logs");
  train(guest);
  EXPECT_EQ(names_in("out/logs").size(), 2u);
  const auto is_guests = [](const std::string& name) {
    return name.find(TensorBoard::kRunSuffix) != std::string::npos;
  };
  a.overwrite = true;
  train(a);
  const auto names = names_in("out/logs");
  ASSERT_EQ(names.size(), 2u);
  EXPECT_EQ(std::count_if(names.begin(), names.end(), is_guests), 1);
}

TEST_F(TensorBoardFile, LiesInNothingThatTheRunReplaces) {
  for (const char* place : {"out/trained/logs", "out/checkpoint-6", "out/.spanforge-partial-x"}) {
    TrainingArguments a = options("out");
    a.logging_dir = at(place);
    const Error error = testing::expect_error(ErrorCode::kUsage, [&] { train(a); });
    EXPECT_EQ(error.parameter(), "logging_dir");
    EXPECT_FALSE(std::filesystem::exists(at("out")));
  }
}

TEST_F(TensorBoardFile, GoesOnInAnotherOutputWithTheScalarsSoFar) {
  TrainingArguments a = options("out");
  a.logging_steps = 1.0;
  train(a);
  a.output = at("moved");
  a.resume_from_checkpoint = at("out/checkpoint-6").string();
  train(a);
  const auto whole = steps(events("out")), moved = steps(events("moved"));
  for (const char* tag : {"train/loss", "train/epoch", "eval/f1"}) {
    EXPECT_EQ(moved.at(tag), whole.at(tag)) << tag;
  }
}

}  // namespace
}  // namespace spanforge
