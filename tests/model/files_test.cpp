// Weights in and out of directories; new models; what loading reports.

#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>
#include <functional>
#include <limits>
#include <map>

#include <gtest/gtest.h>

#include "model_testing.h"
#include "spanforge/base/json.h"
#include "spanforge/base/threads.h"
#include "spanforge/formats/safetensors.h"
#include "spanforge/io/file.h"
#include "spanforge/model/load_report.h"
#include "spanforge/model/model.h"
#include "spanforge/model/model_info.h"
#include "support/saving.h"
#include "support/testing.h"

namespace spanforge {
namespace {

using testing::copy_of;
using testing::expect_error;
using testing::random_model;
using testing::small_config;
using testing::TemporaryDirectory;

// A state dict that tests may change before it is written.
struct Stored {
  StoredType type = StoredType::kF32;
  std::vector<int64_t> shape;
  std::string bytes;
};
using State = std::map<std::string, Stored>;

State state_of(const QuestionAnsweringModel& model) {
  State state;
  for (const Parameter& p : model.parameters()) {
    const auto* data = reinterpret_cast<const char*>(model.weights(p).as<float>());
    state[p.name] = {StoredType::kF32, p.shape, std::string(data, p.size * sizeof(float))};
  }
  return state;
}

void write(const fs::path& directory, const ModelConfig& config, const State& state) {
  write_file_atomic(directory / "config.json", config.to_json_text());
  std::vector<StoredTensor> tensors;
  for (const auto& [name, stored] : state) {
    tensors.push_back({name, stored.type, stored.shape, stored.bytes});
  }
  write_safetensors(AtomicFile(directory / "model.safetensors"), std::move(tensors));
}

Stored zeros(StoredType type, std::vector<int64_t> shape) {
  return {type, shape, std::string(*stored_bytes(type, shape), '\0')};
}

TEST(Load, GivesBackWhatWasSavedBitForBit) {
  TemporaryDirectory directory;
  const QuestionAnsweringModel model = random_model(small_config(), 3);
  testing::save_in(directory / "out", model);
  LoadReport report;
  const QuestionAnsweringModel loaded =
      QuestionAnsweringModel::load(directory / "out", /*head_seed=*/1, &report);
  EXPECT_EQ(copy_of(loaded.all_weights()), copy_of(model.all_weights()));
  EXPECT_TRUE(report.unused.empty());
  EXPECT_TRUE(report.initialized.empty());
  EXPECT_EQ(loaded.config().to_json_text(), model.config().to_json_text());
  QuestionAnsweringModel other = random_model(small_config(), 4);
  other.set_precision(Precision::kBF16);
  other.load_weights(directory / "out");
  EXPECT_EQ(copy_of(other.all_weights()), copy_of(model.all_weights()));
  other.set_precision(Precision::kF32);
}

TEST(Load, MakesOnlyTheHeadNewAndSaysSo) {
  TemporaryDirectory directory;
  const QuestionAnsweringModel model = random_model(small_config(), 3);
  State state, base = state_of(model);
  for (const auto& [name, stored] : base) {
    if (name.starts_with("bert.")) state[name.substr(5)] = stored;
  }
  state["pooler.dense.weight"] = zeros(StoredType::kF32, {24, 24});
  state["embeddings.position_ids"] = zeros(StoredType::kI64, {1, 40});
  write(directory.path(), model.config(), state);
  LoadReport report;
  const auto load = [&](uint64_t seed) {
    return QuestionAnsweringModel::load(directory.path(), seed, &report);
  };
  const QuestionAnsweringModel loaded = load(1);
  EXPECT_EQ(report.unused, std::vector<std::string>{"pooler.dense.weight"});
  EXPECT_EQ(report.initialized, (std::vector<std::string>{"qa_outputs.bias", "qa_outputs.weight"}));
  EXPECT_EQ(copy_of(load(1).all_weights()), copy_of(loaded.all_weights()));
  EXPECT_NE(copy_of(load(2).all_weights()), copy_of(loaded.all_weights()));
  // A new head has the same values as in a wholly new model of that seed; nothing else is drawn.
  const QuestionAnsweringModel fresh = QuestionAnsweringModel::create(model.config(), 1);
  int heads = 0, bodies = 0;
  for (const Parameter& p : loaded.parameters()) {
    if (p.name.starts_with("qa_outputs.")) {
      ++heads;
      EXPECT_EQ(copy_of(loaded.weights(p)), copy_of(fresh.weights(p))) << p.name;
    }
    if (p.name.starts_with("bert.")) {
      ++bodies;
      EXPECT_EQ(std::memcmp(loaded.weights(p).data, base[p.name].bytes.data(), p.size * 4), 0);
    }
  }
  EXPECT_EQ(heads, 2);
  EXPECT_GT(bodies, 10);
  QuestionAnsweringModel other = random_model(small_config(), 4);
  const Error error =
      expect_error(ErrorCode::kBadModel, [&] { other.load_weights(directory.path()); });
  EXPECT_NE(error.reason().find("2 weights are missing: qa_outputs.weight"), std::string::npos)
      << error.what();
}

State renamed(const State& state, const std::function<std::string(const std::string&)>& rename) {
  State out;
  for (const auto& [name, stored] : state) out[rename(name)] = stored;
  return out;
}

// Prefixes that a script's own class, DataParallel or torch.compile put before the names.
TEST(Load, TakesOnePrefixOffAndSaysSo) {
  const QuestionAnsweringModel model = random_model(small_config(), 3);
  const State base = state_of(model);
  const auto behind = [](const std::string& prefix) {
    return [prefix](const std::string& name) { return prefix + name; };
  };
  struct Row {
    std::function<std::string(const std::string&)> rename;
    std::string said;
  };
  const Row rows[] = {
      {behind("module."), "\"module.\""},
      {behind("model."), "\"model.\""},
      {behind("bert."), "\"bert.\""},
      {behind("a.b.c."), "\"a.b.c.\""},
      {behind("module.bert."), "\"module.bert.\""},
      {behind("_orig_mod."), "\"_orig_mod.\""},
      {[](const std::string&
              name) {  // the head is outside of the encoder, whose base has no prefix
         return name.starts_with("qa") ? "module." + name : "module.encoder." + name.substr(5);
       },
       "\"module.encoder.\""},
      {[](const std::string& name) {
         return name.starts_with("qa") ? name : "encoder." + name.substr(5);
       },
       "\"encoder.\""},
      {[](const std::string& name) {
         std::string wrapped = name;
         const size_t at = wrapped.find("layer.1.");
         return at == name.npos ? wrapped : wrapped.insert(at + 8, "_fsdp_wrapped_module.");
       },
       "\"_fsdp_wrapped_module.\""},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.said);
    TemporaryDirectory directory;
    State state = renamed(base, row.rename);
    state["other.weight"] = zeros(StoredType::kF32, {1});
    write(directory.path(), model.config(), state);
    LoadReport report;
    const auto loaded = QuestionAnsweringModel::load(directory.path(), 1, &report);
    EXPECT_EQ(copy_of(loaded.all_weights()), copy_of(model.all_weights()));
    EXPECT_EQ(report.unused, std::vector<std::string>{"other.weight"});
    EXPECT_TRUE(report.initialized.empty());
    ASSERT_EQ(report.notes.size(), 1u);
    EXPECT_NE(report.notes[0].find(row.said + " in the weights' names is removed"),
              std::string::npos)
        << report.notes[0];
    EXPECT_EQ(inspect_model(directory.path()).report.notes, report.notes);
  }
  TemporaryDirectory directory;
  write(directory.path(), model.config(), base);
  LoadReport report;
  QuestionAnsweringModel::load(directory.path(), 1, &report);
  EXPECT_TRUE(report.notes.empty());
}

// Anything but one BERT under one prefix is an error, not a guess.
TEST(Load, RefusesWeightsOfAnotherFamilyAndOfSeveralModels) {
  const QuestionAnsweringModel model = random_model(small_config(), 3);
  const State base = state_of(model);
  const auto with = [&](const std::string& prefix) {
    return renamed(base, [&](const std::string& name) {
      return name.starts_with("bert.") ? prefix + name.substr(5) : name;
    });
  };
  State two = with("question.bert.");
  two.merge(with("context.bert."));
  const std::pair<State, const char*> rows[] = {{with("roberta."), "\"roberta.\""},
                                                {with("module.electra."), "\"module.electra.\""},
                                                {two, "2 encoders"}};
  for (const auto& [state, reason] : rows) {
    SCOPED_TRACE(reason);
    TemporaryDirectory directory;
    write(directory.path(), model.config(), state);
    const Error error = expect_error(ErrorCode::kBadModel,
                                     [&] { QuestionAnsweringModel::load(directory.path(), 1); });
    EXPECT_TRUE(error.file().ends_with("model.safetensors")) << error.what();
    EXPECT_NE(error.reason().find(reason), std::string::npos) << error.what();
  }
  // Tensors next to a correctly named model are unused.
  State beside = with("ema.bert.");
  beside.merge(State(base));
  TemporaryDirectory directory;
  write(directory.path(), model.config(), beside);
  LoadReport report;
  QuestionAnsweringModel::load(directory.path(), 1, &report);
  EXPECT_FALSE(report.unused.empty());
  EXPECT_TRUE(report.notes.empty());
}

std::string without_types(const ModelConfig& config) {
  Json json = parse_json(config.to_json_text(), "config.json", ErrorCode::kInternal);
  json.erase("model_type");
  json.erase("architectures");
  return dump_python_json(json);
}

// As in Google's and HFL's archives: bert_config.json, no model_type, LayerNorm.gamma.
TEST(Load, APackWithoutModelTypeIsBertsWhereKeysAndNamesSaySo) {
  const QuestionAnsweringModel model = random_model(small_config(), 3);
  State state = renamed(state_of(model), [](std::string name) {
    for (const auto& [now, then] : {std::pair{"LayerNorm.weight", "LayerNorm.gamma"},
                                    std::pair{"LayerNorm.bias", "LayerNorm.beta"}}) {
      const size_t at = name.find(now);
      if (at != name.npos) name.replace(at, name.size() - at, then);
    }
    return name;
  });
  state["cls.predictions.bias"] = zeros(StoredType::kF32, {50});
  for (const char* file : {"config.json", "bert_config.json"}) {
    SCOPED_TRACE(file);
    TemporaryDirectory directory;
    write(directory.path(), model.config(), state);
    fs::remove(directory / "config.json");
    write_file_atomic(directory / file, without_types(model.config()));
    LoadReport report;
    const auto loaded = QuestionAnsweringModel::load(directory.path(), 1, &report);
    EXPECT_EQ(copy_of(loaded.all_weights()), copy_of(model.all_weights()));
    ASSERT_EQ(report.notes.size(), 1u);
    EXPECT_TRUE(
        report.notes[0].starts_with((directory / file).string() + ": has no \"model_type\""))
        << report.notes[0];
    testing::save_in(directory / "saved", loaded);
    EXPECT_EQ(ModelConfig::from_directory(directory / "saved").note(), std::nullopt);
  }
  // Another family's names, and names that no encoder has.
  for (const State& other :
       {renamed(state, [](const std::string& name) { return "roberta." + name.substr(5); }),
        State{{"transformer.wte.weight", zeros(StoredType::kF32, {1})}}}) {
    TemporaryDirectory directory;
    write(directory.path(), model.config(), other);
    write_file_atomic(directory / "config.json", without_types(model.config()));
    const Error error =
        expect_error(ErrorCode::kBadModel, [&] { ModelConfig::from_directory(directory.path()); });
    EXPECT_NE(error.reason().find("\"model_type\" is missing"), std::string::npos) << error.what();
  }
}

TEST(Load, MessagesAreTransformersWords) {
  const LoadReport report{{"bert.pooler.dense.bias"}, {"qa_outputs.bias", "qa_outputs.weight"}, {}};
  const ModelConfig config = small_config();
  EXPECT_EQ(
      new_weights_message(report, config, "org/name"),
      "Some weights of BertForQuestionAnswering were not initialized from the model "
      "checkpoint at org/name and are newly initialized: ['qa_outputs.bias', "
      "'qa_outputs.weight']\nYou should probably TRAIN this model on a down-stream task to be "
      "able to use it for predictions and inference.");
  const auto unused = unused_weights_message(report, config, "org/name");
  ASSERT_TRUE(unused);
  EXPECT_TRUE(
      unused->starts_with("Some weights of the model checkpoint at org/name were not used "
                          "when initializing BertForQuestionAnswering: "
                          "['bert.pooler.dense.bias']\n"));
  EXPECT_FALSE(unused_weights_message({}, config, "x"));
  EXPECT_FALSE(new_weights_message({}, config, "x"));
}

TEST(Load, NamesEveryUnsoundWeight) {
  const QuestionAnsweringModel model = random_model(small_config(), 3);
  const std::string word = "bert.embeddings.word_embeddings.weight";
  const std::string query = "bert.encoder.layer.1.attention.self.query.weight";
  const std::string norm = "bert.encoder.layer.0.output.LayerNorm.weight";
  const auto set_float = [](Stored& stored, float value) {
    std::memcpy(stored.bytes.data() + 8, &value, sizeof(value));
  };
  struct Row {
    const char* what;
    std::function<void(State&)> bend;
    std::vector<std::string> reasons;
  };
  const std::vector<Row> rows = {
      {"missing",
       [&](State& s) { s.erase(query), s.erase(norm); },
       {"2 weights are missing", query, norm}},
      {"another vocabulary",
       [&](State& s) {
         s[word] = zeros(StoredType::kF32, {49, 24});
       },
       {"1 weight is misshaped", word, "is [49,24], config.json says [50,24]"}},
      {"transposed",
       [&](State& s) {
         s["bert.encoder.layer.0.output.dense.weight"].shape = {40, 24};
       },
       {"is [40,24], config.json says [24,40]"}},
      {"head of three labels",
       [&](State& s) {
         s["qa_outputs.weight"] = zeros(StoredType::kF32, {3, 24});
       },
       {"qa_outputs.weight (is [3,24]"}},
      {"integers", [&](State& s) { s[norm] = zeros(StoredType::kI32, {24}); }, {norm, "type I32"}},
      {"twice", [&](State& s) { s[query.substr(5)] = s[query]; }, {"stored twice", query}},
      {"NaN",
       [&](State& s) { set_float(s[norm], std::numeric_limits<float>::quiet_NaN()); },
       {"1 weight is not finite (NaN or Inf)", norm + " (element 2)"}},
      {"Inf",
       [&](State& s) {
         set_float(s[word], std::numeric_limits<float>::infinity());
         set_float(s[norm], -std::numeric_limits<float>::infinity());
       },
       {"2 weights are not finite (NaN or Inf)", word, norm}},
      {"another model",
       [&](State& s) {
         s = {{"lm_head.weight", zeros(StoredType::kF32, {1})}};
       },
       {"weights are missing", "more"}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.what);
    TemporaryDirectory directory;
    State state = state_of(model);
    row.bend(state);
    write(directory.path(), model.config(), state);
    const Error error = expect_error(ErrorCode::kBadModel,
                                     [&] { QuestionAnsweringModel::load(directory.path(), 1); });
    EXPECT_TRUE(error.file().ends_with("model.safetensors")) << error.what();
    for (const std::string& reason : row.reasons) {
      EXPECT_NE(error.reason().find(reason), std::string::npos) << error.what();
    }
  }
}

TEST(Load, HugeSizesInConfigTakeNoMemory) {
  TemporaryDirectory directory;
  const QuestionAnsweringModel model = random_model(small_config(), 3);
  ModelConfig huge = model.config();
  huge.hidden_size = 65536;
  huge.num_attention_heads = 4096;
  huge.intermediate_size = 1 << 20;
  huge.num_hidden_layers = 1024;
  write(directory.path(), huge, state_of(model));
  expect_error(ErrorCode::kBadModel, [&] { QuestionAnsweringModel::load(directory.path(), 1); });
}

TEST(Load, FilesThatAreNotThereOrSomethingElse) {
  const QuestionAnsweringModel model = random_model(small_config(), 3);
  TemporaryDirectory directory;
  expect_error(ErrorCode::kIo, [&] { QuestionAnsweringModel::load(directory / "none", 1); });
  write_file_atomic(directory / "config.json", model.config().to_json_text());
  expect_error(ErrorCode::kIo, [&] { QuestionAnsweringModel::load(directory.path(), 1); });
  for (const char* text : {"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n",
                           "<!DOCTYPE html><html><body>404</body></html>", ""}) {
    SCOPED_TRACE(text);
    write_file_atomic(directory / "model.safetensors", text);
    const Error error = expect_error(ErrorCode::kBadModel,
                                     [&] { QuestionAnsweringModel::load(directory.path(), 1); });
    EXPECT_TRUE(error.file().ends_with("model.safetensors")) << error.what();
  }
}

TEST(Load, ReadsHalvesAndDoublesExactly) {
  const QuestionAnsweringModel model = random_model(small_config(), 3);
  TemporaryDirectory directory;
  State state = state_of(model);
  const std::string norm = "bert.encoder.layer.0.output.LayerNorm.weight";
  // f16: 1, -2, 0.5, the smallest and the largest subnormal, the largest number, -0, pi's nearest.
  const uint16_t halves[] = {0x3C00, 0xC000, 0x3800, 0x0001, 0x03FF, 0x7BFF, 0x8000, 0x4248};
  const float values[] = {1, -2, 0.5f, 0x1p-24f, 1023 * 0x1p-24f, 65504, -0.0f, 3.140625f};
  Stored half = zeros(StoredType::kF16, {24});
  std::memcpy(half.bytes.data(), halves, sizeof(halves));
  state[norm] = half;
  write(directory.path(), model.config(), state);
  const auto loaded_norm = [&] {
    const QuestionAnsweringModel loaded = QuestionAnsweringModel::load(directory.path(), 1);
    for (const Parameter& p : loaded.parameters()) {
      if (p.name == norm) return copy_of(loaded.weights(p));
    }
    return std::vector<float>();
  };
  const std::vector<float> from_half = loaded_norm();
  for (size_t i = 0; i < std::size(values); ++i) {
    EXPECT_EQ(std::bit_cast<uint32_t>(from_half[i]), std::bit_cast<uint32_t>(values[i])) << i;
  }
  const uint16_t infinity = 0x7C00;
  std::memcpy(state[norm].bytes.data(), &infinity, sizeof(infinity));
  write(directory.path(), model.config(), state);
  expect_error(ErrorCode::kBadModel, [&] { loaded_norm(); });

  Stored wide = zeros(StoredType::kF64, {24});
  const double third = 1.0 / 3.0;
  std::memcpy(wide.bytes.data() + 8, &third, sizeof(third));
  state[norm] = wide;
  write(directory.path(), model.config(), state);
  EXPECT_EQ(loaded_norm()[1], static_cast<float>(third));
}

TEST(Create, SameSeedGivesTheSameBytesOnAnyNumberOfThreads) {
  const int before = thread_count();
  set_thread_count(1);
  const auto one = copy_of(QuestionAnsweringModel::create(small_config(), 9).all_weights());
  set_thread_count(4);
  const auto four = copy_of(QuestionAnsweringModel::create(small_config(), 9).all_weights());
  set_thread_count(before);
  EXPECT_EQ(one, four);
  EXPECT_NE(one, copy_of(QuestionAnsweringModel::create(small_config(), 10).all_weights()));
}

// Every tensor's mean and deviation. `matrix_deviation` gives that of a matrix with so many inputs.
void expect_distribution(MatrixSpread spread,
                         const std::function<double(int64_t inputs)>& matrix_deviation) {
  ModelConfig config = ModelConfig::like(PresetSize::kTiny);
  config.vocab_size = 500;
  const QuestionAnsweringModel model = QuestionAnsweringModel::create(config, 9, spread);
  int scales = 0, biases = 0, matrices = 0;
  for (const Parameter& p : model.parameters()) {
    SCOPED_TRACE(p.name);
    const Tensor w = model.weights(p);
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < w.size(); ++i) {
      sum += w.as<float>()[i];
      squares += std::pow(w.as<float>()[i], 2);
    }
    const double n = static_cast<double>(w.size());
    if (p.name.ends_with("LayerNorm.weight")) {
      ++scales;
      EXPECT_EQ(sum, n);
    } else if (p.name.ends_with(".bias")) {
      ++biases;
      EXPECT_EQ(squares, 0.0);
    } else {
      ++matrices;
      const double deviation = p.embedding ? 0.02 : matrix_deviation(p.shape.back());
      EXPECT_NEAR(sum / n, 0.0, 5 * deviation / std::sqrt(n));
      EXPECT_NEAR(std::sqrt(squares / n), deviation, deviation * 5 / std::sqrt(n));
    }
  }
  EXPECT_TRUE(scales > 0 && biases > 0 && matrices > 0)
      << scales << ", " << biases << ", " << matrices;
  const Tensor words = model.weights(model.parameters().back());
  for (int64_t c = 0; c < words.cols; ++c) EXPECT_EQ(words.row<float>(0)[c], 0.0f);
}

