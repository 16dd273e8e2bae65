// What training logs equals an evaluation of its checkpoints.

#include <algorithm>

#include "spanforge/evaluation/answer_settings.h"
#include "spanforge/evaluation/evaluate.h"
#include "spanforge/io/file.h"
#include "spanforge/model/model.h"
#include "spanforge/text/tokenizer.h"
#include "train/fixture.h"

namespace spanforge {
namespace {

using testing::KillAt;
using testing::Recorder;

struct Scores {
  double exact = 0, f1 = 0, loss = 0;
  bool operator==(const Scores&) const = default;
};

Scores logged(const LogLine& line) {
  return {*line.number("eval_exact"), *line.number("eval_f1"), *line.number("eval_loss")};
}

class Agreement : public testing::TrainFixture {
 protected:
  // Every third question of both files has no answer.
  Agreement() {
    for (const char* name : {"train.json", "validation.json"}) {
      Json data = parse_json(bytes(name), name, ErrorCode::kBadData);
      for (size_t i = 0; i < data["data"].size(); i += 3) {
        data["data"][i]["question"] = "where sat the ?";
        data["data"][i]["answers"] = Json::array();
      }
      write_file_atomic(at(name), dump_python_json(data));
    }
  }

  TrainingArguments with_validation(const std::string& output) const {
    TrainingArguments a = arguments(output);
    a.validation = at("validation.json");
    a.num_train_epochs = 4.0;
    return a;
  }

  // Evaluates a directory as `spanforge evaluate` does: by what is in it, and nothing else.
  Scores evaluated(const std::string& directory) const {
    const auto settings = load_answer_settings(at(directory));
    if (!settings) throw std::runtime_error(directory + " has no spanforge.json");
    const auto model = QuestionAnsweringModel::load(at(directory), 0);
    const Tokenizer tokenizer = Tokenizer::from_directory(at(directory));
    const Dataset dataset = load_dataset(at("validation.json"));
    FeatureOptions features;
    features.windows = settings->windows;
    EvaluationOptions options;
    options.decoder = settings->decoder;
    options.predict.with_losses = true;
    const Evaluation e =
        evaluate(model, {dataset, tokenizer, FeatureChunks(dataset, tokenizer, features)}, options);
    return {e.number("exact"), e.number("f1"), *e.loss};
  }

  Json stored(const std::string& directory) const {
    return parse_json(bytes(directory + "/spanforge.json"), directory, ErrorCode::kBadModel);
  }

