#include "train/fixture.h"

#include <algorithm>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "spanforge/evaluation/evaluate.h"
#include "spanforge/formats/manifest.h"
#include "spanforge/io/file.h"
#include "spanforge/model/model.h"
#include "spanforge/text/tokenizer.h"
#include "spanforge/train/train_state.h"
#include "support/saving.h"

namespace spanforge::testing {
namespace {

const std::vector<std::string> kPeople = {"anna", "bruno", "clara", "dario", "erika", "fabio"};
const std::vector<std::string> kPlaces = {"harbour", "library", "market",
                                          "garden",  "station", "museum"};

std::vector<std::string> vocabulary() {
  std::vector<std::string> words = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "who", "where",
                                    "is",    "in",    "the",   "at",    "sat",    "?",   "."};
  words.insert(words.end(), kPeople.begin(), kPeople.end());
  words.insert(words.end(), kPlaces.begin(), kPlaces.end());
  return words;
}

// Who sat where. `shift` makes other pairs of the same words.
Json squad(int shift) {
  Json rows = Json::array();
  for (size_t i = 0; i < kPeople.size(); ++i) {
    const std::string& person = kPeople[i];
    const std::string& place = kPlaces[(i + shift) % kPlaces.size()];
    const std::string context = fmt::format("{} sat in the {}.", person, place);
    const auto row = [&](const std::string& id, const std::string& question,
                         const std::string& answer) {
      rows.push_back({{"id", id},
                      {"title", "people"},
                      {"context", context},
                      {"question", question},
                      {"answers", {{{"text", answer}, {"answer_start", context.find(answer)}}}}});
    };
    row(fmt::format("who-{}-{}", shift, i), fmt::format("who sat in the {}?", place), person);
    row(fmt::format("where-{}-{}", shift, i), fmt::format("where is {}?", person), place);
  }
  return {{"version", "v2.0"}, {"data", rows}};
}

}  // namespace

TrainFixture::TrainFixture() {
  ModelConfig config;
  const std::vector<std::string> words = vocabulary();
  config.vocab_size = static_cast<int32_t>(words.size());
  config.hidden_size = 16;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 2;
  config.intermediate_size = 32;
  config.max_position_embeddings = 48;
  std::filesystem::create_directories(at("model"));
  testing::save_in(at("model"), QuestionAnsweringModel::create(config, 3));
  testing::save_in(at("model"), Tokenizer::from_vocabulary(words, {}, "vocabulary"));
  write_file_atomic(at("train.json"), dump_python_json(squad(0)));
  write_file_atomic(at("validation.json"), dump_python_json(squad(1)));
}

TrainingArguments TrainFixture::arguments(const std::string& output) const {
  TrainingArguments a;
  a.threads = 1;
  a.model = at("model").string();
  a.train = at("train.json");
  a.output = at(output);
  a.per_device_train_batch_size = 2;
  a.num_train_epochs = 2.0;
  a.learning_rate = 5e-3;
  return a;
}

std::string TrainFixture::bytes(const std::string& name) const { return read_file(at(name)); }

std::vector<std::string> TrainFixture::names_in(const std::string& directory) const {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(at(directory))) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

void KillAt::on_step_end(const TrainView& view) {
  if (view.state.global_step == step) throw Killed{};
}

void Recorder::on_log(const TrainView& view, const LogLine& line, const LogLine& unrounded) {
  events.push_back(fmt::format("log {}", view.state.global_step));
  lines.push_back(line);
  unrounded_lines.push_back(unrounded);
}

void Recorder::on_evaluate(const TrainView& view, const Dataset&, const Evaluation&,
                           const LogLine&) {
  events.push_back(fmt::format("evaluate {}", view.state.global_step));
}

void Recorder::on_save(const TrainView&, const std::filesystem::path& checkpoint) {
  EXPECT_TRUE(has_manifest(checkpoint)) << "reported before it is in place";
  saves.push_back(checkpoint.filename().string());
}

TrainingArguments RunFixture::stepwise(const std::string& output) const {
  TrainingArguments a = arguments(output);
  a.logging_steps = 1.0;
  a.save_steps = 4.0;
  return a;
}

TrainingArguments RunFixture::with_validation(const std::string& output) const {
  TrainingArguments a = arguments(output);
  a.validation = at("validation.json");
  return a;
}

TrainingArguments RunFixture::resumed(TrainingArguments a, const std::string& from) {
  a.resume_from_checkpoint = from;
  return a;
}

void RunFixture::run_until_killed(TrainingArguments a, int64_t step) {
  KillAt kill(step);
  EXPECT_THROW(train(std::move(a), {.observers = {&kill}}), KillAt::Killed);
}

std::string RunFixture::losses(const std::string& output) const {
  std::string kept, text = bytes(output + "/log.jsonl");
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin);
    const std::string line = text.substr(begin, end - begin);
    if (line.find("train_runtime") == std::string::npos) kept += line + "\n";
    begin = end + 1;
  }
  return kept;
}

void RunFixture::expect_equal_results(const std::string& one, const std::string& other) const {
  EXPECT_EQ(bytes(one + "/trained/model.safetensors"), bytes(other + "/trained/model.safetensors"));
  EXPECT_EQ(losses(one), losses(other));
}

}  // namespace spanforge::testing
