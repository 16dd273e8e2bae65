#include "spanforge/base/random.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "support/testing.h"

namespace spanforge {
namespace {

// The vectors published with the generator (Random123's kat_vectors).
TEST(Philox, GivesThePublishedVectors) {
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}),
            (PhiloxBlock{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (PhiloxBlock{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (PhiloxBlock{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(CounterStream, IsAFunctionOfItsKey) {
  CounterStream a(7), b(7), c(8);
  bool differs = false;
  for (int i = 0; i < 100; ++i) {
    const uint32_t value = a.next_u32();
    EXPECT_EQ(value, b.next_u32());
    differs |= value != c.next_u32();
  }
  EXPECT_TRUE(differs);
}

TEST(CounterStream, NumbersHaveTheRightMoments) {
  constexpr int kDraws = 200'000;
  CounterStream random(testing::test_seed());
  double uniform = 0, normal = 0, square = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double u = random.next_uniform();
    ASSERT_GE(u, 0.0);
    ASSERT_LT(u, 1.0);
    uniform += u;
    const double z = random.next_normal();
    normal += z;
    square += z * z;
  }
  EXPECT_NEAR(uniform / kDraws, 0.5, 0.004);
  EXPECT_NEAR(normal / kDraws, 0.0, 0.012);
  EXPECT_NEAR(square / kDraws, 1.0, 0.02);
}

TEST(CounterStream, NextBelowIsEven) {
  CounterStream random(testing::test_seed());
  std::array<int, 7> counts{};
  for (int i = 0; i < 70'000; ++i) ++counts[random.next_below(7)];
  for (int count : counts) EXPECT_NEAR(count, 10'000, 500);
  EXPECT_EQ(random.next_below(1), 0u);
  EXPECT_LT(random.next_below(~uint64_t{0}), ~uint64_t{0});
}

TEST(TorchGenerator, DrawsAsTheStandardMersenneTwister) {
  for (const uint32_t seed : {0u, 1u, 42u, 4294967295u}) {
    TorchGenerator ours(seed);
    std::mt19937 standard(seed);
    for (int i = 0; i < 2000; ++i) ASSERT_EQ(ours.next_u32(), standard()) << seed << " " << i;
  }
}

TEST(TorchGenerator, StateHasTorchsSizeAndSeed) {
  const std::string state = TorchGenerator(42).state_bytes();
  ASSERT_EQ(state.size(), 5056u);
  EXPECT_EQ(state[0], 42);
  EXPECT_EQ(state[8], 1);   // left
  EXPECT_EQ(state[12], 1);  // seeded
  EXPECT_EQ(state[24], 42);
}

// torch.randperm(10, generator=torch.Generator().manual_seed(42)), torch 2.13.0.
TEST(TorchRandperm, GivesTorchsOrder) {
  EXPECT_EQ(torch_randperm(10, 42), (std::vector<int64_t>{2, 6, 1, 8, 4, 5, 0, 9, 3, 7}));
}

template <class Function>
void expect_permutations(Function make) {
  for (const int64_t n : {0, 1, 2, 3, 17, 1000}) {
    auto order = make(n);
    ASSERT_EQ(order.size(), static_cast<size_t>(n));
    EXPECT_EQ(order, make(n));
    std::sort(order.begin(), order.end());
    for (int64_t i = 0; i < n; ++i) ASSERT_EQ(order[static_cast<size_t>(i)], i);
  }
}

TEST(Permutations, HoldEachNumberOnce) {
  expect_permutations([](int64_t n) { return torch_randperm(n, 3); });
  expect_permutations([](int64_t n) { return counter_permutation(n, 3); });
}

TEST(Permutations, EveryOrderOfThreeIsAsLikely) {
  std::map<std::vector<int64_t>, int> counts;
  for (uint64_t key = 0; key < 6000; ++key) ++counts[counter_permutation(3, key)];
  ASSERT_EQ(counts.size(), 6u);
  for (const auto& [order, count] : counts) EXPECT_NEAR(count, 1000, 150);
}

}  // namespace
}  // namespace spanforge
