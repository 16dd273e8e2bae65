#include "spanforge/data/similar_span.h"

#include <algorithm>
#include <string>

#include "spanforge/base/keyed_hash.h"
#include "spanforge/data/normalize.h"
#include "spanforge/text/unicode.h"

namespace spanforge {
namespace {

constexpr int32_t kForeign = -1;  // a unit that the answer does not have

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

class Search {
 public:
  Search(std::string_view answer, std::string_view context, double min_f1) {
    KeyedMap<std::u32string, int32_t> numbers;
    const std::vector<Unit> units = split_units(answer);
    if (!units.empty()) {
      const std::u32string all = decode_utf8(answer);
      before_ = all.substr(0, static_cast<size_t>(units.front().span.start));
      behind_ = all.substr(static_cast<size_t>(units.back().span.end));
    }
    for (const Unit& unit : units) {
      const auto at = numbers.try_emplace(unit.text, static_cast<int32_t>(numbers.size())).first;
      if (static_cast<size_t>(at->second) == wanted_.size()) wanted_.push_back(0);
      ++wanted_[static_cast<size_t>(at->second)];
      sequence_.push_back(at->second);
    }
    size_ = static_cast<int64_t>(sequence_.size());
    context_ = context;
    for (const Unit& unit : split_units(context)) {
      const auto at = numbers.find(unit.text);
      hay_.push_back(at == numbers.end() ? kForeign : at->second);
      spans_.push_back(unit.span);
    }
    // 2 size / (size + length) is the most that a span of that length can have.
    longest_ = static_cast<int64_t>(static_cast<double>(size_) * (2 - min_f1) / min_f1 + 1e-6);
    min_f1_ = min_f1;
  }

  SimilarSpans run() && {
    if (size_ == 0) return {};
    for (size_t start = 0; start < hay_.size(); ++start) {
      if (hay_[start] == kForeign) continue;
      if (steps_ > SimilarSpans::kMaxSteps) return {0, {}, true};
      extend(start);
    }
    SimilarSpans result;
    if (best_length_ == 0) return result;
    result.f1 = 2.0 * static_cast<double>(best_common_) / static_cast<double>(best_length_);
    prefer_same_order();
    const std::u32string characters = decode_utf8(context_);
    for (const Range& range : best_) result.spans.push_back(with_edges(range, characters));
    return result;
  }

 private:
  struct Range {
    size_t first, last;  // units of the context
  };

  // Of spans with the very units of the answer, those that also have them in its order.
  void prefer_same_order() {
    std::vector<Range> same;
    for (const Range& range : best_) {
      const auto begin = hay_.begin() + static_cast<std::ptrdiff_t>(range.first);
      const auto end = hay_.begin() + static_cast<std::ptrdiff_t>(range.last) + 1;
      if (std::equal(begin, end, sequence_.begin(), sequence_.end())) same.push_back(range);
    }
    if (!same.empty()) best_ = std::move(same);
  }

  // The span with the punctuation that the answer has at its ends too: “...”, (...).
  CharSpan with_edges(const Range& range, const std::u32string& characters) const {
    CharSpan span{spans_[range.first].start, spans_[range.last].end};
    if (hay_[range.first] == sequence_.front()) {
      for (size_t n = before_.size(); n > 0 && span.start > 0; --n, --span.start) {
        const char32_t c = characters[static_cast<size_t>(span.start) - 1];
        if (c != before_[n - 1] || is_white_space(c)) break;
      }
    }
    if (hay_[range.last] == sequence_.back()) {
      for (const char32_t c : behind_) {
        const auto next = static_cast<size_t>(span.end);
        if (next == characters.size() || characters[next] != c || is_white_space(c)) break;
        ++span.end;
      }
    }
    return span;
  }

  // All spans that begin with the unit.
  void extend(size_t start) {
    std::vector<int32_t> left = wanted_;
    int64_t common = 0;
    const size_t end = std::min(hay_.size(), start + static_cast<size_t>(longest_));
    steps_ += static_cast<int64_t>(end - start + left.size());
    for (size_t i = start; i < end; ++i) {
      if (hay_[i] == kForeign || left[static_cast<size_t>(hay_[i])] == 0) continue;
      --left[static_cast<size_t>(hay_[i])];
      offer(++common, start, i);
    }
  }

  // F1 is 2 common / (answer's units + span's units); fractions are compared exactly.
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

  std::string_view context_;
  std::u32string before_, behind_;  // what the answer has around its units
  std::vector<int32_t> sequence_;   // unit numbers of the answer
  std::vector<int32_t> wanted_;     // by unit number: how often the answer has it
  std::vector<int32_t> hay_;        // unit numbers of the context
  std::vector<CharSpan> spans_;     // parallel to hay_
  int64_t size_ = 0;                // units of the answer
  int64_t longest_ = 0;
  double min_f1_ = 1;
  int64_t steps_ = 0;
  int64_t best_common_ = 0, best_length_ = 0;
  std::vector<Range> best_;
};

}  // namespace

SimilarSpans find_similar_spans(std::string_view answer, std::string_view context, double min_f1) {
  return Search(answer, context, min_f1).run();
}

}  // namespace spanforge
