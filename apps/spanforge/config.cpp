#define TOML_EXCEPTIONS 1
#define TOML_ENABLE_FORMATTERS 0
#include <fmt/format.h>
#include <toml++/toml.h>

#include "options.h"
#include "spanforge/base/error.h"
#include "spanforge/base/file.h"

namespace spanforge::app {
namespace {

std::string value_text(const toml::node& node, const std::string& place) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* boolean = node.as_boolean()) return boolean->get() ? "true" : "false";
  if (const auto* whole = node.as_integer()) return fmt::format("{}", whole->get());
  if (const auto* number = node.as_floating_point()) return fmt::format("{}", number->get());
  throw Error(ErrorCode::kUsage, place, "must be a text, a number, a boolean or a list of those");
}

}  // namespace

std::vector<ConfigEntry> read_config(const std::filesystem::path& file) {
  toml::table table;
  try {
    table = toml::parse(read_file(file), file.string());
  } catch (const toml::parse_error& error) {
    throw Error(ErrorCode::kUsage, fmt::format("{}:{}", file.string(), error.source().begin.line),
                std::string(error.description()));
  }
  std::vector<ConfigEntry> entries;
  for (const auto& [key, node] : table) {
    ConfigEntry entry{std::string(key.str()), {}, node.source().begin.line};
    const std::string place = fmt::format("{}:{}: {}", file.string(), entry.line, entry.key);
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
