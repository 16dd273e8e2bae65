#pragma once
// Reads JSON (RFC 8259) piece by piece, without building anything: for headers and files that are
// too large, or too little trusted, to be held as a tree. parse_json() is built on it.
// Strict: UTF-8 must be valid, a lone surrogate escape is refused, nesting is limited to 64; keys
// that appear twice are for the caller to notice. A byte order mark at the start is skipped.
// Errors: SyntaxError{code, "place: line L column C"} with what was expected. Columns are code points.
//
// Example: sum of {"a": [1, 2]} :
//   JsonReader in(text, "file.json", ErrorCode::kBadData);
//   std::string key;
//   for (in.begin_object(); in.next_key(key);)
//     for (in.begin_array(); in.next_item();) sum += in.read_count("a number");
//   in.finish();

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "spanforge/base/error.h"
#include "spanforge/base/file.h"

namespace spanforge {

class JsonReader {
 public:
  enum class Kind { kObject, kArray, kString, kNumber, kBool, kNull };
  using Number = std::variant<uint64_t, int64_t, double>;  // int64_t only for negative ones

  // For a caller that knows a better place than the line.
  struct SyntaxError : Error {
    SyntaxError(ErrorCode code, const std::string& place, size_t at_line, size_t at_column,
                const std::string& reason);
    size_t line, column;  // from 1
  };

  // mapped: the file that `text` is the whole of, whose pages are let go once they are read.
  // first_line: the number of the text's first line in the file that `place` names.
  JsonReader(std::string_view text, std::string place, ErrorCode code,
             const MappedFile* mapped = nullptr, size_t first_line = 1);

  Kind peek();  // of the value that comes next
  void begin_object();
  bool next_key(std::string& key);  // false: the object has ended; else its value comes next
  void begin_array();
  bool next_item();  // false: the array has ended; else its value comes next
  std::string read_string();
  Number read_number();
  bool read_bool();
  void read_null();
  void skip_value();
  // A whole number that is not negative; `what` names it in the error.
  uint64_t read_count(std::string_view what);
  void finish();  // nothing may follow

  // Throws for the last key or value read, or for a place that position() gave.
  [[noreturn]] void fail(const std::string& what) const { fail_at(last_, what); }
  [[noreturn]] void fail_at(size_t position, const std::string& what) const;
  size_t position() const { return last_; }
  size_t end_position() const { return position_; }  // behind all that was read

 private:
  [[noreturn]] void fail_expected(std::string_view expected) const;
  void skip_space();
  char current() const { return position_ < text_.size() ? text_[position_] : '\0'; }
  void open(char bracket, std::string_view expected);
  bool next_member(char close, std::string_view expected);
  void read_word(std::string_view word);
  void append_piece(std::string& out, size_t end);
  void read_escape(std::string& out);
  char32_t read_unicode_escape(size_t at);
  char32_t read_hex4(size_t at);
  size_t skip_digits(size_t at) const;
  bool scan_number();  // true for an integer
  void release_pages();

  std::string_view text_;
  std::string place_;
  ErrorCode code_;
  const MappedFile* mapped_;
  size_t first_line_;
  size_t position_ = 0;
  size_t last_ = 0;      // where the last key or value began, for fail()
  size_t released_ = 0;  // bytes given back to the system
  std::vector<bool> has_members_;  // of each open object and array
};

}  // namespace spanforge
