#include "spanforge/data/answer_search.h"

#include <algorithm>
#include <cstdlib>

#include <fmt/core.h>

#include "spanforge/base/random.h"
#include "spanforge/data/normalize.h"
#include "spanforge/text/normalized_text.h"
#include "spanforge/text/normalizer.h"
#include "support/testing.h"

namespace spanforge {
namespace {

// The plain reference: lists every place of every text and tries every way of counting at each.
namespace plain {

NormalizedText reduce(std::string_view text, Likeness likeness) {
  NormalizedText all, scratch, kept;
  int32_t position = 0;
  for (size_t at = 0; at < text.size(); ++position) {
    const char32_t c = next_code_point(text, at);
    all.push(c, {position, position + 1});
  }
  if (likeness == Likeness::kExact) return all;
  if (likeness != Likeness::kWhiteSpace) NfdNormalizer().apply(all, scratch);
  for (size_t i = 0; i < all.chars.size(); ++i) {
    const char32_t c = all.chars[i];
    const bool hidden = c < 0x20 || c == 0x200B || c == 0x200F;  // those that this test uses
    if (is_white_space(c) || (likeness == Likeness::kInvisible && hidden)) continue;
    kept.push(c, all.spans[i]);
  }
  return kept;
}

std::vector<CharSpan> places(const std::string& context, std::string_view text, Likeness likeness) {
  const NormalizedText hay = reduce(context, likeness), needle = reduce(text, likeness);
  const auto parted = [&](size_t i) {
    return i > 0 && i < hay.chars.size() && hay.spans[i - 1].end > hay.spans[i].start;
  };
  std::vector<CharSpan> spans;
  const size_t length = needle.chars.size();
  if (length == 0) return spans;
  for (size_t i = 0; i < hay.chars.size(); ++i) {  // no text begins at a part of a character
    if (parted(i) && hay.chars[i] == needle.chars[0]) return spans;
  }
  for (size_t i = 0; i + length <= hay.chars.size(); ++i) {
    const auto at = hay.chars.begin() + static_cast<std::ptrdiff_t>(i);
    if (!std::equal(needle.chars.begin(), needle.chars.end(), at)) continue;
    if (parted(i) || parted(i + length)) continue;
    spans.push_back({hay.spans[i].start, hay.spans[i + length - 1].end});
  }
  return spans;
}

// The count of the first `position` characters in each way.
std::vector<int64_t> counts(const std::u32string& context, int32_t position) {
  std::vector<int64_t> all(kCountings, 0);
  const auto count = [&](Counting counting, int64_t number) {
    all[static_cast<size_t>(counting)] += number;
  };
  bool leading = true;
  for (size_t i = 0; i < static_cast<size_t>(position); ++i) {
    const char32_t c = context[i], previous = i > 0 ? context[i - 1] : U'x';
    const bool space = is_white_space(c), run = space && is_white_space(previous);
    const bool line_end = previous == U'\r' && c == U'\n';
    leading = leading && space;
    count(Counting::kCharacters, 1);
    count(Counting::kUtf16, c > 0xFFFF ? 2 : 1);
    count(Counting::kBytes, static_cast<int64_t>(encode_utf8({&c, 1}).size()));
    count(Counting::kLeadingSpace, !leading);
    count(Counting::kReturns, !line_end);
    count(Counting::kLineFeeds, c == U'\n' && !line_end ? 2 : 1);
    count(Counting::kSpaceRuns, !run);
    count(Counting::kSqueezed, !run && !leading);
  }
  return all;
}

struct Result {
  Likeness likeness = Likeness::kExact;
  std::vector<CharSpan> places;
  std::vector<Fit> fits;
};

Result find(const std::string& context, const SoughtAnswer& sought) {
  Result result;
  if (trim_white_space(sought.text).empty()) return result;
  for (const Likeness likeness :
       {Likeness::kExact, Likeness::kWhiteSpace, Likeness::kNormalForm, Likeness::kInvisible}) {
    result = {likeness, places(context, sought.text, likeness), {}};
    if (!result.places.empty()) break;
  }
  const std::u32string characters = decode_utf8(context);
  for (const CharSpan& span : result.places) {
    std::vector<int64_t> passed = counts(characters, span.start);
    passed[static_cast<size_t>(Counting::kOffByOne)] =
        std::abs(sought.stated - span.start) == 1 ? sought.stated : -1;
    for (size_t i = 0; i < kCountings && sought.stated >= 0; ++i) {
      if (passed[i] == sought.stated) result.fits.push_back({static_cast<Counting>(i), span});
    }
  }
  return result;
}

}  // namespace plain

// Contexts of few pieces, so that everything repeats: all kinds of white space, characters that
// decompose, marks by themselves, invisible characters.
TEST(FindAnswers, EqualsTryingEveryPlaceOfEveryText) {
  const uint64_t seed = testing::test_seed();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  CounterStream random(seed);
  const std::vector<std::string> pieces = {"a",      "b",      " ",      "  ",     "\r\n",   "\n",
                                           "é",      "e",      "\u0301", "\u200B", "😀",      "한",
                                           "\u1112", "\u1161", "\u11AB", "\u0323", "\u3000", "中"};
  const auto text_of = [&](uint64_t longest, uint64_t kinds, uint64_t from) {
    std::string out;
    for (uint64_t n = random.next_below(longest + 1); n > 0; --n) {
      out += pieces[static_cast<size_t>((from + random.next_below(kinds)) % pieces.size())];
    }
    return out;
  };
  std::vector<int64_t> by_likeness(4), by_counting(kCountings);
  for (int round = 0; round < 1500; ++round) {
    const uint64_t kinds = 2 + random.next_below(6), from = random.next_below(pieces.size());
    const std::string context = text_of(25, kinds, from);
    std::vector<std::string> texts;
    for (uint64_t n = random.next_below(12); n > 0; --n) texts.push_back(text_of(4, kinds, from));
    std::vector<SoughtAnswer> sought;
    for (const std::string& text : texts) {
      sought.push_back({text, static_cast<int64_t>(random.next_below(34)) - 2});
    }
    const std::vector<FoundAnswer> found = find_answers(context, CodePointIndex(context), sought);
    ASSERT_EQ(found.size(), sought.size());
    for (size_t i = 0; i < sought.size(); ++i) {
      SCOPED_TRACE(fmt::format("'{}' at {} in '{}'", texts[i], sought[i].stated, context));
      const plain::Result expected = plain::find(context, sought[i]);
      ASSERT_EQ(found[i].places, static_cast<int64_t>(expected.places.size()));
      if (found[i].places == 0) continue;
      ASSERT_EQ(found[i].likeness, expected.likeness);
      ASSERT_EQ(found[i].first, expected.places.front());
      ASSERT_EQ(found[i].fits.size(), expected.fits.size());
      ++by_likeness[static_cast<size_t>(expected.likeness)];
      for (size_t k = 0; k < expected.fits.size(); ++k) {
        ASSERT_EQ(found[i].fits[k].counting, expected.fits[k].counting);
        ASSERT_EQ(found[i].fits[k].span, expected.fits[k].span);
        ++by_counting[static_cast<size_t>(expected.fits[k].counting)];
      }
    }
  }
  for (const int64_t count : by_likeness) EXPECT_GT(count, 10);
  for (const int64_t count : by_counting) EXPECT_GT(count, 10);
}

TEST(FindAnswers, AcceptsStartsOfAnySize) {
  const std::string context = "a a";
  for (const int64_t stated : {INT64_MIN, int64_t{-1}, int64_t{3}, int64_t{4}, INT64_MAX}) {
    SCOPED_TRACE(stated);
    const SoughtAnswer sought{"a", stated};
    const auto found = find_answers(context, CodePointIndex(context), {&sought, 1});
    EXPECT_EQ(found[0].places, 2);
    EXPECT_EQ(found[0].fits.size(), stated == 3 ? 1u : 0u);
  }
}

}  // namespace
}  // namespace spanforge
