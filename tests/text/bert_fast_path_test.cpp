#include "spanforge/text/bert_fast_path.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "spanforge/base/json.h"
#include "spanforge/text/tokenizer_impl.h"
#include "spanforge/text/unicode.h"
#include "support/fast_path.h"
#include "text/sample.h"

namespace spanforge {
namespace {

using testing::random_text;
using testing::sample_vocabulary;

struct FastPathRow {
  const char* name;
  BertNormalizerOptions normalizer;
  int64_t longest_word;
};
const FastPathRow kRows[] = {
    {"uncased", {}, 100},
    {"cased", {.strip_accents = false, .lowercase = false}, 100},
    {"lower case with accents", {.strip_accents = false}, 100},
    {"cased without accents", {.lowercase = false}, 100},
    {"Chinese characters joined", {.handle_chinese_chars = false}, 100},
    {"nothing cleaned", {.clean_text = false}, 100},
    {"short words", {}, 3},
    {"no word is short enough", {}, 0},
};

// Tokens by the fast path, and by the three parts alone.
class Subject {
 public:
  Subject(const FastPathRow& row, const std::vector<std::string>& tokens,
          const std::vector<AddedToken>& added = {}) {
    Vocabulary vocabulary;
    for (size_t i = 0; i < tokens.size(); ++i) {
      vocabulary.add(tokens[i], static_cast<int64_t>(i), ErrorPlace{.file = "test"});
    }
    WordPieceOptions options;
    options.max_input_chars_per_word = row.longest_word;
    impl_.normalizer = std::make_unique<BertNormalizer>(row.normalizer);
    impl_.pre_tokenizer = std::make_unique<BertPreTokenizer>();
    impl_.model =
        std::make_unique<WordPiece>(std::move(vocabulary), options, ErrorPlace{.file = "test"});
    for (const AddedToken& token : added) impl_.added.add(token, impl_.model->vocabulary());
    impl_.added.finish(impl_.normalizer.get(), "test");
    impl_.fast_path = BertFastPath::make(impl_.normalizer.get(), impl_.pre_tokenizer.get(),
                                         impl_.model.get(), impl_.added);
  }

  const FastPath* fast_path() const { return impl_.fast_path.get(); }

  bool check(const std::string& text) const { return testing::fast_path_agrees(impl_, text); }

