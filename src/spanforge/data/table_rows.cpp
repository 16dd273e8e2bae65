#include "spanforge/data/table_rows.h"

#include <algorithm>
#include <optional>

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/base/utf8.h"
#include "spanforge/data/annotations.h"
#include "spanforge/data/answer_start.h"
#include "spanforge/data/column_names.h"
#include "spanforge/data/keys.h"
#include "spanforge/data/normalize.h"
#include "spanforge/data/occurrences.h"
#include "spanforge/data/python_literal.h"
#include "spanforge/data/table_reader.h"
#include "spanforge/data/tool_rows.h"

namespace spanforge {
namespace {

// A cell's value if it is not plain text: an object of answers, or a list of texts or objects.
std::optional<Json> structure_of(std::string_view cell) {
  const std::string_view text = trim_white_space(cell);
  if (text.empty() || (text.front() != '{' && text.front() != '[' && !text.starts_with("array("))) {
    return std::nullopt;
  }
  std::optional<Json> value = parse_python_literal(text);
  if (!value) return std::nullopt;
  if (value->is_object()) {
    return keys::present(*value, keys::kText).empty() ? std::nullopt : std::move(value);
  }
  if (!value->is_array()) return std::nullopt;
  const auto holds = [&](const auto& is) { return std::ranges::all_of(*value, is); };
  const bool texts = holds([](const Json& one) { return one.is_string(); });
  const bool objects = holds([](const Json& one) { return one.is_object(); });
  return texts || objects ? std::move(value) : std::nullopt;
}

// Whether it is an empty cell of a spreadsheet or of pandas.
bool is_nothing(std::string_view cell) {
  const std::string_view text = trim_white_space(cell);
  return text.empty() || text == "[]" || text == "{}" || text == "nan" || text == "NaN" ||
         text == "None";
}

bool has_answers(std::string_view cell) {
  if (is_nothing(cell)) return false;
  const std::optional<Json> value = structure_of(cell);
  if (!value) return true;
  const Json* texts = value->is_object() ? &value->at(keys::present(*value, keys::kText)) : &*value;
  return !texts->is_array() || !texts->empty();
}

// Whether they are spans of Label Studio's CSV: "start" and "end" in the tool's unit.
bool is_csv_span_list(const Json& value) {
  return value.is_array() && !value.empty() && std::ranges::all_of(value, [](const Json& one) {
           return !one.contains("answer_start") &&
                  (one.contains("end") || one.contains("end_offset")) && span_of(one).has_value();
         });
}

// A cell's number: "12", or a spreadsheet's "12.0", "12,0" or "1.2E1"; else the cell unchanged.
Json start_of(std::string_view cell) {
  const std::string_view text = trim_white_space(cell);
  if (is_nothing(text)) return nullptr;
  const std::optional<Json> number = parse_python_literal(text);
  if (number && number->is_number_integer()) return *number;
  if (number && number->is_number_float()) {
    const double value = number->get<double>();
    const auto whole = static_cast<int64_t>(std::clamp(value, -1e15, 1e15));
    if (static_cast<double>(whole) == value) return Json(whole);
  }
  return Json(text);
}

class TableRows {
 public:
  TableRows(std::string_view text, const std::string& file, const ReadOptions& options)
      : text_(text),
        file_(file),
        shape_(find_shape(text, file)),
        names_(header_of(text, shape_)),
        vote_(label_studio_units()),
        budget_(text.size()) {
    require_utf8(header_source(text, shape_));
    parts_ = find_parts(names_, options.columns, file);
    require_columns();
  }

  void stream(const RowCallback& callback, const ReadCallback& on_read) {
    survey();
    each_row([&](const TableRow& row, int64_t number) {
      Json object = row_of(row, number);
      callback(RowKind::kRow, object, fmt::format("line {}", row.line));
      if (on_read) on_read(row.source.data() + row.source.size());
    });
  }

  std::string note() const {
    std::string note = "columns: " + describe_parts(parts_, names_);
    if (!part(Part::kId)) note += "; the ids are the rows' numbers";
    if (vote_.mattered()) {
      note += fmt::format("; offsets count {}", offset_unit_name(vote_.winner()));
    }
    return note;
  }

 private:
  std::optional<size_t> part(Part which) const { return parts_[static_cast<size_t>(which)]; }

  // "" if the table has no such column, or the row no such cell.
  std::string_view cell(const TableRow& row, Part which) const {
    const auto at = part(which);
    return at && *at < row.cells.size() ? std::string_view(row.cells[*at]) : std::string_view();
  }

