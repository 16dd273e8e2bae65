#include "spanforge/base/random.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <utility>

namespace spanforge {
namespace {

constexpr size_t kTorchStateSize = 624;

std::vector<int64_t> identity(int64_t n) {
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), int64_t{0});
  return order;
}

}  // namespace

PhiloxBlock philox(std::array<uint32_t, 4> c, std::array<uint32_t, 2> k) {
  constexpr uint64_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
  constexpr uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = kMultiplier0 * c[0];
    const uint64_t p1 = kMultiplier1 * c[2];
    c = {static_cast<uint32_t>(p1 >> 32) ^ c[1] ^ k[0], static_cast<uint32_t>(p1),
         static_cast<uint32_t>(p0 >> 32) ^ c[3] ^ k[1], static_cast<uint32_t>(p0)};
    k[0] += kWeyl0;
    k[1] += kWeyl1;
  }
  return c;
}

uint32_t CounterStream::next_u32() {
  if (used_ == 4) {
    block_ = philox({static_cast<uint32_t>(counter_), static_cast<uint32_t>(counter_ >> 32), 0, 0},
                    {static_cast<uint32_t>(key_), static_cast<uint32_t>(key_ >> 32)});
    ++counter_;
    used_ = 0;
  }
  return block_[static_cast<size_t>(used_++)];
}

double CounterStream::next_uniform() {
  const uint64_t high = next_u32();
  const uint64_t low = next_u32();
  return static_cast<double>((high << 32 | low) >> 11) * 0x1p-53;
}

double CounterStream::next_normal() {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - next_uniform()));  // 1 - u is in (0, 1]
  return radius * std::cos(2.0 * M_PI * next_uniform());
}

uint64_t CounterStream::next_below(uint64_t n) {
  // Draws again at or above the greatest multiple of n: small remainders would be more likely.
  const uint64_t unusable = (std::numeric_limits<uint64_t>::max() % n + 1) % n;
  while (true) {
    const uint64_t high = next_u32();
    const uint64_t value = high << 32 | next_u32();
    if (value <= std::numeric_limits<uint64_t>::max() - unusable) return value % n;
  }
}

TorchGenerator::TorchGenerator(uint64_t seed) : seed_(seed) {
  // Knuth's initialiser, from the generator's 2002 reference.
  state_[0] = static_cast<uint32_t>(seed);
  for (uint32_t i = 1; i < kTorchStateSize; ++i) {
    state_[i] = 1812433253u * (state_[i - 1] ^ (state_[i - 1] >> 30)) + i;
  }
}

void TorchGenerator::next_state() {
  for (size_t i = 0; i < kTorchStateSize; ++i) {
    const uint32_t y =
        (state_[i] & 0x80000000u) | (state_[(i + 1) % kTorchStateSize] & 0x7FFFFFFFu);
    state_[i] = state_[(i + 397) % kTorchStateSize] ^ (y >> 1) ^ ((y & 1) != 0 ? 0x9908B0DFu : 0u);
  }
  left_ = kTorchStateSize;
  next_ = 0;
}

uint32_t TorchGenerator::next_u32() {
  if (--left_ == 0) next_state();
  uint32_t y = state_[next_++];
  y ^= y >> 11;
  y ^= (y << 7) & 0x9D2C5680u;
  y ^= (y << 15) & 0xEFC60000u;
  return y ^ (y >> 18);
}

std::string TorchGenerator::state_bytes() const {
  // Torch's 64-bit C struct: seed, left, seeded, next, 624 words widened to 64 bits, then the
  // cached normal values (none here) as zero bytes.
  constexpr size_t kStateBytes = 5056;
  std::string bytes(kStateBytes, '\0');
  size_t position = 0;
  const auto put = [&](auto value) {
    std::memcpy(bytes.data() + position, &value, sizeof value);
    position += sizeof value;
  };
  put(seed_);
  put(static_cast<int32_t>(left_));
  put(int32_t{1});
  put(static_cast<uint64_t>(next_));
  for (uint32_t word : state_) put(static_cast<uint64_t>(word));
  return bytes;
}

std::vector<int64_t> torch_randperm(int64_t n, uint64_t seed) {
  // For this length and above, torch draws 64 bits and builds the order from the inside out.
  constexpr int64_t kLong = std::numeric_limits<uint32_t>::max() / 20;
  TorchGenerator generator(seed);
  if (n < kLong) {
    std::vector<int64_t> order = identity(n);
    for (int64_t i = 0; i + 1 < n; ++i) {
      const int64_t offset = generator.next_u32() % (n - i);
      std::swap(order[static_cast<size_t>(i)], order[static_cast<size_t>(i + offset)]);
    }
    return order;
  }
  std::vector<int64_t> order(static_cast<size_t>(n));
  for (size_t i = 0; i < order.size(); ++i) {
    const uint64_t high = generator.next_u32();
    const size_t place = (high << 32 | generator.next_u32()) % (i + 1);
    order[i] = order[place];
    order[place] = static_cast<int64_t>(i);
  }
  return order;
}

std::vector<int64_t> counter_permutation(int64_t n, uint64_t key) {
  CounterStream stream(key);
  std::vector<int64_t> order = identity(n);
  for (int64_t i = n - 1; i > 0; --i) {
    const auto j = static_cast<int64_t>(stream.next_below(static_cast<uint64_t>(i) + 1));
    std::swap(order[static_cast<size_t>(i)], order[static_cast<size_t>(j)]);
  }
  return order;
}

}  // namespace spanforge
