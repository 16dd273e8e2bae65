#include "spanforge/data/row_stream.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "spanforge/base/json_builder.h"
#include "spanforge/data/answer_start.h"
#include "spanforge/data/keys.h"

namespace spanforge {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::string_view kJsonSpace = " \t\r\n";

bool is_known_key(std::string_view key) {
  constexpr std::array<std::string_view, 6> kOfFiles = {"data",       "version", "title",
                                                        "paragraphs", "qas",     "header"};
  using namespace keys;
  return is_one_of(key, kOfFiles) || is_one_of(key, kId) || is_one_of(key, kQuestion) ||
         is_one_of(key, kContext) || is_one_of(key, kAnswers) || is_one_of(key, kImpossible);
}

// Whether the value under the key, or in a list under it, is an answer's text.
bool holds_text(std::string_view key) {
  return keys::is_one_of(key, keys::kText) || keys::is_one_of(key, keys::kAnswers);
}

// Whether all brackets that open in the text also close in it.
bool closes(std::string_view text) {
  int64_t depth = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') --depth;
    if (c != '"') continue;
    for (++i; i < text.size() && text[i] != '"'; ++i) i += text[i] == '\\';
  }
  return depth <= 0;
}

// JSON lines: an object closes on the first line, and another opens after it.
bool is_json_lines(std::string_view text) {
  const size_t first = text.find_first_not_of(kJsonSpace);
  if (first == std::string_view::npos || text[first] != '{') return false;
  const size_t line_end = text.find('\n', first);
  const size_t next = text.find_first_not_of(kJsonSpace, line_end);
  if (line_end == std::string_view::npos || next == std::string_view::npos) return false;
  return text[next] == '{' && closes(text.substr(first, line_end - first));
}

Json number_of_row(const JsonReader& in, Json number) {
  return holds_text(in.innermost_key()) ? number_spelling(in.last_text()) : std::move(number);
}

class RowReader {
 public:
  RowReader(std::string_view text, const std::string& file, const std::string& base_place,
            const std::vector<std::string>& extra_keys, const RowCallback& callback,
            const ReadCallback& on_read)
      : in_(text, file, ErrorCode::kBadData, {.on_read = on_read}),
        values_(in_, text.size() + kJsonBesidesText, number_of_row),
        file_(file),
        base_place_(base_place),
        extra_keys_(extra_keys),
        callback_(callback) {}

  void run() {
    try {
      read_document();
      in_.finish();
    } catch (const JsonReader::SyntaxError& error) {
      const std::string line = fmt::format("line {} ", error.line);
      fail(fmt::format("is not valid JSON at {}column {}: {}", base_place_.empty() ? line : "",
                       error.column, error.reason()));
    } catch (const JsonReader::Failure& error) {
      fail(error.reason());
    }
  }

 private:
  using Kind = JsonReader::Kind;

  void read_document() {
    switch (in_.peek()) {
      case Kind::kObject: return read_row(RowKind::kDocument);
      case Kind::kArray: read_rows(RowKind::kRow); return;
      default: in_.skip_value(); fail("must be an object or a list of rows");
    }
  }

  // Returns the number of rows.
  int64_t read_rows(RowKind kind) {
    int64_t rows = 0;
    for (in_.begin_array(); in_.next_item(); ++rows) {
      require(Kind::kObject);
      read_row(kind);
    }
    return rows;
  }

  void read_row(RowKind kind) {
    Json row = Json::object();
    std::string key;
    for (in_.begin_object(); in_.next_key(key);) {
      if (const auto elements = streamed_elements(kind, key)) {
        require(Kind::kArray);
        // The key is new. operator[] would search all keys, which may be many.
        append_member(row, std::move(key), read_rows(*elements));
      } else if (is_known_key(key) || keys::is_one_of(key, extra_keys_)) {
        append_member(row, std::move(key), values_.read());
      } else {
        in_.skip_value();
      }
    }
    callback_(kind, row, place());
    values_.forget();
  }

  // The next value must be of this kind.
  void require(Kind wanted) {
    const Kind found = in_.peek();
    if (found == wanted) return;
    if (found != Kind::kObject && found != Kind::kArray)
      in_.skip_value();  // throws if it is not a value
    fail(fmt::format("must be {}, not {}", kind_name(wanted), kind_name(found)));
  }

  // The path of the value being read.
  std::string place() const {
    const std::string path = in_.path();
    if (base_place_.empty()) return path;
    return path.empty() ? base_place_ : base_place_ + ": " + path;
  }

  [[noreturn]] void fail(const std::string& reason) const {
    throw Error(ErrorCode::kBadData, {.file = file_, .where = place()}, reason);
  }

  JsonReader in_;
  JsonBuilder values_;
  const std::string& file_;
  const std::string& base_place_;
  const std::vector<std::string>& extra_keys_;
  const RowCallback& callback_;
};

}  // namespace

std::optional<RowKind> streamed_elements(RowKind parent, std::string_view key) {
  const bool outer = parent == RowKind::kDocument || parent == RowKind::kRow;
  if (parent == RowKind::kDocument && key == "data") return RowKind::kRow;
  if (outer && key == "paragraphs") return RowKind::kParagraph;
  if (parent != RowKind::kQuestion && key == "qas") return RowKind::kQuestion;
  return std::nullopt;
}

void stream_rows(std::string_view text, const std::string& file, const std::string& base_place,
                 const std::vector<std::string>& extra_keys, const RowCallback& callback,
                 const ReadCallback& on_read) {
  RowReader(text, file, base_place, extra_keys, callback, on_read).run();
}

void for_each_text(std::string_view text, const TextCallback& callback) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  if (!is_json_lines(text)) return callback(text, "");
  int64_t number = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (line.find_first_not_of(kJsonSpace) == std::string_view::npos) continue;
    callback(line, fmt::format("line {}", number));
  }
}

}  // namespace spanforge
