#include "spanforge/text/bpe.h"

#include <algorithm>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "spanforge/base/json.h"
#include "text/sample.h"

namespace spanforge {
namespace {

using testing::expect_error;
using Pairs = std::vector<Bpe::Pair>;

Vocabulary vocabulary_of(const std::vector<std::string>& tokens) {
  Vocabulary vocabulary;
  for (size_t i = 0; i < tokens.size(); ++i) {
    vocabulary.add(tokens[i], static_cast<int64_t>(i), ErrorPlace{.file = "test"});
  }
  return vocabulary;
}

Bpe make(const std::vector<std::string>& tokens, const Pairs& merges, BpeOptions options = {}) {
  return Bpe(vocabulary_of(tokens), std::move(options), merges, ErrorPlace{.file = "test"});
}

// Tokens of one word, each with its characters: "ab:0-2 c:2-3".
std::string tokens_of(const Bpe& model, const std::u32string& word) {
  NormalizedText text;
  for (size_t i = 0; i < word.size(); ++i) {
    text.push(word[i], {static_cast<int32_t>(i), static_cast<int32_t>(i + 1)});
  }
  const CharRange all{0, text.size()};
  TokenBuffer out;
  model.tokenize(text, {&all, 1}, 0, out);
  std::string shown;
  for (size_t i = 0; i < out.size(); ++i) {
    shown += fmt::format("{}{}:{}-{}", i > 0 ? " " : "", model.vocabulary().token(out.ids[i]),
                         out.offsets[i].start, out.offsets[i].end);
  }
  return shown;
}

TEST(Bpe, MergesByRankThenFromTheLeft) {
  const Bpe model = make({"a", "b", "c", "ab", "bc", "aa"}, {{"b", "c"}, {"a", "b"}, {"a", "a"}});
  EXPECT_EQ(tokens_of(model, U"abc"), "a:0-1 bc:1-3");
  EXPECT_EQ(tokens_of(model, U"aab"), "a:0-1 ab:1-3");
  EXPECT_EQ(tokens_of(model, U"aaaaa"), "aa:0-2 aa:2-4 a:4-5");
  EXPECT_EQ(tokens_of(model, U"c"), "c:0-1");
}

TEST(Bpe, TheLastOfEqualMergesCounts) {
  EXPECT_EQ(
      tokens_of(make({"a", "b", "c", "ab", "bc"}, {{"a", "b"}, {"b", "c"}, {"a", "b"}}), U"abc"),
      "a:0-1 bc:1-3");
}

TEST(Bpe, CharactersWithoutAToken) {
  const std::vector<std::string> tokens = {"a", "[UNK]", "<0xC3>", "<0xA9>", "<0xE4>"};
  BpeOptions options;
  // As in HF, later characters get the places of characters without a token.
  EXPECT_EQ(tokens_of(make(tokens, {}, options), U"xya"), "a:0-1");
  options.unk_token = "[UNK]";
  EXPECT_EQ(tokens_of(make(tokens, {}, options), U"xya"), "[UNK]:0-1 [UNK]:1-2 a:2-3");
  options.fuse_unk = true;
  EXPECT_EQ(tokens_of(make(tokens, {}, options), U"xya"), "[UNK]:0-2 a:2-3");
  options.byte_fallback = true;
  EXPECT_EQ(tokens_of(make(tokens, {}, options), U"a\u00e9\u4f60"),
            "a:0-1 <0xC3>:1-2 <0xA9>:1-2 [UNK]:2-3");
}

TEST(Bpe, PrefixAndSuffixMarkPartsOfAWord) {
  BpeOptions options;
  options.continuing_subword_prefix = "##";
  options.end_of_word_suffix = "</w>";
  const Bpe model = make({"a", "##b", "##b</w>", "ab</w>", "a</w>"}, {{"a", "##b</w>"}}, options);
  EXPECT_EQ(tokens_of(model, U"ab"), "ab</w>:0-2");
  EXPECT_EQ(tokens_of(model, U"abb"), "a:0-1 ##b:1-2 ##b</w>:2-3");
  EXPECT_EQ(tokens_of(model, U"a"), "a</w>:0-1");
}

TEST(Bpe, AWholeWordMayBeOneTokenWithoutMerges) {
  BpeOptions options;
  EXPECT_EQ(tokens_of(make({"a", "b", "ab"}, {}, options), U"ab"), "a:0-1 b:1-2");
  options.ignore_merges = true;
  EXPECT_EQ(tokens_of(make({"a", "b", "ab"}, {}, options), U"ab"), "ab:0-2");
}

// Short words are merged by searching all neighbours, long ones with a queue. Words of 128 letters
// are short; with one more letter, which has no merge, they are long.
TEST(Bpe, LongAndShortWordsHaveTheSameMerges) {
  Pairs merges;
  std::vector<std::string> tokens = {"a", "b", "c", "|"};
  CounterStream random(testing::test_seed());
  while (merges.size() < 200) {
    const std::string left = tokens[random.next_below(tokens.size())];
    const std::string right = tokens[random.next_below(tokens.size())];
    const std::string both = left + right;
    if (both.size() > 12 || both.find('|') != both.npos) continue;
    merges.emplace_back(left, right);
    if (std::find(tokens.begin(), tokens.end(), both) == tokens.end()) tokens.push_back(both);
  }
  const Bpe model = make(tokens, merges);
  for (int round = 0; round < 300; ++round) {
    std::u32string word;
    for (int i = 0; i < 128; ++i) word += static_cast<char32_t>('a' + random.next_below(3));
    ASSERT_EQ(tokens_of(model, word) + " |:128-129", tokens_of(model, word + U'|'));
  }
}

TEST(Bpe, ErrorsNameMalformedMerges) {
  const std::pair<Pairs, const char*> rows[] = {{{{"a", "x"}}, "x"}, {{{"a", "a"}}, "aa"}};
  for (const auto& [merges, name] : rows) {
    const Error error = expect_error(ErrorCode::kBadModel, [&] { make({"a", "b"}, merges); });
    EXPECT_NE(error.reason().find(fmt::format("\"{}\"", name)), std::string::npos) << error.what();
  }
  BpeOptions options;
  options.unk_token = "[UNK]";
  EXPECT_NE(
      expect_error(ErrorCode::kBadModel, [&] { make({"a"}, {}, options); }).reason().find("[UNK]"),
      std::string::npos);
  options = {};
  options.continuing_subword_prefix = "##";
  expect_error(ErrorCode::kBadModel, [&] { make({"a", "b", "ab"}, {{"a", "b"}}, options); });
}

struct MergeRow {
  const char* model;
  const char* place;
  const char* reason;
};

TEST(Bpe, ErrorsNameMalformedModelsOfATokenizerJson) {
  const MergeRow rows[] = {
      {R"("dropout": 0.1, "merges": [])", "model.dropout", "random"},
      {R"("merges": ["a  b"])", "model.merges[0]", "two tokens"},
      {R"("merges": ["ab"])", "model.merges[0]", "two tokens"},
      {R"("merges": [["a", "b"], ["a"]])", "model.merges[1]", "two tokens"},
      {R"("merges": [["a", 1]])", "model.merges[0]", "two tokens"},
      {R"("merges": [7])", "model.merges[0]", "two tokens"},
      {R"("merges": {})", "model.merges", "a list"},
      {R"("byte_fallback": true, "continuing_subword_prefix": "x", "merges": [])",
       "model.byte_fallback", "prefix"},
      {R"("merges": ["b a"])", "model", "\"ba\""}};
  for (const MergeRow& row : rows) {
    SCOPED_TRACE(row.model);
    const std::string json = fmt::format(
        R"({{"model": {{"type": "BPE", "vocab": {{"a": 0, "b": 1, "ab": 2}}, {}}}}})", row.model);
    const Error error =
        expect_error(ErrorCode::kBadModel, [&] { Tokenizer::from_json(json, "", "f"); });
    EXPECT_EQ(error.file().find("f"), 0u) << error.what();
    EXPECT_NE(std::string(error.what()).find(row.place), std::string::npos) << error.what();
    EXPECT_NE(error.reason().find(row.reason), std::string::npos) << error.what();
  }
}

TEST(Bpe, BothFormsOfMergesAndAModelWithoutTypeAreRead) {
  for (const char* merges : {R"(["#version: 0.2", "a b"])", R"([["a", "b"]])"}) {
    const std::string json = fmt::format(
        R"({{"model": {{"vocab": {{"a": 0, "b": 1, "ab": 2}}, "dropout": 0.0, "merges": {}}}}})",
        merges);
    EXPECT_EQ(Tokenizer::from_json(json, "", "f").encode("abb").ids, (std::vector<int32_t>{2, 1}));
  }
}

}  // namespace
}  // namespace spanforge
