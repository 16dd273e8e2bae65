// adapter_config.json and adapter_model.safetensors, and where an adapter's base is found.
// tests/oracle/oracle_lora.py compares with the files that PEFT itself writes and reads.

#include "spanforge/model/adapter_file.h"

#include <cmath>
#include <limits>
#include <map>

#include <gtest/gtest.h>

#include "spanforge/base/json.h"
#include "spanforge/formats/safetensors.h"
#include "spanforge/io/directory_writer.h"
#include "spanforge/io/file.h"
#include "spanforge/model/encoder_spec.h"
#include "support/testing.h"

namespace spanforge {
namespace {

using testing::expect_error;
using testing::TemporaryDirectory;

constexpr const char* kPlain =
    R"({"peft_type": "LORA", "task_type": "QUESTION_ANS", "r": 4, "lora_alpha": 16,
  "lora_dropout": 0.1, "target_modules": ["value", "query"], "modules_to_save": ["qa_outputs", "qa_outputs"],
  "base_model_name_or_path": "org/name", "revision": "v1", "bias": "none", "inference_mode": true,
  "qalora_group_size": 16, "layers_pattern": null, "rank_pattern": {}, "megatron_core": "megatron.core"})";

const EncoderSpec& kBert = encoder_spec("bert", ErrorCode::kInternal, "test");

AdapterConfig parse_adapter(const std::string& text) {
  return parse_adapter_config(text, "adapter_config.json");
}

AdapterConfig parse_with(const std::string& key, const Json& value) {
  Json json = parse_json(kPlain, "test", ErrorCode::kInternal);
  json[key] = value;
  return parse_adapter(json.dump());
}

TEST(AdapterConfig, IsReadAsPeftWritesIt) {
  const AdapterConfig config = parse_adapter(kPlain);
  EXPECT_EQ(config.lora,
            (LoraConfig{.rank = 4, .alpha = 16, .dropout = 0.1, .targets = {"value", "query"}}));
  EXPECT_EQ(config.base_model, "org/name");
  EXPECT_EQ(config.base_revision, "v1");
  EXPECT_EQ(config.saved_modules, std::vector<std::string>{"qa_outputs"});
  EXPECT_FALSE(config.targets_by_weights);
}

TEST(AdapterConfig, WhatIsMissingHasPeftsDefaults) {
  const AdapterConfig config = parse_adapter(R"({"peft_type": "LORA"})");
  EXPECT_EQ(config.lora, (LoraConfig{.rank = 8}));
  EXPECT_EQ(config.base_model, "");
  EXPECT_TRUE(config.saved_modules.empty()) << "the base's head is used";
}

// An adapter may save some parts of a head of several parts. PEFT adds a name that such a model
// does not have.
TEST(AdapterConfig, SavesWhatItsListOfModulesSays) {
  const AdapterConfig config =
      parse_with("modules_to_save", Json::array({"head", "classifier", "qa_outputs"}));
  for (const char* name : {"head.dense", "head.norm.weight", "head", "classifier.bias"}) {
    EXPECT_TRUE(config.saves(name)) << name;
  }
  for (const char* name : {"header.dense", "model.head.x", "model.layers.0.attn.Wo.weight"}) {
    EXPECT_FALSE(config.saves(name)) << name;
  }
  const AdapterConfig last = parse_with("modules_to_save", Json::array({"classifier"}));
  EXPECT_FALSE(last.saves("head.dense.weight"));
  // "all-linear" lists the head's layers, too.
  Json json = parse_json(kPlain, "test", ErrorCode::kInternal);
  json["modules_to_save"] = Json::array({"head", "classifier"});
  json["target_modules"] = Json::array({"model.layers.0.mlp.Wi", "head.dense", "classifier"});
  EXPECT_EQ(parse_adapter(json.dump()).lora.targets,
            std::vector<std::string>{"model.layers.0.mlp.Wi"});
}

