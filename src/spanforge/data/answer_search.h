#pragma once
// What: where texts may stand in a context, although the file that names them counted otherwise or
//   wrote them a little differently.
// Time: linear in the context and the texts, however many of them there are and however often they
//   stand in it: all texts of a context are sought together, and places are counted, not listed.
// Units: code points.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "spanforge/base/utf8.h"

namespace spanforge {

// In what a text and its place in the context differ, from nothing to the most that is looked for.
enum class Likeness {
  kExact,       // the same code points
  kWhiteSpace,  // ... but for white space
  kNormalForm,  // ... also but for composed or decomposed characters (é and e + U+0301)
  kInvisible,   // ... also but for characters nobody sees: control and format characters
};

// How a start may have been counted.
enum class Counting {
  kCharacters,    // code points, as it should be; fits only where the text is not quite the same
  kUtf16,         // UTF-16 units: two for a character above U+FFFF
  kBytes,         // UTF-8 bytes
  kLeadingSpace,  // the white space that leads the context was not counted
  kReturns,       // "\r\n" counted as one character
  kLineFeeds,     // "\n" counted as two characters, as where it is written "\r\n"
  kSpaceRuns,     // a run of white space counted as one character
  kSqueezed,      // both: none that leads, each run as one
  kOffByOne,      // one too many, or one too few
};
inline constexpr size_t kCountings = 9;

// A place that begins where the stated start, counted in that way, would be.
struct Fit {
  Counting counting;
  CharSpan span;
};

struct SoughtAnswer {
  std::string_view text;
  int64_t stated = -1;  // start; a negative one says "not found", not how it was counted
};

struct FoundAnswer {
  Likeness likeness = Likeness::kExact;  // the closest that has any place
  int64_t places = 0;                    // overlapping ones too
  CharSpan first;                        // of the places, where there are any
  std::vector<Fit> fits;                 // in order of start, then of Counting
};

// Of each answer, in order. A text of nothing but white space stands nowhere. A place of a likeness
// neither begins nor ends inside a character that was taken apart; for the same reason a text whose
// first character is, somewhere in the context, a further part of such a character (a mark, a vowel
// of Hangul) is found only as it is.
std::vector<FoundAnswer> find_answers(const std::string& context, const CodePointIndex& index,
                                      std::span<const SoughtAnswer> sought);

}  // namespace spanforge
