#pragma once
// Texts that all have one std::hash in libstdc++ (64 bits), to show what a table costs where keys
// can be chosen. Its hash is MurmurHash64A with a known seed, state = (state ^ mix(block)) * m for
// each 8 bytes, and every step of it can be taken back: for any first block there is a second one
// that leads to a given state. Blocks are tried until the second one is plain text too. A text is a
// row of such pairs, each in one of two forms.

#include <cstddef>
#include <string>

namespace spanforge::testing {

inline constexpr size_t kCollidingTexts = size_t{1} << 18;
inline constexpr size_t kCollidingTextBytes = 288;  // lower-case letters and digits

// number < kCollidingTexts; each number's text is another one.
std::string colliding_text(size_t number);

}  // namespace spanforge::testing
