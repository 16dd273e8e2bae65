#include "spanforge/model/input_ids.h"

#include <gtest/gtest.h>

#include "model_testing.h"
#include "support/testing.h"

namespace spanforge {
namespace {

using Ids = std::vector<int32_t>;

PackedBatch batch_of(const std::vector<Ids>& windows) {
  std::vector<testing::RandomWindow> rows;
  for (const Ids& ids : windows) {
    testing::RandomWindow& row = rows.emplace_back();
    row.input_ids = ids;
    row.token_type_ids = Ids(ids.size(), 1);
  }
  return testing::pack(rows);
}

Ids ids_of(const ModelConfig& config, const PackedBatch& batch, EmbeddingIds kind) {
  const InputIds ids(encoder_spec(config.model_type, ErrorCode::kInternal, "test"), config, batch);
  const auto of = ids.of(kind);
  return {of.begin(), of.end()};
}

TEST(InputIds, OfBertAreTheBatchs) {
  const ModelConfig config = testing::small_config("bert");
  const PackedBatch batch = batch_of({{5, 0, 6}, {7}});
  EXPECT_EQ(ids_of(config, batch, EmbeddingIds::kTokens), (Ids{5, 0, 6, 7}));
  EXPECT_EQ(ids_of(config, batch, EmbeddingIds::kPositions), (Ids{0, 1, 2, 0}));
  EXPECT_EQ(ids_of(config, batch, EmbeddingIds::kTokenTypes), (Ids{1, 1, 1, 1}));
}

TEST(InputIds, OfRobertaCountPositionsBehindThePaddingAndLeaveItOut) {
  ModelConfig config = testing::small_config("roberta");
  const PackedBatch batch = batch_of({{5, 1, 6, 1, 7}, {1, 8}});
  EXPECT_EQ(ids_of(config, batch, EmbeddingIds::kPositions), (Ids{2, 1, 3, 1, 4, 1, 2}));
  config.pad_token_id = 7;
  config.set_longest_input(40);
  EXPECT_EQ(ids_of(config, batch, EmbeddingIds::kPositions), (Ids{8, 9, 10, 11, 7, 8, 9}));
}

TEST(InputIds, OneTokenTypeIsTheOnlyOne) {
  ModelConfig config = testing::small_config("roberta");
  config.type_vocab_size = 1;
  const PackedBatch batch = batch_of({{5, 6}});
  EXPECT_EQ(ids_of(config, batch, EmbeddingIds::kTokenTypes), (Ids{0, 0}));
}

TEST(InputIds, TheTaskIsTheFirst) {
  const ModelConfig config = [] {
    ModelConfig ernie = testing::small_config("ernie");
    ernie.use_task_id = true;
    return ernie;
  }();
  EXPECT_EQ(ids_of(config, batch_of({{5, 6}}), EmbeddingIds::kZeros), (Ids{0, 0}));
}

// RoBERTa's 514 rows are 512 tokens.
TEST(InputIds, WindowsBeyondTheLongestInputAreRefused) {
  ASSERT_GE(supported_model_types().size(), 2u);
  for (const std::string& family : supported_model_types()) {
    SCOPED_TRACE(family);
    const ModelConfig config = testing::small_config(family);
    const EncoderSpec& spec = encoder_spec(family, ErrorCode::kInternal, "test");
    if (!spec.has_position_table(config) && !spec.rotary) {
      EXPECT_EQ(config.longest_input(), 65536);
      continue;
    }
    ASSERT_EQ(config.longest_input(), 40);
    EXPECT_EQ(ids_of(config, batch_of({Ids(40, 5)}), EmbeddingIds::kPositions).size(), 40u);
    const Error error = testing::expect_error(ErrorCode::kBadModel, [&] {
      ids_of(config, batch_of({Ids(41, 5)}), EmbeddingIds::kPositions);
    });
    EXPECT_EQ(error.place().text(), "position");
  }
}

}  // namespace
}  // namespace spanforge
