#include "spanforge/data/offset_unit.h"

#include <algorithm>
#include <memory>

#include <unicode/brkiter.h>
#include <unicode/uchar.h>
#include <unicode/utext.h>

namespace spanforge {
namespace {

// Letters, digits and marks of scripts that separate words.
bool is_word(char32_t c) {
  const auto code = static_cast<UChar32>(c);
  if (u_hasBinaryProperty(code, UCHAR_IDEOGRAPHIC)) return false;
  const auto script = u_getIntPropertyValue(code, UCHAR_LINE_BREAK);
  if (script == U_LB_COMPLEX_CONTEXT) return false;  // Thai, Lao, Khmer
  return u_isalnum(code) ||
         u_getIntPropertyValue(code, UCHAR_GENERAL_CATEGORY) == U_NON_SPACING_MARK;
}

// An edge within a word, or a span that begins or ends with white space.
int64_t count_rough_edges(const UnitIndex& index, CharSpan span) {
  const auto at = [&](int64_t i) -> char32_t {
    if (i < 0 || i >= static_cast<int64_t>(index.index().size())) return U' ';
    size_t byte = index.index().byte_offset(static_cast<size_t>(i));
    return next_code_point(index.text(), byte);
  };
  const auto is_rough = [&](int64_t outside, int64_t inside) {
    const char32_t in = at(inside);
    return u_isUWhiteSpace(static_cast<UChar32>(in)) || (is_word(at(outside)) && is_word(in));
  };
  return int64_t{is_rough(span.start - 1, span.start)} + int64_t{is_rough(span.end, span.end - 1)};
}

// The spelling must be longer than the slice; any other slice is refused at once.
bool same_text(std::string_view slice, std::string_view written) {
  if (slice == written) return true;
  if (slice.size() >= written.size()) return false;
  std::string spelled;
  for (const char c : slice) c == '\n' || c == '\r' ? spelled += "\\n" : spelled += c;
  return spelled == written;
}

}  // namespace

std::string_view offset_unit_name(OffsetUnit unit) {
  switch (unit) {
    case OffsetUnit::kCodePoints: return "code points";
    case OffsetUnit::kUtf16: return "UTF-16 units";
    case OffsetUnit::kGraphemes: return "grapheme clusters";
  }
  return "code points";
}

UnitIndex::UnitIndex(std::string_view text)
    : text_(text), index_(text), has_escapes_(text.find("\\n") != std::string_view::npos) {
  bool after_return = false;
  for (size_t at = 0, number = 0; at < text.size(); ++number) {
    const char32_t c = next_code_point(text, at);
    if (c > 0xFFFF) wide_.push_back(static_cast<uint32_t>(number));
    // Below U+0300, only "\r\n" is a grapheme of several code points.
    if (c >= 0x300 || (c == '\n' && after_return)) is_plain_ = false;
    after_return = c == '\r';
  }
  if (!is_plain_) is_plain_ = graphemes().size() == index_.size() + 1;
}

const std::vector<uint32_t>& UnitIndex::graphemes() const {
  if (!graphemes_.empty()) return graphemes_;
  UErrorCode status = U_ZERO_ERROR;
  UText* const source =
      utext_openUTF8(nullptr, text_.data(), static_cast<int64_t>(text_.size()), &status);
  const std::unique_ptr<icu::BreakIterator> breaks(
      icu::BreakIterator::createCharacterInstance(icu::Locale::getRoot(), status));
  if (U_SUCCESS(status)) {
    breaks->setText(source, status);
    size_t byte = 0;
    uint32_t number = 0;
    for (int32_t at = breaks->first(); at != icu::BreakIterator::DONE; at = breaks->next()) {
      while (byte < static_cast<size_t>(at)) {
        next_code_point(text_, byte);
        ++number;
      }
      graphemes_.push_back(number);
    }
  }
  utext_close(source);
  if (graphemes_.empty()) graphemes_.push_back(0);
  return graphemes_;
}

std::optional<int64_t> UnitIndex::code_point(OffsetUnit unit, int64_t offset) const {
  if (offset < 0) return std::nullopt;
  const auto size = static_cast<int64_t>(index_.size());
  int64_t number = offset;
  if (unit == OffsetUnit::kUtf16) {
    // The i-th wide character begins at unit wide_[i] + i.
    size_t before = 0, count = wide_.size();
    while (count > 0) {
      const size_t step = count / 2, middle = before + step;
      if (static_cast<int64_t>(wide_[middle] + middle) < offset) {
        before = middle + 1;
        count -= step + 1;
      } else {
        count = step;
      }
    }
    if (before > 0 && static_cast<int64_t>(wide_[before - 1] + before - 1) + 1 == offset) {
      return std::nullopt;  // the offset is between the two units of a character
    }
    number = offset - static_cast<int64_t>(before);
  } else if (unit == OffsetUnit::kGraphemes && !is_plain_) {
    if (offset >= static_cast<int64_t>(graphemes().size())) return std::nullopt;
    number = graphemes()[static_cast<size_t>(offset)];
  }
  return number <= size ? std::optional<int64_t>(number) : std::nullopt;
}

int64_t UnitIndex::offset(OffsetUnit unit, int64_t code_point) const {
  if (unit != OffsetUnit::kUtf16) return code_point;
  return code_point +
         (std::ranges::lower_bound(wide_, static_cast<uint32_t>(code_point)) - wide_.begin());
}

std::string_view UnitIndex::slice(int64_t start, int64_t end) const {
  const size_t first = index_.byte_offset(static_cast<size_t>(start));
  return text_.substr(first, index_.byte_offset(static_cast<size_t>(end)) - first);
}

std::optional<CharSpan> place_span(const ToolSpan& span, const UnitIndex& index, OffsetUnit unit) {
  unit = span.unit.value_or(unit);
  const std::optional<int64_t> start = index.code_point(unit, span.start);
  if (!start) return std::nullopt;
  std::optional<int64_t> end = index.code_point(unit, span.end);
  // Without an end, the written text gives it.
  if (span.end < 0 && span.text) {
    end = *start + static_cast<int64_t>(count_code_points(*span.text));
    if (*end > static_cast<int64_t>(index.index().size())) return std::nullopt;
  }
  if (!end || *end < *start) return std::nullopt;
  if (span.text && !same_text(index.slice(*start, *end), *span.text)) return std::nullopt;
  return CharSpan{static_cast<int32_t>(*start), static_cast<int32_t>(*end)};
}

void UnitVote::count(const ToolSpan& span, const UnitIndex& index) {
  if (!index.matters() || span.start < 0) return;
  std::array<std::optional<CharSpan>, kOffsetUnits> places;
  bool differ = false;
  for (const OffsetUnit unit : possible_) {
    auto& place = places[static_cast<size_t>(unit)];
    place = place_span(span, index, unit);
    differ = differ || place != places[static_cast<size_t>(possible_.front())];
  }
  if (!differ) return;
  mattered_ = true;
  for (const OffsetUnit unit : possible_) {
    const auto i = static_cast<size_t>(unit);
    places[i] ? rough_edges_[i] += count_rough_edges(index, *places[i]) : ++misfits_[i];
  }
}

OffsetUnit UnitVote::winner() const {
  OffsetUnit best = possible_.front();
  for (const OffsetUnit unit : possible_) {
    const auto i = static_cast<size_t>(unit), b = static_cast<size_t>(best);
    if (std::pair(misfits_[i], rough_edges_[i]) < std::pair(misfits_[b], rough_edges_[b]))
      best = unit;
  }
  return best;
}

}  // namespace spanforge
