#pragma once
// Converts the rows of annotation tools to flat rows (forms.h). Reads a file twice: first to find
// the unit of its offsets and whether anything is labelled, then for its rows.

#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "spanforge/data/dataset.h"
#include "spanforge/data/offset_unit.h"
#include "spanforge/data/row_stream.h"

namespace spanforge {

struct ToolRow {
  std::string place, error;  // error: why the row cannot be read
  std::string id, title, question, context;
  std::vector<ToolSpan> spans;
  std::vector<std::string> typed;  // answers without a place
  bool labelled = false;           // an annotator has worked on it
};

// Calls its argument for each row of a file, in order.
using ToolRows = std::function<void(const std::function<void(ToolRow&)>&)>;

struct ToolForm {
  std::string_view name;          // "Label Studio"
  std::vector<OffsetUnit> units;  // the possible ones; the first is used without evidence
  bool records_work = true;       // a row without labels says whether an annotator worked on it
};

// If nothing in the file is labelled, all rows come without answers. Otherwise rows that nobody has
// worked on are skipped, with a note, and rows without an answer have is_impossible. If the tool
// does not record work, all rows of a file with a label count as worked on.
void stream_tool_rows(const ToolForm& form, size_t file_size, const ToolRows& rows,
                      const RowCallback& callback, std::vector<std::string>& notes);

// Limits the memory for texts of answers that the file gives only as two numbers: the size of the
// file and 8 MB. A file that needs more is an attack.
class SliceBudget {
 public:
  explicit SliceBudget(size_t file_size) : left_(file_size + (uint64_t{8} << 20)) {}
  bool take(uint64_t bytes) { return bytes <= left_ && (left_ -= bytes, true); }

 private:
  uint64_t left_;
};

// The answer {"text", "answer_start"} at its place in the context, or as stated if it has no place.
// A string is an error's reason: there is no text and the place is outside the context, or the
// budget is used up.
std::variant<Json, std::string> answer_of(const ToolSpan& span, const UnitIndex& index,
                                          const std::vector<OffsetUnit>& units, OffsetUnit first,
                                          SliceBudget& budget);

// Whether the text is "No answer", "unanswerable", "无答案" or the like, in any case.
bool means_no_answer(std::string_view text);

}  // namespace spanforge
