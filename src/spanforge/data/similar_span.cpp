#include "spanforge/data/similar_span.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "spanforge/data/normalize.h"
#include "spanforge/text/unicode.h"

namespace spanforge {
namespace {

constexpr int32_t kForeign = -1;  // a unit that is not in the answer

struct Unit {
  std::u32string text;
  CharSpan span;
};

// A character that is a unit by itself: of a script without spaces, or a Hangul syllable.
bool stands_alone(char32_t c) {
  return unicode::has(c, unicode::kCjk) || (c >= 0x0E00 && c <= 0x0EFF) ||  // Thai, Lao
         (c >= 0x1000 && c <= 0x109F) || (c >= 0x1780 && c <= 0x17FF) ||    // Myanmar, Khmer
         (c >= 0x3040 && c <= 0x30FF) || (c >= 0x31F0 && c <= 0x31FF) ||    // kana
         (c >= 0xAC00 && c <= 0xD7A3);
}

std::vector<Unit> split_units(std::string_view text) {
  std::vector<Unit> units;
  bool in_word = false;
  int32_t position = 0;
  for (size_t at = 0; at < text.size(); ++position) {
    const char32_t c = next_code_point(text, at);
    if (!unicode::has(c, unicode::kWord)) {
      in_word = false;
      continue;
    }
    const bool alone = stands_alone(c);
    if (alone || !in_word) units.push_back({{}, {position, position}});
    unicode::lowercase(c, [&](char32_t low, int) { units.back().text += low; });
    units.back().span.end = position + 1;
    in_word = !alone;
  }
  return units;
}

// The units of a context.
struct Hay {
  std::string_view text;
  const CodePointIndex& index;
  const std::vector<int32_t>& units;     // by number
  const std::vector<CharSpan>& spans;    // parallel to units
  const std::vector<int32_t>& local_of;  // number -> the answer's own number, or kForeign
};

class Search {
 public:
  // sequence: the answer's units by its own numbers. places: the context's places with any of them,
  // in order.
  Search(const Hay& hay, std::vector<int32_t> sequence, int32_t different, std::u32string before,
         std::u32string after, std::vector<size_t> places, double min_f1)
      : hay_(hay),
        sequence_(std::move(sequence)),
        wanted_(static_cast<size_t>(different)),
        before_(std::move(before)),
        after_(std::move(after)),
        places_(std::move(places)),
        min_f1_(min_f1) {
    for (const int32_t unit : sequence_) ++wanted_[static_cast<size_t>(unit)];
    size_ = static_cast<int64_t>(sequence_.size());
    // The largest possible F1 of a span of that length is 2 size / (size + length).
    longest_ = static_cast<int64_t>(static_cast<double>(size_) * (2 - min_f1) / min_f1 + 1e-6);
    // The largest possible F1 of a span with that many common units is 2 common / (size + common).
    const double least = static_cast<double>(size_) * min_f1 / (2 - min_f1);
    least_common_ = std::max<int64_t>(1, static_cast<int64_t>(std::ceil(least - 1e-6)));
  }

  SimilarSpans run() && {
    const auto least = static_cast<size_t>(least_common_);
    for (size_t k = 0; k + least <= places_.size(); ++k) {
      // No span from here has enough units of the answer.
      const auto needed = static_cast<int64_t>(places_[k + least - 1] - places_[k]);
      if (needed >= longest_) continue;
      if (steps_ > SimilarSpans::kMaxSteps) return {0, {}, true};
      extend(places_[k]);
    }
    SimilarSpans result;
    if (best_length_ == 0) return result;
    result.f1 = 2.0 * static_cast<double>(best_common_) / static_cast<double>(best_length_);
    prefer_same_order();
    for (const Range& range : best_) result.spans.push_back(with_edges(range));
    return result;
  }

 private:
  struct Range {
    size_t first, last;  // units of the context
  };

  int32_t unit_at(size_t i) const { return hay_.local_of[static_cast<size_t>(hay_.units[i])]; }

  // Of the spans with exactly the answer's units, those that have them in its order.
  void prefer_same_order() {
    std::vector<Range> same;
    for (const Range& range : best_) {
      bool equal = range.last - range.first + 1 == sequence_.size();
      for (size_t i = 0; equal && i < sequence_.size(); ++i) {
        equal = unit_at(range.first + i) == sequence_[i];
      }
      if (equal) same.push_back(range);
    }
    if (!same.empty()) best_ = std::move(same);
  }

  char32_t character_at(int32_t position) const {
    size_t at = hay_.index.byte_offset(static_cast<size_t>(position));
    return next_code_point(hay_.text, at);
  }

