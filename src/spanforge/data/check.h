#pragma once
// What: checks a dataset: every answer is where it says, nothing is empty or contradictory, and two
//   files share nothing. Also reports the reader's faults (Dataset::faults).
// Findings: unsound ones make training or scoring wrong; remarks do not.
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
  kEmptyQuestion,  // empty or only white space, also in the next two
  kEmptyContext,
  kEmptyAnswer,
  kImpossibleWithAnswers,  // is_impossible is true, and there are answers
  // Remarks.
  kAnswerEdgeSpace,    // an answer begins or ends with white space, which is in no token
  kRepeatedQuestion,   // an earlier question about this context is the same
  kConflictingAnswer,  // ... and has a different first answer
  kControlCharacter,   // NUL and other control characters; tokenizers drop them
  kCarriageReturn,     // "\r" in a context: often a part of a line end that another tool drops
  kSeveralPlaces,      // an answer without a start occurs in several places
  kNoReferences,       // a blind set: no question has answers
};
bool is_unsound(FindingKind kind);
bool is_unsound(FaultKind kind);                  // false: it has only one meaning and is a remark
std::string_view finding_name(FindingKind kind);  // "empty_question", ...

struct Finding {
  FindingKind kind;
  size_t example = 0;  // SIZE_MAX: it is about the file
  std::string reason;
  int64_t answer = -1;  // index into the example's answers; -1: it is not about an answer
};

struct MisalignedAnswer {
  size_t example = 0;
  size_t answer = 0;  // index into the example's answers
  Diagnosis diagnosis;
};

// An answer's text that is not a string in the file (FaultKind::kTextType).
struct MistypedText {
  size_t example = 0;
  size_t answer = 0;
  std::optional<Answer> repair;  // if one certain place holds it as a whole word or number
};

struct FileReport {
  std::string file;
  int64_t questions = 0;
  int64_t contexts = 0;
  int64_t answers = 0;           // of all questions, all answers
  int64_t misaligned = 0;        // of answers
  int64_t misaligned_first = 0;  // questions whose first answer (used for training) is misaligned
  int64_t without_answer = 0;    // questions
  int64_t usable = 0;            // questions without unsound finding and misaligned first answer
  int64_t repairable = 0;        // misaligned answers with one certain repair
  int64_t negative = 0;          // misaligned answers whose start is below 0 or unknown
  int64_t past_end = 0;          // misaligned answers whose start is past the context's end
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

// {"files": [{"file", "questions", "answers", "misaligned", ...}], "overlap": {...}}. "overlap" is
// for two files; more files have "overlaps", a list that names the files. REQUIRES (all three): the
// report was made from these datasets.
Json check_to_json(const CheckReport& report, const std::vector<const Dataset*>& datasets);
// The same for people, in several lines; shows at most `max_examples` findings of each kind.
std::string check_to_text(const CheckReport& report, const std::vector<const Dataset*>& datasets,
                          size_t max_examples = 5);
// The error to end with if an answer is misaligned, a file is unsound or two files overlap.
std::optional<Error> check_verdict(const CheckReport& report,
                                   const std::vector<const Dataset*>& datasets);

}  // namespace spanforge
