#include "spanforge/data/answer_search.h"

#include <algorithm>
#include <array>
#include <optional>

#include "spanforge/data/normalize.h"
#include "spanforge/data/text_automaton.h"
#include "spanforge/text/normalized_text.h"
#include "spanforge/text/normalizer.h"

namespace spanforge {
namespace {

// Characters that an editor does not show: control characters, soft hyphen, zero width characters,
// marks of direction, byte order mark.
bool is_invisible(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0xAD || (c >= 0x200B && c <= 0x200F) ||
         (c >= 0x202A && c <= 0x202E) || (c >= 0x2060 && c <= 0x2069) || c == 0xFEFF;
}

// The text without the characters that the likeness ignores; spans lead back to its code points.
NormalizedText reduce(std::string_view text, Likeness likeness) {
  NormalizedText all, scratch;
  int32_t position = 0;
  for (size_t at = 0; at < text.size(); ++position) {
    const char32_t c = next_code_point(text, at);
    all.push(c, {position, position + 1});
  }
  if (likeness >= Likeness::kNormalForm) NfdNormalizer().apply(all, scratch);
  NormalizedText kept;
  for (int32_t i = 0; i < all.size(); ++i) {
    const char32_t c = all.chars[static_cast<size_t>(i)];
    if (is_white_space(c) || (likeness == Likeness::kInvisible && is_invisible(c))) continue;
    kept.push(c, all.spans[static_cast<size_t>(i)]);
  }
  return kept;
}

// The counts so far, one for each way of counting.
struct RunningCounts {
  std::array<int64_t, kCountings> passed{};
  char32_t previous = 0;
  bool leading = true;  // only white space so far

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

// The places that a stated start leads to: first to last, both included. first -1: there are none.
struct Range {
  int32_t first = -1, last = -1;
};

// For each stated start and each way of counting, the places with that count. Counts never
// decrease, so these places are neighbours, and one pass over the context finds them for all
// starts.
class StartTable {
 public:
  StartTable(const std::string& context, std::span<const SoughtAnswer> sought) {
    for (const SoughtAnswer& one : sought) {
      if (one.stated >= 0) starts_.push_back(one.stated);
    }
    std::ranges::sort(starts_);
    starts_.erase(std::unique(starts_.begin(), starts_.end()), starts_.end());
    ranges_.resize(starts_.size());
    RunningCounts counts;
    std::array<size_t, kCountings> next{};  // the first start not passed yet
    int32_t position = 0;
    for (size_t at = 0; at < context.size(); ++position) {
      for (size_t i = 0; i < kCountings; ++i) {
        size_t& start = next[i];
        while (start < starts_.size() && starts_[start] < counts.passed[i]) ++start;
        if (start == starts_.size() || starts_[start] != counts.passed[i]) continue;
        Range& range = ranges_[start][i];
        if (range.first < 0) range.first = position;
        range.last = position;
      }
      counts.pass(next_code_point(context, at));
    }
    size_ = position;
  }

  // All places that the ways lead to, in order of place, then of way. spaces: the white space at
  // the text's beginning; of a run of white space, returns only the places where the text can
  // begin.
  std::vector<std::pair<int32_t, Counting>> places(int64_t stated, int32_t spaces) const {
    std::vector<std::pair<int32_t, Counting>> all;
    if (stated < 0) return all;
    const auto at = std::ranges::lower_bound(starts_, stated) - starts_.begin();
    const auto& ranges = ranges_[static_cast<size_t>(at)];
    for (size_t i = 0; i < kCountings; ++i) {
      const auto counting = static_cast<Counting>(i);
      if (counting == Counting::kOffByOne) {
        if (stated > 0 && stated - 1 < size_)
          all.emplace_back(static_cast<int32_t>(stated - 1), counting);
        if (stated < size_ - 1) all.emplace_back(static_cast<int32_t>(stated + 1), counting);
        continue;
      }
      const auto [first, last] = ranges[i];
      if (first < 0) continue;
      all.emplace_back(last, counting);
      if (first < last) all.emplace_back(first, counting);
      if (last - spaces > first && spaces > 0) all.emplace_back(last - spaces, counting);
    }
    std::ranges::sort(all);
    return all;
  }

 private:
  std::vector<int64_t> starts_;  // in order
  std::vector<std::array<Range, kCountings>> ranges_;
  int64_t size_ = 0;  // of the context
};

// A context to which a likeness is applied.
class ReducedContext {
 public:
  ReducedContext(const std::string& context, const CodePointIndex& index, Likeness likeness)
      : context_(context), index_(index) {
    if (likeness == Likeness::kExact) return;
    reduced_ = reduce(context, likeness);
    for (size_t i = 1; i < reduced_->chars.size(); ++i) {
      if (parted(i)) parts_.push_back(reduced_->chars[i]);
    }
    std::ranges::sort(parts_);
    parts_.erase(std::unique(parts_.begin(), parts_.end()), parts_.end());
  }

