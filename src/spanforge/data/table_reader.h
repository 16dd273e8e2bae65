#pragma once
// What: the rows of a table in text: CSV (RFC 4180), TSV, and what spreadsheets write besides:
//   semicolons, "sep=;" as the first line, line ends of any kind, line ends and separators inside
//   of quotes, text behind a closing quote.
// Memory: one row. Nothing is checked of the text; UTF-8 is the caller's matter.
// In a TSV whose quotes do not enclose cells, as some tools write it, quotes are characters.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace spanforge {

struct TableRow {
  std::vector<std::string> cells;  // what stands behind kMostCells of them is in the last
  int64_t line = 0;                // where it begins, from 1
  std::string_view source;         // its bytes, with the line end
  bool open_quote = false;         // the text ends inside of quotes
};

struct TableShape {
  char separator = ',';
  bool quotes = true;  // they enclose cells
  size_t begin = 0;    // of the header, behind "sep=;"
  int64_t first_line = 1;
};

class TableReader {
 public:
  static constexpr size_t kMostCells =
      16385;  // one more than the columns of the largest spreadsheet
  TableReader(std::string_view text, TableShape shape)
      : text_(text), shape_(shape), at_(shape.begin), line_(shape.first_line) {}
  // The next row that is not empty. False: there is none.
  bool next(TableRow& row);
  size_t position() const { return at_; }

 private:
  void read_row(TableRow& row);
  void read_quoted(std::string& cell, bool& open);
  bool at_line_end() const;
  void skip_line_end();

  std::string_view text_;
  TableShape shape_;
  size_t at_;
  int64_t line_;
};

// The separator by "sep=", by the header's cells that are known names (column_names.h), by the
// file's name, or by which cuts the header into most cells, in this order.
TableShape find_shape(std::string_view text, std::string_view file);

// The names in the first row.
std::vector<std::string> header_of(std::string_view text, const TableShape& shape);

}  // namespace spanforge
