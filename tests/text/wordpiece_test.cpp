#include "spanforge/text/wordpiece.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "spanforge/text/pre_tokenizer.h"
#include "text/sample.h"

namespace spanforge {
namespace {

WordPiece make_model(const std::vector<std::string>& tokens, WordPieceOptions options = {}) {
  Vocabulary vocabulary;
  for (size_t i = 0; i < tokens.size(); ++i) {
    vocabulary.add(tokens[i], static_cast<int64_t>(i), ErrorPlace{.file = "test"});
  }
  return WordPiece(std::move(vocabulary), options, ErrorPlace{.file = "test"});
}

NormalizedText text_of(const std::u32string& text) {
  NormalizedText out;
  for (int32_t i = 0; i < static_cast<int32_t>(text.size()); ++i) out.push(text[i], {i, i + 1});
  return out;
}

TokenBuffer run(const WordPiece& model, const std::u32string& word) {
  const NormalizedText text = text_of(word);
  const CharRange range{0, text.size()};
  TokenBuffer out;
  model.tokenize(text, {&range, 1}, 0, out);
  return out;
}

// The definition: tries every prefix, the longest first.
std::vector<int32_t> slow_reference(const Vocabulary& vocabulary, const std::u32string& word) {
  std::vector<int32_t> ids;
  for (size_t begin = 0; begin < word.size();) {
    size_t end = word.size();
    for (; end > begin; --end) {
      const std::string piece = encode_utf8(std::u32string_view(word).substr(begin, end - begin));
      if (const auto id = vocabulary.find(begin > 0 ? "##" + piece : piece)) {
        ids.push_back(*id);
        break;
      }
    }
    if (end == begin) return {*vocabulary.find("[UNK]")};
    begin = end;
  }
  return ids;
}

TEST(WordPiece, TakesTheLongestPieces) {
  const WordPiece model = make_model({"[UNK]", "un", "##happi", "##ly", "u", "##n", "##happ"});
  EXPECT_EQ(run(model, U"unhappily").ids, (std::vector<int32_t>{1, 2, 3}));
  EXPECT_EQ(run(model, U"unhappily").offsets, (std::vector<CharSpan>{{0, 2}, {2, 7}, {7, 9}}));
}

TEST(WordPiece, AWordThatCannotBeCoveredIsOneUnknownToken) {
  const WordPiece model = make_model({"[UNK]", "a", "##b"});
  EXPECT_EQ(run(model, U"abba").ids, (std::vector<int32_t>{0}));
  EXPECT_EQ(run(model, U"abba").offsets, (std::vector<CharSpan>{{0, 4}}));
}

TEST(WordPiece, AWordOverTheLimitIsUnknown) {
  WordPieceOptions options;
  options.max_input_chars_per_word = 3;
  const WordPiece model = make_model({"[UNK]", "a", "##a"}, options);
  EXPECT_EQ(run(model, U"aaa").ids.size(), 3u);
  EXPECT_EQ(run(model, U"aaaa").ids, (std::vector<int32_t>{0}));
}

TEST(WordPiece, AMissingUnknownTokenIsAnError) {
  const Error error = testing::expect_error(ErrorCode::kBadModel, [] { make_model({"a", "b"}); });
  EXPECT_EQ(error.place().text(), "test");
  EXPECT_NE(error.reason().find("[UNK]"), std::string::npos);
}

TEST(WordPiece, EqualsTheDefinitionOnRandomWords) {
  CounterStream random(testing::test_seed());
  for (int round = 0; round < 60; ++round) {
    std::vector<std::string> tokens{"[UNK]"};
    for (int i = 0; i < 40; ++i) {
      std::string token = random.next_below(2) == 0 ? "##" : "";
      const auto length = 1 + random.next_below(5);
      for (uint64_t k = 0; k < length; ++k) {
        append_utf8(random.next_below(6) == 0 ? 0x1F525 : 'a' + random.next_below(2), token);
      }
      if (std::find(tokens.begin(), tokens.end(), token) == tokens.end()) tokens.push_back(token);
    }
    const WordPiece model = make_model(tokens);
    for (int i = 0; i < 100; ++i) {
      std::u32string word;
      const auto length = 1 + random.next_below(12);
      for (uint64_t k = 0; k < length; ++k) {
        word += random.next_below(8) == 0 ? U'\x1F525'
                                          : static_cast<char32_t>('a' + random.next_below(2));
      }
      ASSERT_EQ(run(model, word).ids, slow_reference(model.vocabulary(), word))
          << encode_utf8(word);
    }
  }
}

}  // namespace
}  // namespace spanforge
