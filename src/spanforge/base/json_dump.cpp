#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <string>
#include <vector>

#include <fmt/core.h>

#include "spanforge/base/json.h"
#include "spanforge/base/unprintable_table.h"
#include "spanforge/base/utf8.h"

namespace spanforge {
namespace {

void require_utf8(std::string_view text) {
  if (const auto bad = find_invalid_utf8(text)) {
    throw Error(ErrorCode::kBadData, quote_for_message(text, 40),
                fmt::format("invalid UTF-8 at byte {}; it cannot be written as JSON", *bad));
  }
}

// json.dumps writes float.__repr__(), except for NaN and infinities.
std::string dump_double(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return python_repr(value);
}

void dump_string(std::string_view text, bool ensure_ascii, std::string& out) {
  require_utf8(text);
  out += '"';
  for (size_t pos = 0; pos < text.size();) {
    const size_t start = pos;
    const char32_t c = next_code_point(text, pos);
    switch (c) {
      case '"': out += "\\\""; continue;
      case '\\': out += "\\\\"; continue;
      case '\n': out += "\\n"; continue;
      case '\r': out += "\\r"; continue;
      case '\t': out += "\\t"; continue;
      case '\b': out += "\\b"; continue;
      case '\f': out += "\\f"; continue;
      default: break;
    }
    const bool plain = c >= 0x20 && (c < 0x7F || !ensure_ascii);
    if (plain) {
      out.append(text, start, pos - start);
    } else if (c < 0x10000) {
      out += fmt::format("\\u{:04x}", static_cast<uint32_t>(c));
    } else {
      const uint32_t v = static_cast<uint32_t>(c) - 0x10000;
      out += fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + (v >> 10), 0xDC00 + (v & 0x3FF));
    }
  }
  out += '"';
}

// A PythonJsonStyle, or the style of Json::dump().
struct Style : PythonJsonStyle {
  bool compact = false;  // Json::dump(): no spaces, null for NaN and infinities
};

class Dumper {
 public:
  Dumper(const Style& style, const JsonList* late, std::string& out)
      : style_(style), late_(late), out_(out) {}

  void dump(const Json& value, int level) {
    switch (value.type()) {
      case Json::Type::kObject: return dump_object(value.as_object(), level);
      case Json::Type::kArray:
        return dump_list(value.size(), level, [&](size_t i) -> const Json& { return value[i]; });
      case Json::Type::kString: return dump_string(value.as_string(), style_.ensure_ascii, out_);
      case Json::Type::kBool: out_ += value.get<bool>() ? "true" : "false"; return;
      case Json::Type::kInteger: out_ += std::to_string(value.get<int64_t>()); return;
      case Json::Type::kUnsigned: out_ += std::to_string(value.get<uint64_t>()); return;
      case Json::Type::kFloat: return dump_float(value.get<double>());
      default: out_ += "null";
    }
  }

 private:
  void new_line(int level) {
    if (style_.indent < 0) return;
    out_ += '\n';
    out_.append(static_cast<size_t>(style_.indent) * static_cast<size_t>(level), ' ');
  }

  void separate(bool first, int level) {
    if (!first) out_ += style_.compact || style_.indent >= 0 ? "," : ", ";
    new_line(level);
  }

  template <class Value>
  void dump_list(size_t size, int level, Value&& value) {
    if (size == 0) {
      out_ += "[]";
      return;
    }
    out_ += '[';
    for (size_t i = 0; i < size; ++i) {
      separate(i == 0, level + 1);
      dump(value(i), level + 1);
    }
    new_line(level);
    out_ += ']';
  }

  void dump_object(const Json::Object& object, int level) {
    if (object.empty()) {
      out_ += "{}";
      return;
    }
    std::vector<const Json::Member*> members;
    members.reserve(object.size());
    for (const auto& member : object) members.push_back(&member);
    if (style_.sort_keys) {  // UTF-8 sorts by code point, as Python's strings do
      std::stable_sort(members.begin(), members.end(),
                       [](const auto* a, const auto* b) { return a->key < b->key; });
    }
    out_ += '{';
    bool first = true;
    for (const auto* member : members) {
      separate(first, level + 1);
      dump_string(member->key, style_.ensure_ascii, out_);
      out_ += style_.compact ? ":" : ": ";
      if (level == 0 && late_ != nullptr && member->key == late_->key) {
        dump_list(late_->size, level + 1, late_->value);
      } else {
        dump(member->value, level + 1);
      }
      first = false;
    }
    new_line(level);
    out_ += '}';
  }

