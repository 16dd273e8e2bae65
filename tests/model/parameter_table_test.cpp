#include "spanforge/model/parameter_table.h"

#include <algorithm>
#include <cmath>
#include <set>

#include <gtest/gtest.h>

#include "model_testing.h"

namespace spanforge {
namespace {

ParameterTable table_of(const ModelConfig& config) {
  return build_parameter_table(encoder_spec("bert", ErrorCode::kInternal, "test"), config);
}

const Parameter& row(const ParameterTable& table, std::string_view name) {
  return *std::find_if(table.rows.begin(), table.rows.end(),
                       [&](const Parameter& p) { return p.name == name; });
}

TEST(ParameterTable, CountsBertBaseAsPublished) {
  // 108,891,648 without pooler (Devlin et al.'s 110 M has it), and 2 x 768 + 2 of the head.
  EXPECT_EQ(table_of(ModelConfig::like(PresetSize::kBase)).parameter_count, 108891648 + 1538);
}

TEST(ParameterTable, RunsFromTheHeadBackToTheEmbeddings) {
  const ParameterTable table = table_of(testing::small_config());
  EXPECT_EQ(table.rows.front().name, "qa_outputs.weight");
  EXPECT_EQ(table.rows.back().name, "bert.embeddings.word_embeddings.weight");
  EXPECT_LT(row(table, "bert.encoder.layer.1.attention.self.query.weight").offset,
            row(table, "bert.encoder.layer.0.output.LayerNorm.weight").offset);
  EXPECT_EQ(table.rows.size(), 2 + 2 * 16 + 2 + 3u);
  EXPECT_EQ(table.head_rows, 2u);
  std::set<std::string> names;
  for (const Parameter& p : table.rows) EXPECT_TRUE(names.insert(p.name).second) << p.name;
}

TEST(ParameterTable, RowsDoNotOverlapAndStayInsideTheArena) {
  ModelConfig config = testing::small_config();
  config.hidden_size = 21;  // not a multiple of the alignment
  config.intermediate_size = 35;
  const ParameterTable table = table_of(config);
  int64_t end = 0, count = 0;
  for (const Parameter& p : table.rows) {
    EXPECT_GE(p.offset, end) << p.name;
    EXPECT_LT(p.offset - end, kArenaAlignment) << p.name;
    end = p.offset + p.size;
    count += p.size;
  }
  EXPECT_LE(end, table.arena_size);
  EXPECT_EQ(table.arena_size % kArenaAlignment, 0);
  EXPECT_EQ(count, table.parameter_count);
}

TEST(ParameterTable, QueryKeyAndValueAreOneMatrix) {
  ModelConfig config = testing::small_config();
  config.hidden_size = 21;
  const ParameterTable table = table_of(config);
  const std::string self = "bert.encoder.layer.1.attention.self.";
  for (const char* kind : {".weight", ".bias"}) {
    const Parameter &q = row(table, self + "query" + kind), &k = row(table, self + "key" + kind),
                    &v = row(table, self + "value" + kind);
    EXPECT_EQ(q.offset + q.size, k.offset);
    EXPECT_EQ(k.offset + k.size, v.offset);
    EXPECT_EQ(q.offset % kArenaAlignment, 0);
  }
  const Slot& fused = table.parts.blocks[1].qkv.weight;
  EXPECT_EQ(fused.rows, 63);
  EXPECT_EQ(fused.cols, 21);
  EXPECT_EQ(fused.offset, row(table, self + "query.weight").offset);
}

TEST(ParameterTable, OnlyMatricesAndEmbeddingsDecay) {
  int decaying = 0, exempted = 0;
  for (const Parameter& p : table_of(testing::small_config()).rows) {
    const bool exempt = p.name.ends_with(".bias") || p.name.find("LayerNorm") != std::string::npos;
    ++(exempt ? exempted : decaying);
    EXPECT_EQ(p.decays, !exempt) << p.name;
    EXPECT_EQ(p.init == Parameter::Init::kOnes, p.name.ends_with("LayerNorm.weight")) << p.name;
    EXPECT_EQ(p.zero_row, p.name.ends_with("word_embeddings.weight") ? 0 : -1) << p.name;
  }
  EXPECT_GT(decaying, 0);
  EXPECT_GT(exempted, 0);
}

// Norms before the branches: the first layer has no attention norm, and a final norm follows the
// last layer.
TEST(ParameterTable, HoldsWhatModernBertHas) {
  const EncoderSpec& spec = encoder_spec("modernbert", ErrorCode::kInternal, "test");
  // ModernBertForQuestionAnswering(ModernBertConfig()) of transformers 4.57.
  EXPECT_EQ(build_parameter_table(spec, ModelConfig::like(PresetSize::kBase, "modernbert"))
                .parameter_count,
            149606402);
  ModelConfig config = testing::small_config("modernbert");
  const ParameterTable table = build_parameter_table(spec, config);
  std::vector<std::string> names;
  for (const Parameter& p : table.rows) names.push_back(p.name);
  const std::vector<std::string> expected = {"classifier.weight",
                                             "classifier.bias",
                                             "head.norm.weight",
                                             "head.dense.weight",
                                             "model.final_norm.weight",
                                             "model.layers.1.mlp.Wo.weight",
                                             "model.layers.1.mlp.Wi.weight",
                                             "model.layers.1.mlp_norm.weight",
                                             "model.layers.1.attn.Wo.weight",
                                             "model.layers.1.attn.Wqkv.weight",
                                             "model.layers.1.attn_norm.weight",
                                             "model.layers.0.mlp.Wo.weight",
                                             "model.layers.0.mlp.Wi.weight",
                                             "model.layers.0.mlp_norm.weight",
                                             "model.layers.0.attn.Wo.weight",
                                             "model.layers.0.attn.Wqkv.weight",
                                             "model.embeddings.norm.weight",
                                             "model.embeddings.tok_embeddings.weight"};
  EXPECT_EQ(names, expected);
  EXPECT_EQ(table.head_rows, 4u);
  for (const Parameter& p : table.rows) {
    SCOPED_TRACE(p.name);
    EXPECT_EQ(p.decays, p.shape.size() == 2);
    if (p.init != Parameter::Init::kNormal) continue;
    EXPECT_EQ(p.cutoff, 2);
    const bool joins_the_stream = p.name.ends_with("Wo.weight") || p.name == "head.dense.weight";
    const double spread = p.name == "classifier.weight" ? 1 / std::sqrt(24.0)
                          : joins_the_stream            ? 0.3 / std::sqrt(4.0)
                                                        : 0.3;
    EXPECT_DOUBLE_EQ(p.spread, spread);
  }
  config.norm_bias = config.attention_bias = config.mlp_bias = config.head_bias = true;
  EXPECT_EQ(build_parameter_table(spec, config).rows.size(), expected.size() + 6 + 9u);
}

// A norm is frozen with the layer that it belongs to, although it comes after the layer before.
TEST(ParameterTable, FreezesNormsWithTheirLayers) {
  const EncoderSpec& spec = encoder_spec("modernbert", ErrorCode::kInternal, "test");
  ModelConfig config = testing::small_config("modernbert");
  config.num_hidden_layers = 3;
  const auto learns = [&](const Learning& learning, std::string_view name) {
    return row(build_parameter_table(spec, config, learning), name).trainable;
  };
  const Learning first{.frozen_layers = {{0, 1}}}, all{.frozen_layers = {{0, 2}}};
  EXPECT_FALSE(learns(first, "model.layers.1.attn_norm.weight"));
  EXPECT_TRUE(learns(first, "model.layers.2.attn_norm.weight"));
  EXPECT_TRUE(learns(first, "model.final_norm.weight"));
  EXPECT_FALSE(learns(all, "model.final_norm.weight"));
  EXPECT_TRUE(learns(all, "head.norm.weight"));
}

TEST(EncoderSpec, UnknownFamilyNamesWhatIsSupported) {
  try {
    encoder_spec("gpt2", ErrorCode::kBadModel, "config.json");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kBadModel);
    for (const std::string& family : supported_model_types()) {
      EXPECT_NE(error.reason().find(family), std::string::npos) << family;
    }
    EXPECT_GE(supported_model_types().size(), 2u);
  }
}

}  // namespace
}  // namespace spanforge
