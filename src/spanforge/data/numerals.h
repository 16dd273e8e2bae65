#pragma once
// What: the numbers of a context as they are spelt there, each whole: "1,300", "3.5", "-40", "1e5",
//   "2024.06.01". What is a part of such a number is none: neither 5 in 1500 nor 3 in 3.5.
//   Characters of other scripts beside it are no part (3人, 第48条). A sign belongs to a number
//   unless a letter or digit stands before it (12-48, COVID-19).
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

  // Where the number is meant to stand: at the stated start where it stands there whole, else in
  // the one other place where it does, and no Latin, Greek or Cyrillic letter beside it (not the 3
  // of 3D); nullopt: nowhere, or in several. REQUIRES: the number is one by itself, as in JSON.
  std::optional<int64_t> place_of(std::string_view number, int64_t stated) const;

 private:
  struct Places {
    int64_t count = 0, first = -1;
  };
  std::vector<std::pair<int64_t, std::string_view>> all_;  // by start
  KeyedMap<std::string_view, Places> alone_;               // those without a letter beside
};

// Whether the word stands at the start, without a digit or a Latin, Greek or Cyrillic letter beside
// it. REQUIRES: index is the context's.
bool stands_as_word(std::string_view word, int64_t start, const std::string& context,
                    const CodePointIndex& index);

// Where an answer whose text is no string in its file, but a number or a truth value, is meant to
// stand: nullopt: nowhere for certain. Where it is a part of something (the 5 of 1500) it stands
// nowhere. without_starts: the file has no starts, so it is read as standing where it does first,
// which is `stated`. REQUIRES: numerals and index are the context's.
std::optional<int64_t> place_of_mistyped(std::string_view text, int64_t stated, bool without_starts,
                                         const Numerals& numerals, const std::string& context,
                                         const CodePointIndex& index);

}  // namespace spanforge