 private:
  Tokenizer::Impl impl_;
};

// One token per character, so that no unknown word hides an offset.
std::vector<std::string> wide_vocabulary() {
  std::vector<std::string> tokens{"[UNK]"};
  for (char32_t c = 0x21; c < 0x3000; ++c) {
    tokens.push_back(encode_utf8(std::u32string(1, c)));
    tokens.push_back("##" + tokens.back());
  }
  return tokens;
}

AddedToken special(const std::string& content) {
  AddedToken token;
  token.content = content;
  token.special = true;
  token.normalized = false;
  return token;
}

TEST(BertFastPath, EqualsThePartsOnEveryCodePoint) {
  for (const FastPathRow& row : kRows) {
    SCOPED_TRACE(row.name);
    const Subject wide(row, wide_vocabulary());
    std::string text;
    size_t taken = 0, refused = 0;
    for (char32_t c = 0; c < 0x110000; ++c) {
      if (c >= 0xD800 && c <= 0xDFFF) continue;
      const bool alone = unicode::has(c, unicode::kReorders);
      std::string piece = "a";
      append_utf8(c, piece);
      piece += "b ";
      append_utf8(c, piece);
      if (alone) {
        ++(wide.check(piece) ? taken : refused);
        continue;
      }
      text += piece;
      if (text.size() < 2000) continue;
      ASSERT_TRUE(wide.check(text)) << "before U+" << std::hex << static_cast<uint32_t>(c);
      text.clear();
    }
    ASSERT_TRUE(wide.check(text));
    EXPECT_EQ(taken, 0u);
    EXPECT_GT(refused, 0u);
  }
}

TEST(BertFastPath, EqualsThePartsOnRandomTexts) {
  CounterStream random(testing::test_seed());
  for (const FastPathRow& row : kRows) {
    SCOPED_TRACE(row.name);
    const Subject sample(row, sample_vocabulary()), wide(row, wide_vocabulary());
    size_t taken = 0;
    for (int i = 0; i < 4000; ++i) {
      const std::string text = random_text(random, random.next_below(30));
      taken += sample.check(text);
      taken += wide.check(text);
    }
    EXPECT_GT(taken, 1000u);
  }
}

TEST(BertFastPath, EqualsThePartsOnRandomWordsOfFewLetters) {
  CounterStream random(testing::test_seed() + 1);
  const std::vector<std::string> letters = {"a", "b", "É", "\u0301", "각", "\u200b", "İ"};
  for (int round = 0; round < 50; ++round) {
    std::vector<std::string> tokens{"[UNK]"};
    for (int i = 0; i < 40; ++i) {
      std::string token = random.next_below(2) == 0 ? "##" : "";
      for (uint64_t k = 0; k <= random.next_below(4); ++k) {
        token += random.next_below(6) == 0 ? "e" : random.next_below(2) == 0 ? "a" : "b";
      }
      if (std::find(tokens.begin(), tokens.end(), token) == tokens.end()) tokens.push_back(token);
    }
    const Subject subject(kRows[static_cast<size_t>(round) % std::size(kRows)], tokens);
    for (int i = 0; i < 100; ++i) {
      std::string text;
      const uint64_t length = random.next_below(14);
      for (uint64_t k = 0; k < length; ++k) {
        text += letters[random.next_below(random.next_below(3) == 0 ? letters.size() : 2)];
      }
      ASSERT_TRUE(subject.check(text));
    }
  }
}

TEST(BertFastPath, WordsAroundTheLongestAreEqual) {
  for (const int64_t longest : {0, 1, 255, 256}) {
    const Subject subject({"", {}, longest}, {"[UNK]", "a", "##a", "##e"});
    for (const int length : {1, 2, 254, 255, 256, 257, 600}) {
      ASSERT_TRUE(subject.check(std::string(static_cast<size_t>(length), 'a') + " a"));
      ASSERT_TRUE(subject.check(std::string(static_cast<size_t>(length - 1), 'a') + "é a"));
      ASSERT_TRUE(subject.check("é" + std::string(static_cast<size_t>(length - 1), 'a') + "。"));
    }
  }
}

TEST(BertFastPath, RefusesOtherPartsAndTexts) {
  const auto vocabulary = sample_vocabulary();
  EXPECT_EQ(Subject({"", {}, 257}, vocabulary).fast_path(), nullptr);
  AddedToken normalized = special("day");
  normalized.normalized = true;
  EXPECT_EQ(Subject({"", {}, 100}, vocabulary, {normalized}).fast_path(), nullptr);
  const Subject subject({"", {}, 100}, vocabulary, {special("[SEP]"), special("é\u4e00")});
  TokenBuffer out{{1}, {{2, 3}}, {4}};
  for (const char* text : {"the [SEP]", "[SEP]", "[[SEP]", "aé\u4e00", "a \u302e b"}) {
    EXPECT_FALSE(subject.fast_path()->tokenize(text, out)) << text;
    EXPECT_EQ(out.ids, std::vector<int32_t>{1}) << text;
    EXPECT_EQ(out.size(), out.offsets.size());
    EXPECT_EQ(out.size(), out.word_ids.size());
  }
  for (const char* text : {"", "the [SEP", "SEP]", "[sep]", "é 一", "["}) {
    EXPECT_TRUE(subject.check(text)) << text;
  }
}

// Sequence([BertNormalizer]) means the same, but the fast path does not accept it.
TEST(BertFastPath, ATokenizerWithItEqualsOneWithout) {
  const std::string rest = R"("pre_tokenizer":{"type":"BertPreTokenizer"},"post_processor":null,
    "decoder":null,"model":{"type":"WordPiece","unk_token":"[UNK]",
    "continuing_subword_prefix":"##","max_input_chars_per_word":100,"vocab":)";
  const std::string bert = R"({"type":"BertNormalizer","clean_text":true,
    "handle_chinese_chars":true,"strip_accents":null,"lowercase":true})";
  Json vocabulary = Json::object();
  const auto tokens = sample_vocabulary();
  for (size_t i = 0; i < tokens.size(); ++i) vocabulary[tokens[i]] = i;
  const auto make = [&](const std::string& normalizer) {
    return Tokenizer::from_json(R"({"version":"1.0","added_tokens":[],"normalizer":)" + normalizer +
                                    "," + rest + vocabulary.dump() + "}}",
                                R"({"cls_token":"[CLS]","mask_token":"[MASK]"})", "t.json");
  };
  const Tokenizer with = make(bert);
  const Tokenizer without = make(R"({"type":"Sequence","normalizers":[)" + bert + "]}");
  CounterStream random(testing::test_seed() + 2);
  for (int i = 0; i < 3000; ++i) {
    const std::string text = random_text(random, random.next_below(30));
    const Encoding a = with.encode(text), b = without.encode(text);
    ASSERT_EQ(a.ids, b.ids) << text;
    ASSERT_EQ(a.offsets, b.offsets) << text;
    ASSERT_EQ(a.word_ids, b.word_ids) << text;
    ASSERT_EQ(a.tokens, b.tokens) << text;
  }
}

}  // namespace
}  // namespace spanforge