TEST(AdapterConfig, WhatIsNotComputedIsRefusedByItsKey) {
  const std::vector<std::pair<const char*, Json>> refused = {
      {"peft_type", "IA3"},
      {"peft_type", nullptr},
      {"task_type", "SEQ_CLS"},
      {"bias", "all"},
      {"use_dora", true},
      {"use_qalora", true},
      {"lora_bias", true},
      {"fan_in_fan_out", true},
      {"rank_pattern", {{"query", 2}}},
      {"alpha_pattern", {{"query", 2}}},
      {"layer_replication", Json::array({Json::array({0, 1})})},
      {"trainable_token_indices", Json::array({1})},
      {"target_parameters", Json::array({"x"})},
      {"alora_invocation_tokens", Json::array({1})},
      {"loftq_config", {{"loftq_bits", 4}}},
      {"init_lora_weights", "pissa"},
      {"init_lora_weights", "pissa_niter_4"},
      {"init_lora_weights", "olora"},
      {"init_lora_weights", "corda"},
      {"init_lora_weights", "loftq"},
      {"modules_to_save", Json::array({"qa_outputs", "word_embeddings"})},
      {"modules_to_save", "qa_outputs"},
      {"target_modules", Json::array()},
      {"target_modules", Json::array({"qa_outputs"})},
      {"target_modules", 7},
      {"target_modules", Json::array({1})},
      {"r", 0},
      {"r", 1.5},
      {"r", "4"},
      {"r", 65537},
      {"lora_alpha", "x"},
      {"lora_alpha", 1e300},
      {"lora_dropout", 1.0},
      {"lora_dropout", -0.5},
      {"use_rslora", "yes"},
      {"base_model_name_or_path", 7},
      {"revision", 7},
      {"use_something_of_2030", true},
      {"something_config", {{"a", 1}}}};
  for (const auto& [key, value] : refused) {
    SCOPED_TRACE(std::string(key) + " " + value.dump());
    const Error error = expect_error(ErrorCode::kBadModel,
                                     [&, key = key, value = value] { parse_with(key, value); });
    EXPECT_EQ(error.file(), "adapter_config.json");
    EXPECT_NE(error.reason().find('"' + std::string(key) + '"'), std::string::npos) << error.what();
  }
}

TEST(AdapterConfig, WhatChangesNothingIsTaken) {
  const std::vector<std::pair<const char*, Json>> taken = {
      {"init_lora_weights", "gaussian"},
      {"init_lora_weights", false},
      {"peft_version", "1.0"},
      {"eva_config", {{"rho", 2.0}}},
      {"lora_alpha", 0.5},
      {"task_type", nullptr},
      {"use_dora", nullptr},
      {"new_number", 16},
      {"new_switch", false},
      {"auto_mapping", {{"base_model_class", "X"}}}};
  for (const auto& [key, value] : taken) {
    SCOPED_TRACE(key);
    EXPECT_EQ(parse_with(key, value).base_model, "org/name");
  }
}

TEST(AdapterConfig, PatternsLeaveTheLayersToTheWeightFile) {
  EXPECT_TRUE(parse_with("target_modules", ".*\\.(query|value)").targets_by_weights);
  EXPECT_TRUE(parse_with("layers_to_transform", Json::array({0})).targets_by_weights);
  EXPECT_TRUE(parse_with("exclude_modules", Json::array({"value"})).targets_by_weights);
  EXPECT_FALSE(parse_with("exclude_modules", Json::array()).targets_by_weights);
}