  // Extends the span by punctuation that the answer also has at its ends: “...”, (...).
  CharSpan with_edges(const Range& range) const {
    CharSpan span{hay_.spans[range.first].start, hay_.spans[range.last].end};
    if (unit_at(range.first) == sequence_.front()) {
      for (size_t n = before_.size(); n > 0 && span.start > 0; --n, --span.start) {
        const char32_t c = character_at(span.start - 1);
        if (c != before_[n - 1] || is_white_space(c)) break;
      }
    }
    if (unit_at(range.last) == sequence_.back()) {
      for (const char32_t c : after_) {
        if (static_cast<size_t>(span.end) == hay_.index.size()) break;
        if (character_at(span.end) != c || is_white_space(c)) break;
        ++span.end;
      }
    }
    return span;
  }

  // Tries all spans that begin with the unit.
  void extend(size_t start) {
    std::vector<int32_t> left = wanted_;
    int64_t common = 0;
    const size_t end = std::min(hay_.units.size(), start + static_cast<size_t>(longest_));
    steps_ += static_cast<int64_t>(end - start + left.size());
    for (size_t i = start; i < end; ++i) {
      const int32_t unit = unit_at(i);
      if (unit == kForeign || left[static_cast<size_t>(unit)] == 0) continue;
      --left[static_cast<size_t>(unit)];
      offer(++common, start, i);
    }
  }

  // F1 is 2 common / (answer's units + span's units). Compares fractions exactly.
  void offer(int64_t common, size_t first, size_t last) {
    const int64_t length = size_ + static_cast<int64_t>(last - first) + 1;
    if (2.0 * static_cast<double>(common) < (min_f1_ - 1e-9) * static_cast<double>(length)) return;
    const int64_t ours = common * best_length_, best = best_common_ * length;
    if (best_length_ > 0 && ours < best) return;
    if (best_length_ == 0 || ours > best) best_.clear();
    best_common_ = common;
    best_length_ = length;
    best_.push_back({first, last});
  }

  const Hay& hay_;
  std::vector<int32_t> sequence_;
  std::vector<int32_t> wanted_;    // by the answer's number: how often it has the unit
  std::u32string before_, after_;  // the answer's characters before and after its units
  std::vector<size_t> places_;
  int64_t size_ = 0;  // units of the answer
  int64_t longest_ = 0, least_common_ = 1;
  double min_f1_ = 1;
  int64_t steps_ = 0;
  int64_t best_common_ = 0, best_length_ = 0;
  std::vector<Range> best_;
};

}  // namespace

SimilarSpanSearch::SimilarSpanSearch(std::string_view context)
    : context_(context), index_(context) {
  for (const Unit& unit : split_units(context)) {
    const auto number = static_cast<int32_t>(numbers_.size());
    hay_.push_back(numbers_.try_emplace(unit.text, number).first->second);
    spans_.push_back(unit.span);
  }
  place_begin_.resize(numbers_.size() + 1);
  for (const int32_t unit : hay_) ++place_begin_[static_cast<size_t>(unit) + 1];
  for (size_t i = 1; i < place_begin_.size(); ++i) place_begin_[i] += place_begin_[i - 1];
  places_.resize(hay_.size());
  std::vector<size_t> next = place_begin_;
  for (size_t i = 0; i < hay_.size(); ++i) places_[next[static_cast<size_t>(hay_[i])]++] = i;
  wanted_.assign(numbers_.size(), kForeign);
}

SimilarSpans SimilarSpanSearch::find(std::string_view answer, double min_f1) {
  const std::vector<Unit> units = split_units(answer);
  if (units.empty()) return {};
  const std::u32string all = decode_utf8(answer);
  std::vector<int32_t> sequence;
  std::vector<size_t> places;
  KeyedMap<std::u32string, int32_t> own;  // unit -> the answer's own number
  for (const Unit& unit : units) {
    const auto number = static_cast<int32_t>(own.size());
    const auto [at, fresh] = own.try_emplace(unit.text, number);
    sequence.push_back(at->second);
    const auto known = numbers_.find(unit.text);
    if (!fresh || known == numbers_.end()) continue;
    const auto unit_number = static_cast<size_t>(known->second);
    wanted_[unit_number] = number;
    const auto begin = places_.begin();
    places.insert(places.end(), begin + static_cast<std::ptrdiff_t>(place_begin_[unit_number]),
                  begin + static_cast<std::ptrdiff_t>(place_begin_[unit_number + 1]));
  }
  std::ranges::sort(places);
  const Hay hay{context_, index_, hay_, spans_, wanted_};
  SimilarSpans found =
      Search(hay, std::move(sequence), static_cast<int32_t>(own.size()),
             all.substr(0, static_cast<size_t>(units.front().span.start)),
             all.substr(static_cast<size_t>(units.back().span.end)), std::move(places), min_f1)
          .run();
  for (const Unit& unit : units) {
    const auto known = numbers_.find(unit.text);
    if (known != numbers_.end()) wanted_[static_cast<size_t>(known->second)] = kForeign;
  }
  return found;
}

SimilarSpans find_similar_spans(std::string_view answer, std::string_view context, double min_f1) {
  return SimilarSpanSearch(context).find(answer, min_f1);
}

}  // namespace spanforge
