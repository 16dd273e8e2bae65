#include "spanforge/text/normalizer.h"

#include <gtest/gtest.h>

#include "spanforge/text/unicode.h"
#include "text/sample.h"

namespace spanforge {
namespace {

NormalizedText identity(const std::u32string& text) {
  NormalizedText out;
  for (int32_t i = 0; i < static_cast<int32_t>(text.size()); ++i) out.push(text[i], {i, i + 1});
  return out;
}

NormalizedText run(const Normalizer& normalizer, const std::u32string& text) {
  NormalizedText out = identity(text), scratch;
  normalizer.apply(out, scratch);
  return out;
}

std::u32string chars(const NormalizedText& text) { return {text.chars.begin(), text.chars.end()}; }

TEST(Unicode, KnownCharactersHaveTheirClasses) {
  using namespace unicode;
  EXPECT_TRUE(has(U' ', kWhitespace));
  EXPECT_TRUE(has(0x3000, kWhitespace));
  EXPECT_FALSE(has(0x200B, kWhitespace));
  EXPECT_TRUE(has(0x200B, kRemoved));
  EXPECT_TRUE(has(0xFFFD, kRemoved));
  EXPECT_TRUE(has(0, kRemoved));
  EXPECT_FALSE(has(U'\n', kRemoved));
  EXPECT_TRUE(has(0x3002, kPunctuation));
  EXPECT_TRUE(has(U'$', kPunctuation));
  EXPECT_FALSE(has(0x20AC, kPunctuation));
  EXPECT_TRUE(has(0x4E00, kCjk));
  EXPECT_FALSE(has(0x2B820, kCjk));  // extension E begins at 2B920 for the library
  EXPECT_TRUE(has(0x0301, kNonspacing));
  EXPECT_EQ(record(0x0301).combining_class, 230);
}

TEST(Normalizer, NfdOrdersMarksByClass) {
  EXPECT_EQ(chars(run(NfdNormalizer(), U"a\u0301\u0316b")), U"a\u0316\u0301b");
  EXPECT_EQ(chars(run(NfdNormalizer(), U"\u00e9\u0316")), U"e\u0316\u0301");
  EXPECT_EQ(chars(run(NfdNormalizer(), U"\uac01")), U"\u1100\u1161\u11a8");
}

TEST(Normalizer, NfcComposesMarksAndHangul) {
  const NfcNormalizer nfc;
  EXPECT_EQ(chars(run(nfc, U"e\u0301x")), U"\u00e9x");
  EXPECT_EQ(chars(run(nfc, U"a\u0301\u0316b")), U"\u00e1\u0316b") << "past a mark of another class";
  EXPECT_EQ(chars(run(nfc, U"a\u0305\u0301")), U"a\u0305\u0301") << "blocked by one of its class";
  EXPECT_EQ(chars(run(nfc, U"\u1100\u1161\u11a8")), U"\uac01");
  EXPECT_EQ(chars(run(nfc, U"\uac00\u11a8")), U"\uac01");
  EXPECT_EQ(chars(run(nfc, U"\u0958")), U"\u0915\u093c") << "never composed";
  EXPECT_EQ(chars(run(nfc, U"\u0301\u0301")), U"\u0301\u0301") << "nothing before the marks";
  const NormalizedText text = run(nfc, U"xe\u0301y");
  EXPECT_EQ(text.spans, (std::vector<CharSpan>{{0, 1}, {1, 2}, {3, 4}}));
}

// leaves() finds unchanged texts, and NFC after NFD gives the same.
TEST(Normalizer, NfcDoesNotChangeTextsThatItSaysItLeaves) {
  CounterStream random(testing::test_seed() + 2);
  int left = 0;
  for (int i = 0; i < 4000; ++i) {
    const std::string text = testing::random_text(random, random.next_below(12));
    const std::u32string original = decode_utf8(text);
    const std::u32string composed = chars(run(NfcNormalizer(), original));
    if (NfcNormalizer::leaves(text)) {
      ++left;
      ASSERT_EQ(composed, original) << text;
    }
    ASSERT_EQ(chars(run(NfcNormalizer(), composed)), composed) << text;
    ASSERT_EQ(chars(run(NfcNormalizer(), chars(run(NfdNormalizer(), original)))), composed) << text;
  }
  EXPECT_GT(left, 300);
}

TEST(Normalizer, LowercaseMayGrowAndHasNoFinalSigma) {
  EXPECT_EQ(chars(run(LowercaseNormalizer(), U"A\u0130\u03a3")), U"ai\u0307\u03c3");
  const NormalizedText grown = run(LowercaseNormalizer(), U"\u0130");
  EXPECT_EQ(grown.spans, (std::vector<CharSpan>{{0, 1}, {0, 1}}));
}

TEST(Normalizer, BertSpansPointToTheOriginalCharacter) {
  const NormalizedText text = run(BertNormalizer({}), U"\u200b\u00c9a\u4f60\tb");
  EXPECT_EQ(chars(text), U"ea \u4f60  b");
  EXPECT_EQ(text.spans,
            (std::vector<CharSpan>{{1, 2}, {2, 3}, {3, 4}, {3, 4}, {3, 4}, {4, 5}, {5, 6}}));
}

// Compares BERT's one-pass normaliser with one normaliser per step on random texts.
TEST(Normalizer, BertInOnePassEqualsItsSteps) {
  CounterStream random(testing::test_seed());
  for (int i = 0; i < 4000; ++i) {
    const std::u32string text = decode_utf8(testing::random_text(random, random.next_below(30)));
    BertNormalizerOptions options;
    options.clean_text = random.next_below(2) == 0;
    options.handle_chinese_chars = false;
    options.strip_accents = random.next_below(2) == 0;
    options.lowercase = random.next_below(2) == 0;
    NormalizedText expected, scratch;
    for (int32_t k = 0; k < static_cast<int32_t>(text.size()); ++k) {
      if (options.clean_text && unicode::has(text[k], unicode::kRemoved)) continue;
      const bool space = options.clean_text && unicode::has(text[k], unicode::kWhitespace);
      expected.push(space ? U' ' : text[k], {k, k + 1});
    }
    if (options.strip_accents) {
      NfdNormalizer().apply(expected, scratch);
      NormalizedText kept;
      for (int32_t k = 0; k < expected.size(); ++k) {
        if (unicode::has(expected.chars[k], unicode::kNonspacing)) continue;
        kept.push(expected.chars[k], expected.spans[k]);
      }
      expected = kept;
    }
    if (options.lowercase) LowercaseNormalizer().apply(expected, scratch);
    const NormalizedText actual = run(BertNormalizer(options), text);
    ASSERT_EQ(chars(actual), chars(expected)) << encode_utf8(text);
    ASSERT_EQ(actual.spans, expected.spans) << encode_utf8(text);
  }
}

TEST(Normalizer, SpansNeverDecrease) {
  CounterStream random(testing::test_seed() + 1);
  int64_t neighbours = 0;
  for (int i = 0; i < 2000; ++i) {
    const NormalizedText text =
        run(BertNormalizer({}), decode_utf8(testing::random_text(random, 20)));
    for (int32_t k = 1; k < text.size(); ++k, ++neighbours) {
      ASSERT_LE(text.spans[k - 1].start, text.spans[k].start);
      ASSERT_LE(text.spans[k - 1].end, text.spans[k].end);
    }
  }
  EXPECT_GT(neighbours, 2000);
}

}  // namespace
}  // namespace spanforge
