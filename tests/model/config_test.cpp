#include "spanforge/model/config.h"

#include <fstream>

#include <gtest/gtest.h>

#include "spanforge/base/json.h"
#include "spanforge/model/encoder_spec.h"
#include "support/testing.h"

namespace spanforge {
namespace {

using testing::expect_error;

ModelConfig parse(const std::string& text) { return ModelConfig::from_json_text(text, "c.json"); }

TEST(ModelConfig, TakesBertsDefaultsWhereKeysAreMissing) {
  const ModelConfig config = parse(R"({"model_type": "bert"})");
  EXPECT_EQ(config.vocab_size, 30522);
  EXPECT_EQ(config.hidden_size, 768);
  EXPECT_EQ(config.num_hidden_layers, 12);
  EXPECT_EQ(config.type_vocab_size, 2);
  EXPECT_EQ(config.hidden_act, "gelu");
  EXPECT_DOUBLE_EQ(config.layer_norm_eps, 1e-12);
  EXPECT_DOUBLE_EQ(config.hidden_dropout_prob, 0.1);
}

TEST(ModelConfig, ReadsEveryKey) {
  const ModelConfig config = parse(R"({"model_type": "bert", "vocab_size": 21128, "hidden_size": 32,
      "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 77,
      "max_position_embeddings": 128, "type_vocab_size": 1, "pad_token_id": 5,
      "hidden_act": "relu", "hidden_dropout_prob": 0, "attention_probs_dropout_prob": 0.25,
      "layer_norm_eps": 1e-5, "initializer_range": 0.5})");
  EXPECT_EQ(config.vocab_size, 21128);
  EXPECT_EQ(config.num_hidden_layers, 3);
  EXPECT_EQ(config.num_attention_heads, 4);
  EXPECT_EQ(config.intermediate_size, 77);
  EXPECT_EQ(config.max_position_embeddings, 128);
  EXPECT_EQ(config.type_vocab_size, 1);
  EXPECT_EQ(config.pad_token_id, 5);
  EXPECT_EQ(config.hidden_act, "relu");
  EXPECT_EQ(config.hidden_dropout_prob, 0.0);
  EXPECT_EQ(config.attention_probs_dropout_prob, 0.25);
  EXPECT_EQ(config.layer_norm_eps, 1e-5);
  EXPECT_EQ(config.initializer_range, 0.5);
}

TEST(ModelConfig, RefusesWhatItCannotMeanNamingKeyAndFile) {
  struct Row {
    const char* text;
    const char* reason;  // part of it
  };
  const Row rows[] = {
      {"", "empty"},
      {"[]", "is a list; it must be an object"},
      {"{", "key in quotes"},
      {"{}", "model_type"},
      {R"({"model_type": 3})", "\"model_type\" is 3"},
      {R"({"model_type": "gpt2"})", "\"gpt2\"; supported: "},
      {R"({"model_type": "bert", "hidden_size": 0})", "\"hidden_size\" is 0"},
      {R"({"model_type": "bert", "hidden_size": -768})", "\"hidden_size\" is -768"},
      {R"({"model_type": "bert", "hidden_size": 2147483648})", "from 1 to 65536"},
      {R"({"model_type": "bert", "hidden_size": 18446744073709551616})", "hidden_size"},
      {R"({"model_type": "bert", "hidden_size": 1e999})", ""},
      {R"({"model_type": "bert", "hidden_size": 768.0})", "an integer"},
      {R"({"model_type": "bert", "hidden_size": "768"})", "an integer"},
      {R"({"model_type": "bert", "hidden_size": null})", "an integer"},
      {R"({"model_type": "bert", "hidden_size": 770})", "multiple of \"num_attention_heads\", 12"},
      {R"({"model_type": "bert", "num_hidden_layers": 0})", "num_hidden_layers"},
      {R"({"model_type": "bert", "vocab_size": 0})", "vocab_size"},
      {R"({"model_type": "bert", "max_position_embeddings": 65537})", "max_position_embeddings"},
      {R"({"model_type": "bert", "type_vocab_size": 0})", "type_vocab_size"},
      {R"({"model_type": "bert", "pad_token_id": 30522})", "below \"vocab_size\""},
      {R"({"model_type": "bert", "hidden_dropout_prob": NaN})", "JSON value"},
      {R"({"model_type": "bert", "hidden_dropout_prob": "nan"})", "a number"},
      {R"({"model_type": "bert", "hidden_dropout_prob": 1})", "to below 1"},
      {R"({"model_type": "bert", "hidden_dropout_prob": 0.9999999999})", "to below 1"},
      {R"({"model_type": "bert", "attention_probs_dropout_prob": -0.1})", "from 0.0"},
      {R"({"model_type": "bert", "layer_norm_eps": 0})", "layer_norm_eps"},
      {R"({"model_type": "bert", "initializer_range": -1})", "initializer_range"},
      {R"({"model_type": "bert", "hidden_act": "swish9"})", "swish9"},
      {R"({"model_type": "bert", "hidden_act": ["gelu"]})", "a string"},
      {R"({"model_type": "bert", "position_embedding_type": "relative_key"})", "absolute"},
      {R"({"model_type": "bert", "is_decoder": true})", "is_decoder"},
      {R"({"model_type": "bert", "quantization_config": {}})", "quantization_config"},
      {R"({"model_type": "bert", "model_type": "bert"})", "model_type"},
      {R"({"model_type": "mpnet", "relative_attention_num_buckets": 31})", "from 32"},
      {R"({"model_type": "mpnet", "max_position_embeddings": 2})",
       "above 2: positions begin at it"},
      {R"({"model_type": "deberta-v2", "conv_kernel_size": 3})", "convolution"},
      {R"({"model_type": "deberta-v2", "attention_head_size": 32})", "attention_head_size"},
      {R"({"model_type": "deberta-v2", "pos_att_type": "p2p"})", "pos_att_type"},
      {R"({"model_type": "deberta-v2", "pos_att_type": true})", "a list of them or null"},
      {R"({"model_type": "deberta-v2", "relative_attention": true})", "if \"relative_attention\""},
      {R"({"model_type": "deberta-v2", "norm_rel_ebd": "x"})", "norm_rel_ebd"},
      {R"({"model_type": "deberta-v2", "type_vocab_size": -1})", "from 0"},
      {"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "git lfs pull"},
      {"\n <!DOCTYPE html><html></html>", "web page"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.text);
    const Error error = expect_error(ErrorCode::kBadModel, [&] { parse(row.text); });
    EXPECT_NE(error.file().find("c.json"), std::string::npos) << error.what();
    EXPECT_NE(error.reason().find(row.reason), std::string::npos) << error.what();
  }
}

constexpr const char* kModern = R"({"model_type": "modernbert", "num_hidden_layers": 7)";

TEST(ModelConfig, NullHasItsMeaningAndIsWrittenAgain) {
  const ModelConfig config = parse(
      std::string(kModern) + R"(, "local_rope_theta": null, "initializer_cutoff_factor": null})");
  EXPECT_EQ(config.local_rope_theta, 0);
  EXPECT_EQ(config.initializer_cutoff, 0);
  const Json saved = parse_json(config.to_json_text(), "saved", ErrorCode::kInternal);
  EXPECT_TRUE(saved["local_rope_theta"].is_null());
  EXPECT_TRUE(saved["initializer_cutoff_factor"].is_null());
  const EncoderSpec& spec = encoder_spec("modernbert", ErrorCode::kInternal, "test");
  EXPECT_EQ(spec.theta(1, config), 160000) << "the global one";
}

// transformers 5 describes attention in this way; the family's own keys may then be missing.
TEST(ModelConfig, LayerTypesAndRopeParametersAreTheFamilysKeysInOtherWords) {
  const auto types = [](int every) {
    std::string list;
    for (int layer = 0; layer < 7; ++layer) {
      list += std::string(layer > 0 ? ", " : "") +
              (layer % every == 0 ? "\"full_attention\"" : "\"sliding_attention\"");
    }
    return R"(, "layer_types": [)" + list + "]";
  };
  const std::string ropes = R"(, "rope_parameters": {
      "full_attention": {"rope_type": "default", "rope_theta": 80000.0},
      "sliding_attention": {"rope_type": "default", "rope_theta": 20000.0}})";
  for (const int every : {1, 2, 3, 7}) {
    const ModelConfig config = parse(kModern + types(every) + ropes + "}");
    EXPECT_EQ(config.global_attention_every, every);
    EXPECT_EQ(config.rope_theta, 80000);
    EXPECT_EQ(config.local_rope_theta, 20000);
    EXPECT_EQ(parse(config.to_json_text()).to_json_text(), config.to_json_text());
  }
  EXPECT_EQ(
      parse(kModern + types(2) +
            R"(, "global_attn_every_n_layers": 2, "global_rope_theta": 80000.0)" + ropes + "}")
          .global_attention_every,
      2);
  for (const std::string& keys :
       {types(2) + R"(, "global_attn_every_n_layers": 3)",
        ropes + R"(, "global_rope_theta": 160000.0)", ropes + R"(, "local_rope_theta": null)",
        std::string(R"(, "layer_types": "full_attention")"),
        std::string(R"(, "rope_scaling": {"type": "linear"})"),
        std::string(R"(, "head_dim": 32)")}) {
    SCOPED_TRACE(keys);
    expect_error(ErrorCode::kBadModel, [&] { parse(kModern + keys + "}"); });
  }
  // Keys of other families are ignored.
  parse(R"({"model_type": "bert", "layer_types": 3, "rope_parameters": 4})");
  parse(std::string(kModern) + R"(, "position_embedding_type": "sans_pos"})");
}

