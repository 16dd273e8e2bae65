#pragma once
// What: proves a dataset: every answer stands where it says, nothing is empty or contradictory, and
//   two files share nothing. What the reader noted of rows (Dataset::faults) counts too.
// Unsound findings make training or scoring wrong; remarks are merely worth knowing.
// Time: linear in the file, however many answers are wrong.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "spanforge/base/error.h"
#include "spanforge/base/json.h"
#include "spanforge/data/alignment.h"
#include "spanforge/data/dataset.h"
#include "spanforge/data/overlap.h"

namespace spanforge {

enum class FindingKind {
  // Unsound.
  kEmptyQuestion,  // nothing but white space, as in the next two
  kEmptyContext,
  kEmptyAnswer,
  kImpossibleWithAnswers,  // is_impossible is true, and there are answers
  // Remarks.
  kAnswerEdgeSpace,    // an answer begins or ends with white space: no token holds it
  kRepeatedQuestion,   // the same question about the same context again
  kConflictingAnswer,  // ... with a different first answer
  kControlCharacter,   // NUL and other control characters; tokenizers drop them
  kCarriageReturn,     // "\r" in a context: often half of a line end that another tool drops
  kSeveralPlaces,      // an answer without a start stands in several places
  kNoReferences,       // a blind set: no question has answers
};
bool is_unsound(FindingKind kind);
bool is_unsound(FaultKind kind);  // the others can only mean one thing, and are remarks
std::string_view finding_name(FindingKind kind);  // "empty_question", ...

struct Finding {
  FindingKind kind;
  size_t example = 0;  // SIZE_MAX: it is about the file
  std::string reason;
  int64_t answer = -1;  // which of the example's answers it is about; -1: none
};

struct MisalignedAnswer {
  size_t example = 0;
  size_t answer = 0;  // which of the example's answers
  Diagnosis diagnosis;
};

// An answer's text that is no string in the file (FaultKind::kTextType).
struct MistypedText {
  size_t example = 0;
  size_t answer = 0;
  std::optional<Answer> repair;  // where it stands whole in one certain place
};

struct FileReport {
  std::string file;
  int64_t questions = 0;
  int64_t contexts = 0;
  int64_t answers = 0;           // of all questions, all answers
  int64_t misaligned = 0;        // of answers
  int64_t misaligned_first = 0;  // questions whose first answer (the one trained on) is misaligned
  int64_t without_answer = 0;    // questions
  int64_t usable = 0;            // questions with nothing unsound about them or their first answer
  int64_t repairable = 0;        // misaligned answers with one certain repair
  int64_t negative = 0;          // misaligned answers whose start is below 0 or unknown
  int64_t past_end = 0;          // ... or not inside the context
  std::vector<MisalignedAnswer> misaligned_answers;
  std::vector<MistypedText> mistyped_texts;
  std::vector<Finding> unsound;
  std::vector<Finding> remarks;
};

FileReport check_dataset(const Dataset& dataset);

struct CheckReport {
  std::vector<FileReport> files;
  // Of each pair of files, in order: (0,1), (0,2), (1,2), ...
  struct FilePair {
    size_t first = 0, second = 1;
    Overlap overlap;
  };
  std::vector<FilePair> overlaps;
};
CheckReport check_datasets(const std::vector<const Dataset*>& datasets);

// {"files": [{"file", "questions", "answers", "misaligned", ...}], "overlap": {...}}; "overlap"
// where there are two files, "overlaps" (a list naming its files) where there are more. REQUIRES
// (all three): datasets are those the report was made from.
Json check_to_json(const CheckReport& report, const std::vector<const Dataset*>& datasets);
// The same for people, several lines; at most `max_examples` findings of each kind are shown.
std::string check_to_text(const CheckReport& report, const std::vector<const Dataset*>& datasets,
                          size_t max_examples = 5);
// The error to end with where an answer is misaligned, a file unsound or two files overlap.
std::optional<Error> check_verdict(const CheckReport& report,
                                   const std::vector<const Dataset*>& datasets);

}  // namespace spanforge
