#include "spanforge/text/byte_level_fast_path.h"

#include <gtest/gtest.h>

#include "spanforge/base/json.h"
#include "spanforge/base/threads.h"
#include "spanforge/text/normalizer.h"
#include "spanforge/text/tokenizer_impl.h"
#include "support/fast_path.h"
#include "text/sample.h"

namespace spanforge {
namespace {

using testing::fast_path_agrees;
using testing::random_text;

// Tokens by the fast path, and by RoBERTa's parts alone.
class ByteLevelSubject {
 public:
  // crossing: byte strings that are also tokens, each merged from its bytes one after the other.
  explicit ByteLevelSubject(bool add_prefix_space, BpeOptions options = {}, bool composes = false,
                            const std::vector<std::string>& crossing = {}) {
    const auto files = testing::roberta_files("{}");
    const Json vocab = parse_json(files.at("vocab.json"), "v", ErrorCode::kInternal);
    Vocabulary vocabulary;
    for (const auto& [token, id] : vocab.items())
      vocabulary.add(token, id.get<int64_t>(), ErrorPlace{.file = "test"});
    std::vector<Bpe::Pair> merges;
    const std::string& text = files.at("merges.txt");
    for (size_t at = text.find('\n') + 1; at < text.size();) {
      const size_t end = text.find('\n', at), space = text.find(' ', at);
      merges.emplace_back(text.substr(at, space - at), text.substr(space + 1, end - space - 1));
      at = end + 1;
    }
    for (const std::string& token : crossing) {
      std::string left;
      for (const char byte : token) {
        std::string right;
        append_utf8(byte_level_char(static_cast<unsigned char>(byte)), right);
        if (!left.empty()) merges.emplace_back(left, right);
        left += right;
        if (!vocabulary.find(left))
          vocabulary.add(left, vocabulary.id_limit(), ErrorPlace{.file = "test"});
      }
    }
    ByteLevelOptions bytes;
    bytes.add_prefix_space = add_prefix_space;
    impl_.pre_tokenizer = std::make_unique<ByteLevelPreTokenizer>(bytes);
    impl_.model =
        std::make_unique<Bpe>(std::move(vocabulary), options, merges, ErrorPlace{.file = "test"});
    AddedToken mask;
    mask.content = "<mask>";
    mask.lstrip = true;
    impl_.added.add(mask, impl_.model->vocabulary());
    if (composes) {
      impl_.normalizer = std::make_unique<NfcNormalizer>();
      for (const char* content : {"   ", "  ", "e\u0301a"}) {
        AddedToken spaces;
        spaces.content = content;
        spaces.normalized = true;
        impl_.added.add(spaces, impl_.model->vocabulary());
      }
    }
    impl_.added.finish(impl_.normalizer.get(), "test");
    impl_.fast_path = ByteLevelFastPath::make(impl_.normalizer.get(), impl_.pre_tokenizer.get(),
                                              impl_.model.get(), impl_.added);
  }

  const FastPath* fast_path() const { return impl_.fast_path.get(); }

  const Tokenizer::Impl& impl() const { return impl_; }
  bool check(const std::string& text) const { return fast_path_agrees(impl_, text); }

