#pragma once

#include <string>

#include "spanforge/base/random.h"

namespace spanforge::testing {

// Random texts are of the words w0 to w19.
constexpr int kWords = 20;

inline std::string word(uint64_t i) {
  std::string text = "w";
  text += std::to_string(i);
  return text;
}

inline std::string random_text(CounterStream& stream, size_t words) {
  std::string text = word(stream.next_below(kWords));
  for (size_t i = 1; i < words; ++i) text += ' ' + word(stream.next_below(kWords));
  return text;
}

}  // namespace spanforge::testing