  bool may_hold(const std::u32string& text) const {
    return !text.empty() && !std::ranges::binary_search(parts_, text.front());
  }

  std::vector<TextAutomaton::Found> find(const std::vector<std::u32string>& texts) const {
    TextAutomaton automaton(texts);
    if (!reduced_) {
      for (size_t at = 0; at < context_.size();) automaton.read(next_code_point(context_, at));
    } else {
      for (size_t i = 0; i < reduced_->chars.size(); ++i) {
        automaton.read(reduced_->chars[i], !parted(i + 1));
      }
    }
    return automaton.finish();
  }

  // The place as code points of the context.
  CharSpan span(int64_t first, size_t size) const {
    const auto begin = static_cast<size_t>(first);
    if (!reduced_) return {static_cast<int32_t>(begin), static_cast<int32_t>(begin + size)};
    return {reduced_->spans[begin].start, reduced_->spans[begin + size - 1].end};
  }

  // The place of the text if it begins at this code point of the context.
  std::optional<CharSpan> at(int32_t position, std::string_view text,
                             const std::u32string& characters) const {
    if (!reduced_) {
      const size_t byte = index_.byte_offset(static_cast<size_t>(position));
      if (context_.compare(byte, text.size(), text) != 0) return std::nullopt;
      return span(position, characters.size());
    }
    const auto& [chars, spans] = *reduced_;
    const auto found = std::ranges::lower_bound(spans, position, {}, &CharSpan::start);
    if (found == spans.end() || found->start != position) return std::nullopt;
    const auto first = static_cast<size_t>(found - spans.begin());
    const std::u32string_view all(chars.data(), chars.size());
    if (all.compare(first, characters.size(), characters) != 0) return std::nullopt;
    if (parted(first) || parted(first + characters.size())) return std::nullopt;
    return span(static_cast<int64_t>(first), characters.size());
  }

 private:
  // Whether the characters i - 1 and i are parts of one decomposed character.
  bool parted(size_t i) const {
    const std::vector<CharSpan>& spans = reduced_->spans;
    return i > 0 && i < spans.size() && spans[i - 1].end > spans[i].start;
  }

  const std::string& context_;
  const CodePointIndex& index_;
  std::optional<NormalizedText> reduced_;  // none for kExact
  std::vector<char32_t> parts_;            // all later parts of decomposed characters, sorted
};

std::u32string characters_of(std::string_view text, Likeness likeness) {
  if (likeness == Likeness::kExact) return decode_utf8(text);
  const NormalizedText reduced = reduce(text, likeness);
  return {reduced.chars.begin(), reduced.chars.end()};
}

int32_t leading_spaces(std::string_view text) {
  int32_t count = 0;
  for (size_t at = 0; at < text.size() && is_white_space(next_code_point(text, at));) ++count;
  return count;
}

}  // namespace

std::vector<FoundAnswer> find_answers(const std::string& context, const CodePointIndex& index,
                                      std::span<const SoughtAnswer> sought) {
  std::vector<FoundAnswer> all(sought.size());
  std::vector<size_t> open;  // not found yet
  for (size_t i = 0; i < sought.size(); ++i) {
    if (!trim_white_space(sought[i].text).empty()) open.push_back(i);
  }
  const StartTable starts(context, sought);
  for (const Likeness likeness :
       {Likeness::kExact, Likeness::kWhiteSpace, Likeness::kNormalForm, Likeness::kInvisible}) {
    if (open.empty()) break;
    const ReducedContext hay(context, index, likeness);
    std::vector<std::u32string> texts;
    for (const size_t i : open) {
      texts.push_back(characters_of(sought[i].text, likeness));
      if (!hay.may_hold(texts.back())) texts.back().clear();
    }
    const std::vector<TextAutomaton::Found> found = hay.find(texts);
    std::vector<size_t> rest;
    for (size_t k = 0; k < open.size(); ++k) {
      const auto& [text, stated] = sought[open[k]];
      if (found[k].count == 0) {
        rest.push_back(open[k]);
        continue;
      }
      FoundAnswer& one = all[open[k]];
      one.likeness = likeness;
      one.places = found[k].count;
      one.first = hay.span(found[k].first, texts[k].size());
      for (const auto& [place, counting] : starts.places(stated, leading_spaces(text))) {
        if (const auto span = hay.at(place, text, texts[k])) one.fits.push_back({counting, *span});
      }
    }
    open = std::move(rest);
  }
  return all;
}

}  // namespace spanforge
