#include "spanforge/text/wordpiece_trainer.h"

#include <algorithm>
#include <map>

#include <gtest/gtest.h>

#include "text/sample.h"

namespace spanforge {
namespace {

std::vector<std::string> small_texts() {
  return {"low low low low low lower lower newest newest newest newest newest newest",
          "widest widest widest 今天天气很好。今天很高兴！", "Être là, c'est la vie: 2024 年"};
}

WordPieceTrainerOptions options_of(int32_t size) {
  WordPieceTrainerOptions options;
  options.vocab_size = size;
  return options;
}

bool holds(const std::vector<std::string>& vocabulary, const std::string& token) {
  return std::find(vocabulary.begin(), vocabulary.end(), token) != vocabulary.end();
}

TEST(WordPieceTrainer, BeginsWithTheSpecialTokens) {
  const auto vocabulary = train_wordpiece(small_texts(), options_of(400));
  ASSERT_GE(vocabulary.size(), 5u);
  EXPECT_EQ(std::vector<std::string>(vocabulary.begin(), vocabulary.begin() + 5),
            (std::vector<std::string>{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}));
}

TEST(WordPieceTrainer, LearnsFrequentWordsAndKeepsEveryCharacter) {
  const auto vocabulary = train_wordpiece(small_texts(), options_of(400));
  for (const char* token : {"low", "newest", "今", "天", "。", "！", "e", "##e", "##9"}) {
    EXPECT_TRUE(holds(vocabulary, token)) << token;
  }
  EXPECT_FALSE(holds(vocabulary, "##今"));  // a Chinese character is a word by itself
  EXPECT_FALSE(holds(vocabulary, "##。"));
}

TEST(WordPieceTrainer, TrainingTextsHaveNoUnknownToken) {
  const auto texts = small_texts();
  const Tokenizer tokenizer =
      Tokenizer::from_vocabulary(train_wordpiece(texts, options_of(400)), {}, "trained");
  ASSERT_FALSE(texts.empty());
  for (const std::string& text : texts) {
    for (const int32_t id : tokenizer.encode(text).ids) {
      EXPECT_NE(id, tokenizer.special_tokens().unk) << text;
    }
  }
}

TEST(WordPieceTrainer, NeverExceedsTheSizeAndHasNoDuplicates) {
  for (const int32_t size : {6, 7, 20, 60, 200, 100000}) {
    const auto vocabulary = train_wordpiece(small_texts(), options_of(size));
    EXPECT_LE(vocabulary.size(), static_cast<size_t>(size));
    auto sorted = vocabulary;
    std::sort(sorted.begin(), sorted.end());
    EXPECT_EQ(std::adjacent_find(sorted.begin(), sorted.end()), sorted.end());
  }
}

TEST(WordPieceTrainer, DoesNotDependOnTheOrderOfTexts) {
  auto texts = small_texts();
  const auto expected = train_wordpiece(texts, options_of(300));
  std::reverse(texts.begin(), texts.end());
  EXPECT_EQ(train_wordpiece(texts, options_of(300)), expected);
}

// Byte-pair merging that recounts everything at every step.
std::vector<std::string> slow_reference(const std::map<std::string, int64_t>& words,
                                        std::vector<std::string> vocabulary, size_t size) {
  std::map<std::string, int32_t> ids;
  for (size_t i = 0; i < vocabulary.size(); ++i) ids[vocabulary[i]] = static_cast<int32_t>(i);
  std::vector<std::pair<std::vector<std::string>, int64_t>> pieces;
  for (const auto& [word, count] : words) {
    std::vector<std::string> list;
    for (const char c : word) list.push_back((list.empty() ? "" : "##") + std::string(1, c));
    pieces.emplace_back(list, count);
  }
  while (vocabulary.size() < size) {
    std::map<std::pair<int32_t, int32_t>, int64_t> pairs;
    for (const auto& [list, count] : pieces) {
      for (size_t i = 0; i + 1 < list.size(); ++i) pairs[{ids[list[i]], ids[list[i + 1]]}] += count;
    }
    auto best = pairs.end();
    for (auto it = pairs.begin(); it != pairs.end(); ++it) {
      if (best == pairs.end() || it->second > best->second) best = it;
    }
    if (best == pairs.end() || best->second < 2) break;
    const std::string left = vocabulary[best->first.first], right = vocabulary[best->first.second];
    const std::string joined = left + right.substr(2);
    if (ids.emplace(joined, static_cast<int32_t>(vocabulary.size())).second) {
      vocabulary.push_back(joined);
    }
    for (auto& [list, count] : pieces) {
      std::vector<std::string> next;
      for (size_t i = 0; i < list.size(); ++i) {
        if (list[i] == left && i + 1 < list.size() && list[i + 1] == right) {
          next.push_back(joined);
          ++i;
        } else {
          next.push_back(list[i]);
        }
      }
      list = next;
    }
  }
  return vocabulary;
}

TEST(WordPieceTrainer, EqualsRecountingEveryPairAtEveryStep) {
  CounterStream random(testing::test_seed());
  for (int round = 0; round < 10; ++round) {
    std::map<std::string, int64_t> words;
    std::string text;
    for (int i = 0; i < 60; ++i) {
      std::string word;
      const auto length = 1 + random.next_below(9);
      for (uint64_t k = 0; k < length; ++k) word += static_cast<char>('a' + random.next_below(3));
      const auto times = 1 + random.next_below(4);
      for (uint64_t k = 0; k < times; ++k) text += word + " ";
      words[word] += static_cast<int64_t>(times);
    }
    const auto vocabulary = train_wordpiece({text}, options_of(260));
    const size_t alphabet =
        static_cast<size_t>(std::find_if(vocabulary.begin() + 5, vocabulary.end(),
                                         [](const std::string& t) {
                                           return count_code_points(t) >
                                                  (t.substr(0, 2) == "##" && t != "##" ? 3u : 1u);
                                         }) -
                            vocabulary.begin());
    const std::vector<std::string> base(vocabulary.begin(),
                                        vocabulary.begin() + static_cast<std::ptrdiff_t>(alphabet));
    EXPECT_EQ(vocabulary, slow_reference(words, base, 260));
  }
}

TEST(WordPieceTrainer, UnusableInputIsAnError) {
  testing::expect_error(ErrorCode::kBadData, [] { train_wordpiece({"", " \n\u200b"}, {}); });
  EXPECT_EQ(testing::expect_error(ErrorCode::kBadData,
                                  [] {
                                    train_wordpiece({"a", "\xff"}, {});
                                  })
                .place()
                .text(),
            "text 2");
  EXPECT_EQ(testing::expect_error(ErrorCode::kUsage, [] { train_wordpiece({"a"}, options_of(5)); })
                .parameter(),
            "vocab_size");
}

}  // namespace
}  // namespace spanforge