TEST(AdapterConfig, IsWrittenAsPeftWritesIt) {
  const LoraConfig lora{.rank = 4, .alpha = 16, .dropout = 0.1, .targets = {"query", "value"}};
  ModelDirectory model(fs::path("/models/base"));
  AdapterConfig config = adapter_config_for(lora, kBert, model);
  const std::string text = adapter_config_text(config);
  EXPECT_TRUE(
      text.starts_with("{\n  \"alora_invocation_tokens\": null,\n  \"alpha_pattern\": {},\n"))
      << text;
  EXPECT_TRUE(text.ends_with("\n  \"use_rslora\": false\n}")) << text;
  EXPECT_NE(text.find("\"lora_alpha\": 16,\n  \"lora_bias\": false,\n  \"lora_dropout\": 0.1,"),
            std::string::npos)
      << text;
  EXPECT_EQ(parse_adapter(text).lora, lora);
  EXPECT_EQ(parse_adapter(text).base_model, "/models/base");
  model.hub_id = "org/name";
  model.hub_revision = "v2";
  config = parse_adapter(adapter_config_text(adapter_config_for(lora, kBert, model)));
  EXPECT_EQ(config.base_model, "org/name");
  EXPECT_EQ(config.base_revision, "v2");
}

// A fixture with an adapter and a base next to it.
class AdapterFile : public ::testing::Test {
 protected:
  AdapterFile() {
    fs::create_directories(adapter());
    write_config(kPlain);
    a_ = {.name = "bert.x.query.lora_A.weight", .shape = {2, 3}, .offset = 0, .size = 6};
    b_ = {.name = "bert.x.query.lora_B.weight", .shape = {3, 2}, .offset = 32, .size = 6};
    head_ = {.name = "qa_outputs.bias", .shape = {2}, .offset = 64, .size = 2};
    for (size_t i = 0; i < values_.size(); ++i) values_[i] = static_cast<float>(i) / 7;
  }
  fs::path adapter() const { return directory_ / "adapter"; }
  void write_config(const std::string& text) const {
    write_file_atomic(adapter() / kAdapterConfigFile, text);
  }
  Tensor arena() { return make_tensor(values_.data(), 1, static_cast<int64_t>(values_.size())); }
  std::vector<const Parameter*> all() const { return {&a_, &b_, &head_}; }

  std::map<std::string, std::vector<float>> read() const {
    std::map<std::string, std::vector<float>> found;
    const std::vector<const Parameter*> wanted = all();
    read_adapter_weights(adapter(), wanted, [&](const Parameter& p) {
      std::vector<float>& to = found[p.name];
      to.resize(static_cast<size_t>(p.size));
      return to.data();
    });
    return found;
  }
  // The file with its names changed by `rename`.
  void write_renamed(const std::function<std::string(const std::string&)>& rename) {
    std::vector<StoredTensor> tensors;
    for (const Parameter* p : all()) {
      const std::string name = rename(p->name);
      if (name.empty()) continue;
      tensors.push_back({.name = name,
                         .type = StoredType::kF32,
                         .shape = p->shape,
                         .bytes = {reinterpret_cast<const char*>(values_.data() + p->offset),
                                   static_cast<size_t>(p->size) * sizeof(float)}});
    }
    write_safetensors(AtomicFile(adapter() / kAdapterWeightFile), std::move(tensors));
  }
  void expect_refused(const std::string& part) const {
    const Error error = expect_error(ErrorCode::kBadModel, [&] { read(); });
    EXPECT_EQ(error.file(), (adapter() / kAdapterWeightFile).string());
    EXPECT_NE(error.reason().find(part), std::string::npos) << error.what();
  }

  TemporaryDirectory directory_;
  Parameter a_, b_, head_;
  std::vector<float> values_ = std::vector<float>(96);
};

TEST_F(AdapterFile, WeightsComeBackUnderPeftsNames) {
  DirectoryWriter writer(adapter());
  write_adapter_weights(writer, all(), arena());
  const SafetensorsFile file(adapter() / kAdapterWeightFile);
  EXPECT_NE(file.find("base_model.model.bert.x.query.lora_A.weight"), nullptr);
  EXPECT_NE(file.find("base_model.model.qa_outputs.bias"), nullptr);
  EXPECT_EQ(file.tensors().size(), 3u);
  const auto found = read();
  for (const Parameter* p : all()) {
    EXPECT_EQ(found.at(p->name), std::vector<float>(values_.begin() + p->offset,
                                                    values_.begin() + p->offset + p->size));
  }
}

