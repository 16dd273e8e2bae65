#define TOML_EXCEPTIONS 1
#define TOML_ENABLE_FORMATTERS 0
#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>

#include "options.h"
#include "spanforge/base/error.h"

namespace spanforge::app {
namespace {

std::string value_text(const toml::node& node, const std::string& place) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* boolean = node.as_boolean()) return boolean->get() ? "true" : "false";
  if (const auto* whole = node.as_integer()) return fmt::format("{}", whole->get());
  if (const auto* number = node.as_floating_point()) return fmt::format("{}", number->get());
  throw Error(ErrorCode::kUsage, place, "must be a text, a number, a boolean or a list of those");
}

// Where the text or comment that begins at `at` ends; `at` itself where none begins.
size_t behind_quoted(std::string_view text, size_t at) {
  const char quote = text[at];
  if (quote == '#') return std::min(text.find('\n', at), text.size());
  if (quote != '"' && quote != '\'') return at;
  const bool long_form = text.substr(at, 3) == std::string(3, quote);
  const std::string end(long_form ? 3 : 1, quote);
  for (at += end.size(); at < text.size(); ++at) {
    if (text[at] == '\\' && quote == '"') {
      ++at;
    } else if (text.substr(at, end.size()) == end) {
      at += end.size();
      while (long_form && at < text.size() && text[at] == quote) ++at;  // the text ends with some
      return at;
    } else if (text[at] == '\n' && !long_form) {
      return at;
    }
  }
  return text.size();
}

// Outside of texts and comments TOML is ASCII. toml++ 3.3 runs into undefined behaviour where some
// letters stand there (U+02CA, for one).
void require_ascii_outside(std::string_view text, const std::string& file) {
  for (size_t at = text.starts_with("\xEF\xBB\xBF") ? 3 : 0; at < text.size();) {
    if (const size_t behind = behind_quoted(text, at); behind != at) {
      at = behind;
      continue;
    }
    if (static_cast<unsigned char>(text[at]) >= 0x80) {
      const auto line =
          std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n') + 1;
      throw Error(ErrorCode::kUsage, fmt::format("{}:{}", file, line),
                  "a character above ASCII outside of quotes and comments");
    }
    ++at;
  }
}

}  // namespace

std::vector<ConfigEntry> parse_config(std::string_view text, const std::string& file) {
  require_ascii_outside(text, file);
  toml::table table;
  try {
    table = toml::parse(text, file);
  } catch (const toml::parse_error& error) {
    throw Error(ErrorCode::kUsage, fmt::format("{}:{}", file, error.source().begin.line),
                std::string(error.description()));
  }
  std::vector<ConfigEntry> entries;
  for (const auto& [key, node] : table) {
    ConfigEntry entry{std::string(key.str()), {}, node.source().begin.line};
    const std::string place = fmt::format("{}:{}: {}", file, entry.line,
                                          quote_for_message(entry.key));
    if (const auto* list = node.as_array()) {
      for (const auto& item : *list) entry.values.push_back(value_text(item, place));
    } else {
      entry.values.push_back(value_text(node, place));
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace spanforge::app
