#pragma once
// What: finds the numbers of a context as they are spelt, each whole: "1,300", "3.5", "-40", "1e5",
//   "2024.06.01". A part of a number does not count: neither 5 in 1500 nor 3 in 3.5. Neighbours of
//   other scripts are not a part of it (3人, 第48条). A sign belongs to a number unless a letter or
//   digit precedes it (12-48, COVID-19).
// Units: code points. Time: linear in the context.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "spanforge/base/keyed_hash.h"
#include "spanforge/base/utf8.h"

namespace spanforge {

class Numerals {
 public:
  // The context must outlive it.
  explicit Numerals(const std::string& context);

  // The place of the number: the stated start if the whole number is there, else its only place
  // without a Latin, Greek or Cyrillic letter next to it (not the 3 of 3D). nullopt: there is no
  // such place, or several. REQUIRES: `number` is a JSON number.
  std::optional<int64_t> place_of(std::string_view number, int64_t stated) const;

 private:
  struct Places {
    int64_t count = 0, first = -1;
  };
  std::vector<std::pair<int64_t, std::string_view>> all_;  // by start
  KeyedMap<std::string_view, Places> alone_;               // those without a letter next to them
};

// Whether the word is at `start`, without a digit or a Latin, Greek or Cyrillic letter next to it.
// REQUIRES: index is the context's.
bool stands_as_word(std::string_view word, int64_t start, const std::string& context,
                    const CodePointIndex& index);

// The place of an answer whose text is a number or a truth value in its file, not a string.
// nullopt: no place is certain. A part of a number is not a place (the 5 of 1500). without_starts:
// the file has no starts, and `stated` is the first place of the text. REQUIRES: numerals and index
// are the context's.
std::optional<int64_t> place_of_mistyped(std::string_view text, int64_t stated, bool without_starts,
                                         const Numerals& numerals, const std::string& context,
                                         const CodePointIndex& index);

}  // namespace spanforge
