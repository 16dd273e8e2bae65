#pragma once
// What: finds out in which unit a tool counted characters, and converts its positions to code
//   points.
// Evidence: the right unit puts each text that the tool wrote at its place, puts no edge inside a
//   character, and puts more edges between words.

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "spanforge/base/utf8.h"

namespace spanforge {

enum class OffsetUnit : uint8_t {
  kCodePoints,
  kUtf16,      // UTF-16 units, as JavaScript counts
  kGraphemes,  // characters as a reader sees them
};
inline constexpr size_t kOffsetUnits = 3;
std::string_view offset_unit_name(OffsetUnit unit);  // "code points", "UTF-16 units", ...

// Positions of one text, which must outlive it.
class UnitIndex {
 public:
  explicit UnitIndex(std::string_view text);
  // The code point at the offset; nullopt: the offset is after the end, or inside a character.
  std::optional<int64_t> code_point(OffsetUnit unit, int64_t offset) const;
  // The offset of a code point or of the end. Not for kGraphemes.
  int64_t offset(OffsetUnit unit, int64_t code_point) const;
  // Whether the text holds a backslash and an n.
  bool has_escapes() const { return has_escapes_; }
  // Whether some offset means different places in different units.
  bool matters() const { return !wide_.empty() || !is_plain_; }
  const CodePointIndex& index() const { return index_; }
  std::string_view text() const { return text_; }
  std::string_view slice(int64_t start, int64_t end) const;  // code points; within the text

 private:
  const std::vector<uint32_t>& graphemes() const;
  std::string_view text_;
  CodePointIndex index_;
  std::vector<uint32_t> wide_;  // code points above U+FFFF
  bool is_plain_ = true;        // each code point is a grapheme
  bool has_escapes_ = false;
  mutable std::vector<uint32_t> graphemes_;  // the begin of each, and the end; made on first use
};

// A span that a tool wrote.
struct ToolSpan {
  int64_t start = -1, end = -1;     // -1: not stated
  std::optional<std::string> text;  // as the tool wrote it
  std::optional<OffsetUnit> unit;   // if it is known for this span
  // If the text has paragraphs: those in which start and end count.
  std::optional<int64_t> first_part, last_part;
  bool doubtful = false;  // the numbers may count in another text (a page's, without its tags)
};

// The span in code points, if `unit` is right. nullopt: an edge is not in the text, or the text
// that the tool wrote is not there. A tool may write a line end as backslash and n.
std::optional<CharSpan> place_span(const ToolSpan& span, const UnitIndex& index, OffsetUnit unit);

// Collects evidence of a file's unit.
class UnitVote {
 public:
  // The first unit wins if there is no evidence.
  explicit UnitVote(std::span<const OffsetUnit> possible)
      : possible_(possible.begin(), possible.end()) {}
  void count(const ToolSpan& span, const UnitIndex& index);
  OffsetUnit winner() const;
  bool mattered() const { return mattered_; }  // some span means different places

 private:
  std::vector<OffsetUnit> possible_;
  std::array<int64_t, kOffsetUnits> misfits_{}, rough_edges_{};
  bool mattered_ = false;
};

}  // namespace spanforge