  void require_columns() const {
    std::string missing;
    for (const Part which : {Part::kQuestion, Part::kContext}) {
      if (!part(which))
        missing += fmt::format("{}{}", missing.empty() ? "" : " and ", part_name(which));
    }
    if (missing.empty()) return;
    throw Error(
        ErrorCode::kBadData, file_,
        fmt::format("is a table without a column for {}; its columns are {}; name them with "
                    "`columns` question=NAME,context=NAME,answer=NAME",
                    missing, list_names(names_)));
  }

  static std::string_view header_source(std::string_view text, const TableShape& shape) {
    TableReader reader(text, shape);
    TableRow row;
    return reader.next(row) ? row.source : std::string_view();
  }

  void require_utf8(std::string_view bytes) const {
    const std::optional<size_t> invalid = find_invalid_utf8(bytes);
    if (!invalid) return;
    const auto at = static_cast<size_t>(bytes.data() - text_.data()) + *invalid;
    const auto line = 1 + std::ranges::count(text_.substr(0, at), '\n');
    throw Error(ErrorCode::kBadData, {.file = file_, .where = fmt::format("line {}", line)},
                "is not UTF-8; give the file's encoding, for example `encoding` GB18030, Big5, "
                "Shift_JIS or windows-1252");
  }

  // Calls back for each row after the header, with its number from 1.
  template <class Body>
  void each_row(const Body& body) const {
    TableReader reader(text_, shape_);
    TableRow row;
    if (!reader.next(row)) return;
    for (int64_t number = 1; reader.next(row); ++number) {
      require_utf8(row.source);
      if (row.open_quote) {
        throw Error(
            ErrorCode::kBadData, {.file = file_, .where = fmt::format("line {}", row.line)},
            "a quote opens in this row and never closes; write a quote within quotes twice");
      }
      body(row, number);
    }
  }

  // Finds out whether any row has an answer, and in which unit spans count.
  void survey() {
    if (!part(Part::kAnswer)) return;
    TableReader reader(text_, shape_);
    TableRow row;
    reader.next(row);
    bool spans = false;
    while ((!any_answer_ || spans) && reader.next(row)) {
      if (find_invalid_utf8(row.source)) return;  // the second pass reports it
      const std::string_view answers = cell(row, Part::kAnswer);
      if (!has_answers(answers)) continue;
      any_answer_ = true;
      const std::optional<Json> value = structure_of(answers);
      if (!value || !is_csv_span_list(*value)) continue;
      spans = true;
      const UnitIndex index(cell(row, Part::kContext));
      for (const Json& one : *value) vote_.count(*span_of(one), index);
    }
  }

  Json row_of(const TableRow& row, int64_t number) {
    const auto error = [](std::string reason) -> Json { return {{"error", std::move(reason)}}; };
    for (size_t i = names_.size(); i < row.cells.size(); ++i) {
      if (trim_white_space(row.cells[i]).empty()) continue;
      return error(
          fmt::format("has {} cells, but the first row names {}; a cell that holds the separator "
                      "must be in quotes",
                      row.cells.size(), names_.size()));
    }
    for (const Part which : {Part::kQuestion, Part::kContext}) {
      if (*part(which) < row.cells.size()) continue;
      return error(
          fmt::format("has {} cells, but the first row names {}; the one for {} is missing",
                      row.cells.size(), names_.size(), part_name(which)));
    }
    Json out = Json::object();
    out["id"] = part(Part::kId) ? std::string(cell(row, Part::kId)) : std::to_string(number);
    if (part(Part::kTitle)) out["title"] = cell(row, Part::kTitle);
    out["context"] = cell(row, Part::kContext);
    out["question"] = cell(row, Part::kQuestion);
    const std::string_view flag = trim_white_space(cell(row, Part::kImpossible));
    if (!flag.empty()) out["is_impossible"] = flag_of(flag);
    if (!part(Part::kAnswer)) return out;
    std::string reason;
    Json answers = answers_of(row, reason);
    if (!reason.empty()) return error(std::move(reason));
    if (answers.empty() && any_answer_ && flag.empty()) out["is_impossible"] = true;
    out["answers"] = std::move(answers);
    return out;
  }

  // A truth value, or the cell, which the reader of rows will check.
  static Json flag_of(std::string_view flag) {
    if (flag == "是" || flag == "对" || flag == "真") return true;
    if (flag == "否" || flag == "错" || flag == "假") return false;
    const std::optional<bool> spelled = spelled_bool(Json(flag));
    return spelled ? Json(*spelled) : Json(flag);
  }

