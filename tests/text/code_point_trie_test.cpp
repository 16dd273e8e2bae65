#include "spanforge/text/code_point_trie.h"

#include <map>

#include <gtest/gtest.h>

#include "spanforge/base/random.h"
#include "support/testing.h"

namespace spanforge {
namespace {

int32_t find(const CodePointTrie& trie, int32_t root, const std::u32string& text) {
  CodePointTrie::Edge edge{root, CodePointTrie::kNoValue};
  for (size_t i = 0; i < text.size(); ++i) {
    edge = trie.next(edge.node, text[i]);
    if (edge.node == 0) return CodePointTrie::kNoValue;
  }
  return edge.value;
}

std::u32string random_key(CounterStream& random) {
  static const char32_t kWide[] = {0, 0x41, 0x4E00, 0xFFFF, 0x10000, 0x1F525, 0x10FFFF};
  std::u32string key;
  const auto length = 1 + random.next_below(6);
  for (uint64_t i = 0; i < length; ++i) {
    key += random.next_below(4) == 0 ? kWide[random.next_below(std::size(kWide))]
                                     : static_cast<char32_t>('a' + random.next_below(3));
  }
  return key;
}

TEST(CodePointTrie, AnEmptyOneHoldsNothing) {
  const CodePointTrie trie(3, {});
  for (const int32_t root : {0, 1, 2}) {
    for (const char32_t c : {U'\0', U'a', U'\x10FFFF'}) EXPECT_EQ(trie.next(root, c).node, 0);
  }
}

TEST(CodePointTrie, EqualsAMap) {
  CounterStream random(testing::test_seed());
  for (const int size : {1, 2, 10, 100, 3000}) {
    SCOPED_TRACE(size);
    CodePointTrie::Keys keys;
    std::map<std::pair<int32_t, std::u32string>, int32_t> expected;
    for (int i = 0; i < size; ++i) {
      const auto root = static_cast<int32_t>(random.next_below(2));
      const std::u32string key = random_key(random);
      keys.add(root, key, i);
      expected.emplace(std::pair(root, key), i);  // the first of equal keys counts
    }
    const CodePointTrie trie(2, keys);
    for (const auto& [key, value] : expected) EXPECT_EQ(find(trie, key.first, key.second), value);
    for (int i = 0; i < 2000; ++i) {
      const auto root = static_cast<int32_t>(random.next_below(2));
      const std::u32string key = random_key(random);
      const auto found = expected.find({root, key});
      EXPECT_EQ(find(trie, root, key), found == expected.end() ? -1 : found->second);
    }
  }
}

TEST(CodePointTrie, ARootWithManyChildrenIsWhole) {
  const auto key = [](int32_t c) { return std::u32string{static_cast<char32_t>(c * 7), U'x'}; };
  CodePointTrie::Keys keys;
  for (int32_t c = 0; c < 40000; ++c) keys.add(0, key(c), c);
  const CodePointTrie trie(1, keys);
  for (int32_t c = 0; c < 40000; ++c) ASSERT_EQ(find(trie, 0, key(c)), c);
  EXPECT_EQ(trie.next(0, 1).node, 0);
}

}  // namespace
}  // namespace spanforge
