#include "spanforge/text/tokenizer.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "spanforge/base/json.h"
#include "spanforge/base/threads.h"
#include "spanforge/io/json_file.h"
#include "text/sample.h"

namespace spanforge {
namespace {

using testing::expect_error;
using testing::random_text;
using testing::sample_tokenizer;

// ---------------------------------------------------------------- golden cases

EncodeOptions options_of(const Json& request) {
  EncodeOptions options;
  options.add_special_tokens = request.value("add_special_tokens", true);
  if (request.contains("max_length")) {
    const auto strategy = request["strategy"].get<std::string>();
    options.truncation =
        Truncation{request["max_length"].get<int32_t>(), request["stride"].get<int32_t>(),
                   strategy == "only_first"    ? TruncationStrategy::kOnlyFirst
                   : strategy == "only_second" ? TruncationStrategy::kOnlySecond
                                               : TruncationStrategy::kLongestFirst};
  }
  if (request.contains("pad_length") || request.contains("pad_multiple")) {
    options.padding.emplace();
    if (request.contains("pad_length"))
      options.padding->length = request["pad_length"].get<int32_t>();
    options.padding->multiple_of = request.value("pad_multiple", 0);
    if (request.value("pad_left", false)) options.padding->side = PaddingSide::kLeft;
  }
  return options;
}

template <class T>
std::vector<int32_t> numbers(const Json& list, T&& of) {
  std::vector<int32_t> out;
  for (const Json& item : list) out.push_back(of(item));
  return out;
}

void expect_equal(const Encoding& actual, const Json& expected) {
  const auto number = [](const Json& j) { return j.is_null() ? -1 : j.get<int32_t>(); };
  EXPECT_EQ(actual.ids, numbers(expected["ids"], number));
  EXPECT_EQ(actual.type_ids, numbers(expected["type_ids"], number));
  EXPECT_EQ(actual.tokens, expected["tokens"].get<std::vector<std::string>>());
  EXPECT_EQ(actual.word_ids, numbers(expected["word_ids"], number));
  EXPECT_EQ(actual.sequence_ids, numbers(expected["sequence_ids"], number));
  const auto mask = [](const std::vector<uint8_t>& m) {
    return std::vector<int32_t>(m.begin(), m.end());
  };
  EXPECT_EQ(mask(actual.attention_mask), numbers(expected["attention_mask"], number));
  EXPECT_EQ(mask(actual.special_tokens_mask), numbers(expected["special_tokens_mask"], number));
  std::vector<CharSpan> offsets;
  for (const Json& o : expected["offsets"])
    offsets.push_back({o[0].get<int32_t>(), o[1].get<int32_t>()});
  EXPECT_EQ(actual.offsets, offsets);
  ASSERT_EQ(actual.overflowing.size(), expected["overflowing"].size());
  for (size_t i = 0; i < actual.overflowing.size(); ++i) {
    expect_equal(actual.overflowing[i], expected["overflowing"][i]);
  }
}

TEST(Tokenizer, GoldenCasesEqualHuggingFace) {
  const Json golden = parse_json_file(testing::golden("text/cases.json"), ErrorCode::kBadData);
  const Tokenizer uncased = sample_tokenizer(), cased = sample_tokenizer(false);
  const Tokenizer roberta = testing::roberta_tokenizer("{}"),
                  prefix = testing::roberta_tokenizer(R"({"add_prefix_space": true})");
  const std::map<std::string, const Tokenizer*> named = {
      {"uncased", &uncased}, {"cased", &cased}, {"roberta", &roberta}, {"roberta-prefix", &prefix}};
  int decoded = 0, refused = 0, encoded = 0;
  for (const Json& c : golden["cases"]) {
    SCOPED_TRACE(c["case"].get<std::string>() + " " + c["request"].dump());
    const Tokenizer& tokenizer = *named.at(c["case"].get<std::string>());
    const Json& request = c["request"];
    const auto run = [&]() -> Encoding {
      const auto text = request["text"].get<std::string>();
      const EncodeOptions options = options_of(request);
      if (!request.contains("pair")) return tokenizer.encode(text, options);
      return tokenizer.encode_pair(text, request["pair"].get<std::string>(), options);
    };
    if (request.contains("decode")) {
      ++decoded;
      EXPECT_EQ(tokenizer.decode(request["decode"].get<std::vector<int32_t>>(),
                                 request["skip"].get<bool>(), request["clean_up"].get<bool>()),
                c["expected"]["text"].get<std::string>());
    } else if (c["expected"] == "error") {
      ++refused;
      EXPECT_EQ(expect_error(ErrorCode::kUsage, run).parameter(), "truncation");
    } else {
      ++encoded;
      expect_equal(run(), c["expected"]);
    }
  }
  EXPECT_TRUE(decoded > 0 && refused > 0 && encoded > 0)
      << decoded << ", " << refused << ", " << encoded;
}

TEST(Tokenizer, TheKnownListingOfBertBaseChinese) {
  const auto vocab = testing::shared_data("vocab/bert-base-chinese/vocab.txt");
  if (!vocab) GTEST_SKIP() << testing::kNoSharedData;
  const Tokenizer tokenizer = Tokenizer::from_directory(vocab->parent_path());
  EXPECT_EQ(tokenizer.encode("谁今天很高兴？").ids,
            (std::vector<int32_t>{101, 6443, 791, 1921, 2523, 7770, 1069, 8043, 102}));
  EXPECT_EQ(tokenizer.vocabulary_size(), 21128u);
}

// ---------------------------------------------------------------- properties

TEST(Tokenizer, OffsetsAreInTheTextAndDoNotDecrease) {
  const Tokenizer tokenizer = sample_tokenizer();
  CounterStream random(testing::test_seed());
  size_t tokens = 0;
  for (int i = 0; i < 3000; ++i) {
    const std::string text = random_text(random, random.next_below(25));
    const auto size = static_cast<int32_t>(count_code_points(text));
    TokenBuffer buffer;
    tokenizer.tokenize(text, buffer);
    tokens += buffer.offsets.size();
    CharSpan last;
    for (const CharSpan& span : buffer.offsets) {
      ASSERT_LE(last.start, span.start) << text;
      ASSERT_LE(last.end, span.end) << text;
      ASSERT_LT(span.start, span.end) << text;
      ASSERT_LE(span.end, size) << text;
      last = span;
    }
  }
  EXPECT_GT(tokens, 3000u);
}

TEST(Tokenizer, SlicesOfPlainTextRejoinToIt) {
  const Tokenizer tokenizer = sample_tokenizer();
  const std::string text = "谁今天很高兴？ the DAY, yesterday! 你好(的)";
  TokenBuffer buffer;
  tokenizer.tokenize(text, buffer);
  std::string joined, without_spaces;
  for (const CharSpan& span : buffer.offsets) {
    joined += slice_code_points(text, span.start, span.end);
  }
  for (const char c : text) {
    if (c != ' ') without_spaces += c;
  }
  EXPECT_EQ(joined, without_spaces);
}

TEST(Tokenizer, WordIdsCountWordsFromZeroInEachText) {
  const Tokenizer tokenizer = sample_tokenizer();
  TokenBuffer buffer;
  tokenizer.tokenize("unhappily 一day[SEP]!", buffer);
  tokenizer.tokenize("the", buffer);
  EXPECT_EQ(buffer.word_ids, (std::vector<int32_t>{0, 0, 0, 1, 2, 3, 4, 0}));
}

TEST(Tokenizer, TokenizeAppendsTheTokensOfEncodeWithoutSpecialOnes) {
  const Tokenizer tokenizer = sample_tokenizer();
  CounterStream random(testing::test_seed() + 1);
  for (int i = 0; i < 500; ++i) {
    const std::string text = random_text(random, 12);
    TokenBuffer buffer;
    tokenizer.tokenize(text, buffer);
    const Encoding encoding = tokenizer.encode(text);
    ASSERT_EQ(buffer.ids, std::vector<int32_t>(encoding.ids.begin() + 1, encoding.ids.end() - 1));
    EncodeOptions bare;
    bare.add_special_tokens = false;
    ASSERT_EQ(buffer.ids, tokenizer.encode(text, bare).ids);
  }
}

TEST(Tokenizer, ABatchEqualsItsTextsOneByOneOnAnyNumberOfThreads) {
  const Tokenizer tokenizer = sample_tokenizer();
  CounterStream random(testing::test_seed() + 2);
  std::vector<std::string> texts;
  size_t longest = 0;
  for (int i = 0; i < 300; ++i) {
    texts.push_back(random_text(random, random.next_below(20)));
    longest = std::max(longest, tokenizer.encode(texts.back()).ids.size());
  }
  EncodeOptions batch, single;
  batch.padding.emplace();
  single.padding.emplace();
  single.padding->length = static_cast<int32_t>(longest);
  for (const int threads : {1, 3}) {
    set_thread_count(threads);
    const std::vector<Encoding> encodings = tokenizer.encode_batch(texts, batch);
    ASSERT_EQ(encodings.size(), texts.size());
    for (size_t i = 0; i < texts.size(); ++i) {
      const Encoding alone = tokenizer.encode(texts[i], single);
      ASSERT_EQ(encodings[i].ids, alone.ids);
      ASSERT_EQ(encodings[i].offsets, alone.offsets);
      ASSERT_EQ(encodings[i].attention_mask, alone.attention_mask);
    }
  }
  set_thread_count(0);
}

TEST(Tokenizer, WindowsCoverTheTextAndOverlapByTheStride) {
  const Tokenizer tokenizer = sample_tokenizer();
  std::string context;
  for (int i = 0; i < 57; ++i) context += i % 2 == 0 ? "的" : "一";
  EncodeOptions options;
  options.truncation = Truncation{16, 4, TruncationStrategy::kOnlySecond};
  const Encoding first = tokenizer.encode_pair("谁", context, options);
  std::vector<const Encoding*> windows{&first};
  for (const Encoding& w : first.overflowing) windows.push_back(&w);
  int32_t expected_start = 0;
  for (const Encoding* w : windows) {
    ASSERT_LE(w->ids.size(), 16u);
    int32_t start = -1, end = -1;
    for (size_t i = 0; i < w->ids.size(); ++i) {
      if (w->sequence_ids[i] != 1) continue;
      if (start < 0) start = w->offsets[i].start;
      end = w->offsets[i].end;
    }
    EXPECT_EQ(start, expected_start);
    expected_start = end - 4;
  }
  EXPECT_EQ(expected_start + 4, 57);
}

TEST(Tokenizer, ALongTextWithoutSpacesIsOneUnknownWord) {
  const Tokenizer tokenizer = sample_tokenizer();
  TokenBuffer buffer;
  tokenizer.tokenize(std::string(1 << 20, 'a'), buffer);
  EXPECT_EQ(buffer.ids, (std::vector<int32_t>{tokenizer.special_tokens().unk}));
  EXPECT_EQ(buffer.offsets[0], (CharSpan{0, 1 << 20}));
}

TEST(Tokenizer, ManyMarksOnOneLetterAreOrdered) {
  const Tokenizer tokenizer = sample_tokenizer();
  std::string text = "a";
  for (int i = 0; i < 100000; ++i) text += i % 2 == 0 ? "\u0301" : "\u302e";
  TokenBuffer buffer;
  tokenizer.tokenize(text, buffer);
  EXPECT_EQ(buffer.size(), 1u);  // 50,000 marks remain, so the word is too long
}

TEST(Tokenizer, SpecialTokensSpeltOutAreFoundAndNotLowered) {
  const Tokenizer tokenizer = sample_tokenizer();
  TokenBuffer buffer;
  tokenizer.tokenize("the[MASK]day [mask]", buffer);
  EXPECT_EQ(buffer.ids[1], tokenizer.special_tokens().mask);
  EXPECT_EQ(buffer.offsets[1], (CharSpan{3, 9}));
  EXPECT_EQ(std::count(buffer.ids.begin(), buffer.ids.end(), tokenizer.special_tokens().mask), 1);
}

TEST(Tokenizer, TemplatesAndCountsOfSpecialTokens) {
  const Tokenizer tokenizer = sample_tokenizer();
  EXPECT_EQ(tokenizer.special_token_count(false), 2);
  EXPECT_EQ(tokenizer.special_token_count(true), 3);
  ASSERT_EQ(tokenizer.pair_template().size(), 5u);
  EXPECT_EQ(tokenizer.pair_template()[0].token_id, tokenizer.special_tokens().cls);
  EXPECT_EQ(tokenizer.pair_template()[3].sequence, 1);
  EXPECT_EQ(tokenizer.pair_template()[4].type_id, 1);
}

TEST(Tokenizer, TokensAndIdsAreInverse) {
  const Tokenizer tokenizer = sample_tokenizer();
  const auto vocabulary = testing::sample_vocabulary();
  for (size_t i = 0; i < vocabulary.size(); ++i) {
    EXPECT_EQ(tokenizer.token_to_id(vocabulary[i]), static_cast<int32_t>(i));
    EXPECT_EQ(tokenizer.id_to_token(static_cast<int32_t>(i)), vocabulary[i]);
  }
  EXPECT_EQ(tokenizer.token_to_id("no such token"), std::nullopt);
  EXPECT_EQ(tokenizer.id_to_token(-1), "");
  EXPECT_EQ(tokenizer.id_to_token(static_cast<int32_t>(vocabulary.size())), "");
}

// ---------------------------------------------------------------- errors

TEST(Tokenizer, InvalidUtf8IsAnError) {
  const Tokenizer tokenizer = sample_tokenizer();
  for (const char* text : {"a\xff", "\xc0\xaf", "\xed\xa0\x80", "\xe4\xb8"}) {
    TokenBuffer buffer;
    const Error error =
        expect_error(ErrorCode::kBadData, [&] { tokenizer.tokenize(text, buffer); });
    EXPECT_EQ(error.place().text(), "text");
  }
}

TEST(Tokenizer, TruncationThatLeavesNoRoomIsAnError) {
  const Tokenizer tokenizer = sample_tokenizer();
  struct Row {
    const char* name;
    Truncation truncation;
    bool pair;
  };
  const Row rows[] = {
      {"no room beside the special tokens", {2, 0, TruncationStrategy::kLongestFirst}, false},
      {"negative length", {-5, 0, TruncationStrategy::kLongestFirst}, false},
      {"negative stride", {8, -1, TruncationStrategy::kLongestFirst}, false},
      {"stride as long as the window", {6, 4, TruncationStrategy::kLongestFirst}, false},
      {"only_second without a second text", {5, 0, TruncationStrategy::kOnlySecond}, false},
      {"first text too short to be cut", {6, 0, TruncationStrategy::kOnlyFirst}, true},
      {"second text too short to be cut", {6, 0, TruncationStrategy::kOnlySecond}, true},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    EncodeOptions options;
    options.truncation = row.truncation;
    const Error error = expect_error(ErrorCode::kUsage, [&] {
      row.pair ? tokenizer.encode_pair("的一是不了", "的一是不了", options)
               : tokenizer.encode("的一是不了", options);
    });
    EXPECT_EQ(error.parameter(), "truncation");
  }
}

TEST(Tokenizer, PaddingNeedsAPaddingToken) {
  const std::string json = R"({"version":"1.0","added_tokens":[],"normalizer":null,
    "pre_tokenizer":null,"post_processor":null,"decoder":null,"model":{"type":"WordPiece",
    "unk_token":"?","continuing_subword_prefix":"##","max_input_chars_per_word":100,
    "vocab":{"?":0,"a":1}}})";
  const Tokenizer tokenizer = Tokenizer::from_json(json, "", "t.json");
  EncodeOptions options;
  options.padding.emplace();
  EXPECT_EQ(expect_error(ErrorCode::kUsage, [&] { tokenizer.encode("a", options); }).parameter(),
            "padding");
}

}  // namespace
}  // namespace spanforge