  // A list of texts if the table gives no places, else of objects.
  Json answers_of(const TableRow& row, std::string& reason) {
    const std::string_view cell_text = cell(row, Part::kAnswer);
    Json answers = Json::array();
    if (!has_answers(cell_text)) return answers;
    const std::optional<Json> value = structure_of(cell_text);
    if (value && is_csv_span_list(*value)) return spans_of(row, *value, reason);
    if (value && value->is_object()) return with_lists(*value, answers);
    if (value && !value->front().is_string()) return *value;  // a list of objects
    std::vector<std::string> texts;
    if (value) {
      for (const Json& text : *value) texts.push_back(text.as_string());
    } else {
      texts = plain_texts(row, cell_text);
    }
    if (!part(Part::kStart)) {
      for (std::string& text : texts) answers.push_back(std::move(text));
      return answers;
    }
    std::vector<Json> starts = starts_of(cell(row, Part::kStart));
    if (starts.size() != texts.size() && !(texts.size() == 1 && starts.empty())) {
      reason = fmt::format("holds {} answers but {} positions", texts.size(), starts.size());
      return answers;
    }
    starts.resize(texts.size());
    for (size_t i = 0; i < texts.size(); ++i) {
      answers.push_back({{"text", std::move(texts[i])}, {"answer_start", std::move(starts[i])}});
    }
    return answers;
  }

  // doccano joins several answers with "#", in a column called label.
  std::vector<std::string> plain_texts(const TableRow& row, std::string_view text) const {
    const std::string_view context = cell(row, Part::kContext);
    std::vector<std::string_view> pieces;
    for (size_t begin = 0; begin <= text.size();) {
      const size_t end = std::min(text.find('#', begin), text.size());
      pieces.push_back(text.substr(begin, end - begin));
      begin = end + 1;
    }
    const bool joined = names_[*part(Part::kAnswer)] == "label" && pieces.size() > 1;
    if (joined) pieces.push_back(text);
    const std::vector<Occurrences> found =
        joined ? find_occurrences(context, pieces) : std::vector<Occurrences>(2);
    const bool split = found.back().count == 0 &&
                       std::all_of(found.begin(), found.end() - 1,
                                   [](const Occurrences& one) { return one.count > 0; });
    if (!split) return {std::string(text)};
    return {pieces.begin(), pieces.end() - 1};
  }

  static std::vector<Json> starts_of(std::string_view cell_text) {
    const std::string_view text = trim_white_space(cell_text);
    if (text.starts_with('[') || text.starts_with("array(")) {
      const std::optional<Json> list = parse_python_literal(text);
      if (list && list->is_array()) return list->as_array();
    }
    return {start_of(cell_text)};
  }

  // Returns {"text": [...], "answer_start": [...]} unchanged; makes a list of a single answer.
  static Json with_lists(const Json& value, Json& answers) {
    if (value.at(keys::present(value, keys::kText)).is_array()) return value;
    answers.push_back(value);
    return std::move(answers);
  }

  Json spans_of(const TableRow& row, const Json& value, std::string& reason) {
    Json answers = Json::array();
    const UnitIndex index(cell(row, Part::kContext));
    for (const Json& one : value) {
      const ToolSpan span = *span_of(one);
      auto answer = answer_of(span, index, label_studio_units(), vote_.winner(), budget_);
      if (auto* said = std::get_if<std::string>(&answer)) {
        reason = std::move(*said);
        break;
      }
      answers.push_back(std::move(std::get<Json>(answer)));
    }
    return answers;
  }

  std::string_view text_;
  const std::string& file_;
  TableShape shape_;
  std::vector<std::string> names_;
  PartColumns parts_;
  UnitVote vote_;
  SliceBudget budget_;
  bool any_answer_ = false;
};

}  // namespace

bool is_table(std::string_view text, std::string_view file) {
  if (header_of(text, find_shape(text, file)).size() > 1) return true;
  const std::string ending = std::filesystem::path(file).extension().string();
  return ending == ".csv" || ending == ".tsv" || ending == ".tab" || ending == ".CSV" ||
         ending == ".TSV";
}

void stream_table(std::string_view text, const std::string& file, const ReadOptions& options,
                  const RowCallback& callback, std::vector<std::string>& notes,
                  const ReadCallback& on_read) {
  TableRows rows(text, file, options);
  rows.stream(callback, on_read);
  notes.push_back(rows.note());
}

}  // namespace spanforge
