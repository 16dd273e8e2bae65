#pragma once
// What annotation tools know of one question, and its way to a flat row (forms.h).
// A file is gone over twice: first for the unit of its offsets and for whether anything in it is
// labelled at all, then for its rows.

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
  bool labelled = false;           // somebody has worked on it
};

// Hands over the rows of a file, in order.
using ToolRows = std::function<void(const std::function<void(ToolRow&)>&)>;

struct ToolForm {
  std::string_view name;          // "Label Studio"
  std::vector<OffsetUnit> units;  // possible ones; the first is taken without evidence
  bool records_work = true;       // a row without labels says whether somebody has worked on it
};

// A file in which nothing is labelled gives rows without answers. In another, rows that nobody has
// worked on are left out, with a note; those without any answer have is_impossible. Of a tool that
// does not record work, every row counts as worked on where any has a label.
void stream_tool_rows(const ToolForm& form, size_t file_size, const ToolRows& rows,
                      const RowCallback& callback, std::vector<std::string>& notes);

// The memory that the texts of answers may take which stand in the file as two numbers only: as
// much as the file, and 8 MB. What takes more is made to fill memory.
class SliceBudget {
 public:
  explicit SliceBudget(size_t file_size) : left_(file_size + (uint64_t{8} << 20)) {}
  bool take(uint64_t bytes) { return bytes <= left_ && (left_ -= bytes, true); }

 private:
  uint64_t left_;
};

// Where the text stands in the context and, if nowhere, how it is stated: {"text", "answer_start"}.
// A text, the reason: nothing is known but a place that is not within the context, or the budget is
// spent.
std::variant<Json, std::string> answer_of(const ToolSpan& span, const UnitIndex& index,
                                          const std::vector<OffsetUnit>& units, OffsetUnit first,
                                          SliceBudget& budget);

// "No answer", "unanswerable", "无答案" and their kin, in any case.
bool means_no_answer(std::string_view text);

}  // namespace spanforge
