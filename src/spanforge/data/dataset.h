#pragma once
// What: question answering data in memory, and the functions that read it from files (forms.h lists
//   the forms). Every example remembers its place in the file, so that messages can name it.
// Units: answer_start counts Unicode code points of the context, as in SQuAD.
// Sharing: equal contexts are stored once, and tokenised once.

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "spanforge/base/error.h"
#include "spanforge/base/utf8.h"

namespace spanforge {

class AtomicFile;
class MappedFile;

// What a file says about the place of an answer.
enum class StartSource : uint8_t {
  kStated,    // a number
  kUnknown,   // the form has starts, but this one is -1, null, missing or not a number
  kNoStarts,  // the form has no starts: CMRC's strings, tables without such a column
};

struct Answer {
  std::string text;
  // Code points. kStated: the file's number, not yet checked (see check.h). kUnknown: the place of
  // the text if it occurs once, else -1. kNoStarts: the first place of the text, -1 if there is
  // none.
  int64_t answer_start = 0;
  StartSource source = StartSource::kStated;
  bool operator==(const Answer& other) const {
    return text == other.text && answer_start == other.answer_start;
  }
};

struct Example {
  std::string id;
  std::string title;
  std::string question;
  size_t context = 0;           // index into Dataset::contexts
  std::vector<Answer> answers;  // empty: no answer in the context
  bool is_impossible = false;   // as in the file; v1.1 files do not have it
  std::string place;            // e.g. data[3].paragraphs[0].qas[2], or line 17
};

// A fault of a row. All but kBadRow leave the row usable: its values have only one meaning.
enum class FaultKind : uint8_t {
  kBadRow,       // the row cannot be read and is skipped
  kDuplicateId,  // another row has the same id
  kStartType,    // a start is not a whole number: read as the one it spells ("12", 12.0), else as
                 // unknown
  kTextType,     // an answer's text is not a string: read as the file spells it (1.50), null as ""
  kFlagType,     // is_impossible is not a bool: read as the one it spells ("true", 0, "no")
  kEmptyAnswer,  // an empty text under is_impossible, which means no answer: skipped
};
std::string_view fault_name(FaultKind kind);  // "bad_row", "duplicate_id", ...

struct RowFault {
  FaultKind kind = FaultKind::kBadRow;
  std::string place, id, reason;  // id: "" if it is not known
  size_t example = SIZE_MAX;      // index of the faulty example; SIZE_MAX: the row was skipped
  int64_t answer = -1;            // index into its answers; -1: it is not about an answer
};

// The form of a file.
enum class SourceForm : uint8_t {
  kJson,  // SQuAD's, flat or as lines
  kLabelStudio,
  kDoccano,
  kTable,  // CSV, TSV
};

// How to read a file whose content does not say it.
struct ReadOptions {
  std::string encoding;  // a name that ICU knows ("GB18030"); empty: recognised by content
  // Parts and the names that the file has for them: {"question", "q"}. The parts are id, title,
  // context, question, answer, answer_start, is_impossible.
  std::vector<std::pair<std::string, std::string>> columns;
};

// {file, "PLACE (id ID)"}, without the unknown parts.
ErrorPlace row_place(const std::filesystem::path& file, const std::string& place,
                     const std::string& id);

struct Dataset {
  std::filesystem::path file;
  std::vector<RowFault> faults;
  // For the user: how the file was read, such as its encoding and its columns.
  std::vector<std::string> notes;
  SourceForm form = SourceForm::kJson;
  std::string encoding = "UTF-8";  // of the file
  // No question has references: the set can be answered, but not trained on or scored.
  bool blind = false;
  std::string version;  // "v2.0"; "" if the file has none
  std::vector<std::string> contexts;
  std::vector<Example> examples;  // in file order

  const std::string& context_of(const Example& example) const { return contexts[example.context]; }
  // {file, "data[3].paragraphs[0].qas[2] (id 56be...)"}
  ErrorPlace place_of(const Example& example) const;
};

// The examples with these indices, in this order, with their contexts.
Dataset select_examples(const Dataset& dataset, std::span<const size_t> examples);

// Keeps the examples whose bit is set, their faults, the faults of no example, and all contexts.
Dataset keep_examples(Dataset dataset, const std::vector<bool>& keep);

// Reads a dataset. The content decides its form (forms.h). "-" and pipes: see io/input_file.h.
// Faults of single rows are listed in `faults`. Throws Error{kBadData, file, where} if the file has
// no known form or no usable row. Does not check the places of answers: check.h does.
Dataset read_dataset(const std::filesystem::path& file, const ReadOptions& options = {});
// The same for a file that the caller reads, too: a pipe can be read only once.
Dataset read_dataset(const MappedFile& file, const ReadOptions& options = {});
// The same for text in memory; `file` is only its name.
Dataset read_dataset_text(std::string_view text, const std::filesystem::path& file,
                          const ReadOptions& options = {});

// The same for callers that need every row: throws for the first row that cannot be read or has an
// answer whose text is not a string.
Dataset load_dataset(const std::filesystem::path& file, const ReadOptions& options = {});
Dataset load_dataset(const MappedFile& file, const ReadOptions& options = {});
Dataset parse_dataset(std::string_view text, const std::filesystem::path& file,
                      const ReadOptions& options = {});

// Writes nested SQuAD v2.0 JSON and commits the file. Groups paragraphs by title and context.
void save_squad(const Dataset& dataset, AtomicFile file);

// [context]: the indices of the examples that ask about it, ascending.
std::vector<std::vector<size_t>> examples_by_context(const Dataset& dataset);

// Whether the context holds answer.text at answer.answer_start. Without an index, linear in the
// context.
bool is_aligned(const Answer& answer, const std::string& context);
bool is_aligned(const Answer& answer, const std::string& context, const CodePointIndex& index);

}  // namespace spanforge