TEST(Create, DrawsFromTheDistributionOfTransformers) {
  expect_distribution(MatrixSpread::kConfig, [](int64_t) { return 0.02; });
}

TEST(Create, SpreadsMatricesByTheirInputsWhenAsked) {
  expect_distribution(MatrixSpread::kInputs,
                      [](int64_t inputs) { return 1 / std::sqrt(static_cast<double>(inputs)); });
}

TEST(Create, RefusesAnUnsoundConfiguration) {
  ModelConfig config = small_config();
  config.hidden_size = 25;
  expect_error(ErrorCode::kUsage, [&] { QuestionAnsweringModel::create(config, 1); });
}

TEST(InspectModel, TellsPartsTypesAndWhatIsNew) {
  TemporaryDirectory directory;
  const QuestionAnsweringModel model = random_model(small_config(), 3);
  State state = state_of(model);
  state.erase("qa_outputs.bias");
  state["bert.embeddings.LayerNorm.bias"] = zeros(StoredType::kF16, {24});
  write(directory.path(), model.config(), state);
  const ModelInfo info = inspect_model(directory.path());
  EXPECT_EQ(info.architecture, "BertForQuestionAnswering");
  EXPECT_EQ(info.parameters, model.parameter_count());
  EXPECT_EQ(info.stored_types, (std::vector<std::string>{"F16", "F32"}));
  EXPECT_EQ(info.report.initialized, std::vector<std::string>{"qa_outputs.bias"});
  EXPECT_EQ(info.weight_file.filename(), "model.safetensors");
  ASSERT_EQ(info.parts.size(), 3u);
  EXPECT_EQ(info.parts[0].parameters, (50 + 40 + 2 + 2) * 24);
  EXPECT_EQ(info.parts[2].parameters, 2 * 24 + 2);
  EXPECT_EQ(info.parts[0].parameters + info.parts[1].parameters + info.parts[2].parameters,
            info.parameters);
}

}  // namespace
}  // namespace spanforge
