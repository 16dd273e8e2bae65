#include "spanforge/base/text_index.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "spanforge/base/keyed_hash.h"
#include "spanforge/base/random.h"
#include "support/colliding_texts.h"
#include "support/testing.h"

namespace spanforge {
namespace {

// Compares random insertions, searches and erasures with a std::map.
TEST(TextIndex, EqualsAMap) {
  CounterStream random(testing::test_seed());
  int hits = 0;
  for (int round = 0; round < 20; ++round) {
    TextIndex index;
    std::vector<std::string> texts;
    const auto text_of = [&](size_t i) -> std::string_view { return texts[i]; };
    std::map<std::string, size_t> expected;
    if (round % 2 == 1) index.reserve(random.next_u32() % 1000);
    const uint32_t distinct = 1 + random.next_u32() % 2000;
    for (int step = 0; step < 3000; ++step) {
      const std::string text = std::to_string(random.next_u32() % distinct);
      const auto known = expected.find(text);
      const auto found = index.find(text, text_of);
      ASSERT_EQ(found.has_value(), known != expected.end());
      if (found) {
        ++hits;
        ASSERT_EQ(*found, known->second);
      }
      if (random.next_u32() % 3 == 0) {
        // Another number erases nothing.
        if (known != expected.end()) index.erase(text, known->second + 1, text_of);
        if (known != expected.end()) index.erase(text, known->second, text_of);
        expected.erase(text);
      } else {
        texts.push_back(text);
        const auto [number, is_new] = index.insert(text, texts.size() - 1, text_of);
        ASSERT_EQ(is_new, known == expected.end());
        ASSERT_EQ(number, expected.emplace(text, texts.size() - 1).first->second);
      }
      ASSERT_EQ(index.size(), expected.size());
    }
    for (const auto& [text, number] : expected) ASSERT_EQ(index.find(text, text_of), number);
  }
  EXPECT_GT(hits, 0);
}

TEST(TextIndex, RefusesNumbersAboveItsLimit) {
  TextIndex index;
  const auto text_of = [](size_t) { return std::string_view("a"); };
  EXPECT_THROW(index.insert("a", UINT32_MAX, text_of), std::exception);
  EXPECT_EQ(index.insert("a", UINT32_MAX - 1, text_of).number, UINT32_MAX - 1);
  EXPECT_EQ(index.find("a", text_of), UINT32_MAX - 1);
  EXPECT_EQ(index.find("b", text_of), std::nullopt);
}

// The number of keys in the table's fullest bucket.
template <class Set, class Key>
size_t fullest_bucket(const std::vector<Key>& keys) {
  Set set;
  for (const Key& key : keys) set.insert(key);
  size_t most = 0;
  for (size_t b = 0; b < set.bucket_count(); ++b) most = std::max(most, set.bucket_size(b));
  return most;
}

TEST(KeyedHash, SpreadsKeysThatCollideInStdHash) {
  std::vector<std::string> texts;
  for (size_t i = 0; i < 4096; ++i) texts.push_back(testing::colliding_text(i));
  EXPECT_EQ(fullest_bucket<std::unordered_set<std::string>>(texts), texts.size());
  EXPECT_LE(fullest_bucket<KeyedSet<std::string>>(texts), 16u);

  std::unordered_set<uint64_t> any;
  for (size_t i = 0; i < 4096; ++i) any.insert(i);
  std::vector<uint64_t> numbers;
  for (size_t i = 0; i < 4096; ++i) numbers.push_back(i * any.bucket_count());
  EXPECT_GT(fullest_bucket<std::unordered_set<uint64_t>>(numbers), 4000u);
  EXPECT_LE(fullest_bucket<KeyedSet<uint64_t>>(numbers), 16u);
}

}  // namespace
}  // namespace spanforge
