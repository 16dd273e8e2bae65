#include "spanforge/data/python_literal.h"

#include <charconv>
#include <string>
#include <utility>

#include "spanforge/base/utf8.h"

namespace spanforge {
namespace {

constexpr int kDeepest = 16;

bool is_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.';
}

// Each read_ function moves past a value; it returns false if there is none.
class LiteralReader {
 public:
  explicit LiteralReader(std::string_view text) : text_(text) {}

  std::optional<Json> read() {
    Json value;
    if (!read_value(value)) return std::nullopt;
    skip_space();
    return at_ == text_.size() ? std::optional<Json>(std::move(value)) : std::nullopt;
  }

 private:
  char current() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  void skip_space() {
    while (at_ < text_.size() &&
           std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos) {
      ++at_;
    }
  }

  bool take(char c) {
    skip_space();
    if (current() != c) return false;
    ++at_;
    return true;
  }

  bool read_value(Json& out) {
    skip_space();
    if (depth_ == kDeepest) return false;
    ++depth_;
    const bool read = read_any(out);
    --depth_;
    return read;
  }

  bool read_any(Json& out) {
    const char c = current();
    if (c == '{') return read_object(out);
    if (c == '[') return read_list(out, ']');
    if (c == '(') return read_list(out, ')');
    if (c == '\'' || c == '"') return read_string(out);
    if (c == '-' || c == '+' || (c >= '0' && c <= '9')) return read_number(out);
    return read_word(out);
  }

  bool read_object(Json& out) {
    out = Json::object();
    ++at_;
    while (!take('}')) {
      Json key, value;
      if (!read_value(key) || !key.is_string() || !take(':') || !read_value(value)) return false;
      append_member(out, std::move(key.as_string()), std::move(value));
      if (!take(',') && (skip_space(), current() != '}')) return false;
    }
    return true;
  }

  // A comma may be missing, as in NumPy's str().
  bool read_list(Json& out, char close) {
    Json::Array items;
    ++at_;
    while (!take(close)) {
      Json& item = items.emplace_back();
      if (!read_value(item)) return false;
      take(',');
    }
    out = Json(std::move(items));
    return true;
  }

  bool read_string(Json& out) {
    const char quote = text_[at_++];
    std::string text;
    while (at_ < text_.size() && text_[at_] != quote) {
      if (text_[at_] != '\\') {
        text += text_[at_++];
      } else if (!read_escape(text)) {
        return false;
      }
    }
    if (at_ == text_.size()) return false;
    ++at_;
    out = Json(std::move(text));
    return true;
  }

  bool read_escape(std::string& out) {
    ++at_;
    if (at_ == text_.size()) return false;
    constexpr std::string_view kLetters = "nrtbfav0", kMeant("\n\r\t\b\f\a\v\0", 8);
    const char c = text_[at_++];
    if (c == 'x') return read_code_point(2, out);
    if (c == 'u') return read_code_point(4, out);
    if (c == 'U') return read_code_point(8, out);
    const size_t letter = kLetters.find(c);
    out += letter == std::string_view::npos ? c : kMeant[letter];
    return true;
  }

  bool read_code_point(size_t digits, std::string& out) {
    char32_t code = 0;
    if (!read_hex(digits, code)) return false;
    if (code >= 0xD800 && code < 0xDC00 && text_.substr(at_, 2) == "\\u") {
      at_ += 2;
      char32_t low = 0;
      if (!read_hex(4, low) || low < 0xDC00 || low > 0xDFFF) return false;
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return false;
    append_utf8(code, out);
    return true;
  }

  bool read_hex(size_t digits, char32_t& out) {
    const std::string_view hex = text_.substr(at_, digits);
    uint32_t value = 0;
    const auto read = std::from_chars(hex.data(), hex.data() + hex.size(), value, 16);
    if (hex.size() != digits || read.ptr != hex.data() + digits) return false;
    at_ += digits;
    out = value;
    return true;
  }

  bool read_number(Json& out) {
    size_t end = at_ + 1;
    while (end < text_.size() && (is_name(text_[end]) || text_[end] == '-' || text_[end] == '+'))
      ++end;
    std::string_view digits = text_.substr(at_, end - at_);
    at_ = end;
    if (digits.starts_with('+')) digits.remove_prefix(1);
    int64_t whole = 0;
    const char* const last = digits.data() + digits.size();
    auto read = std::from_chars(digits.data(), last, whole);
    if (read.ec == std::errc() && read.ptr == last) {
      out = whole < 0 ? Json(whole) : Json(static_cast<uint64_t>(whole));
      return true;
    }
    double real = 0;
    read = std::from_chars(digits.data(), last, real);
    // "5." is how NumPy prints 5.0.
    if (read.ec != std::errc() ||
        (read.ptr != last && !(read.ptr + 1 == last && *read.ptr == '.'))) {
      return false;
    }
    out = Json(real);
    return true;
  }

  // True, None, ..., u'text', or a call such as array([...], dtype=object), np.int64(5).
  bool read_word(Json& out) {
    const size_t begin = at_;
    while (is_name(current())) ++at_;
    const std::string_view word = text_.substr(begin, at_ - begin);
    if (word.empty()) return false;
    if (word == "True" || word == "true") return out = Json(true), true;
    if (word == "False" || word == "false") return out = Json(false), true;
    if (word == "None" || word == "null" || word == "nan" || word == "NaN")
      return out = Json(), true;
    if ((word == "u" || word == "b") && (current() == '\'' || current() == '"'))
      return read_string(out);
    if (current() != '(') return false;
    ++at_;
    if (!read_value(out)) return false;
    while (take(',')) {  // dtype=object
      skip_space();
      while (is_name(current())) ++at_;
      if (take('=')) {
        Json ignored;
        skip_space();
        if (current() == '\'' || current() == '"' ? !read_value(ignored) : !skip_name())
          return false;
      }
    }
    return take(')');
  }

  bool skip_name() {
    const size_t begin = at_;
    while (is_name(current()) || current() == '<' || current() == '>') ++at_;
    return at_ > begin;
  }

  std::string_view text_;
  size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

std::optional<Json> parse_python_literal(std::string_view text) {
  return LiteralReader(text).read();
}

}  // namespace spanforge
