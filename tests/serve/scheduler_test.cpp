#include "spanforge/serve/scheduler.h"

#include <map>

#include <gtest/gtest.h>

namespace spanforge::serve {
namespace {

const int kModel = 0, kOther = 0;

std::vector<int32_t> windows(size_t count, int32_t length) {
  return std::vector<int32_t>(count, length);
}

bool has(const Scheduler::Batch& batch, uint64_t id) {
  for (const auto& part : batch.parts) {
    if (part.request == id) return true;
  }
  return false;
}

TEST(Scheduler, EveryWindowIsGivenOnceInOrderWithinTheLimit) {
  Scheduler scheduler(1000);
  std::map<uint64_t, size_t> counts = {{1, 40}, {2, 1}, {3, 7}, {4, 13}};
  std::map<uint64_t, int32_t> lengths = {{1, 384}, {2, 1500}, {3, 17}, {4, 512}};
  int64_t tokens = 0;
  for (const auto& [id, count] : counts) {
    scheduler.add(id, &kModel, windows(count, lengths[id]));
    tokens += static_cast<int64_t>(count) * lengths[id];
  }
  EXPECT_EQ(scheduler.waiting_tokens(), tokens);
  std::map<uint64_t, size_t> given;
  size_t batches = 0;
  while (const auto batch = scheduler.next_batch()) {
    ++batches;
    int64_t sum = 0;
    size_t count = 0;
    ASSERT_FALSE(batch->parts.empty());
    for (const auto& part : batch->parts) {
      EXPECT_EQ(part.first, given[part.request]);
      given[part.request] += part.count;
      sum += static_cast<int64_t>(part.count) * lengths[part.request];
      count += part.count;
    }
    EXPECT_EQ(sum, batch->tokens);
    EXPECT_TRUE(sum <= 1000 || count == 1) << sum;
    tokens -= sum;
    EXPECT_EQ(scheduler.waiting_tokens(), tokens);
  }
  EXPECT_GT(batches, 10u);
  EXPECT_EQ(given, counts);
  EXPECT_TRUE(scheduler.empty());
}

TEST(Scheduler, ASingleQuestionBehindAHugeRequestIsInTheNextBatch) {
  Scheduler scheduler(2048);
  scheduler.add(1, &kModel, windows(1000, 384));
  ASSERT_TRUE(scheduler.next_batch());  // it runs while the others arrive
  for (uint64_t id = 2; id < 5; ++id) scheduler.add(id, &kModel, windows(1, 100));
  const auto next = scheduler.next_batch();
  ASSERT_TRUE(next);
  for (uint64_t id = 1; id < 5; ++id) EXPECT_TRUE(has(*next, id)) << id;
}

TEST(Scheduler, RequestsGetEqualTokensWhateverTheirWindowsLengths) {
  Scheduler scheduler(2048);
  scheduler.add(1, &kModel, windows(1000, 384));
  scheduler.add(2, &kModel, windows(10'000, 40));
  std::map<uint64_t, int64_t> tokens;
  for (int i = 0; i < 50; ++i) {
    const auto batch = scheduler.next_batch();
    ASSERT_TRUE(batch);
    for (const auto& part : batch->parts) {
      tokens[part.request] += static_cast<int64_t>(part.count) * (part.request == 1 ? 384 : 40);
    }
  }
  EXPECT_NEAR(static_cast<double>(tokens[1]) / static_cast<double>(tokens[2]), 1, 0.1);
}

TEST(Scheduler, ARemovedRequestDropsItsOwnWindowsOnly) {
  Scheduler scheduler(1024);
  scheduler.add(1, &kModel, windows(10, 512));
  scheduler.add(2, &kModel, windows(3, 512));
  ASSERT_TRUE(scheduler.next_batch());  // a window of each
  EXPECT_EQ(scheduler.remove(1), 9u);
  EXPECT_EQ(scheduler.remove(1), 0u);
  EXPECT_EQ(scheduler.waiting_tokens(), 2 * 512);
  const auto rest = scheduler.next_batch();
  ASSERT_TRUE(rest);
  EXPECT_FALSE(has(*rest, 1));
  EXPECT_EQ(rest->tokens, 1024);
  EXPECT_FALSE(scheduler.next_batch());
}

TEST(Scheduler, ABatchIsOfOneModelAndModelsTakeTurns) {
  Scheduler scheduler(1024);
  const int other = kOther;
  scheduler.add(1, &kModel, windows(10, 512));
  scheduler.add(2, &other, windows(10, 512));
  const auto first = scheduler.next_batch(), second = scheduler.next_batch(),
             third = scheduler.next_batch();
  ASSERT_TRUE(first && second && third);
  EXPECT_EQ(first->model, &kModel);
  EXPECT_FALSE(has(*first, 2));
  EXPECT_EQ(second->model, &other);
  EXPECT_EQ(third->model, &kModel);
}

}  // namespace
}  // namespace spanforge::serve
