#pragma once
// Shared by the tokenizer targets: one input gives a file and a text, and every encoding is
// checked, whatever the file says.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "spanforge/text/tokenizer.h"
#include "support.h"

namespace spanforge::fuzz {

inline std::pair<std::string_view, std::string_view> split_input(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t end = input.find('\0');
  if (end == std::string_view::npos) return {input, "A text. 一个[SEP]"};
  return {input.substr(0, end), input.substr(end + 1)};
}

inline void check(const Encoding& e, const Tokenizer& tokenizer, int32_t text_size) {
  const size_t n = e.ids.size();
  require(e.type_ids.size() == n && e.tokens.size() == n && e.offsets.size() == n);
  require(e.special_tokens_mask.size() == n && e.attention_mask.size() == n);
  require(e.word_ids.size() == n && e.sequence_ids.size() == n);
  for (size_t i = 0; i < n; ++i) {
    require(e.ids[i] >= 0 && static_cast<size_t>(e.ids[i]) < tokenizer.vocabulary_size());
    require(e.offsets[i].start <= e.offsets[i].end && e.offsets[i].end <= text_size);
  }
  for (const Encoding& window : e.overflowing) check(window, tokenizer, text_size);
}

// Throws Error for a text that is not UTF-8. The text fills several windows. With a longer one,
// windows took seven tenths of the time, and the file is the subject here.
inline void check_encodings(const Tokenizer& tokenizer, std::string_view whole) {
  const std::string_view text = whole.substr(0, 256);
  if (find_invalid_utf8(text)) return;
  const auto size = static_cast<int32_t>(count_code_points(text));
  const Encoding encoding = tokenizer.encode(text);
  check(encoding, tokenizer, size);
  tokenizer.decode(encoding.ids, true, true);
  tokenizer.decode(encoding.ids, false, false);
  EncodeOptions options;
  const int32_t specials = tokenizer.special_token_count(true);
  options.truncation = Truncation{specials + 40, 3, TruncationStrategy::kLongestFirst};
  check(tokenizer.encode_pair(text, text, options), tokenizer, size);
}

}  // namespace spanforge::fuzz