TEST(ModelConfig, DebertasTermsAreWordsBetweenBarsOrAList) {
  for (const char* terms : {R"("p2c|c2p")", R"(["p2c", "c2p"])", R"("P2C | c2p")"}) {
    const ModelConfig config = parse(std::string(R"({"model_type": "deberta-v2",
        "relative_attention": true, "pos_att_type": )") +
                                     terms + "}");
    EXPECT_EQ(config.pos_att_type, (std::vector<std::string>{"p2c", "c2p"})) << terms;
    const Json saved = parse_json(config.to_json_text(), "saved", ErrorCode::kInternal);
    EXPECT_EQ(saved["pos_att_type"], Json::array({"p2c", "c2p"}));
    EXPECT_FALSE(saved.contains("position_buckets"));  // like HF's class
  }
  EXPECT_TRUE(parse(R"({"model_type": "deberta-v2", "pos_att_type": null})").pos_att_type.empty());
}

TEST(ModelConfig, AModelWithoutATableOfPositionsTakesWhatItsDistancesReach) {
  ModelConfig config = ModelConfig::like(PresetSize::kBase, "deberta-v2");
  EXPECT_EQ(config.longest_input(), 65536);
  config.set_longest_input(100);  // nearer than half of the 256 buckets: no distances share one
  EXPECT_EQ(config.longest_input(), 129);
  config.position_biased_input = true;
  EXPECT_EQ(config.longest_input(), 100);
}

