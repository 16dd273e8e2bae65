#pragma once
// What: reads JSON (RFC 8259) piece by piece and builds no tree. For headers, rows, and files that
//   are large or untrusted. json_builder.h builds values from it.
// Strict: refuses invalid UTF-8, lone surrogate escapes, more than 64 levels, and a key that the
//   object already has, however it is escaped. Skips a byte order mark.
// Memory: about 24 bytes for each key of the open objects. Refuses a text for which that exceeds
//   the text's size and 32 MB.
// Cost: linear.
// Errors: Failure{code, file, "line L column C"}, which says what was expected. Columns are code
//   points.
//
// Example, the sum of {"a": [1, 2]}:
//   JsonReader in(text, "file.json", ErrorCode::kBadData);
//   std::string key;
//   for (in.begin_object(); in.next_key(key);)
//     for (in.begin_array(); in.next_item();) sum += in.read_count("a number");
//   in.finish();

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "spanforge/base/error.h"

namespace spanforge {

class TextIndex;

// Called from time to time: everything before `at` has been read. The reader returns there only for
// the line number of an error or to compare a key.
using ReadCallback = std::function<void(const char* at)>;

// Values read from a text may take the text's size and this many bytes.
constexpr uint64_t kJsonBesidesText = uint64_t{32} << 20;

class JsonReader {
 public:
  enum class Kind { kObject, kArray, kString, kNumber, kBool, kNull };
  using Number = std::variant<uint64_t, int64_t, double>;  // int64_t only for negative ones

  // All functions throw this. The reader still knows its path() then, which may be a better place
  // than the line.
  struct Failure : Error {
    Failure(ErrorCode code, const std::string& file, size_t at_line, size_t at_column,
            const std::string& reason);
    size_t line, column;  // from 1
  };
  // The text is not JSON, or nested too deep. Other failures concern its values.
  struct SyntaxError : Failure {
    using Failure::Failure;
  };

  struct Options {
    size_t first_line = 1;         // the number of the text's first line in the file
    bool keys_may_repeat = false;  // for a first look at a text that is read again strictly
    ReadCallback on_read = {};
  };
  JsonReader(std::string_view text, std::string file, ErrorCode code);
  JsonReader(std::string_view text, std::string file, ErrorCode code, Options options);
  JsonReader(const JsonReader&) = delete;
  ~JsonReader();

  Kind peek();  // of the next value
  void begin_object();
  bool next_key(std::string& key);  // false: the object has ended; else read the key's value next
  void begin_array();
  bool next_item();  // false: the array has ended; else read the item next
  std::string read_string();
  Number read_number();
  bool read_bool();
  void read_null();
  void skip_value();
  // A whole number that is not negative; `what` names it in the error.
  uint64_t read_count(std::string_view what);
  void finish();  // throws if the text goes on

  // Throws Failure at the last key or value read, or at a result of position().
  [[noreturn]] void fail(const std::string& what) const { fail_at(last_, what); }
  [[noreturn]] void fail_at(size_t position, const std::string& what) const;
  size_t position() const { return last_; }
  size_t end_position() const { return position_; }  // the end of all that was read
  // The text from the start of the last key or value read to end_position().
  std::string_view last_text() const { return text_.substr(last_, position_ - last_); }
  // The path of the value being read: "data[3].answers". Empty for the outermost value.
  std::string path() const;
  // The key of the innermost member being read, also from inside a list; "" outside of objects.
  std::string innermost_key() const;

 private:
  // The position of a key in the text, and whether it contains escapes.
  struct Key {
    static constexpr uint64_t kNone = UINT64_MAX;
    uint64_t at_and_escaped = kNone;
    bool is_none() const { return at_and_escaped == kNone; }
    size_t at() const { return at_and_escaped >> 1; }
    bool is_escaped() const { return (at_and_escaped & 1) != 0; }
  };
  // An open object or list.
  struct Open {
    bool is_list = false;
    size_t members = 0;                // read so far, including the current one
    Key key;                           // of the member being read
    size_t first_key = 0;              // the index in keys_ of its first key
    std::unique_ptr<TextIndex> index;  // of its keys if there are many
  };

  [[noreturn]] void fail_syntax(size_t position, const std::string& what) const;
  [[noreturn]] void fail_expected(std::string_view expected) const;
  template <class Kind>
  [[noreturn]] void throw_at(size_t position, const std::string& what) const;
  void skip_space();
  char current() const { return position_ < text_.size() ? text_[position_] : '\0'; }
  void open(char bracket, std::string_view expected);
  bool next_member(char close, std::string_view expected);
  bool add_key(Key key, const std::string& text);
  bool is_same_key(Key key, std::string_view text, bool plain) const;
  std::string key_text(Key key) const;
  void read_word(std::string_view word);
  void append_piece(std::string& out, size_t end);
  void read_escape(std::string& out);
  char32_t read_unicode_escape(size_t at);
  char32_t read_hex4(size_t at);
  size_t skip_digits(size_t at) const;
  bool scan_number();  // true: it is an integer
  void report();

  std::string_view text_;
  std::string file_;
  ErrorCode code_;
  Options options_;
  size_t position_ = 0;
  size_t last_ = 0;      // the start of the last key or value, for fail()
  size_t reported_ = 0;  // the last position passed to on_read
  std::vector<Open> open_;
  std::vector<Key> keys_;  // of all open objects
};

// "an object", "a list", "a string", "a number", "true or false", "null".
const char* kind_name(JsonReader::Kind kind);

}  // namespace spanforge
