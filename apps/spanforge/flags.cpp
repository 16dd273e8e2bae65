#include "flags.h"

#include <algorithm>

#include "spanforge/train/arguments.h"

namespace spanforge::app {
namespace {

// Options that reasons name, other than training's. The test claims/parameters compares.
constexpr std::string_view kNamedOthers[] = {"max_drop", "predictions_dir", "rendezvous"};

bool is_named(std::string_view name) {
  bool found = std::ranges::find(kNamedOthers, name) != std::end(kNamedOthers);
  const TrainingArguments options;
  visit_training_arguments(
      options, [&](const OptionInfo& info, const auto&) { found = found || info.name == name; });
  return found;
}

// The option that sets a parameter, if its name differs.
std::string_view option_of(std::string_view parameter) {
  return parameter == "padding" ? "pad_to" : parameter;
}

}  // namespace

std::string flag_of(std::string_view snake_name) {
  return "--" + dashed_name(std::string(snake_name));
}

std::string with_flags(std::string_view text) {
  std::string out;
  bool quoted = false;
  while (!text.empty()) {
    if (text.front() == '"') quoted = !quoted;
    const size_t end = text.front() == '`' && !quoted ? text.find('`', 1) : std::string_view::npos;
    if (end != std::string_view::npos && is_named(text.substr(1, end - 1))) {
      out += flag_of(text.substr(1, end - 1));
      text.remove_prefix(end + 1);
    } else {
      out += text.front();
      text.remove_prefix(1);
    }
  }
  return out;
}

Error with_flags(const Error& error) {
  ErrorPlace place = error.place();
  if (place.file.empty() && !place.parameter.empty()) {
    place.parameter = flag_of(option_of(place.parameter));
  }
  return {error.code(), std::move(place), with_flags(error.reason())};
}

}  // namespace spanforge::app
