#pragma once
// What: which answers of a dataset can be put right, and what has to be left to people.
// Proof: an answer is changed only where one span is certain (alignment.h), or, when asked, where
//   one span is most like it; after the change the context holds the text where the answer says.
//   Whether to change an answer depends on nothing but its context, the answers of that context
//   and the options, and nothing that is left is decided by what was repaired: repairing twice is
//   repairing once.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "spanforge/base/json.h"
#include "spanforge/data/check.h"
#include "spanforge/data/dataset.h"
#include "spanforge/data/rewrite.h"

namespace spanforge {

enum class RepairKind {
  kUtf16Offset,       // the start counted UTF-16 units
  kByteOffset,        // the start counted bytes
  kWhitespace,        // white space changed in the text, or was not counted before it
  kOffByOne,          // the start was one too large or too small
  kNormalForm,        // the text takes the context's composed or decomposed characters
  kInvisible,         // the text takes the context's control and format characters
  kUniqueOccurrence,  // the text stands once in the context
  kContextShift,      // the answers around it are all off by as much (context_shift.h)
  kNumber,            // the start was right, but written as a string or with a point
  kNumberText,        // the text was a number (or true, false) that the context spells so
  kDuplicateId,       // the question gets an id that no other has
  kFlagType,          // is_impossible becomes the bool that it spells
  kEmptyAnswer,       // an empty text under is_impossible becomes an empty list
  kSimilarSpan,       // asked for: the text becomes the span most like it
  kTrimmed,           // asked for: the answer stood where it says, white space at its ends is gone
};
std::string_view repair_name(RepairKind kind);  // "utf16_offset", "byte_offset", ...

struct RepairOptions {
  bool similar = false;  // allow kSimilarSpan
  double min_f1 = 0.8;   // of a similar span; 0 < min_f1 <= 1
  bool trim = false;     // allow kTrimmed
};

struct Repair {
  static constexpr size_t kNoAnswer = SIZE_MAX;  // the repair is one of the question

  RepairKind kind = RepairKind::kUniqueOccurrence;
  size_t example = 0;
  size_t answer = 0;  // which of the example's answers
  Answer after;
  double f1 = 1;  // of a similar span
  std::string reason;
  std::string new_id;               // of kDuplicateId
  std::optional<ShiftProof> proof;  // of kContextShift
};

// What check finds in the dataset and no repair mends.
struct LeftOver {
  std::string kind;  // a misalignment's cause, or the name of what is unsound
  std::string place, id, reason;
  std::optional<Answer> before;  // where it is about one answer
};

struct RepairPlan {
  int64_t questions = 0, answers = 0, misaligned = 0;
  std::vector<Repair> repairs;  // in the dataset's order
  std::vector<LeftOver> left;   // misaligned answers, then rows at fault, then unsound places
};

// The place of an answer of an example; -1: of the example itself.
std::string place_of_answer(const Example& example, int64_t answer);

RepairPlan plan_repairs(const Dataset& dataset, const RepairOptions& options);

// What find_byte_changes() is to change.
std::vector<RowChange> changes_of(const RepairPlan& plan);
// Makes the repairs in the dataset itself: for a file that is written anew. The faults that they
// mend stay noted.
void apply_repairs(const RepairPlan& plan, Dataset& dataset);

// One object for each repair and each thing left: {"status": "repaired"|"left", "id", "place",
// "kind", "reason", "before", "after"}, "f1" for a similar span, and "proof" for a shift: {"shift",
// "before", "behind", "id_before", "id_behind"}.
Json repair_to_json(const Repair& repair, const Dataset& dataset);
Json left_to_json(const LeftOver& left);
// {"file", "questions", "answers", "misaligned", "repaired", "left", "kinds", "left_kinds",
// "changes", "rest"}
Json plan_to_json(const RepairPlan& plan, const Dataset& dataset);
// The same for people; at most `max_examples` of each kind are shown.
std::string plan_to_text(const RepairPlan& plan, const Dataset& dataset, size_t max_examples = 5);

}  // namespace spanforge