  // Log lines of evaluations, by step.
  static std::map<int64_t, LogLine> evaluations(const Recorder& recorder) {
    std::map<int64_t, LogLine> lines;
    for (const LogLine& line : recorder.unrounded_lines) {
      if (line.number("eval_loss")) lines.emplace(line.step, line);
    }
    return lines;
  }
};

TEST_F(Agreement, CheckpointsAndTrainedGiveTheLoggedScores) {
  Recorder recorder;
  train(with_validation("out"), {.observers = {&recorder}});
  const auto lines = evaluations(recorder);
  ASSERT_EQ(lines.size(), 4u);
  int fitted = 0;
  for (const auto& [step, line] : lines) {
    const std::string checkpoint = "out/checkpoint-" + std::to_string(step);
    EXPECT_EQ(evaluated(checkpoint), logged(line)) << checkpoint;
    const Json settings = stored(checkpoint);
    EXPECT_EQ(settings["training"]["steps"], step);
    if (settings["null_threshold"] != 0.0 && settings["temperature"] != 1.0) ++fitted;
  }
  EXPECT_GT(fitted, 0) << "with nothing fitted this test shows nothing";
  EXPECT_EQ(evaluated("out/trained"), logged(lines.at(24)));
  EXPECT_EQ(std::count_if(recorder.notices.begin(), recorder.notices.end(),
                          [](const std::string& text) {
                            return text.find("optimistic") != std::string::npos;
                          }),
            1);
}

TEST_F(Agreement, TrainedHasTheBestCheckpointsSettings) {
  TrainingArguments a = with_validation("out");
  a.load_best_model_at_end = true;
  a.metric_for_best_model = "eval_loss";
  a.greater_is_better = true;  // so that the best is not the last
  Recorder recorder;
  const TrainResult result = train(a, {.observers = {&recorder}});
  const std::string best = "out/" + result.best_checkpoint.filename().string();
  ASSERT_NE(best, "out/checkpoint-24");
  EXPECT_EQ(stored("out/trained"), stored(best));
  EXPECT_NE(stored("out/trained")["temperature"], stored("out/checkpoint-24")["temperature"]);
  const auto step = stored(best)["training"]["steps"].get<int64_t>();
  EXPECT_EQ(evaluated("out/trained"), logged(evaluations(recorder).at(step)));
}

TEST_F(Agreement, SettingsSurviveAResume) {
  const auto options = [&](const std::string& output) {
    TrainingArguments a = with_validation(output);
    a.load_best_model_at_end = true;
    a.metric_for_best_model = "eval_loss";
    a.greater_is_better = true;
    return a;
  };
  train(options("whole"));
  KillAt kill(21);  // the best evaluation came before
  EXPECT_THROW(train(options("killed"), {.observers = {&kill}}), KillAt::Killed);
  TrainingArguments again = options("killed");
  again.resume_from_checkpoint = "last";
  train(again);
  for (const char* directory : {"/trained", "/checkpoint-24"}) {
    EXPECT_EQ(stored(std::string("killed") + directory), stored(std::string("whole") + directory));
  }
}

TEST_F(Agreement, CheckpointsBetweenEvaluationsHaveTheLastOnesSettings) {
  TrainingArguments a = with_validation("out");
  a.eval_steps = 6.0;
  a.save_steps = 4.0;
  train(a);
  EXPECT_EQ(stored("out/checkpoint-4")["temperature"], 1.0);
  EXPECT_EQ(stored("out/checkpoint-4")["null_threshold"], 0.0);
  EXPECT_NE(stored("out/checkpoint-8")["temperature"], 1.0);
}

TEST_F(Agreement, WithoutValidationNothingIsFitted) {
  train(arguments("out"));
  EXPECT_TRUE(stored("out/trained")["null_answers"].get<bool>());
  EXPECT_EQ(stored("out/trained")["temperature"], 1.0);
  EXPECT_EQ(stored("out/trained")["null_threshold"], 0.0);
}

TEST_F(Agreement, OtherDecodersKeepTheirRules) {
  for (const char* decoder : {"run_qa", "pipeline", "recipe"}) {
    SCOPED_TRACE(decoder);
    const std::string output = std::string("out-") + decoder;
    TrainingArguments a = with_validation(output);
    a.decoder = find_spelling<DecoderKind>(decoder).value();
    a.num_train_epochs = 1.0;
    Recorder recorder;
    train(a, {.observers = {&recorder}});
    const Json settings = stored(output + "/trained");
    EXPECT_EQ(settings["decoder"], decoder);
    EXPECT_EQ(settings["temperature"], 1.0);
    EXPECT_EQ(settings["null_threshold"], 0.0);
    EXPECT_EQ(evaluated(output + "/trained"), logged(evaluations(recorder).at(6)));
    for (const std::string& notice : recorder.notices) {
      EXPECT_EQ(notice.find("temperature"), std::string::npos) << notice;
    }
  }
}

TEST_F(Agreement, MisalignedValidationQuestionsAreScoredWithoutALoss) {
  Json data = parse_json(bytes("validation.json"), "v", ErrorCode::kBadData);
  data["data"][1]["answers"][0]["answer_start"] = 1;
  write_file_atomic(at("validation.json"), dump_python_json(data));
  TrainingArguments a = with_validation("out");
  const Error error = testing::expect_error(ErrorCode::kBadData, [&] { train(a); });
  EXPECT_NE(error.file().find("validation.json"), std::string::npos);
  EXPECT_NE(error.place().text().find("data[1]"), std::string::npos) << error.place().text();
  EXPECT_FALSE(std::filesystem::exists(at("out")));

  a.on_bad_answer = BadAnswerPolicy::kDrop;
  Recorder recorder;
  const TrainResult result = train(a, {.observers = {&recorder}});
  EXPECT_EQ(result.evaluation->number("eval_total"), 12.0);
  EXPECT_EQ(std::count_if(recorder.notices.begin(), recorder.notices.end(),
                          [](const std::string& text) {
                            return text.find("1 not where the file says") != std::string::npos;
                          }),
            1);
}

}  // namespace
}  // namespace spanforge