 private:
  Tokenizer::Impl impl_;
};

TEST(ByteLevelFastPath, EqualsThePartsOnEveryCodePoint) {
  const ByteLevelSubject subject(false);
  std::string text;
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    text += 'a';
    append_utf8(c, text);
    text += "b ";
    append_utf8(c, text);
    if (text.size() < 2000) continue;
    ASSERT_TRUE(subject.check(text)) << "before U+" << std::hex << static_cast<uint32_t>(c);
    text.clear();
  }
}

TEST(ByteLevelFastPath, EqualsThePartsOnRandomTexts) {
  for (const bool prefix : {false, true}) {
    const ByteLevelSubject subject(prefix);
    CounterStream random(testing::test_seed());
    size_t taken = 0;
    for (int i = 0; i < 6000; ++i) {
      const std::string text = random_text(random, random.next_below(40));
      taken += subject.check(text) ? 1 : 0;
      if (::testing::Test::HasFailure()) return;
    }
    EXPECT_GT(taken, 3000u);
    for (const char* text : {"", " ", "  ", "\n", "\u3000x", "a", " a", "\u4f60", "'s", "  'll"}) {
      EXPECT_TRUE(subject.check(text)) << text;
    }
  }
}

// Words are split between characters that no merge joins. Here some merges join characters or parts
// of them.
TEST(ByteLevelFastPath, EqualsThePartsWhereMergesCrossCharacters) {
  const std::string one = "\u4e00", two = "\u56fd", three = "\u4e0a", accent = "\u00e9";
  const ByteLevelSubject subject(false, {}, /*composes=*/false,
                                 {one + two, two + three.substr(0, 1), three.substr(2) + one,
                                  accent + "a", "b" + accent.substr(0, 1), three + three + three});
  CounterStream random(testing::test_seed());
  const std::vector<std::string> pieces{one, two, three, accent, "a", "b", " "};
  for (int i = 0; i < 4000; ++i) {
    std::string text;
    for (uint64_t k = random.next_below(60); k > 0; --k) {
      text += pieces[random.next_below(pieces.size())];
    }
    ASSERT_TRUE(subject.check(text)) << text;
    if (::testing::Test::HasFailure()) return;
  }
}

// ModernBERT's parts: the fast path refuses texts that NFC may change or that spell an added token.
TEST(ByteLevelFastPath, EqualsThePartsWithNfc) {
  const ByteLevelSubject subject(false, {}, /*composes=*/true);
  ASSERT_NE(subject.fast_path(), nullptr);
  CounterStream random(testing::test_seed());
  size_t taken = 0;
  for (int i = 0; i < 6000; ++i) {
    taken += subject.check(random_text(random, random.next_below(10))) ? 1 : 0;
    if (::testing::Test::HasFailure()) return;
  }
  EXPECT_GT(taken, 500u);
  for (const char* text : {"a b", "\u00e9t\u00e9", "\u4f60\u597d", "\uac00"}) {
    EXPECT_TRUE(subject.check(text)) << text;
  }
  for (const char* text : {"a  b", "a    b", "e\u0301t", "\u00e9a", "\u1100\u1161"}) {
    EXPECT_FALSE(subject.check(text)) << text;
  }
}

// More words than the cache has places, of every length around an entry's size.
TEST(ByteLevelFastPath, WordsThatEvictEachOtherHaveTheSameTokens) {
  const ByteLevelSubject subject(false);
  CounterStream random(testing::test_seed());
  for (int round = 0; round < 3; ++round) {
    CounterStream words(7);
    for (int i = 0; i < 200; ++i) {
      std::string text;
      for (int w = 0; w < 200; ++w) {
        for (uint64_t k = words.next_below(30); k > 0; --k) {
          text += static_cast<char>('a' + words.next_below(26));
        }
        text += ' ';
      }
      ASSERT_TRUE(subject.check(text));
    }
  }
}

TEST(ByteLevelFastPath, IsSafeInManyThreads) {
  const ByteLevelSubject subject(false);
  parallel_for(64, 1, [&](int64_t i) {
    CounterStream random(static_cast<uint64_t>(i));
    for (int k = 0; k < 50; ++k) fast_path_agrees(subject.impl(), random_text(random, 30));
  });
}

TEST(ByteLevelFastPath, RefusesOtherPartsAndTexts) {
  EXPECT_FALSE(ByteLevelSubject(false).check("a <mask>"));
  EXPECT_TRUE(ByteLevelSubject(false).check("a <mask"));
  BpeOptions whole;
  whole.ignore_merges = true;
  EXPECT_EQ(ByteLevelSubject(false, whole).fast_path(), nullptr);
}

}  // namespace
}  // namespace spanforge