TEST_F(AdapterFile, OtherSpellingsOfNamesAreRead) {
  const auto insert = [](std::string name, const std::string& behind, const std::string& what) {
    if (const size_t at = name.find(behind); at != std::string::npos) {
      name.insert(at + behind.size(), what);
    }
    return name;
  };
  DirectoryWriter writer(adapter());
  write_adapter_weights(writer, all(), arena());
  const auto expected = read();
  write_renamed([](const std::string& name) { return name; });
  EXPECT_EQ(read(), expected);
  write_renamed([&](const std::string& name) {
    return peft_name(insert(insert(insert(name, "lora_A", ".default"), "lora_B", ".default"),
                            "qa_outputs", ".modules_to_save.default"));
  });
  EXPECT_EQ(read(), expected);
  write_renamed(
      [&](const std::string& name) { return insert(name, "qa_outputs", ".modules_to_save"); });
  EXPECT_EQ(read(), expected);
}

TEST_F(AdapterFile, WeightsThatDoNotFitAreNamed) {
  write_renamed(
      [](const std::string& name) { return name.ends_with("bias") ? "" : peft_name(name); });
  expect_refused("1 weight is missing: base_model.model.qa_outputs.bias");
  write_renamed(
      [](const std::string& name) { return name.ends_with("bias") ? "lora_embedding_A" : name; });
  expect_refused("unknown to the adapted model: lora_embedding_A");
  a_.shape = {3, 2};
  write_renamed(peft_name);
  a_.shape = {2, 3};
  expect_refused("(is [3,2], adapter_config.json says [2,3])");
  values_[33] = std::numeric_limits<float>::infinity();
  write_renamed(peft_name);
  expect_refused(
      "is not finite (NaN or Inf): base_model.model.bert.x.query.lora_B.weight (element 1)");
  fs::remove(adapter() / kAdapterWeightFile);
  EXPECT_EQ(expect_error(ErrorCode::kIo, [&] { read(); }).file(), adapter().string());
}

TEST_F(AdapterFile, PatternsAreReadOffTheWeights) {
  DirectoryWriter writer(adapter());
  write_adapter_weights(writer, all(), arena());
  write_config(
      R"({"peft_type": "LORA", "target_modules": ".*query", "modules_to_save": ["qa_outputs"]})");
  EXPECT_EQ(read_adapter_config(adapter()).lora.targets,
            (std::vector<std::string>{"bert.x.query"}));
}

// Training it further keeps the keys of PEFT that we do not use.
TEST_F(AdapterFile, AnAdaptersOwnKeysAreKept) {
  write_config(
      R"({"peft_type": "LORA", "r": 4, "target_modules": ["query"], "peft_version": "0.9", "own": "kept",
                   "task_type": null, "auto_mapping": {"base_model_class": "X"}})");
  const LoraConfig lora{.rank = 4, .alpha = 8, .dropout = 0.25, .targets = {"query"}};
  const Json written = parse_json(
      adapter_config_text(adapter_config_for(lora, kBert, {adapter(), fs::path("/models/base")})),
      "x", ErrorCode::kInternal);
  EXPECT_EQ(written["own"], "kept");
  EXPECT_EQ(written["peft_version"], "0.9");
  EXPECT_EQ(written["lora_dropout"], 0.25);
  EXPECT_EQ(written["task_type"], "QUESTION_ANS");
  EXPECT_TRUE(written["auto_mapping"].is_null());
  EXPECT_EQ(written["modules_to_save"], Json::array({"qa_outputs"}));
  EXPECT_EQ(written["base_model_name_or_path"], "/models/base");
}

