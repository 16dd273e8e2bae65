#include "support/colliding_texts.h"

#include <array>
#include <cstdint>
#include <cstring>

namespace spanforge::testing {
namespace {

constexpr uint64_t kSeed = 0xc70f6907, kMultiplier = 0xc6a4a7935bd1e995;
constexpr size_t kPairs = kCollidingTextBytes / 16;
static_assert(kCollidingTexts == size_t{1} << kPairs);

constexpr uint64_t inverse(uint64_t odd) {
  uint64_t x = odd;  // right in the last three bits; each step doubles them
  for (int i = 0; i < 5; ++i) x *= 2 - odd * x;
  return x;
}
constexpr uint64_t kBack = inverse(kMultiplier);

uint64_t mix(uint64_t block) {
  block *= kMultiplier;
  return (block ^ block >> 47) * kMultiplier;
}
uint64_t unmix(uint64_t mixed) {
  mixed *= kBack;
  return (mixed ^ mixed >> 47) * kBack;  // a shift by more than half reverses itself
}
uint64_t step(uint64_t state, uint64_t block) { return (state ^ mix(block)) * kMultiplier; }

bool is_plain(uint64_t block) {
  for (; block != 0; block >>= 8) {
    const uint64_t c = block & 0xFF;
    if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z')) return false;
  }
  return true;
}

uint64_t block_of(const char* bytes) {
  uint64_t block = 0;
  std::memcpy(&block, bytes, sizeof block);
  return block;
}

using Forms = std::array<std::string, 2>;  // two pairs of blocks that lead to one state

std::array<Forms, kPairs> find_pairs() {
  std::array<Forms, kPairs> pairs;
  uint64_t state = kSeed ^ kCollidingTextBytes * kMultiplier;
  for (Forms& forms : pairs) {
    std::string first = "aaaaaaaa";
    const uint64_t plain = block_of(first.data());
    const uint64_t target = step(step(state, plain), plain);
    forms[0] = first + first;
    for (;;) {
      for (size_t i = 0; i < 8 && ++first[i] > 'z'; ++i) first[i] = 'a';
      const uint64_t second = unmix(step(state, block_of(first.data())) ^ target * kBack);
      // A block that ends in zero bytes would equal a shorter plain one.
      if (second >> 56 == 0 || !is_plain(second)) continue;
      char bytes[8];
      std::memcpy(bytes, &second, sizeof bytes);
      forms[1] = first + std::string(bytes, sizeof bytes);
      break;
    }
    state = target;
  }
  return pairs;
}

}  // namespace

std::string colliding_text(size_t number) {
  static const std::array<Forms, kPairs> pairs = find_pairs();
  std::string text;
  text.reserve(kCollidingTextBytes);
  for (size_t i = 0; i < kPairs; ++i) text += pairs[i][number >> i & 1];
  return text;
}

}  // namespace spanforge::testing
