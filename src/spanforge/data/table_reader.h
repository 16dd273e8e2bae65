#pragma once
// What: reads the rows of a text table: CSV (RFC 4180), TSV, and variants of spreadsheets:
//   semicolons, "sep=;" as the first line, any line ends, line ends and separators inside quotes,
//   text after a closing quote.
// Quotes: some tools write a TSV in which quotes do not enclose cells. They are then characters.
// Memory: one row. Does not check that the text is UTF-8.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace spanforge {

struct TableRow {
  std::vector<std::string> cells;  // at most kMostCells; the last holds the rest of the row
  int64_t line = 0;                // its first line, from 1
  std::string_view source;         // its bytes, with the line end
  bool open_quote = false;         // the text ends inside quotes
};

struct TableShape {
  char separator = ',';
  bool quotes = true;  // quotes enclose cells
  size_t begin = 0;    // of the header, after "sep=;"
  int64_t first_line = 1;
};

class TableReader {
 public:
  static constexpr size_t kMostCells =
      16385;  // one more than the columns of the largest spreadsheet
  TableReader(std::string_view text, TableShape shape)
      : text_(text), shape_(shape), at_(shape.begin), line_(shape.first_line) {}
  // Reads the next row that is not empty. false: there is none.
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

// Finds the separator by these criteria, in this order: "sep=", the number of known names in the
// header (column_names.h), the file's name, the number of cells in the header.
TableShape find_shape(std::string_view text, std::string_view file);

// The cells of the first row.
std::vector<std::string> header_of(std::string_view text, const TableShape& shape);

}  // namespace spanforge