class AdaptersBase : public AdapterFile {
 protected:
  void name_base(const std::string& base) {
    write_config(Json{{"peft_type", "LORA"}, {"base_model_name_or_path", base}}.dump());
  }
  fs::path find(const ResolveBase& resolve = nullptr) {
    const ModelDirectory found = find_base(adapter(), resolve);
    EXPECT_TRUE(found.is_adapter());
    EXPECT_EQ(found.path, adapter());
    return found.base;
  }
  Error fail(const ResolveBase& resolve = nullptr) {
    const Error error = expect_error(ErrorCode::kBadModel, [&] { find_base(adapter(), resolve); });
    EXPECT_EQ(error.file(), (adapter() / kAdapterConfigFile).string());
    return error;
  }
};

TEST_F(AdaptersBase, IsFoundAsWrittenInsideAndBeside) {
  const fs::path base = directory_ / "base";
  fs::create_directories(base);
  name_base(base.string());
  EXPECT_EQ(find(), base);
  name_base("base");
  EXPECT_EQ(find(), base);
  name_base("../base");
  EXPECT_EQ(find(), base);
  name_base("/was/elsewhere/base");
  EXPECT_EQ(find(), base) << "moved together";
  name_base("/was/elsewhere/base/");
  EXPECT_EQ(find(), base);
  fs::create_directories(adapter() / "base");
  name_base("base");
  EXPECT_EQ(find(), adapter() / "base");
}

TEST_F(AdaptersBase, ThatIsMissingIsNamedWithThePlacesLookedAt) {
  name_base("/gone/base");
  const Error error = fail([](const std::string&) -> ModelDirectory {
    ADD_FAILURE() << "a path is no hub id";
    return {};
  });
  const std::vector<std::string> parts = {
      "\"/gone/base\"", "\"base\" next to " + adapter().string(), "base_model_name_or_path"};
  for (const std::string& part : parts) {
    EXPECT_NE(error.reason().find(part), std::string::npos) << error.what();
  }
  name_base("");
  EXPECT_NE(fail().reason().find("names no base model"), std::string::npos);
}

TEST_F(AdaptersBase, MayBeAHubsId) {
  write_config(kPlain);
  const fs::path snapshot = directory_ / "snapshot";
  std::string asked;
  EXPECT_EQ(find([&](const std::string& id) {
              asked = id;
              ModelDirectory whole(snapshot);
              whole.hub_id = "org/name";
              return whole;
            }),
            snapshot);
  EXPECT_EQ(asked, "org/name@v1");
  const Error error = expect_error(ErrorCode::kNetwork, [&] {
    find_base(adapter(), [](const std::string&) -> ModelDirectory {
      throw Error(ErrorCode::kNetwork, {.file = "https://hub"}, "cannot be reached");
    });
  });
  EXPECT_NE(error.reason().find("\"org/name\""), std::string::npos) << error.what();
  EXPECT_NE(error.reason().find("https://hub: cannot be reached"), std::string::npos)
      << error.what();
}

TEST_F(AdaptersBase, IsNoAdapterItself) {
  const fs::path other = directory_ / "other";
  fs::create_directories(other);
  write_file_atomic(other / kAdapterConfigFile, kPlain);
  name_base(other.string());
  EXPECT_NE(fail().reason().find("adapter itself"), std::string::npos);
}

TEST_F(AdaptersBase, LendsItsTokenizerWhereTheAdapterHasNone) {
  const ModelDirectory model(adapter(), directory_ / "base");
  EXPECT_EQ(model.tokenizer(), directory_ / "base");
  write_file_atomic(adapter() / "vocab.txt", "a\n");
  EXPECT_EQ(model.tokenizer(), adapter());
}

TEST_F(AdaptersBase, AWholeModelIsNoAdapterWhateverLiesBesideIt) {
  EXPECT_TRUE(is_adapter_directory(adapter()));
  EXPECT_EQ(open_model_directory(directory_.path(), nullptr).base, directory_.path());
  write_file_atomic(adapter() / "model.safetensors", "");
  EXPECT_FALSE(is_adapter_directory(adapter()));
}

}  // namespace
}  // namespace spanforge
