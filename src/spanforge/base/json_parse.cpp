// A recursive-descent JSON parser (RFC 8259). The library's own parser is not used because its
// ordered object looks a key up linearly and copies members when it grows: quadratic on a
// vocabulary, and twice the memory on a large file. Here members are gathered in a plain vector and
// moved into an object of exactly their number.

#include <algorithm>
#include <charconv>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "spanforge/base/file.h"
#include "spanforge/base/json.h"
#include "spanforge/base/utf8.h"

namespace spanforge {
namespace {

constexpr int kMaxDepth = 64;

class Parser {
 public:
  Parser(std::string_view text, const std::string& place, ErrorCode code)
      : text_(text), place_(place), code_(code) {}

  Json parse_document() {
    if (const auto bad = find_invalid_utf8(text_)) fail(*bad, "invalid UTF-8");
    if (text_.substr(0, 3) == "\xEF\xBB\xBF") pos_ = 3;  // a byte order mark, as editors leave it
    Json value = parse_value(0);
    skip_space();
    if (pos_ != text_.size()) fail(pos_, "text after the end of the JSON value");
    return value;
  }

 private:
  using Member = std::pair<std::string, Json>;

  [[noreturn]] void fail(size_t at, const std::string& what) const {
    const std::string_view before = text_.substr(0, at);
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
    const size_t column = count_code_points(before.substr(line_start)) + 1;
    throw Error(code_, fmt::format("{}: line {} column {}", place_, line, column), what);
  }

  void skip_space() {
    while (pos_ < text_.size()) {
      const char c = text_[pos_];
      if (c != ' ' && c != '\n' && c != '\r' && c != '\t') return;
      ++pos_;
    }
  }

  char peek() const { return pos_ < text_.size() ? text_[pos_] : '\0'; }

  [[noreturn]] void fail_expected(std::string_view expected) const {
    if (pos_ >= text_.size()) fail(pos_, fmt::format("the text ends where {} must follow", expected));
    size_t end = pos_;
    next_code_point(text_, end);
    fail(pos_, fmt::format("'{}' found where {} must follow",
                           quote_for_message(text_.substr(pos_, end - pos_)), expected));
  }

  Json parse_value(int depth) {
    skip_space();
    switch (peek()) {
      case '{': return parse_object(depth);
      case '[': return parse_array(depth);
      case '"': return parse_string();
      case 't': return parse_word("true", true);
      case 'f': return parse_word("false", false);
      case 'n': return parse_word("null", nullptr);
      default: return parse_number();
    }
  }

  Json parse_word(std::string_view word, Json value) {
    if (text_.substr(pos_, word.size()) != word) fail_expected("a JSON value");
    pos_ += word.size();
    return value;
  }

  void enter(int depth) {
    if (depth >= kMaxDepth) fail(pos_, fmt::format("nested deeper than {} levels", kMaxDepth));
    ++pos_;
    skip_space();
  }

  // After a member: true when another follows, false when `close` was read.
  bool more_members(char close, std::string_view expected) {
    skip_space();
    const char c = peek();
    if (c != ',' && c != close) fail_expected(expected);
    ++pos_;
    skip_space();
    return c == ',';
  }

  Json parse_array(int depth) {
    enter(depth);
    Json array = Json::array();
    if (peek() == ']') {
      ++pos_;
      return array;
    }
    auto& items = array.get_ref<Json::array_t&>();
    do {
      items.push_back(parse_value(depth + 1));
    } while (more_members(']', "',' or ']'"));
    if (items.size() * 2 < items.capacity()) items.shrink_to_fit();
    return array;
  }

  Json parse_object(int depth) {
    enter(depth);
    Json object = Json::object();
    if (peek() == '}') {
      ++pos_;
      return object;
    }
    std::vector<Member> members;
    std::unordered_set<std::string> seen;  // used from a size on where a plain scan gets slow
    do {
      if (peek() != '"') fail_expected("a key in quotes");
      const size_t key_at = pos_;
      std::string key = parse_string();
      if (is_duplicate(members, seen, key)) {
        fail(key_at, fmt::format("the key \"{}\" appears twice", quote_for_message(key)));
      }
      skip_space();
      if (peek() != ':') fail_expected("':'");
      ++pos_;
      Json value = parse_value(depth + 1);
      members.emplace_back(std::move(key), std::move(value));
    } while (more_members('}', "',' or '}'"));
    auto& target = object.get_ref<Json::object_t&>();
    target.reserve(members.size());
    for (Member& member : members) {
      static_cast<Json::object_t::Container&>(target).emplace_back(std::move(member.first),
                                                                   std::move(member.second));
    }
    return object;
  }

