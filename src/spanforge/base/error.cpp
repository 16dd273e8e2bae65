#include "spanforge/base/error.h"

#include <fmt/core.h>

#include "spanforge/base/utf8.h"

namespace spanforge {
namespace {

void append_one_line(std::string_view text, std::string& out) {
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    // U+0085, U+2028 and U+2029 end lines, too, for example in Python. A terminal obeys the other
    // control characters from U+0080 to U+009F.
    if (c == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(text[i + 1]));
      i += 1;
    } else if (c == 0xE2 &&
               (text.substr(i, 3) == "\xE2\x80\xA8" || text.substr(i, 3) == "\xE2\x80\xA9")) {
      out += text[i + 2] == '\xA8' ? "\\u2028" : "\\u2029";
      i += 2;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c < 0x20 || c == 0x7f) {
      out += fmt::format("\\x{:02x}", c);
    } else {
      out += static_cast<char>(c);
    }
  }
}

// Also escapes invalid UTF-8: programs that read the output may refuse it.
std::string one_line(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (const auto invalid = find_invalid_utf8(text)) {
    append_one_line(text.substr(0, *invalid), out);
    out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[*invalid]));
    text.remove_prefix(*invalid + 1);
  }
  append_one_line(text, out);
  return out;
}

}  // namespace

int exit_code(ErrorCode code) {
  switch (code) {
    case ErrorCode::kUsage: return 2;
    case ErrorCode::kBadData:
    case ErrorCode::kBadModel:
    case ErrorCode::kNonFinite: return 3;
    case ErrorCode::kNetwork:
    case ErrorCode::kCacheMiss: return 4;
    case ErrorCode::kIo: return 74;
    case ErrorCode::kInterrupted: return 128;
    case ErrorCode::kPeerLost: return 75;
    case ErrorCode::kInternal: return 70;
  }
  return 70;
}

std::string_view error_code_name(ErrorCode code) {
  switch (code) {
    case ErrorCode::kUsage: return "usage";
    case ErrorCode::kBadData: return "bad data";
    case ErrorCode::kBadModel: return "bad model";
    case ErrorCode::kNonFinite: return "not finite";
    case ErrorCode::kNetwork: return "network";
    case ErrorCode::kCacheMiss: return "cache miss";
    case ErrorCode::kIo: return "input/output";
    case ErrorCode::kInterrupted: return "interrupted";
    case ErrorCode::kPeerLost: return "peer lost";
    case ErrorCode::kInternal: return "internal";
  }
  return "internal";
}

std::string ErrorPlace::text() const {
  std::string text = file.empty() ? parameter : file;
  if (!where.empty()) text += (text.empty() ? "" : ": ") + where;
  if (!file.empty() && !parameter.empty()) text += ": " + parameter;
  return text;
}

ErrorPlace ErrorPlace::inside(const std::string& position) const {
  if (where.empty() || position.empty()) return {file, where + position, parameter};
  return {file, where + ": " + position, parameter};
}

Error::Error(ErrorCode code, ErrorPlace place, std::string reason)
    : std::runtime_error(one_line(place.text().empty() ? reason : place.text() + ": " + reason)),
      code_(code),
      place_(std::move(place)),
      reason_(std::move(reason)) {}

Error Error::with_place(ErrorPlace place) const { return {code_, std::move(place), reason_}; }

Error Error::with_file(std::string file) const {
  return with_place({std::move(file), place_.where, place_.parameter});
}

Error Error::with_reason(std::string reason) const { return {code_, place_, std::move(reason)}; }

std::string quote_for_message(std::string_view text, size_t max_bytes) {
  if (text.size() <= max_bytes) return one_line(text);
  size_t end = max_bytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return one_line(text.substr(0, end)) + "...";
}

}  // namespace spanforge
