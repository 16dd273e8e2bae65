#include "spanforge/base/utf8.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "spanforge/base/random.h"
#include "support/testing.h"

namespace spanforge {
namespace {

TEST(Utf8, EncodesAndDecodesEveryCodePoint) {
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    std::string text;
    append_utf8(c, text);
    ASSERT_FALSE(find_invalid_utf8(text)) << static_cast<uint32_t>(c);
    size_t pos = 0;
    ASSERT_EQ(next_code_point(text, pos), c);
    ASSERT_EQ(pos, text.size());
  }
}

TEST(Utf8, InvalidSequencesAreFoundAtTheirStart) {
  const std::pair<std::string, size_t> rows[] = {{"a\x80", 1},
                                                 {"\xc0\x80", 0},
                                                 {"\xc1\xbf", 0},
                                                 {"ab\xc3", 2},
                                                 {"\xe0\x80\x80", 0},
                                                 {"\xed\xa0\x80", 0},
                                                 {"\xed\xbf\xbf", 0},
                                                 {"x\xe2\x82", 1},
                                                 {"\xf0\x80\x80\x80", 0},
                                                 {"\xf4\x90\x80\x80", 0},
                                                 {"\xf5\x80\x80\x80", 0},
                                                 {"文\xff", 3}};
  for (const auto& [text, at] : rows) EXPECT_EQ(find_invalid_utf8(text), at);
  EXPECT_FALSE(find_invalid_utf8(""));
  EXPECT_FALSE(find_invalid_utf8(std::string_view("\0文🙂", 8)));
}

// The definition: a text is valid if it is a row of encoded code points other than surrogates.
std::optional<size_t> slow_find_invalid(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    size_t length = 0;
    for (size_t n = 1; n <= 4 && i + n <= text.size() && length == 0; ++n) {
      const std::string padded = std::string(text.substr(i, n)) + std::string(4, '\0');
      size_t pos = 0;
      const char32_t c = next_code_point(padded, pos);
      std::string again;
      if (c <= 0x10FFFF && (c < 0xD800 || c > 0xDFFF)) append_utf8(c, again);
      if (again == text.substr(i, n)) length = n;
    }
    if (length == 0) return i;
    i += length;
  }
  return std::nullopt;
}

TEST(Utf8, FindsTheFirstInvalidByteAsTheDefinitionDoes) {
  CounterStream random(testing::test_seed());
  const std::vector<std::string> pieces = {"a",
                                           "abcdefgh",
                                           "文",
                                           "é",
                                           "🙂",
                                           "\xe1\x80\x80",
                                           "\xec\xbf\xbf",
                                           "\xe0\xa0\x80",
                                           "\xed\x9f\xbf",
                                           "\xef\xbf\xbf"};
  size_t invalid = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string text;
    for (uint64_t k = random.next_below(12); k > 0; --k) {
      text += pieces[random.next_below(pieces.size())];
    }
    if (!text.empty() && random.next_below(2) == 0) {
      text[random.next_below(text.size())] = static_cast<char>(random.next_below(256));
    }
    if (random.next_below(4) == 0) text.resize(text.size() - std::min<size_t>(text.size(), 1));
    ASSERT_EQ(find_invalid_utf8(text), slow_find_invalid(text)) << text;
    invalid += find_invalid_utf8(text).has_value();
    const CodePointIndex index(text);
    ASSERT_EQ(index.size(), count_code_points(text)) << text;
  }
  EXPECT_GT(invalid, 1000u);
}

TEST(Utf8, DecodeAndEncodeAreInverse) {
  const std::u32string text = U"a文🙂\u0000é";
  EXPECT_EQ(decode_utf8(encode_utf8(text)), text);
  EXPECT_EQ(count_code_points(encode_utf8(text)), text.size());
}

TEST(CodePointIndex, GivesTheByteOfEachCodePoint) {
  const std::string text = "a文é🙂";
  const CodePointIndex index(text);
  ASSERT_EQ(index.size(), 4u);
  const size_t wanted[] = {0, 1, 4, 6, 10};
  for (size_t i = 0; i < 5; ++i) EXPECT_EQ(index.byte_offset(i), wanted[i]);
  const CodePointIndex ascii("abc");
  EXPECT_EQ(ascii.size(), 3u);
  EXPECT_EQ(ascii.byte_offset(3), 3u);
}

// Python's s[a:b] for every a, b around the ends, computed on the code points.
TEST(SliceCodePoints, SlicesAsPython) {
  const std::u32string wide = U"文a🙂";
  const std::string text = encode_utf8(wide);
  const auto n = static_cast<int64_t>(wide.size());
  for (int64_t a = -5; a <= 5; ++a) {
    for (int64_t b = -5; b <= 5; ++b) {
      const auto bound = [&](int64_t i) { return std::clamp<int64_t>(i < 0 ? i + n : i, 0, n); };
      std::u32string expected;
      for (int64_t i = bound(a); i < bound(b); ++i) expected += wide[static_cast<size_t>(i)];
      EXPECT_EQ(slice_code_points(text, a, b), encode_utf8(expected)) << a << ":" << b;
    }
  }
}

}  // namespace
}  // namespace spanforge