  void dump_float(double value) {
    if (style_.compact && !std::isfinite(value)) {
      out_ += "null";
    } else {
      out_ += dump_double(value);
    }
  }

  Style style_;
  const JsonList* late_;
  std::string& out_;
};

bool is_printable(char32_t c) {
  const auto* end = kUnprintable + kUnprintableCount;
  const auto* range = std::lower_bound(
      kUnprintable, end, c, [](const CodePointRange& r, char32_t value) { return r.last < value; });
  return range == end || c < range->first;
}

void append_python_str(const Json& value, std::string& out) {
  switch (value.type()) {
    case Json::Type::kObject: {
      out += '{';
      bool first = true;
      for (const auto& [key, member] : value.as_object()) {
        if (!first) out += ", ";
        out += python_repr(std::string_view(key)) + ": ";
        append_python_str(member, out);
        first = false;
      }
      out += '}';
      return;
    }
    case Json::Type::kArray: {
      out += '[';
      bool first = true;
      for (const Json& item : value) {
        if (!first) out += ", ";
        append_python_str(item, out);
        first = false;
      }
      out += ']';
      return;
    }
    case Json::Type::kString: out += python_repr(std::string_view(value.as_string())); return;
    case Json::Type::kBool: out += value.get<bool>() ? "True" : "False"; return;
    case Json::Type::kInteger: out += std::to_string(value.get<int64_t>()); return;
    case Json::Type::kUnsigned: out += std::to_string(value.get<uint64_t>()); return;
    case Json::Type::kFloat: out += python_repr(value.get<double>()); return;
    default: out += "None";
  }
}

}  // namespace

std::string Json::dump() const {
  std::string out;
  Dumper({{.ensure_ascii = false}, true}, nullptr, out).dump(*this, 0);
  return out;
}

std::string dump_python_json(const Json& value, const PythonJsonStyle& style) {
  std::string out;
  Dumper({style}, nullptr, out).dump(value, 0);
  return out;
}

std::string dump_python_json(const Json& object, const PythonJsonStyle& style,
                             const JsonList& list) {
  std::string out;
  Dumper({style}, &list, out).dump(object, 0);
  return out;
}

std::string python_repr(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  // Gets the shortest digits as d.ddde[+-]xx and applies Python's rule: plain notation if the
  // decimal exponent is in [-4, 16).
  char buffer[40];
  const auto result = std::to_chars(buffer, std::end(buffer), value, std::chars_format::scientific);
  std::string_view text(buffer, static_cast<size_t>(result.ptr - buffer));
  std::string out;
  if (text.front() == '-') {
    out = "-";
    text.remove_prefix(1);
  }
  const size_t e = text.find('e');
  const int exponent = std::stoi(std::string(text.substr(e + 1)));
  std::string digits(1, text[0]);
  if (e > 2) digits += text.substr(2, e - 2);
  const int count = static_cast<int>(digits.size());
  const auto zeros = [&](int n) { out.append(static_cast<size_t>(n), '0'); };
  if (exponent < -4 || exponent >= 16) {
    out += digits[0];
    if (count > 1) out.append(".").append(digits, 1);
    out += fmt::format("e{}{:02}", exponent < 0 ? '-' : '+', std::abs(exponent));
  } else if (exponent < 0) {
    out += "0.";
    zeros(-exponent - 1);
    out += digits;
  } else if (count <= exponent + 1) {
    out += digits;
    zeros(exponent + 1 - count);
    out += ".0";
  } else {
    const auto point = static_cast<size_t>(exponent + 1);
    out.append(digits, 0, point).append(".").append(digits, point);
  }
  return out;
}

std::string python_repr(std::string_view text) {
  require_utf8(text);
  const bool double_quoted =
      text.find('\'') != std::string::npos && text.find('"') == std::string::npos;
  const char quote = double_quoted ? '"' : '\'';
  std::string out(1, quote);
  for (size_t pos = 0; pos < text.size();) {
    const size_t start = pos;
    const char32_t c = next_code_point(text, pos);
    const auto number = static_cast<uint32_t>(c);
    if (c == static_cast<char32_t>(quote) || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (is_printable(c)) {
      out.append(text, start, pos - start);
    } else if (c < 0x100) {
      out += fmt::format("\\x{:02x}", number);
    } else if (c < 0x10000) {
      out += fmt::format("\\u{:04x}", number);
    } else {
      out += fmt::format("\\U{:08x}", number);
    }
  }
  return out + quote;
}

std::string python_str(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  std::string out;
  append_python_str(value, out);
  return out;
}

}  // namespace spanforge
