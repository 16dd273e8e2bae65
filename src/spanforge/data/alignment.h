#pragma once
// What: why an answer is not where its file says, and what it should be where that is certain.
// Proof: a repair is named only where every explanation that fits names one and the same span.
// Units: code points unless said otherwise.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "spanforge/data/answer_search.h"
#include "spanforge/data/context_shift.h"
#include "spanforge/data/dataset.h"

namespace spanforge {

enum class Misalignment {
  kUtf16,         // the start counts UTF-16 units (JavaScript, Java, C#)
  kBytes,         // the start counts UTF-8 bytes (Go, Rust, C)
  kWhiteSpace,    // white space was dropped or changed in the answer, or before it in the context
  kOffByOne,      // the start is one too large or too small
  kNormalForm,    // the answer is composed where the context is decomposed, or the reverse
  kInvisible,     // the answer lacks control or format characters of the context, or the reverse
  kShifted,       // the answer occurs once, a few characters before or after
  kElsewhere,     // the answer occurs once, farther away
  kContextShift,  // the answers around it, which occur once, are all off by the same amount
  kUnknownStart,  // the file says nothing of where it is (-1, null or no start); repaired where
                  // unique
  kAmbiguous,     // explanations fit that name different places
  kRepeated,      // the answer occurs several times, and no explanation fits
  kAbsent,        // the context does not hold the answer
};
std::string_view misalignment_name(Misalignment cause);  // "utf16", "bytes", "white_space", ...

// Where the stated start lies, whatever stands there.
enum class StatedStart { kInside, kNegative, kPastEnd };
std::string_view stated_start_name(StatedStart stated);  // "inside", "negative", "past_end"

struct Diagnosis {
  Misalignment cause = Misalignment::kAbsent;
  StatedStart stated = StatedStart::kInside;
  int64_t occurrences = 0;  // of the answer's text in the context, overlapping ones too
  int64_t places = 0;       // the same, or, where that is 0, of what is like it (answer_search.h)
  std::optional<Answer> repair;     // what the answer should be; its text is the context's
  std::optional<ShiftProof> shift;  // where the cause is kContextShift
  std::vector<Fit> fits;            // the explanations that fit, each with its place
  std::string found;  // what the context has at the stated place, as long as the answer
  int64_t context_size = 0;
};

// What the file states: the start, or -1 where it states none.
int64_t stated_start(const Answer& answer);

// Of answers of one context, in order; all are looked for together, in linear time. None is the
// cause kContextShift: that takes the other answers of the context (see check.h). REQUIRES: none
// that states a start is aligned.
std::vector<Diagnosis> diagnose(std::span<const Answer* const> answers, const std::string& context,
                                const CodePointIndex& index);

// The same for an answer whose place, if it has one, the caller knows.
Diagnosis diagnose_placed(const Answer& answer, std::optional<Answer> repair,
                          const std::string& context, const CodePointIndex& index);

// "answer_start counts UTF-16 units; in characters it is 12": for people, one clause.
std::string describe(const Diagnosis& diagnosis, const Answer& answer);

}  // namespace spanforge
