#pragma once
// Strict UTF-8 (Unicode 15, table 3-7: no surrogates, no overlong forms).
// Units: byte offsets index the std::string; positions that a user sees are code points.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace spanforge {

// Half-open range of code points of one text.
struct CharSpan {
  int32_t start = 0;
  int32_t end = 0;
  bool operator==(const CharSpan&) const = default;
};

// Byte offset of the first invalid sequence, or nullopt if the text is valid.
std::optional<size_t> find_invalid_utf8(std::string_view text);

// Decodes the code point that starts at text[pos] and moves pos after it. The text must be valid.
char32_t next_code_point(std::string_view text, size_t& pos);
void append_utf8(char32_t code_point, std::string& out);

size_t count_code_points(std::string_view text);
std::u32string decode_utf8(std::string_view text);  // text must be valid
std::string encode_utf8(std::u32string_view code_points);

// Maps code point positions of one text to byte offsets. An ASCII text takes no memory. Does not
// keep the text. Const methods are concurrent.
class CodePointIndex {
 public:
  explicit CodePointIndex(std::string_view text);
  size_t size() const { return size_; }          // code points
  size_t byte_offset(size_t code_point) const {  // code_point <= size()
    return starts_.empty() ? code_point : starts_[code_point];
  }

 private:
  size_t size_ = 0;
  std::vector<uint32_t> starts_;  // size_ + 1 entries; empty for an ASCII text
};

// Python's text[start:end] in code points: negative bounds count from the end, bounds are clamped,
// an empty or inverted range gives "". Linear in the text; pass an index for many slices of a text.
std::string slice_code_points(std::string_view text, int64_t start, int64_t end);
std::string slice_code_points(std::string_view text, const CodePointIndex& index, int64_t start,
                              int64_t end);

}  // namespace spanforge
