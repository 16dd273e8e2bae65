// ByteLevel: its characters, pattern and decoder, and offsets without spaces.

#include "spanforge/text/byte_level.h"

#include <set>

#include <gtest/gtest.h>

#include "spanforge/base/utf8.h"
#include "spanforge/text/gpt2_pattern.h"
#include "text/sample.h"

namespace spanforge {
namespace {

using Words = std::vector<std::string>;

Words cut(const std::string& text) {
  Words words;
  const auto* p = reinterpret_cast<const unsigned char*>(text.data());
  const auto* const end = p + text.size();
  while (p != end) {
    const auto* const stop = Gpt2Pattern::match_end(p, end);
    words.emplace_back(reinterpret_cast<const char*>(p), static_cast<size_t>(stop - p));
    p = stop;
  }
  return words;
}

TEST(ByteLevel, EveryByteHasACharacterOfItsOwn) {
  std::set<char32_t> chars;
  for (unsigned byte = 0; byte < 256; ++byte) {
    chars.insert(byte_level_char(static_cast<unsigned char>(byte)));
  }
  EXPECT_EQ(chars.size(), 256u);
  EXPECT_EQ(*chars.rbegin(), U'\u0143');
  EXPECT_EQ(byte_level_char('a'), U'a');
  EXPECT_EQ(byte_level_char(' '), kByteLevelSpace);
  EXPECT_EQ(byte_level_char('\n'), U'\u010A');
  EXPECT_EQ(byte_level_char(0xAD), U'\u0143');
  EXPECT_EQ(byte_level_char(0xFF), U'\u00FF');
}

TEST(Gpt2Pattern, SplitsLikeTheExpression) {
  EXPECT_EQ(cut("Hello world, it's 12 o'clock"),
            (Words{"Hello", " world", ",", " it", "'s", " 12", " o", "'", "clock"}));
  EXPECT_EQ(cut("a  b   "), (Words{"a", " ", " b", "   "}));
  EXPECT_EQ(cut("a \n\n b"), (Words{"a", " \n\n", " b"}));
  EXPECT_EQ(cut("\t1\ta"), (Words{"\t", "1", "\t", "a"}));
  EXPECT_EQ(cut("''s '' 's"), (Words{"''", "s", " ''", " '", "s"}));
  EXPECT_EQ(cut("'re're'r'l'll'LL"), (Words{"'re", "'re", "'", "r", "'", "l", "'ll", "'", "LL"}));
  EXPECT_EQ(cut("x\u00b2\u2167y"), (Words{"x", "\u00b2\u2167", "y"}));
  EXPECT_EQ(cut("e\u0301 \u4f60\u597d\uff01"), (Words{"e", "\u0301", " \u4f60\u597d", "\uff01"}));
  EXPECT_EQ(cut("a\u3000\u3000b"), (Words{"a", "\u3000", "\u3000", "b"}));
  EXPECT_EQ(cut(" "), (Words{" "}));
}

// Oniguruma's classes in the reference's wheels (Unicode 16).
TEST(Gpt2Pattern, KnowsTheReferencesLettersAndNumbers) {
  size_t letters = 0, numbers = 0, spaces = 0;
  for (char32_t c = 0; c < 0x110000; ++c) {
    letters += unicode::has(c, unicode::kLetter) ? 1 : 0;
    numbers += unicode::has(c, unicode::kNumber) ? 1 : 0;
    spaces += unicode::has(c, unicode::kWhitespace) ? 1 : 0;
  }
  EXPECT_EQ(letters, 141028u);
  EXPECT_EQ(numbers, 1911u);
  EXPECT_EQ(spaces, 25u);
}

TEST(Gpt2Pattern, SplitsBytesAndCodePointsTheSameWay) {
  CounterStream random(testing::test_seed());
  for (int i = 0; i < 3000; ++i) {
    const std::string text = testing::random_text(random, random.next_below(25));
    const std::u32string chars = decode_utf8(text);
    Words words;
    for (const char32_t* p = chars.data(); p != chars.data() + chars.size();) {
      const char32_t* const stop = Gpt2Pattern::match_end(p, chars.data() + chars.size());
      words.push_back(encode_utf8({p, static_cast<size_t>(stop - p)}));
      p = stop;
    }
    ASSERT_EQ(cut(text), words) << text;
  }
}

TEST(ByteLevelDecoder, InvalidUtf8BecomesReplacementCharacters) {
  const auto decode = [](std::vector<std::string> tokens) {
    ByteLevelDecoder().decode(tokens);
    EXPECT_EQ(tokens.size(), 1u);
    return tokens.at(0);
  };
  const auto written = [](const std::string& bytes) {
    std::string token;
    for (const char byte : bytes) {
      append_utf8(byte_level_char(static_cast<unsigned char>(byte)), token);
    }
    return token;
  };
  EXPECT_EQ(decode({written("caf\xC3"), written("\xA9 x")}), "caf\u00e9 x");
  // One for each longest piece that could begin a character, as in Rust and Python.
  const std::pair<const char*, const char*> rows[] = {
      {"\xC3", "\uFFFD"},
      {"\xE4\xB8", "\uFFFD"},
      {"\xE4\xB8x", "\uFFFDx"},
      {"\x80\x80", "\uFFFD\uFFFD"},
      {"\xC0\xAF", "\uFFFD\uFFFD"},
      {"\xE0\x80\xAF", "\uFFFD\uFFFD\uFFFD"},
      {"\xED\xA0\x80", "\uFFFD\uFFFD\uFFFD"},
      {"\xF0\x9F\x98", "\uFFFD"},
      {"\xF0\x9F\x98\xF0\x9F\x98\x80", "\uFFFD\U0001F600"},
      {"\xF4\x90\x80\x80", "\uFFFD\uFFFD\uFFFD\uFFFD"},
      {"\xFF", "\uFFFD"}};
  for (const auto& [bytes, expected] : rows) EXPECT_EQ(decode({written(bytes)}), expected) << bytes;
  // A token with a character that has no byte does not change.
  EXPECT_EQ(decode({"a\u0120", "\u4f60\u0120"}), "a \u4f60\u0120");
  EXPECT_EQ(decode({}), "");
}

std::vector<CharSpan> offsets(const Tokenizer& tokenizer, const std::string& text) {
  TokenBuffer tokens;
  tokenizer.tokenize(text, tokens);
  return tokens.offsets;
}

TEST(RobertaProcessing, OffsetsLoseTheSpacesOfTheirTokens) {
  const Tokenizer tokenizer = testing::roberta_tokenizer("{}");
  EXPECT_EQ(offsets(tokenizer, "a a"), (std::vector<CharSpan>{{0, 1}, {2, 3}}));
  EXPECT_EQ(offsets(tokenizer, "a  a"), (std::vector<CharSpan>{{0, 1}, {2, 2}, {3, 4}}));
  // The mask takes the space before it.
  EXPECT_EQ(offsets(tokenizer, "a  <mask> "), (std::vector<CharSpan>{{0, 1}, {3, 9}, {10, 10}}));
  const Tokenizer untrimmed = testing::roberta_tokenizer(R"({"trim_offsets": false})");
  EXPECT_EQ(offsets(untrimmed, "a  a"), (std::vector<CharSpan>{{0, 1}, {1, 2}, {2, 4}}));
}

// HF treats one space at a window's beginning as if add_prefix_space had put it there.
TEST(RobertaProcessing, AWindowsFirstTokenKeepsAnAddedSpace) {
  const Tokenizer tokenizer = testing::roberta_tokenizer(R"({"add_prefix_space": true})");
  EncodeOptions options;
  options.truncation = Truncation{4, 0, TruncationStrategy::kLongestFirst};
  const Encoding encoding = tokenizer.encode("a a a", options);
  ASSERT_EQ(encoding.overflowing.size(), 1u);
  EXPECT_EQ(encoding.offsets[1], (CharSpan{0, 1}));
  EXPECT_EQ(encoding.offsets[2], (CharSpan{2, 3}));
  EXPECT_EQ(encoding.overflowing[0].offsets[1], (CharSpan{3, 5}));
  EXPECT_EQ(tokenizer.encode("a a a").offsets[3], (CharSpan{4, 5}));
}

TEST(RobertaProcessing, PairsHaveFourSpecialTokensAndNoTypes) {
  const Tokenizer tokenizer = testing::roberta_tokenizer("{}");
  const Encoding pair = tokenizer.encode_pair("a", "a");
  EXPECT_EQ(pair.tokens, (std::vector<std::string>{"<s>", "a", "</s>", "</s>", "a", "</s>"}));
  EXPECT_EQ(pair.type_ids, std::vector<int32_t>(6, 0));
  EXPECT_EQ(pair.special_tokens_mask, (std::vector<uint8_t>{1, 0, 1, 1, 0, 1}));
  EXPECT_EQ(tokenizer.special_token_count(true), 4);
}

}  // namespace
}  // namespace spanforge
