#pragma once
// What: why an answer is not where its file says, so that the cause can be mended.
// Units: code points unless said otherwise.

#include <cstdint>
#include <string>
#include <string_view>

#include "spanforge/data/dataset.h"

namespace spanforge {

enum class Misalignment {
  kUtf16,       // the start counts UTF-16 units (JavaScript, Java, C#)
  kBytes,       // the start counts UTF-8 bytes (Go, Rust, C)
  kWhiteSpace,  // white space was dropped or changed in the answer, or before it in the context
  kShifted,     // the answer stands a few characters before or after
  kElsewhere,   // the answer occurs once, farther away
  kRepeated,    // the answer occurs several times, none of them near
  kAbsent,      // the context does not hold the answer
  kNotSought,   // very many answers of the file are wrong; this one was not looked for
};
std::string_view misalignment_name(Misalignment cause);  // "utf16", "bytes", "white_space", ...

struct Diagnosis {
  Misalignment cause = Misalignment::kAbsent;
  int64_t occurrences = 0;  // of the answer's text in the context, overlapping ones too
  int64_t start = -1;  // where the answer stands by this diagnosis; -1 where that is not certain
  std::string found;   // what the context has at the stated place, as long as the answer
};

// REQUIRES: !is_aligned(answer, context, index).
Diagnosis diagnose(const Answer& answer, const std::string& context, const CodePointIndex& index);

// "counts UTF-16 units; the answer stands at 12": for people, one clause.
std::string describe(const Diagnosis& diagnosis, const Answer& answer);

}  // namespace spanforge
