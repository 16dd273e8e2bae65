#pragma once
// What: question answering data as read from files: nested SQuAD v1.1/v2.0, flat rows, JSON lines.
//   Every example remembers the file and place it came from, so that messages can name it.
// Units: answer_start counts Unicode code points of the context, as in SQuAD.
// Sharing: a context that stands once in the file is stored once, however many questions it has;
//   downstream code tokenises each context once.

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

// What a file says of where an answer stands.
enum class StartSource : uint8_t {
  kStated,    // a number
  kUnknown,   // -1, null, nothing, or what is no number, in a form whose answers have starts
  kNoStarts,  // the form has none: CMRC's strings, tables without such a column
};

struct Answer {
  std::string text;
  // Code points; as the file says, not yet proved (see check.h). Where the source is kUnknown:
  // where the text stands, if that is one place, else -1. kNoStarts: where it stands first, -1 if
  // nowhere.
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
  bool is_impossible = false;   // as stated; v1.1 files state nothing
  std::string place;            // e.g. data[3].paragraphs[0].qas[2], or line 17
};

// What a file writes wrongly. All but kBadRow leave the row usable: what was written is read as
// what it can only mean.
enum class FaultKind : uint8_t {
  kBadRow,       // it cannot be read, and is left out
  kDuplicateId,  // its id is another's
  kStartType,    // a start is no whole number: read as the one it spells ("12", 12.0), else as
                 // unknown
  kTextType,  // an answer's text is no string: read as it is spelt in the file (1.50), null as ""
  kFlagType,  // is_impossible is no bool: read as the one it spells ("true", 0, "no")
  kEmptyAnswer,  // an empty text under is_impossible, which means no answer: left out
};
std::string_view fault_name(FaultKind kind);  // "bad_row", "duplicate_id", ...

struct RowFault {
  FaultKind kind = FaultKind::kBadRow;
  std::string place, id, reason;  // id: empty where none is known
  size_t example = SIZE_MAX;      // that stays although it is faulty; SIZE_MAX: left out
  int64_t answer = -1;            // which of its answers; -1: it concerns none
};

// What a file is.
enum class SourceForm : uint8_t {
  kJson,  // SQuAD's, flat or as lines
  kLabelStudio,
  kDoccano,
  kTable,  // CSV, TSV
};

// How to read a file, where its own bytes do not tell.
struct ReadOptions {
  std::string encoding;  // a name ICU knows ("GB18030"); empty: as recognised
  // What is under another name: {"question", "q"}. Ours: id, title, context, question, answer,
  // answer_start, is_impossible.
  std::vector<std::pair<std::string, std::string>> columns;
};

// {file, "PLACE (id ID)"}, as far as they are known.
ErrorPlace row_place(const std::filesystem::path& file, const std::string& place,
                     const std::string& id);

struct Dataset {
  std::filesystem::path file;
  std::vector<RowFault> faults;
  // How the file was understood where that is not plain: its encoding, which column is what.
  std::vector<std::string> notes;
  SourceForm form = SourceForm::kJson;
  std::string encoding = "UTF-8";  // of the file
  // No question has references: a set to answer, not to train on or to score.
  bool blind = false;
  std::string version;  // "v2.0"; empty when the file says none
  std::vector<std::string> contexts;
  std::vector<Example> examples;  // in file order

  const std::string& context_of(const Example& example) const { return contexts[example.context]; }
  // {file, "data[3].paragraphs[0].qas[2] (id 56be...)"}
  ErrorPlace place_of(const Example& example) const;
};

// Some examples, in this order, with their contexts.
Dataset select_examples(const Dataset& dataset, std::span<const size_t> examples);

// Those examples whose bit is set, and the faults of them and of no example; contexts stay.
Dataset keep_examples(Dataset dataset, const std::vector<bool>& keep);

// Reads a dataset, deciding the form by its content (forms.h). "-" and pipes are read as
// io/input_file.h says. What is no such file, or holds no
// usable row at all, is Error{kBadData, file, where}. What is wrong with single rows is noted in
// `faults`; whether answers stand where they say is check.h's matter.
Dataset read_dataset(const std::filesystem::path& file, const ReadOptions& options = {});
// The same for a file that the caller looks at as well: a pipe can be read only once.
Dataset read_dataset(const MappedFile& file, const ReadOptions& options = {});
// The same for text already in memory; `file` is only its name.
Dataset read_dataset_text(std::string_view text, const std::filesystem::path& file,
                          const ReadOptions& options = {});

// The same, but the first row that cannot be read, or has an answer whose text is no string, is an
// error: for who uses every row.
Dataset load_dataset(const std::filesystem::path& file, const ReadOptions& options = {});
Dataset load_dataset(const MappedFile& file, const ReadOptions& options = {});
Dataset parse_dataset(std::string_view text, const std::filesystem::path& file,
                      const ReadOptions& options = {});

// Writes nested SQuAD v2.0 JSON and commits the file; paragraphs grouped by title and context.
void save_squad(const Dataset& dataset, AtomicFile file);

// True when the context holds answer.text at answer.answer_start.
bool is_aligned(const Answer& answer, const std::string& context);
bool is_aligned(const Answer& answer, const std::string& context, const CodePointIndex& index);

}  // namespace spanforge
