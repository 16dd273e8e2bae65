#include "spanforge/data/table_reader.h"

#include <algorithm>
#include <array>
#include <tuple>

#include "spanforge/base/utf8.h"
#include "spanforge/data/column_names.h"
#include "spanforge/data/normalize.h"

namespace spanforge {
namespace {

bool is_blank(const TableRow& row) {
  return std::ranges::all_of(row.cells, [](const std::string& cell) { return cell.empty(); });
}

bool ends_with(std::string_view name, std::string_view ending) {
  if (name.size() < ending.size()) return false;
  const std::string_view tail = name.substr(name.size() - ending.size());
  return std::ranges::equal(tail, ending, [](char a, char b) { return (a | 0x20) == (b | 0x20); });
}

// Whether every cell that begins with a quote also ends with one, so that quotes enclose cells.
bool quotes_enclose(std::string_view text, const TableShape& shape) {
  const std::string_view body = text.substr(shape.begin);
  const auto ends_cell = [&](size_t i) {
    return i >= body.size() || body[i] == shape.separator || body[i] == '\n' || body[i] == '\r';
  };
  bool cell_begins = true;
  for (size_t i = 0; i < body.size(); ++i) {
    if (cell_begins && body[i] == '"') {
      for (++i; i < body.size(); ++i) {
        if (body[i] != '"') continue;
        if (i + 1 < body.size() && body[i + 1] == '"') {
          ++i;
        } else {
          break;
        }
      }
      if (i >= body.size() || !ends_cell(i + 1)) return false;
      cell_begins = false;
      continue;
    }
    cell_begins = body[i] == shape.separator || body[i] == '\n' || body[i] == '\r';
  }
  return true;
}

}  // namespace

bool TableReader::at_line_end() const { return text_[at_] == '\n' || text_[at_] == '\r'; }

void TableReader::skip_line_end() {
  if (at_ >= text_.size()) return;
  if (text_[at_] == '\r' && at_ + 1 < text_.size() && text_[at_ + 1] == '\n') ++at_;
  ++at_;
  ++line_;
}

// Reads on after the opening quote. "" is a quote; a single one ends the quoted part.
void TableReader::read_quoted(std::string& cell, bool& open) {
  for (;;) {
    if (at_ >= text_.size()) {
      open = true;
      return;
    }
    const char c = text_[at_];
    if (c == '"') {
      ++at_;
      if (at_ >= text_.size() || text_[at_] != '"') return;
    }
    const bool return_alone = c == '\r' && (at_ + 1 >= text_.size() || text_[at_ + 1] != '\n');
    if (c == '\n' || return_alone) ++line_;
    cell += c;
    ++at_;
  }
}

void TableReader::read_row(TableRow& row) {
  const size_t begin = at_;
  row.cells.clear();
  row.line = line_;
  row.open_quote = false;
  for (bool more = true; more;) {
    std::string& cell = row.cells.size() < kMostCells ? row.cells.emplace_back() : row.cells.back();
    if (shape_.quotes && at_ < text_.size() && text_[at_] == '"') {
      ++at_;
      read_quoted(cell, row.open_quote);
    }
    const size_t rest = at_;
    while (at_ < text_.size() && text_[at_] != shape_.separator && !at_line_end()) ++at_;
    cell += text_.substr(rest, at_ - rest);
    more = at_ < text_.size() && text_[at_] == shape_.separator;
    if (more) ++at_;
  }
  skip_line_end();
  row.source = text_.substr(begin, at_ - begin);
}

bool TableReader::next(TableRow& row) {
  while (at_ < text_.size()) {
    read_row(row);
    if (row.open_quote || !is_blank(row)) return true;
  }
  return false;
}

TableShape find_shape(std::string_view text, std::string_view file) {
  TableShape shape;
  const std::string_view head = text.substr(0, 8);
  const size_t mark = head.starts_with("\"sep=") ? 1 : 0;
  if (head.substr(mark).starts_with("sep=") && head.size() > mark + 4) {
    const size_t end = text.find_first_of("\r\n");
    shape.separator = head[mark + 4];
    shape.begin = std::min(end, text.size());
    if (shape.begin < text.size()) shape.begin += text.substr(shape.begin, 2) == "\r\n" ? 2 : 1;
    shape.first_line = 2;
  } else {
    std::tuple<size_t, bool, size_t> best;
    for (const char separator : {',', '\t', ';', '|'}) {
      TableShape tried = shape;
      tried.separator = separator;
      const std::vector<std::string> names = header_of(text, tried);
      if (names.size() < 2) continue;
      const PartColumns parts = find_parts(names, {}, file);
      const auto known = static_cast<size_t>(
          std::ranges::count_if(parts, [](const auto& part) { return part.has_value(); }));
      const bool by_name =
          separator == (ends_with(file, ".tsv") || ends_with(file, ".tab") ? '\t' : ',');
      const std::tuple score(known, by_name, names.size());
      if (score <= best) continue;
      best = score;
      shape.separator = separator;
    }
  }
  if (shape.separator == '\t') shape.quotes = quotes_enclose(text, shape);
  return shape;
}

std::vector<std::string> header_of(std::string_view text, const TableShape& shape) {
  // A header is short; a longer text is not one, and is not searched.
  constexpr size_t kLongest = size_t{128} << 10;
  TableReader reader(text.substr(0, shape.begin + kLongest), shape);
  TableRow row;
  if (!reader.next(row)) return {};
  for (std::string& name : row.cells) {
    if (!find_invalid_utf8(name)) name = std::string(trim_white_space(name));
  }
  while (!row.cells.empty() && row.cells.back().empty()) row.cells.pop_back();
  return std::move(row.cells);
}

}  // namespace spanforge
