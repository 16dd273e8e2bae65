#include "spanforge/features/packed_batch.h"

#include <algorithm>

#include "features/fixture.h"
#include "support/testing.h"

namespace spanforge {
namespace {

using testing::make_options;
using testing::make_tokenizer;
using testing::random_dataset;

TEST(PackWindows, PutsWindowsEndToEnd) {
  const Tokenizer tokenizer = make_tokenizer();
  const FeatureSet set = FeatureSet::build(random_dataset(40), tokenizer, make_options(24, 7));
  ASSERT_GT(set.size(), 5u);
  PackedBatch batch;
  pack_windows(set, std::vector<int32_t>{0, 1}, batch);
  const std::vector<int32_t> order = {3, 0, static_cast<int32_t>(set.size()) - 1};
  pack_windows(set, order, batch);  // reuses the batch
  EXPECT_EQ(batch.window_count(), 3);
  EXPECT_EQ(batch.window_ids, order);
  ASSERT_EQ(batch.cu_seqlens.size(), 4u);
  EXPECT_EQ(batch.cu_seqlens.back(), batch.token_count());
  EXPECT_EQ(batch.position_ids.size(), batch.input_ids.size());
  EXPECT_EQ(batch.token_type_ids.size(), batch.input_ids.size());
  int32_t longest = 0;
  for (size_t k = 0; k < order.size(); ++k) {
    const Window& w = set.windows()[static_cast<size_t>(order[k])];
    longest = std::max(longest, w.length);
    ASSERT_EQ(batch.cu_seqlens[k + 1] - batch.cu_seqlens[k], w.length);
    for (int32_t t = 0; t < w.length; ++t) {
      const auto at = static_cast<size_t>(batch.cu_seqlens[k] + t);
      EXPECT_EQ(batch.input_ids[at], set.input_ids(w)[static_cast<size_t>(t)]);
      EXPECT_EQ(batch.token_type_ids[at], set.token_type_ids(w)[static_cast<size_t>(t)]);
      EXPECT_EQ(batch.position_ids[at], t);
    }
    EXPECT_EQ(batch.start_positions[k], w.start_position);
    EXPECT_EQ(batch.end_positions[k], w.end_position);
  }
  EXPECT_EQ(batch.longest(), longest);
  pack_windows(set, {}, batch);
  EXPECT_EQ(batch.window_count(), 0);
  EXPECT_EQ(batch.longest(), 0);
}

}  // namespace
}  // namespace spanforge
