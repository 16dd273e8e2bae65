#include "spanforge/data/text_automaton.h"

#include <fmt/core.h>

#include "spanforge/base/random.h"
#include "spanforge/base/utf8.h"
#include "spanforge/data/occurrences.h"
#include "support/testing.h"

namespace spanforge {
namespace {

std::vector<TextAutomaton::Found> find_all(const std::u32string& context,
                                           const std::vector<std::u32string>& texts) {
  TextAutomaton automaton(texts);
  for (const char32_t c : context) automaton.read(c);
  return automaton.finish();
}

TEST(TextAutomaton, CountsOverlappingPlacesAndNamesTheFirst) {
  const auto found = find_all(U"xaaaaб", {U"aa", U"", U"a", U"б", U"aaaaa", U"aa", U"xaaaaб"});
  const std::vector<std::pair<int64_t, int64_t>> expected = {{3, 1},  {0, -1}, {4, 1}, {1, 5},
                                                             {0, -1}, {3, 1},  {1, 0}};
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    SCOPED_TRACE(i);
    EXPECT_EQ(std::pair(found[i].count, found[i].first), expected[i]);
  }
}

TEST(TextAutomaton, CountsOnlyPlacesThatMayEndThere) {
  const std::vector<std::u32string> texts = {U"a", U"ba"};
  TextAutomaton automaton(texts);
  automaton.read(U'a', false);
  automaton.read(U'b');
  automaton.read(U'a');
  automaton.read(U'b');
  automaton.read(U'a', false);
  const auto found = automaton.finish();
  EXPECT_EQ(found[0].count, 1);
  EXPECT_EQ(found[0].first, 2);
  EXPECT_EQ(found[1].count, 1);
  EXPECT_EQ(found[1].first, 1);
}

// Few letters, so that texts are suffixes, prefixes and repeats of each other.
TEST(TextAutomaton, EqualsSearchingForEachTextAlone) {
  const uint64_t seed = testing::test_seed();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  CounterStream random(seed);
  const std::u32string letters = U"aб中😀";
  const auto word = [&](uint64_t longest) {
    std::u32string out;
    const uint64_t kinds = 1 + random.next_below(letters.size());
    for (uint64_t n = random.next_below(longest + 1); n > 0; --n) {
      out += letters[static_cast<size_t>(random.next_below(kinds))];
    }
    return out;
  };
  int64_t places = 0;
  for (int round = 0; round < 500; ++round) {
    const std::u32string context = word(60);
    std::vector<std::u32string> texts;
    for (uint64_t n = random.next_below(20); n > 0; --n) texts.push_back(word(6));
    const auto found = find_all(context, texts);
    std::vector<std::string> utf8;
    for (const std::u32string& text : texts) utf8.push_back(encode_utf8(text));
    const std::vector<std::string_view> views(utf8.begin(), utf8.end());
    const std::vector<Occurrences> occurrences = find_occurrences(encode_utf8(context), views);
    for (size_t i = 0; i < texts.size(); ++i) {
      int64_t count = 0, first = -1;
      for (size_t at = 0; !texts[i].empty() && at < context.size(); ++at) {
        if (context.compare(at, texts[i].size(), texts[i]) != 0) continue;
        if (count++ == 0) first = static_cast<int64_t>(at);
      }
      places += count;
      ASSERT_EQ(std::pair(found[i].count, found[i].first), std::pair(count, first)) << utf8[i];
      ASSERT_EQ(std::pair(occurrences[i].count, occurrences[i].first), std::pair(count, first));
    }
  }
  EXPECT_GT(places, 5000);
}

}  // namespace
}  // namespace spanforge
