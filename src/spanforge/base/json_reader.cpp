#include "spanforge/base/json_reader.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include <fmt/core.h>

#include "spanforge/base/foreign_content.h"
#include "spanforge/base/text_index.h"
#include "spanforge/base/utf8.h"

namespace spanforge {
namespace {

constexpr size_t kMaxDepth = 64;
constexpr size_t kReportStep = size_t{4} << 20;
constexpr size_t kFewKeys = 32;   // an object with fewer keys needs no index
constexpr size_t kKeyBytes = 24;  // of each key, with its share of an index

}  // namespace

JsonReader::Failure::Failure(ErrorCode code, const std::string& file, size_t at_line,
                             size_t at_column, const std::string& reason)
    : Error(code, {.file = file, .where = fmt::format("line {} column {}", at_line, at_column)},
            reason),
      line(at_line),
      column(at_column) {}

JsonReader::JsonReader(std::string_view text, std::string file, ErrorCode code)
    : JsonReader(text, std::move(file), code, Options()) {}

JsonReader::JsonReader(std::string_view text, std::string file, ErrorCode code, Options options)
    : text_(text), file_(std::move(file)), code_(code), options_(std::move(options)) {
  if (text_.starts_with("\xEF\xBB\xBF")) position_ = 3;  // a byte order mark
}

JsonReader::~JsonReader() = default;

template <class Kind>
void JsonReader::throw_at(size_t position, const std::string& what) const {
  const std::string_view before = text_.substr(0, position);
  const auto line =
      options_.first_line + static_cast<size_t>(std::count(before.begin(), before.end(), '\n'));
  const size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
  const size_t column = count_code_points(before.substr(line_start)) + 1;
  throw Kind(code_, file_, line, column, what);
}

void JsonReader::fail_at(size_t position, const std::string& what) const {
  throw_at<Failure>(position, what);
}

void JsonReader::fail_syntax(size_t position, const std::string& what) const {
  throw_at<SyntaxError>(position, what);
}

std::string JsonReader::path() const {
  std::string path;
  for (const Open& one : open_) {
    if (one.is_list) {
      path += fmt::format("[{}]", one.members == 0 ? 0 : one.members - 1);
    } else if (!one.key.is_none()) {
      path += path.empty() ? "" : ".";
      path += quote_for_message(key_text(one.key));
    }
  }
  return path;
}

std::string JsonReader::innermost_key() const {
  for (size_t i = open_.size(); i-- > 0;) {
    if (!open_[i].is_list) return open_[i].key.is_none() ? std::string() : key_text(open_[i].key);
  }
  return {};
}

void JsonReader::fail_expected(std::string_view expected) const {
  const bool at_start = text_.find_first_not_of(" \t\r\n\xEF\xBB\xBF") >= position_;
  if (at_start && options_.first_line == 1) refuse_foreign_content(text_, file_, code_);
  if (position_ >= text_.size()) {
    fail_syntax(position_, fmt::format("the text ends where {} must follow", expected));
  }
  const std::string_view rest = text_.substr(position_, 4);
  if (find_invalid_utf8(rest) == size_t{0}) fail_syntax(position_, "invalid UTF-8");
  size_t size = 0;
  next_code_point(rest, size);
  fail_syntax(position_, fmt::format("'{}' found where {} must follow",
                                     quote_for_message(rest.substr(0, size)), expected));
}

void JsonReader::skip_space() {
  while (position_ < text_.size()) {
    const char c = text_[position_];
    if (c != ' ' && c != '\n' && c != '\r' && c != '\t') return;
    ++position_;
  }
}

void JsonReader::report() {
  if (!options_.on_read || position_ - reported_ < kReportStep) return;
  reported_ = position_;
  options_.on_read(text_.data() + reported_);
}

JsonReader::Kind JsonReader::peek() {
  skip_space();
  last_ = position_;
  switch (current()) {
    case '{': return Kind::kObject;
    case '[': return Kind::kArray;
    case '"': return Kind::kString;
    case 't':
    case 'f': return Kind::kBool;
    case 'n': return Kind::kNull;
    default: return Kind::kNumber;
  }
}

void JsonReader::open(char bracket, std::string_view expected) {
  skip_space();
  last_ = position_;
  if (current() != bracket) fail_expected(expected);
  if (open_.size() >= kMaxDepth) {
    fail_syntax(position_, fmt::format("nested deeper than {} levels", kMaxDepth));
  }
  ++position_;
  Open& one = open_.emplace_back();
  one.is_list = bracket == '[';
  one.first_key = keys_.size();
}

void JsonReader::begin_object() { open('{', "an object"); }
void JsonReader::begin_array() { open('[', "a list"); }

bool JsonReader::next_member(char close, std::string_view expected) {
  skip_space();
  const char c = current();
  if (c == close) {
    ++position_;
    keys_.resize(open_.back().first_key);
    open_.pop_back();
    report();
    return false;
  }
  if (open_.back().members > 0) {
    if (c != ',') fail_expected(expected);
    ++position_;
    skip_space();
  }
  ++open_.back().members;
  last_ = position_;
  report();
  return true;
}

bool JsonReader::next_key(std::string& key) {
  if (!next_member('}', "',' or '}'")) return false;
  if (current() != '"') fail_expected("a key in quotes");
  const size_t at = position_;
  key = read_string();
  const bool escaped = position_ - at != key.size() + 2;
  skip_space();
  if (current() != ':') fail_expected("':'");
  ++position_;
  last_ = at;
  const Key here{uint64_t{at} << 1 | (escaped ? 1 : 0)};
  open_.back().key = {};
  if (!options_.keys_may_repeat && !add_key(here, key)) {
    fail(fmt::format("the key \"{}\" appears twice", quote_for_message(key)));
  }
  open_.back().key = here;
  return true;
}

// false: the object already has the key.
bool JsonReader::add_key(Key key, const std::string& text) {
  Open& object = open_.back();
  const size_t first = object.first_key, count = keys_.size() - first;
  std::string spelt;  // the text of a key with escapes, while it is compared
  const auto text_of = [&](size_t i) -> std::string_view {
    const Key one = keys_[first + i];
    if (!one.is_escaped())
      return text_.substr(one.at() + 1, text_.find('"', one.at() + 1) - one.at() - 1);
    spelt = key_text(one);
    return spelt;
  };
  if (count < kFewKeys) {
    // A key with a quote or backslash is always escaped in the file.
    const bool plain = !key.is_escaped() || text.find_first_of("\"\\") == std::string::npos;
    for (size_t i = first; i < keys_.size(); ++i) {
      if (is_same_key(keys_[i], text, plain)) return false;
    }
  } else {
    if (object.index == nullptr) {
      object.index = std::make_unique<TextIndex>();
      for (size_t i = 0; i < count; ++i) object.index->insert(std::string(text_of(i)), i, text_of);
    }
    if (!object.index->insert(text, count, text_of).is_new) return false;
  }
  if (keys_.size() * kKeyBytes > text_.size() + kJsonBesidesText) {
    fail("the keys up to here take far more memory than their text");
  }
  keys_.push_back(key);
  return true;
}

bool JsonReader::is_same_key(Key key, std::string_view text, bool plain) const {
  if (key.is_escaped()) return key_text(key) == text;
  const size_t begin = key.at() + 1, end = begin + text.size();
  return plain && end < text_.size() && text_[end] == '"' &&
         text_.substr(begin, text.size()) == text;
}

std::string JsonReader::key_text(Key key) const {
  const size_t begin = key.at() + 1;
  if (!key.is_escaped()) return std::string(text_.substr(begin, text_.find('"', begin) - begin));
  return JsonReader(text_.substr(key.at()), "", code_).read_string();
}

bool JsonReader::next_item() { return next_member(']', "',' or ']'"); }

void JsonReader::read_word(std::string_view word) {
  if (text_.substr(position_, word.size()) != word) fail_expected("a JSON value");
  position_ += word.size();
}

bool JsonReader::read_bool() {
  skip_space();
  const bool value = current() == 't';
  read_word(value ? "true" : "false");
  return value;
}

void JsonReader::read_null() {
  skip_space();
  read_word("null");
}

void JsonReader::append_piece(std::string& out, size_t end) {
  const std::string_view piece = text_.substr(position_, end - position_);
  if (const auto bad = find_invalid_utf8(piece)) fail_syntax(position_ + *bad, "invalid UTF-8");
  out += piece;
  position_ = end;
}

std::string JsonReader::read_string() {
  skip_space();
  last_ = position_;
  if (current() != '"') fail_expected("a text in quotes");
  ++position_;
  std::string out;
  while (true) {
    size_t end = position_;
    while (end < text_.size() && text_[end] != '"' && text_[end] != '\\' &&
           static_cast<unsigned char>(text_[end]) >= 0x20) {
      ++end;
    }
    append_piece(out, end);
    if (position_ >= text_.size()) fail_syntax(position_, "the text ends inside a string");
    const char c = text_[position_];
    if (c == '"') {
      ++position_;
      return out;
    }
    if (c != '\\') {
      fail_syntax(position_, "a control character inside a string; it must be escaped");
    }
    read_escape(out);
  }
}

void JsonReader::read_escape(std::string& out) {
  const size_t at = position_++;
  const char c = current();
  ++position_;
  switch (c) {
    case '"':
    case '\\':
    case '/': out += c; return;
    case 'b': out += '\b'; return;
    case 'f': out += '\f'; return;
    case 'n': out += '\n'; return;
    case 'r': out += '\r'; return;
    case 't': out += '\t'; return;
    case 'u': append_utf8(read_unicode_escape(at), out); return;
    default: fail_syntax(at, "an unknown escape; after \\ comes one of \" \\ / b f n r t u");
  }
}

char32_t JsonReader::read_unicode_escape(size_t at) {
  const char32_t unit = read_hex4(at);
  if (unit < 0xD800 || unit > 0xDFFF) return unit;
  if (unit <= 0xDBFF && text_.substr(position_, 2) == "\\u") {
    position_ += 2;
    const char32_t low = read_hex4(at);
    if (low >= 0xDC00 && low <= 0xDFFF) return 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
  }
  fail_syntax(at, "a lone surrogate escape; it is half of a character");
}

char32_t JsonReader::read_hex4(size_t at) {
  const std::string_view digits = text_.substr(std::min(position_, text_.size()), 4);
  uint32_t value = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  if (digits.size() != 4 || error != std::errc() || end != digits.data() + 4) {
    fail_syntax(at, "\\u must be followed by four hexadecimal digits");
  }
  position_ += 4;
  return value;
}

size_t JsonReader::skip_digits(size_t at) const {
  while (at < text_.size() && text_[at] >= '0' && text_[at] <= '9') ++at;
  return at;
}

bool JsonReader::scan_number() {
  const size_t start = position_;
  const size_t digits = start + (current() == '-' ? 1 : 0);
  size_t end = skip_digits(digits);
  if (end == digits) fail_expected("a JSON value");
  if (text_[digits] == '0' && end > digits + 1) fail_syntax(start, "a number with a leading zero");
  bool is_integer = true;
  if (end < text_.size() && text_[end] == '.') {
    is_integer = false;
    const size_t fraction = end + 1;
    end = skip_digits(fraction);
    if (end == fraction) fail_syntax(start, "a number without digits after its point");
  }
  if (end < text_.size() && (text_[end] == 'e' || text_[end] == 'E')) {
    is_integer = false;
    size_t exponent = end + 1;
    if (exponent < text_.size() && (text_[exponent] == '+' || text_[exponent] == '-')) ++exponent;
    end = skip_digits(exponent);
    if (end == exponent) fail_syntax(start, "a number without digits in its exponent");
  }
  position_ = end;
  return is_integer;
}

JsonReader::Number JsonReader::read_number() {
  skip_space();
  const size_t start = position_;
  last_ = start;
  const bool is_integer = scan_number();
  const char* first = text_.data() + start;
  const char* last = text_.data() + position_;
  if (is_integer) {  // an integer beyond 64 bits becomes the nearest floating point number
    uint64_t natural = 0;
    if (std::from_chars(first, last, natural).ec == std::errc()) return natural;
    int64_t negative = 0;
    if (std::from_chars(first, last, negative).ec == std::errc()) return negative;
  }
  double number = 0;
  if (std::from_chars(first, last, number).ec == std::errc()) return number;
  // Out of range: a number that is too small is zero, one that is too large is an error.
  number = std::strtod(std::string(first, last).c_str(), nullptr);
  if (std::abs(number) > 1) fail_syntax(start, "a number too large for a 64-bit float");
  return number;
}

uint64_t JsonReader::read_count(std::string_view what) {
  const bool is_number = peek() == Kind::kNumber;
  const Number number = is_number ? read_number() : Number(-1.0);
  const auto* count = std::get_if<uint64_t>(&number);
  if (count == nullptr) {
    fail(fmt::format("{} must be a whole number that is not negative", what));
  }
  return *count;
}

void JsonReader::skip_value() {
  switch (peek()) {
    case Kind::kString: read_string(); return;
    case Kind::kNumber: read_number(); return;
    case Kind::kBool: read_bool(); return;
    case Kind::kNull: read_null(); return;
    case Kind::kArray:
      begin_array();
      while (next_item()) skip_value();
      return;
    case Kind::kObject: {
      begin_object();
      std::string key;
      while (next_key(key)) skip_value();
      return;
    }
  }
}

void JsonReader::finish() {
  skip_space();
  if (position_ != text_.size()) fail_syntax(position_, "text after the end of the JSON value");
}

const char* kind_name(JsonReader::Kind kind) {
  switch (kind) {
    case JsonReader::Kind::kObject: return "an object";
    case JsonReader::Kind::kArray: return "a list";
    case JsonReader::Kind::kString: return "a string";
    case JsonReader::Kind::kNumber: return "a number";
    case JsonReader::Kind::kBool: return "true or false";
    case JsonReader::Kind::kNull: break;
  }
  return "null";
}

}  // namespace spanforge