// What a file without model_type must have, and what shows that it belongs to another family.
TEST(ModelConfig, WithoutAModelTypeTheKeysMustBeBerts) {
  const std::string keys = R"("vocab_size": 21128, "hidden_size": 64, "num_hidden_layers": 1,
      "num_attention_heads": 2, "intermediate_size": 64, "max_position_embeddings": 512)";
  const std::string packs = R"(, "directionality": "bidi", "pooler_type": "first_token_transform",
      "type_vocab_size": 2)";
  const ModelConfig config = parse("{" + keys + packs + "}");
  EXPECT_EQ(config.model_type, "bert");
  EXPECT_EQ(config.vocab_size, 21128);
  EXPECT_NE(config.note().value_or("none").find("\"model_type\""), std::string::npos);
  EXPECT_NE(config.to_json_text().find("\"model_type\": \"bert\""), std::string::npos);
  EXPECT_TRUE(parse("{" + keys + R"(, "architectures": ["BertForMaskedLM"]})").note());
  EXPECT_FALSE(parse("{" + keys + R"(, "model_type": "bert"})").note());
  const std::pair<std::string, const char*> rows[] = {
      {"{}", "vocab_size"},
      {"{" + keys.substr(keys.find("\"hidden")) + "}", "vocab_size"},
      {"{" + keys + R"(, "architectures": ["RobertaForMaskedLM"]})", "RobertaForMaskedLM"},
      {"{" + keys + R"(, "architectures": ["BertGenerationEncoder"]})", "BertGenerationEncoder"},
      {"{" + keys + R"(, "embedding_size": 128})", "embedding_size"},
      {"{" + keys + R"(, "use_relative_position": true})", "use_relative_position"},
      {"{" + keys + R"(, "local_attention": 128})", "local_attention"},
      {"{" + keys + R"(, "type_vocab_size": 1})", "RoBERTa"},
      {"{" + keys + R"(, "pad_token_id": 1})", "RoBERTa"},
  };
  for (const auto& [text, reason] : rows) {
    SCOPED_TRACE(text);
    const Error error = expect_error(ErrorCode::kBadModel, [&] { parse(text); });
    EXPECT_TRUE(error.reason().starts_with("\"model_type\" is missing")) << error.what();
    EXPECT_NE(error.reason().find(reason), std::string::npos) << error.what();
  }
}

