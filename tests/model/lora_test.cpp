// Which layers get an adapter, and how large its share is.

#include "spanforge/model/lora.h"

#include <gtest/gtest.h>

#include "model_testing.h"
#include "spanforge/model/encoder_spec.h"
#include "support/testing.h"

namespace spanforge {
namespace {

using testing::expect_error;
using testing::small_config;

const EncoderSpec& bert() { return encoder_spec("bert", ErrorCode::kInternal, "test"); }

LoraConfig settle(std::vector<std::string> targets, ErrorCode code = ErrorCode::kUsage) {
  return settle_targets({.rank = 2, .targets = std::move(targets)}, bert(), small_config(), code,
                        {.parameter = "lora_target"});
}

TEST(Lora, ScaleIsAlphaOverRankOrItsRoot) {
  EXPECT_EQ((LoraConfig{.rank = 4, .alpha = 16}).scale(), 4.0);
  EXPECT_EQ((LoraConfig{.rank = 4, .alpha = 16, .rank_stabilized = true}).scale(), 8.0);
}

// peft's check_target_module_exists.
TEST(Lora, ATargetIsAWholeNameOrTheEndBehindADot) {
  const LoraConfig lora{.rank = 1, .targets = {"query", "output.dense"}};
  EXPECT_TRUE(lora.targets_module("bert.encoder.layer.0.attention.self.query"));
  EXPECT_TRUE(lora.targets_module("query"));
  EXPECT_TRUE(lora.targets_module("bert.encoder.layer.0.attention.output.dense"));
  EXPECT_TRUE(lora.targets_module("bert.encoder.layer.0.output.dense"));
  EXPECT_FALSE(lora.targets_module("bert.encoder.layer.0.intermediate.dense"));
  EXPECT_FALSE(lora.targets_module("bert.encoder.layer.0.attention.self.subquery"));
  EXPECT_FALSE(lora.targets_module("bert.encoder.layer.0.attention.self.query.extra"));
  EXPECT_FALSE((LoraConfig{.rank = 1}).targets_module("bert.encoder.layer.0.attention.self.query"));
  EXPECT_TRUE((LoraConfig{.rank = 1, .targets = {"All-Linear"}}).targets_module("anything"));
}

TEST(Lora, NoTargetsAreTheFamilysQueryAndValue) {
  EXPECT_EQ(settle({}).targets, (std::vector<std::string>{"query", "value"}));
  const EncoderSpec& distilbert = encoder_spec("distilbert", ErrorCode::kInternal, "test");
  EXPECT_EQ(
      settle_targets({.rank = 2}, distilbert, distilbert.defaults, ErrorCode::kUsage, {.file = "x"})
          .targets,
      (std::vector<std::string>{"q_lin", "v_lin"}));
}

TEST(Lora, AllLinearIsEveryLayerButTheHead) {
  const std::vector<std::string> all = settle({"all-linear"}).targets;
  EXPECT_EQ(all, linear_modules(bert(), small_config()));
  EXPECT_EQ(all.size(), 6u * static_cast<size_t>(small_config().num_hidden_layers));
  EXPECT_EQ(all.front(), "bert.encoder.layer.0.attention.self.query");
  EXPECT_EQ(all[5], "bert.encoder.layer.0.output.dense");
  const EncoderSpec& electra = encoder_spec("electra", ErrorCode::kInternal, "test");
  EXPECT_EQ(linear_modules(electra, electra.defaults).front(), "electra.embeddings_project");
}

TEST(Lora, ATargetThatIsNoLinearLayerIsNamed) {
  for (const char* target : {"q_proj", "word_embeddings", "LayerNorm", "", "uery", "qa_outputs"}) {
    SCOPED_TRACE(target);
    const Error error = expect_error(ErrorCode::kUsage, [&] { settle({"query", target}); });
    EXPECT_EQ(error.parameter(), "lora_target");
    EXPECT_NE(error.reason().find('"' + std::string(target) + '"'), std::string::npos)
        << error.what();
  }
  // A file may list targets that other models have, as PEFT allows.
  EXPECT_EQ(settle({"query", "q_proj"}, ErrorCode::kBadModel).targets.size(), 2u);
  expect_error(ErrorCode::kBadModel, [&] { settle({"q_proj"}, ErrorCode::kBadModel); });
}

TEST(Lora, NumbersOutOfRangeAreRefused) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  struct Numbers {
    int32_t rank;
    double alpha, dropout;
  };
  const Numbers rows[] = {
      {0, 8, 0},  {kMaxLoraRank + 1, 8, 0}, {1, nan, 0}, {1, 1e39, 0}, {1, 8, 1}, {1, 8, -0.1},
      {1, 8, nan}};
  for (const Numbers& row : rows) {
    const LoraConfig lora{.rank = row.rank, .alpha = row.alpha, .dropout = row.dropout};
    expect_error(ErrorCode::kUsage, [&] {
      settle_targets(lora, bert(), small_config(), ErrorCode::kUsage, {.parameter = "lora_rank"});
    });
  }
}

}  // namespace
}  // namespace spanforge
