#pragma once
// What: plans the repairs of a dataset, and lists what people must repair.
// Proof: an answer is changed only if one span is certain (alignment.h) or, if asked for, one span
//   is most similar to it. After the change the context holds the text at the answer's start.
// Invariant: a second repair changes nothing. The decision about an answer depends only on its
//   context, the answers of that context and the options, not on earlier repairs.

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
  kUniqueOccurrence,  // the text occurs once in the context
  kContextShift,      // the answers around it are all off by the same amount (context_shift.h)
  kNumber,            // the start was right, but written as a string or with a point
  kNumberText,        // the text was a number (or true, false) that the context spells the same way
  kDuplicateId,       // the question gets a new id
  kFlagType,          // is_impossible becomes the bool that it spells
  kEmptyAnswer,       // an empty text under is_impossible becomes an empty list
  kSimilarSpan,       // if asked for: the text becomes the most similar span
  kTrimmed,           // if asked for: white space at the ends of an aligned answer is removed
};
std::string_view repair_name(RepairKind kind);  // "utf16_offset", "byte_offset", ...

struct RepairOptions {
  bool similar = false;  // allow kSimilarSpan
  double min_f1 = 0.8;   // of a similar span; 0 < min_f1 <= 1
  bool trim = false;     // allow kTrimmed
};

struct Repair {
  static constexpr size_t kNoAnswer = SIZE_MAX;  // the repair changes the question

  RepairKind kind = RepairKind::kUniqueOccurrence;
  size_t example = 0;
  size_t answer = 0;  // index into the example's answers
  Answer after;
  double f1 = 1;  // of a similar span
  std::string reason;
  std::string new_id;               // of kDuplicateId
  std::optional<ShiftProof> proof;  // of kContextShift
};

// A finding of check.h that no repair removes.
struct LeftOver {
  std::string kind;  // a misalignment's cause, or the name of a finding or fault
  std::string place, id, reason;
  std::optional<Answer> before;  // if it is about one answer
};

struct RepairPlan {
  int64_t questions = 0, answers = 0, misaligned = 0;
  std::vector<Repair> repairs;  // in the dataset's order
  std::vector<LeftOver> left;   // misaligned answers, then faulty rows, then unsound findings
};

// The place of an answer of the example; answer -1: the place of the example.
std::string place_of_answer(const Example& example, int64_t answer);

RepairPlan plan_repairs(const Dataset& dataset, const RepairOptions& options);

// The changes for find_byte_changes() in rewrite.h.
std::vector<RowChange> changes_of(const RepairPlan& plan);
// Makes the repairs in the dataset, for writing it to a new file. Keeps the list of faults.
void apply_repairs(const RepairPlan& plan, Dataset& dataset);

// One object for each repair and each finding left: {"status": "repaired"|"left", "id", "place",
// "kind", "reason", "before", "after"}. A similar span also has "f1", a shift "proof": {"shift",
// "before", "behind", "id_before", "id_behind"}.
Json repair_to_json(const Repair& repair, const Dataset& dataset);
Json left_to_json(const LeftOver& left);
// {"file", "questions", "answers", "misaligned", "repaired", "left", "kinds", "left_kinds",
// "changes", "rest"}
Json plan_to_json(const RepairPlan& plan, const Dataset& dataset);
// The same for people; shows at most `max_examples` of each kind.
std::string plan_to_text(const RepairPlan& plan, const Dataset& dataset, size_t max_examples = 5);

}  // namespace spanforge
