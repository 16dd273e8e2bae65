#pragma once
// What: in which unit a tool counted the characters of a text, and the same position in code
// points. The tools that write no text beside their numbers leave it to evidence: which unit puts
// the text that is written, where one is, at its place; which has no edge inside of a character;
// which puts more edges between words.

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
  kGraphemes,  // what a reader takes for one character
};
inline constexpr size_t kOffsetUnits = 3;
std::string_view offset_unit_name(OffsetUnit unit);  // "code points", "UTF-16 units", ...

// Positions of one text, which must outlive it.
class UnitIndex {
 public:
  explicit UnitIndex(std::string_view text);
  // The code point at which the offset stands; nullopt: behind the end, or inside of a character.
  std::optional<int64_t> code_point(OffsetUnit unit, int64_t offset) const;
  // The offset of a code point, which is at most the number of them. Not for kGraphemes.
  int64_t offset(OffsetUnit unit, int64_t code_point) const;
  // The text holds a backslash before an n.
  bool has_escapes() const { return has_escapes_; }
  // Some offset means different places in different units.
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
  mutable std::vector<uint32_t> graphemes_;  // where each begins, and the end; made when asked for
};

// A span that a tool wrote.
struct ToolSpan {
  int64_t start = -1, end = -1;     // -1: not stated
  std::optional<std::string> text;  // as the tool wrote it
  std::optional<OffsetUnit> unit;   // where it is known for this span
  // Of a text in paragraphs: in which ones start and end count.
  std::optional<int64_t> first_part, last_part;
  bool doubtful =
      false;  // the numbers are of a text that may be another (a page's, without its tags)
};

// The span in code points under a unit, where its edges are in the text and, where a text is
// written, that text is there. A tool may write line ends as "\n" of two characters.
std::optional<CharSpan> place_span(const ToolSpan& span, const UnitIndex& index, OffsetUnit unit);

// Gathers evidence of a file's unit.
class UnitVote {
 public:
  // The first of the units is the one without evidence.
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