  static bool is_duplicate(const std::vector<Member>& members, std::unordered_set<std::string>& seen,
                           const std::string& key) {
    constexpr size_t kScanned = 16;
    if (members.size() < kScanned) {
      return std::any_of(members.begin(), members.end(),
                         [&](const Member& member) { return member.first == key; });
    }
    if (seen.empty()) {
      for (const Member& member : members) seen.insert(member.first);
    }
    return !seen.insert(key).second;
  }

  std::string parse_string() {
    ++pos_;  // the opening quote
    std::string out;
    while (true) {
      size_t end = pos_;
      while (end < text_.size() && text_[end] != '"' && text_[end] != '\\' &&
             static_cast<unsigned char>(text_[end]) >= 0x20) {
        ++end;
      }
      out.append(text_, pos_, end - pos_);
      pos_ = end;
      if (pos_ >= text_.size()) fail(pos_, "the text ends inside a string");
      const char c = text_[pos_];
      if (c == '"') {
        ++pos_;
        return out;
      }
      if (c != '\\') fail(pos_, "a control character inside a string; it must be escaped");
      parse_escape(out);
    }
  }

  void parse_escape(std::string& out) {
    const size_t at = pos_++;
    const char c = peek();
    ++pos_;
    switch (c) {
      case '"':
      case '\\':
      case '/': out += c; return;
      case 'b': out += '\b'; return;
      case 'f': out += '\f'; return;
      case 'n': out += '\n'; return;
      case 'r': out += '\r'; return;
      case 't': out += '\t'; return;
      case 'u': append_utf8(parse_unicode_escape(at), out); return;
      default: fail(at, "an unknown escape; after \\ comes one of \" \\ / b f n r t u");
    }
  }

  char32_t parse_unicode_escape(size_t at) {
    const char32_t unit = parse_hex4(at);
    if (unit < 0xD800 || unit > 0xDFFF) return unit;
    if (unit <= 0xDBFF && text_.substr(pos_, 2) == "\\u") {
      pos_ += 2;
      const char32_t low = parse_hex4(at);
      if (low >= 0xDC00 && low <= 0xDFFF) return 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
    }
    fail(at, "a lone surrogate escape; it is half of a character");
  }

  char32_t parse_hex4(size_t at) {
    const std::string_view digits = text_.substr(pos_, 4);
    uint32_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (digits.size() != 4 || error != std::errc() || end != digits.data() + 4) {
      fail(at, "\\u must be followed by four hexadecimal digits");
    }
    pos_ += 4;
    return value;
  }

  size_t skip_digits(size_t at) const {
    while (at < text_.size() && text_[at] >= '0' && text_[at] <= '9') ++at;
    return at;
  }

  Json parse_number() {
    const size_t start = pos_;
    size_t end = start + (peek() == '-' ? 1 : 0);
    const size_t digits = end;
    end = skip_digits(end);
    if (end == digits) fail_expected("a JSON value");
    if (text_[digits] == '0' && end > digits + 1) fail(start, "a number with a leading zero");
    bool is_integer = true;
    if (end < text_.size() && text_[end] == '.') {
      is_integer = false;
      const size_t fraction = end + 1;
      end = skip_digits(fraction);
      if (end == fraction) fail(start, "a number without digits after its point");
    }
    if (end < text_.size() && (text_[end] == 'e' || text_[end] == 'E')) {
      is_integer = false;
      size_t exponent = end + 1;
      if (exponent < text_.size() && (text_[exponent] == '+' || text_[exponent] == '-')) ++exponent;
      end = skip_digits(exponent);
      if (end == exponent) fail(start, "a number without digits in its exponent");
    }
    pos_ = end;
    return convert_number(start, is_integer);
  }

  Json convert_number(size_t start, bool is_integer) const {
    const char* first = text_.data() + start;
    const char* last = text_.data() + pos_;
    if (is_integer) {  // unsigned unless negative; beyond 64 bits the nearest floating point
      uint64_t natural = 0;
      if (std::from_chars(first, last, natural).ec == std::errc()) return natural;
      int64_t negative = 0;
      if (std::from_chars(first, last, negative).ec == std::errc()) return negative;
    }
    double number = 0;
    if (std::from_chars(first, last, number).ec == std::errc()) return number;
    // Out of range: too small rounds to zero, too large has no value.
    number = std::strtod(std::string(first, last).c_str(), nullptr);
    if (std::abs(number) > 1) fail(start, "a number too large for a 64-bit float");
    return number;
  }

  std::string_view text_;
  const std::string& place_;
  ErrorCode code_;
  size_t pos_ = 0;
};

}  // namespace

Json parse_json(std::string_view text, const std::string& place, ErrorCode code) {
  return Parser(text, place, code).parse_document();
}

Json parse_json_file(const std::filesystem::path& path, ErrorCode code) {
  const MappedFile file(path);
  return parse_json(file.bytes(), path.string(), code);
}

}  // namespace spanforge