TEST(ModelConfig, DeepJsonIsRefused) {
  const std::string text = R"({"model_type": "bert", "x": )" + std::string(100000, '[');
  expect_error(ErrorCode::kBadModel, [&] { parse(text); });
}

TEST(ModelConfig, MissingFileIsAnIoErrorNamingIt) {
  testing::TemporaryDirectory directory;
  const Error error =
      expect_error(ErrorCode::kIo, [&] { ModelConfig::from_directory(directory.path()); });
  EXPECT_NE(error.file().find("config.json"), std::string::npos);
}

TEST(ModelConfig, SavedTextKeepsForeignKeysAndStatesTheHead) {
  const ModelConfig config = parse(R"({"model_type": "bert", "architectures": ["BertModel"],
      "zeta": {"b": 1, "a": [true, null]}, "torch_dtype": "float16", "pad_token_id": null})");
  const Json saved = parse_json(config.to_json_text(), "saved", ErrorCode::kInternal);
  EXPECT_EQ(saved["architectures"], Json::array({"BertForQuestionAnswering"}));
  EXPECT_EQ(saved["zeta"]["a"], Json::array({true, nullptr}));
  EXPECT_EQ(saved["torch_dtype"], "float32");
  EXPECT_TRUE(saved["pad_token_id"].is_null());
  EXPECT_EQ(saved["hidden_size"], 768);
  EXPECT_FALSE(saved.contains("dtype"));
  EXPECT_EQ(parse(config.to_json_text()).to_json_text(), config.to_json_text());
}

TEST(ModelConfig, SavedTextHoldsChangedValues) {
  ModelConfig config = parse(R"({"model_type": "bert", "dtype": "bfloat16"})");
  config.vocab_size = 77;
  config.hidden_dropout_prob = 0.0;
  const Json saved = parse_json(config.to_json_text(), "saved", ErrorCode::kInternal);
  EXPECT_EQ(saved["vocab_size"], 77);
  EXPECT_EQ(saved["hidden_dropout_prob"], 0.0);
  EXPECT_EQ(saved["dtype"], "float32");
  EXPECT_FALSE(saved.contains("torch_dtype"));
}

TEST(ModelConfig, SavedTextIsSortedAndIndentedAsTransformersDoes) {
  EXPECT_EQ(ModelConfig::like(PresetSize::kTiny).to_json_text(), R"({
  "architectures": [
    "BertForQuestionAnswering"
  ],
  "attention_probs_dropout_prob": 0.1,
  "hidden_act": "gelu",
  "hidden_dropout_prob": 0.1,
  "hidden_size": 128,
  "initializer_range": 0.02,
  "intermediate_size": 512,
  "layer_norm_eps": 1e-12,
  "max_position_embeddings": 512,
  "model_type": "bert",
  "num_attention_heads": 4,
  "num_hidden_layers": 3,
  "pad_token_id": 0,
  "torch_dtype": "float32",
  "type_vocab_size": 2,
  "vocab_size": 30522
}
)");
}

TEST(ModelConfig, PresetsAreSound) {
  for (const auto& [name, size] : spellings(PresetSize{})) {
    SCOPED_TRACE(name);
    const ModelConfig config = ModelConfig::like(size);
    config.check(ErrorCode::kInternal, {.where = std::string(name)});
    EXPECT_GE(config.max_position_embeddings, 384);
    EXPECT_EQ(config.hidden_dropout_prob, 0.1);
  }
  EXPECT_EQ(ModelConfig::like(PresetSize::kLarge).hidden_size, 1024);
  const ModelConfig modern = ModelConfig::like(PresetSize::kLarge, "modernbert");
  modern.check(ErrorCode::kInternal, {.where = "modernbert"});
  EXPECT_EQ(modern.num_hidden_layers, 28);
  EXPECT_EQ(modern.intermediate_size, 2624);
  EXPECT_EQ(modern.longest_input(), 8192) << "there is no table that would grow with it";
}

TEST(ModelConfig, CheckUsesTheCallersCodeAndPlace) {
  ModelConfig config;
  config.num_attention_heads = 7;
  const Error error = expect_error(
      ErrorCode::kUsage, [&] { config.check(ErrorCode::kUsage, {.where = "model new"}); });
  EXPECT_EQ(error.place().text(), "model new");
  config = {};
  config.hidden_act = "swish";
  const Error activation = expect_error(
      ErrorCode::kUsage, [&] { config.check(ErrorCode::kUsage, {.where = "model new"}); });
  EXPECT_EQ(activation.place().text(), "model new");
  EXPECT_NE(activation.reason().find("hidden_act"), std::string::npos);
}

}  // namespace
}  // namespace spanforge
