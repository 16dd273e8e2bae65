#pragma once
// Texts that all have the same std::hash in libstdc++ (64 bits), to show the cost of a table whose
// keys an attacker can choose. The hash is MurmurHash64A with a known seed, state = (state ^
// mix(block)) * m for each 8 bytes, and every step of it can be reversed: for any first block there
// is a second one that leads to a given state. Blocks are tried until the second one is plain text,
// too. A text is a row of such pairs, each in one of two forms.

#include <cstddef>
#include <string>

namespace spanforge::testing {

inline constexpr size_t kCollidingTexts = size_t{1} << 18;
inline constexpr size_t kCollidingTextBytes = 288;  // lower-case letters and digits

// number < kCollidingTexts; each number has a different text.
std::string colliding_text(size_t number);

}  // namespace spanforge::testing
