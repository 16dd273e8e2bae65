#include "spanforge/model/relative.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "model_testing.h"

namespace spanforge {
namespace {

// The rows of +distances and of -distances.
void expect_rows(const RelativeForm& form, const std::vector<int32_t>& distances,
                 const std::vector<int32_t>& forward, const std::vector<int32_t>& backward) {
  constexpr int32_t kLongest = 700;
  const std::vector<int32_t> rows = rows_by_distance(form, kLongest);
  ASSERT_EQ(rows.size(), size_t{2 * kLongest - 1});
  for (size_t i = 0; i < distances.size(); ++i) {
    EXPECT_EQ(rows[static_cast<size_t>(kLongest - 1 + distances[i])], forward[i]) << distances[i];
    EXPECT_EQ(rows[static_cast<size_t>(kLongest - 1 - distances[i])], backward[i]) << -distances[i];
  }
}

// Printed by transformers 4.57: MPNetEncoder.relative_position_bucket.
TEST(RowsByDistance, OfMpnetAreTransformers) {
  expect_rows({.kind = RelativeKind::kBiases, .rows = 32},
              {0, 1, 7, 8, 15, 16, 20, 31, 32, 50, 63, 64, 100, 127, 128, 600},
              {0, 1, 7, 8, 9, 10, 10, 11, 12, 13, 13, 14, 15, 15, 15, 15},
              {0, 17, 23, 24, 25, 26, 26, 27, 28, 29, 29, 30, 31, 31, 31, 31});
}

// make_log_bucket_position of DeBERTa-v2, with the span added and the result clamped.
TEST(RowsByDistance, OfDebertaAreTransformers) {
  expect_rows({.kind = RelativeKind::kProjected, .rows = 512, .buckets = 256, .farthest = 512},
              {0, 1, 127, 128, 129, 130, 150, 200, 255, 256, 300, 383, 400, 511, 512, 600},
              {256, 257, 383, 384, 385, 386, 399, 425, 448, 448, 463, 485, 489, 511, 511, 511},
              {256, 255, 129, 128, 127, 126, 113, 87, 64, 64, 49, 27, 23, 1, 0, 0});
  // A row for every distance.
  expect_rows({.kind = RelativeKind::kProjected, .rows = 80, .farthest = 40},
              {0, 1, 39, 40, 41, 600}, {40, 41, 79, 79, 79, 79}, {40, 39, 1, 0, 0, 0});
}

TEST(RowsByDistance, OfOtherFamiliesAreNone) {
  for (const char* type : {"bert", "albert", "roberta"}) {
    const EncoderSpec& spec = encoder_spec(type, ErrorCode::kInternal, "test");
    EXPECT_TRUE(rows_by_distance(spec.relative_form(testing::small_config(type)), 9).empty())
        << type;
  }
}

// It lies between the first layer and the embeddings; no other parameter moves because of it.
TEST(RelativeTable, LiesBehindTheLayersThatUseIt) {
  for (const auto& [type, name, decays] :
       {std::tuple("mpnet", "mpnet.encoder.relative_attention_bias.weight", false),
        std::tuple("deberta-v2", "deberta.encoder.rel_embeddings.weight", true)}) {
    SCOPED_TRACE(name);
    const ModelConfig config = testing::small_config(type);
    const EncoderSpec& spec = encoder_spec(type, ErrorCode::kInternal, "test");
    const ParameterTable table = build_parameter_table(spec, config);
    const auto row = std::find_if(table.rows.begin(), table.rows.end(),
                                  [&, n = name](const Parameter& p) { return p.name == n; });
    ASSERT_NE(row, table.rows.end());
    EXPECT_EQ(row->decays, decays);  // as transformers' Trainer sorts names
    EXPECT_FALSE(row->embedding);
    EXPECT_GE(row->offset, table.block_ends.front());
    EXPECT_LT(row->offset, table.parts.embedding_norm.gamma.offset);
    // Frozen if all layers are.
    const int32_t last = config.num_hidden_layers - 1;
    for (const auto& [first, learns] : {std::pair(0, false), std::pair(1, true)}) {
      const Learning learning{.frozen_layers = {{first, last}}};
      const ParameterTable some = build_parameter_table(spec, config, learning);
      EXPECT_EQ(some.parts.relative.table.offset < some.trainable_size, learns) << first;
    }
  }
}

}  // namespace
}  // namespace spanforge
