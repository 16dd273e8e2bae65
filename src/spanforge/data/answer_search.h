#pragma once
// What: finds answers in a context although their file counted in another way or wrote them a
//   little differently.
// Time: linear in the context and the texts, however many there are and however often they occur:
//   all texts of a context are sought together, and places are counted, not listed.
// Units: code points.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "spanforge/base/utf8.h"

namespace spanforge {

// How much a text and its place in the context may differ. Each value allows more than the one
// before.
enum class Likeness {
  kExact,       // the same code points
  kWhiteSpace,  // white space differs
  kNormalForm,  // also composed and decomposed characters (é and e + U+0301)
  kInvisible,   // also invisible characters: control and format characters
};

// How a file may have counted a start.
enum class Counting {
  kCharacters,    // code points, the right way; fits only if the text differs a little
  kUtf16,         // UTF-16 units: two for a character above U+FFFF
  kBytes,         // UTF-8 bytes
  kLeadingSpace,  // without the white space at the context's beginning
  kReturns,       // "\r\n" as one character
  kLineFeeds,     // "\n" as two characters, as if it were "\r\n"
  kSpaceRuns,     // a run of white space as one character
  kSqueezed,      // both kLeadingSpace and kSpaceRuns
  kOffByOne,      // one too many, or one too few
};
inline constexpr size_t kCountings = 9;

// A place that begins at the stated start if that was counted in this way.
struct Fit {
  Counting counting;
  CharSpan span;
};

struct SoughtAnswer {
  std::string_view text;
  int64_t stated = -1;  // the stated start; a negative one means unknown
};

struct FoundAnswer {
  Likeness likeness = Likeness::kExact;  // the closest that has any place
  int64_t places = 0;                    // including overlapping ones
  CharSpan first;                        // the first place, if there is any
  std::vector<Fit> fits;                 // in order of start, then of Counting
};

// Returns one result for each answer, in order. A text of only white space has no place. A place
// neither begins nor ends inside a character that was decomposed. Therefore, if a text's first
// character is a later part of a decomposed character anywhere in the context (a mark, a vowel of
// Hangul), the text is found only exactly.
std::vector<FoundAnswer> find_answers(const std::string& context, const CodePointIndex& index,
                                      std::span<const SoughtAnswer> sought);

}  // namespace spanforge
