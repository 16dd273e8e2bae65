#pragma once
// What: where a text may stand in a context, although the file that names it counted otherwise or
//   wrote it a little differently.
// Units: code points. A search is made once for a context and asked for many answers.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "spanforge/base/utf8.h"
#include "spanforge/text/normalized_text.h"

namespace spanforge {

// In what a text and its place in the context differ, from nothing to the most that is looked for.
enum class Likeness {
  kExact,       // the same code points
  kWhiteSpace,  // ... but for white space
  kNormalForm,  // ... also but for composed or decomposed characters (é and e + U+0301)
  kInvisible,   // ... also but for characters nobody sees: control and format characters
};

struct Places {
  Likeness likeness = Likeness::kExact;
  std::vector<CharSpan> spans;  // in order; of the closest likeness that has any
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

struct Fit {
  Counting counting;
  CharSpan span;
};

class AnswerSearch {
 public:
  // The context must outlive it.
  explicit AnswerSearch(const std::string& context) : context_(&context), index_(context) {}

  const std::string& context() const { return *context_; }
  const CodePointIndex& index() const { return index_; }
  std::string slice(CharSpan span) const;

  // Every place of the text; none for a text of nothing but white space. Overlapping places count.
  Places find(std::string_view text);

  // Those of the spans that begin where a start, counted in one of the ways, would be. REQUIRES:
  // spans in order. A negative start fits nowhere: it says "not found", not how it was counted.
  std::vector<Fit> fits(int64_t stated, const std::vector<CharSpan>& spans) const;

 private:
  std::vector<CharSpan> find_exact(std::string_view text) const;
  const NormalizedText& reduced(Likeness likeness);

  const std::string* context_;
  CodePointIndex index_;
  std::optional<NormalizedText> reduced_[3];  // by likeness, made when first asked for
};

}  // namespace spanforge
