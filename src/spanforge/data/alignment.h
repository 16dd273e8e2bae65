#pragma once
// What: finds out why an answer is not where its file says, and repairs it if the place is certain.
// Proof: there is a repair only if all explanations that fit give the same span.
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
  kNormalForm,    // the answer has composed and the context decomposed characters, or the reverse
  kInvisible,     // the answer lacks control or format characters of the context, or the reverse
  kShifted,       // the answer occurs once, a few characters before or after
  kElsewhere,     // the answer occurs once, farther away
  kContextShift,  // the answers around it, which occur once, are all off by the same amount
  kUnknownStart,  // the file gives no place (-1, null or no start); repaired if it occurs once
  kAmbiguous,     // several explanations fit and give different places
  kRepeated,      // the answer occurs several times, and no explanation fits
  kAbsent,        // the context does not hold the answer
};
std::string_view misalignment_name(Misalignment cause);  // "utf16", "bytes", "white_space", ...

// Where the stated start is, whatever the context has there.
enum class StatedStart { kInside, kNegative, kPastEnd };
std::string_view stated_start_name(StatedStart stated);  // "inside", "negative", "past_end"

struct Diagnosis {
  Misalignment cause = Misalignment::kAbsent;
  StatedStart stated = StatedStart::kInside;
  int64_t occurrences = 0;  // of the answer's text in the context, including overlapping ones
  int64_t places = 0;       // the same; if that is 0, the number of similar texts (answer_search.h)
  std::optional<Answer> repair;     // the right answer; its text is the context's
  std::optional<ShiftProof> shift;  // if the cause is kContextShift
  std::vector<Fit> fits;            // the explanations that fit, each with its place
  std::string found;                // the context's text at the stated place, as long as the answer
  int64_t context_size = 0;
};

// The start that the file states; -1 if it states none.
int64_t stated_start(const Answer& answer);

// Diagnoses answers of one context, in order; searches for all together, in linear time. Never
// returns kContextShift, which needs the other answers of the context (see check.h). REQUIRES: no
// answer that states a start is aligned.
std::vector<Diagnosis> diagnose(std::span<const Answer* const> answers, const std::string& context,
                                const CodePointIndex& index);

// The same for an answer whose repair, if any, the caller knows.
Diagnosis diagnose_placed(const Answer& answer, std::optional<Answer> repair,
                          const std::string& context, const CodePointIndex& index);

// For people: "answer_start counts UTF-16 units; in characters it is 12".
std::string describe(const Diagnosis& diagnosis, const Answer& answer);

}  // namespace spanforge
