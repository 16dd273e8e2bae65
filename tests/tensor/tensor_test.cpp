#include "spanforge/tensor/tensor.h"

#include <cstring>
#include <vector>

#include "spanforge/tensor/arena.h"
#include "support/testing.h"

namespace spanforge {
namespace {

using testing::expect_error;

TEST(Tensor, ViewsColumnsAndRows) {
  std::vector<float> memory(12);
  for (size_t i = 0; i < memory.size(); ++i) memory[i] = static_cast<float>(i);
  const Tensor t = make_tensor(memory.data(), 3, 4);
  EXPECT_TRUE(t.contiguous());
  const Tensor middle = t.columns(1, 2);
  EXPECT_FALSE(middle.contiguous());
  EXPECT_EQ(middle.row<float>(2)[1], 10.0f);
  const Tensor last = middle.row_range(1, 2);
  EXPECT_EQ(last.rows, 2);
  EXPECT_EQ(last.row<float>(0)[0], 5.0f);
  EXPECT_EQ(t.columns(4, 0).cols, 0);
}

TEST(Tensor, RefusesWrongDtypeAndRanges) {
  std::vector<float> memory(6);
  const Tensor t = make_tensor(memory.data(), 2, 3);
  const Error error = expect_error(ErrorCode::kInternal, [&] { t.as<bf16>(); });
  EXPECT_NE(error.reason().find("bf16"), std::string::npos);
  expect_error(ErrorCode::kInternal, [&] { (void)t.columns(2, 2); });
  expect_error(ErrorCode::kInternal, [&] { (void)t.columns(-1, 1); });
  expect_error(ErrorCode::kInternal, [&] { (void)t.row_range(3, 1); });
}

bool aligned(const void* p) { return reinterpret_cast<uintptr_t>(p) % 64 == 0; }

TEST(Arena, GivesZeroedAlignedMemoryOfAnySize) {
  for (const size_t bytes : {size_t{0}, size_t{1}, size_t{63}, size_t{4096}, size_t{5} << 20}) {
    const Arena arena(bytes);
    EXPECT_TRUE(aligned(arena.data()));
    EXPECT_EQ(arena.size(), bytes);
    for (size_t i = 0; i < bytes; i += 997) ASSERT_EQ(arena.data()[i], std::byte{0});
    if (bytes > 0) std::memset(arena.data(), 1, bytes);
  }
}

TEST(Arena, SaysWhatItCouldNotGet) {
  const size_t bytes = size_t{1} << 62;
  const Error error = expect_error(ErrorCode::kInternal, [&] { Arena arena(bytes); });
  EXPECT_NE(error.reason().find(std::to_string(bytes)), std::string::npos);
}

TEST(ActivationArena, NeverOverlapsAndNeverMovesLiveTensors) {
  ActivationArena arena;
  for (int round = 0; round < 3; ++round) {
    std::vector<Tensor> tensors;
    for (int i = 0; i < 40; ++i) {
      const Tensor t = arena.allocate<float>(i * 37 % 11 + 1, i * 5003 % 20011);
      EXPECT_TRUE(aligned(t.data));
      for (int64_t j = 0; j < t.size(); ++j) t.as<float>()[j] = static_cast<float>(i);
      tensors.push_back(t);
    }
    for (int i = 0; i < 40; ++i) {
      const Tensor& t = tensors[static_cast<size_t>(i)];
      for (int64_t j = 0; j < t.size(); ++j) ASSERT_EQ(t.as<float>()[j], static_cast<float>(i));
    }
    arena.release(0);
  }
  const size_t peak = arena.peak_bytes();
  arena.allocate<bf16>(10, 10);
  EXPECT_EQ(arena.peak_bytes(), peak);
}

TEST(ActivationArena, PeakIsWhatWasCutAtOneTimeWhateverTheBlocks) {
  constexpr int64_t kLarge = 600 << 10;  // two do not fit into the first block of 1 MiB
  ActivationArena arena;
  size_t once = 0;
  for (int round = 0; round < 3; ++round) {
    SCOPED_TRACE(round);
    arena.allocate<uint8_t>(1, kLarge);
    const size_t mark = arena.mark();
    for (int i = 0; i < 4; ++i) {  // scratch that is taken and released, across the end of a block
      arena.allocate<uint8_t>(1, kLarge);
      arena.release(mark);
    }
    arena.allocate<uint8_t>(1, 64);
    arena.allocate<uint8_t>(1, kLarge);
    once = 2 * kLarge + 64;
    EXPECT_EQ(arena.peak_bytes(), once);
    arena.release(0);
  }
  // Now there is one block of that size, with room for exactly this.
  const Tensor first = arena.allocate<uint8_t>(1, kLarge);
  const Tensor rest = arena.allocate<uint8_t>(1, static_cast<int64_t>(once) - kLarge);
  EXPECT_EQ(static_cast<std::byte*>(first.data) + kLarge, static_cast<std::byte*>(rest.data));
  EXPECT_EQ(arena.peak_bytes(), once);
}

TEST(Arena, ForgetsAPartAndKeepsTheRest) {
  int tried = 0;
  for (const size_t size : {size_t{100'000}, size_t{9'000'000}}) {  // from the heap; pages
    for (const auto& [begin, end] : std::vector<std::pair<size_t, size_t>>{
             {0, size}, {0, 0}, {1, 3}, {4000, 4200}, {5000, 60'001}, {size - 4097, size}}) {
      SCOPED_TRACE(::testing::Message() << size << ": " << begin << " to " << end);
      const Arena arena(size, /*huge_pages=*/false);
      std::memset(arena.data(), 7, size);
      arena.forget(begin, end);
      ++tried;
      for (size_t i = 0; i < size; ++i) {
        ASSERT_EQ(static_cast<int>(arena.data()[i]), i >= begin && i < end ? 0 : 7) << i;
      }
    }
  }
  EXPECT_EQ(tried, 12);
}

TEST(ActivationArena, ReusesWhatWasReleased) {
  ActivationArena arena;
  arena.allocate<float>(10, 10);
  const size_t mark = arena.mark();
  const Tensor first = arena.allocate<float>(100, 100);
  arena.release(mark);
  const Tensor second = arena.allocate<float>(100, 100);
  EXPECT_EQ(first.data, second.data);
  expect_error(ErrorCode::kInternal, [&] { arena.release(arena.mark() + 1); });
}

}  // namespace
}  // namespace spanforge
