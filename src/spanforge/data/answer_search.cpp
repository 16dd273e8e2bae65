#include "spanforge/data/answer_search.h"

#include <array>
#include <cstdlib>
#include <cstring>

#include "spanforge/data/normalize.h"
#include "spanforge/text/normalizer.h"

namespace spanforge {
namespace {

// What an editor does not show: control characters, soft hyphen, zero width characters, marks of
// direction, byte order mark.
bool is_invisible(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0xAD || (c >= 0x200B && c <= 0x200F) ||
         (c >= 0x202A && c <= 0x202E) || (c >= 0x2060 && c <= 0x2069) || c == 0xFEFF;
}

// The text without what the likeness takes no notice of; spans lead back to its code points.
NormalizedText reduce(std::string_view text, Likeness likeness) {
  NormalizedText all, scratch;
  int32_t position = 0;
  for (size_t at = 0; at < text.size(); ++position) {
    const char32_t c = next_code_point(text, at);
    all.push(c, {position, position + 1});
  }
  if (likeness != Likeness::kWhiteSpace) NfdNormalizer().apply(all, scratch);
  NormalizedText kept;
  for (int32_t i = 0; i < all.size(); ++i) {
    const char32_t c = all.chars[static_cast<size_t>(i)];
    if (is_white_space(c) || (likeness == Likeness::kInvisible && is_invisible(c))) continue;
    kept.push(c, all.spans[static_cast<size_t>(i)]);
  }
  return kept;
}

// std::string_view::find takes needle times hay where both repeat themselves; memmem is linear.
size_t find_bytes(std::string_view hay, std::string_view needle, size_t from) {
  if (from >= hay.size()) return std::string_view::npos;
  const void* at = ::memmem(hay.data() + from, hay.size() - from, needle.data(), needle.size());
  if (at == nullptr) return std::string_view::npos;
  return static_cast<size_t>(static_cast<const char*>(at) - hay.data());
}

std::string_view bytes_of(const std::vector<char32_t>& chars) {
  return {reinterpret_cast<const char*>(chars.data()), chars.size() * sizeof(char32_t)};
}

// Places where the needle's characters stand in the hay's, none of them a part of one that was
// taken apart.
std::vector<CharSpan> find_reduced(const NormalizedText& needle, const NormalizedText& hay) {
  std::vector<CharSpan> spans;
  if (needle.chars.empty()) return spans;
  const size_t length = needle.chars.size();
  const auto parted = [&](size_t i) {  // between the characters i - 1 and i
    return i > 0 && i < hay.chars.size() && hay.spans[i - 1].end > hay.spans[i].start;
  };
  const std::string_view hay_bytes = bytes_of(hay.chars), needle_bytes = bytes_of(needle.chars);
  for (size_t at = find_bytes(hay_bytes, needle_bytes, 0); at != std::string_view::npos;
       at = find_bytes(hay_bytes, needle_bytes, at + 1)) {
    const size_t i = at / sizeof(char32_t);
    if (at % sizeof(char32_t) != 0 || parted(i) || parted(i + length)) continue;
    spans.push_back({hay.spans[i].start, hay.spans[i + length - 1].end});
  }
  return spans;
}

// What each way of counting has counted so far.
struct Counts {
  std::array<int64_t, kCountings> passed{};
  char32_t previous = 0;
  bool leading = true;  // nothing but white space yet

  void pass(char32_t c) {
    const bool space = is_white_space(c);
    const bool run = space && previous != 0 && is_white_space(previous);
    const bool line_end = c == U'\n' && previous == U'\r';
    leading = leading && space;
    of(Counting::kCharacters) += 1;
    of(Counting::kUtf16) += c >= 0x10000 ? 2 : 1;
    of(Counting::kBytes) += c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    of(Counting::kLeadingSpace) += leading ? 0 : 1;
    of(Counting::kReturns) += line_end ? 0 : 1;
    of(Counting::kLineFeeds) += c == U'\n' && !line_end ? 2 : 1;
    of(Counting::kSpaceRuns) += run ? 0 : 1;
    of(Counting::kSqueezed) += run || leading ? 0 : 1;
    previous = c;
  }
  int64_t& of(Counting counting) { return passed[static_cast<size_t>(counting)]; }
};

}  // namespace

std::string AnswerSearch::slice(CharSpan span) const {
  return slice_code_points(*context_, index_, span.start, span.end);
}

const NormalizedText& AnswerSearch::reduced(Likeness likeness) {
  auto& slot = reduced_[static_cast<size_t>(likeness) - 1];
  if (!slot) slot = reduce(*context_, likeness);
  return *slot;
}

std::vector<CharSpan> AnswerSearch::find_exact(std::string_view text) const {
  std::vector<CharSpan> spans;
  const std::string_view context = *context_;
  const auto length = static_cast<int32_t>(count_code_points(text));
  int32_t position = 0;
  size_t counted = 0;
  for (size_t at = find_bytes(context, text, 0); at != std::string_view::npos;
       at = find_bytes(context, text, at + 1)) {
    position += static_cast<int32_t>(count_code_points(context.substr(counted, at - counted)));
    counted = at;
    spans.push_back({position, position + length});
  }
  return spans;
}

Places AnswerSearch::find(std::string_view text) {
  if (trim_white_space(text).empty()) return {};
  Places places{Likeness::kExact, find_exact(text)};
  for (const Likeness next : {Likeness::kWhiteSpace, Likeness::kNormalForm, Likeness::kInvisible}) {
    if (!places.spans.empty()) return places;
    places = {next, find_reduced(reduce(text, next), reduced(next))};
  }
  return places;
}

std::vector<Fit> AnswerSearch::fits(int64_t stated, const std::vector<CharSpan>& spans) const {
  std::vector<Fit> fits;
  if (stated < 0) return fits;
  Counts counts;
  int32_t position = 0;
  auto next = spans.begin();
  for (size_t at = 0; next != spans.end(); ++position) {
    for (; next != spans.end() && next->start == position; ++next) {
      counts.of(Counting::kOffByOne) = std::abs(stated - position) == 1 ? stated : -1;
      for (size_t i = 0; i < kCountings; ++i) {
        if (counts.passed[i] == stated) fits.push_back({static_cast<Counting>(i), *next});
      }
    }
    if (at >= context_->size()) break;
    counts.pass(next_code_point(*context_, at));
  }
  return fits;
}

}  // namespace spanforge
