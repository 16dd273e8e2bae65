#include "spanforge/serve/memory.h"

#include <gtest/gtest.h>

namespace spanforge::serve {
namespace {

TEST(Memory, EveryLimitThatHoldsBytesCounts) {
  const ModelMemory models[] = {{400'000'000, 30'000'000}, {100'000'000, 10'000'000}};
  const Limits limits;
  const MemoryPlan plan = plan_memory(models, limits);
  EXPECT_EQ(plan.models, 500'000'000);
  EXPECT_EQ(plan.batches, 40'000'000);
  EXPECT_EQ(plan.messages, static_cast<int64_t>(limits.bodies_bytes + limits.held_texts_bytes));
  const auto total_with = [&](auto change) {
    Limits more = limits;
    change(more);
    return plan_memory(models, more).total();
  };
  EXPECT_GT(total_with([](Limits& l) { l.bodies_bytes *= 2; }), plan.total());
  EXPECT_GT(total_with([](Limits& l) { l.held_texts_bytes *= 2; }), plan.total());
  EXPECT_GT(total_with([](Limits& l) { l.queue_tokens *= 2; }), plan.total());
  EXPECT_GT(total_with([](Limits& l) { l.connections *= 2; }), plan.total());
  EXPECT_GT(plan.total(), plan_memory({models, 1}, limits).total() + 110'000'000);
}

}  // namespace
}  // namespace spanforge::serve
