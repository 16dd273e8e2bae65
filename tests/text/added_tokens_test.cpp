#include "spanforge/text/added_tokens.h"

#include <gtest/gtest.h>

#include "support/testing.h"

namespace spanforge {
namespace {

Vocabulary vocabulary_of(int64_t size) {
  Vocabulary vocabulary;
  for (int64_t i = 0; i < size; ++i)
    vocabulary.add(std::string("t").append(std::to_string(i)), i, ErrorPlace{.file = "test"});
  return vocabulary;
}

// "3:x|..": added tokens as id:text, other stretches unchanged, separated by "|".
std::string cut(const AddedTokens& tokens, std::u32string_view text, bool normalized = false) {
  std::vector<AddedMatch> matches;
  tokens.find({text.data(), text.size()}, normalized, matches);
  std::string out;
  for (const AddedMatch& match : matches) {
    const auto [begin, end] = match.range;
    if (!out.empty()) out += "|";
    if (match.token != nullptr) out += std::to_string(match.token->id) + ":";
    out += encode_utf8(text.substr(begin, end - begin));
  }
  return out;
}

AddedToken token(std::string content, const std::string& flags = "") {
  AddedToken t;
  t.content = std::move(content);
  t.normalized = flags.find('n') != std::string::npos;
  t.single_word = flags.find('w') != std::string::npos;
  t.lstrip = flags.find('l') != std::string::npos;
  t.rstrip = flags.find('r') != std::string::npos;
  t.special = flags.find('s') != std::string::npos;
  return t;
}

AddedTokens added(std::vector<AddedToken> list, const Normalizer* normalizer = nullptr) {
  AddedTokens tokens;
  const Vocabulary vocabulary = vocabulary_of(10);
  for (AddedToken& t : list) tokens.add(std::move(t), vocabulary);
  tokens.finish(normalizer, "test");
  return tokens;
}

TEST(AddedTokens, NewOnesGetTheNextIdsAndKnownOnesKeepTheirs) {
  const AddedTokens tokens = added({token("new"), token("t3"), token("newer")});
  EXPECT_EQ(tokens.find_content("new")->id, 10);
  EXPECT_EQ(tokens.find_content("t3")->id, 3);
  EXPECT_EQ(tokens.find_content("newer")->id, 11);
  EXPECT_EQ(tokens.id_limit(), 12);
}

TEST(AddedTokens, TheLeftmostAndThenTheLongestMatches) {
  const AddedTokens tokens = added({token("ab"), token("abcd"), token("bcd"), token("d")});
  EXPECT_EQ(cut(tokens, U"xabcx"), "x|10:ab|cx");
  EXPECT_EQ(cut(tokens, U"abcdd"), "11:abcd|13:d");
  EXPECT_EQ(cut(tokens, U"bcd"), "12:bcd");
  EXPECT_EQ(cut(tokens, U""), "");
}

TEST(AddedTokens, StrippingIncludesTheWhiteSpaceNextToIt) {
  const AddedTokens tokens = added({token("<l>", "l"), token("<r>", "r")});
  EXPECT_EQ(cut(tokens, U"a \u3000<l> b"), "a|10: \u3000<l>| b");
  EXPECT_EQ(cut(tokens, U"a <r> \tb"), "a |11:<r> \t|b");
  EXPECT_EQ(cut(tokens, U"<r>  <l>"), "11:<r>  |10:<l>");
}

TEST(AddedTokens, SingleWordsAreNotFoundInsideWords) {
  const AddedTokens tokens = added({token("<w>", "w")});
  EXPECT_EQ(cut(tokens, U"a<w>"), "a<w>");
  EXPECT_EQ(cut(tokens, U"<w>_"), "<w>_");
  EXPECT_EQ(cut(tokens, U"(<w>)"), "(|10:<w>|)");
}

TEST(AddedTokens, NormalisedTokensAreFoundInNormalisedTexts) {
  const LowercaseNormalizer lower;
  const AddedTokens tokens = added({token("Day", "n"), token("Night")}, &lower);
  EXPECT_EQ(cut(tokens, U"day Day", true), "10:day| Day");
  EXPECT_EQ(cut(tokens, U"day Night"), "day |11:Night");
}

TEST(AddedTokens, AContentThatNormalisesToNothingIsAnError) {
  const StripAccentsNormalizer strip;
  const Error error =
      testing::expect_error(ErrorCode::kBadModel, [&] { added({token("\u0301", "n")}, &strip); });
  EXPECT_EQ(error.place().text(), "test");
}

}  // namespace
}  // namespace spanforge
