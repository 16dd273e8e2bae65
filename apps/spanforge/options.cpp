#include "options.h"

#include <algorithm>
#include <cctype>
#include <map>

#include <fmt/core.h>

#include "command.h"
#include "help.h"
#include "output.h"
#include "spanforge/base/error.h"
#include "spanforge/base/utf8.h"
#include "spanforge/io/input_file.h"

namespace spanforge::app {
namespace {

std::string snake(std::string_view name) {
  std::string out(name);
  std::replace(out.begin(), out.end(), '-', '_');
  return out;
}

bool is_option_word(const std::string& word) {
  if (word.size() < 3 || word[0] != '-' || word[1] != '-') return false;
  const size_t end = std::min(word.find('='), word.size());
  return end > 2 && std::isalpha(static_cast<unsigned char>(word[2])) != 0 &&
         std::all_of(word.begin() + 2, word.begin() + static_cast<std::ptrdiff_t>(end), [](char c) {
           return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_';
         });
}

bool is_short_option(const std::string& word) {
  return word.size() == 2 && word[0] == '-' &&
         std::isalpha(static_cast<unsigned char>(word[1])) != 0;
}

// A boolean accepts all its usual words, whatever else its range allows.
bool allowed(const OptionRow& row, const std::string& value) {
  bool ignored = false;
  if (row.kind == OptionKind::kBoolean && read_value(value, ignored)) return true;
  if (row.foreign && row.kind != OptionKind::kBoolean) return true;  // set() decides
  return in_range(value, row.kind == OptionKind::kBoolean ? row.placeholder : row.range);
}

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1), row(b.size() + 1), next(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    next[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      next[j] =
          std::min({row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        next[j] = std::min(next[j], before[j - 2] + 1);
      }
    }
    std::swap(before, row);
    std::swap(row, next);
  }
  return row[b.size()];
}

constexpr const char* kEmpty = "is empty; give a value, or omit it";

// Also names of files, because reports and a run's records are JSON.
void require_utf8(const std::string& word, const ErrorPlace& place) {
  if (const auto at = find_invalid_utf8(word)) {
    throw Error(ErrorCode::kUsage, place, fmt::format("is not UTF-8 at byte {}", *at));
  }
}

}  // namespace

std::optional<std::string> nearest_name(std::string_view name,
                                        const std::vector<std::string>& candidates) {
  size_t best = std::max<size_t>(2, name.size() / 3) + 1;
  std::optional<std::string> nearest;
  for (const std::string& candidate : candidates) {
    const size_t distance = edit_distance(name, candidate);
    if (distance < best) {
      best = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

void OptionTable::add(const OptionInfo& info, OptionKind kind, std::string placeholder,
                      std::string preset,
                      std::function<std::optional<std::string>(const std::string&)> set) {
  OptionRow row;
  row.name = info.name;
  row.alias = info.alias;
  row.help = info.help;
  row.range = info.range;
  row.kind = kind;
  row.placeholder = std::move(placeholder);
  if (info.range.find('|') != std::string_view::npos) set_choices(row, row.range);
  row.default_text = std::move(preset);
  row.set = std::move(set);
  rows_.push_back(std::move(row));
}

void OptionTable::set_choices(OptionRow& row, const std::string& range) {
  row.range = row.placeholder = range;
  // "--bf16" without a value means true even if a third word is allowed.
  if (range.starts_with(kBooleanPlaceholder)) row.kind = OptionKind::kBoolean;
}

void OptionTable::add_switch(const OptionInfo& info, bool& field) {
  add(info, OptionKind::kSwitch, "", "",
      [&field](const std::string& text) -> std::optional<std::string> {
        if (read_value(text, field)) return std::nullopt;  // a configuration file may say false
        return value_names(&field).expected;
      });
}

void OptionTable::add_foreign(const ForeignOption& option) {
  const auto refuse_others = [option](const std::string& text) -> std::optional<std::string> {
    bool given = false, wanted = false;
    const bool same = option.is_boolean && read_value(text, given) &&
                      read_value(std::string(option.allowed), wanted) && given == wanted;
    const std::string choices = fmt::format("{}|", option.allowed);
    if (option.allowed == "*" || same || (!option.is_boolean && in_range(text, choices))) {
      return std::nullopt;
    }
    return fmt::format("possible here: {}", option.why);
  };
  add({option.name, option.why, ""}, option.is_boolean ? OptionKind::kBoolean : OptionKind::kValue,
      option.is_boolean ? std::string(kBooleanPlaceholder) : "TEXT", "", refuse_others);
  rows_.back().foreign = true;
  rows_.back().range = option.allowed;
}

void OptionTable::positional(std::string name, std::string help, std::vector<std::string>& field,
                             size_t min, size_t max) {
  positional_name_ = std::move(name);
  positional_help_ = std::move(help);
  positional_field_ = &field;
  positional_min_ = min;
  positional_max_ = max;
}

void OptionTable::allow_empty(std::string_view name) {
  if (name == positional_name_) {
    positional_may_be_empty_ = true;
  } else {
    find(name)->may_be_empty = true;
  }
}

OptionRow* OptionTable::find(std::string_view snake_name) {
  for (OptionRow& row : rows_) {
    if (row.name == snake_name) return &row;
    for (size_t start = 0; start < row.alias.size();) {  // commas separate several aliases
      const size_t end = std::min(row.alias.find(',', start), row.alias.size());
      if (row.alias.compare(start, end - start, snake_name) == 0) return &row;
      start = end + 1;
    }
  }
  return nullptr;
}

OptionRow& OptionTable::find_flag(const std::string& flag) {
  if (OptionRow* row = find(snake(flag.substr(2))); row != nullptr) return *row;
  std::vector<std::string> names;
  for (const OptionRow& row : rows_) {
    if (!row.foreign) names.push_back(flag_of(row.name));
  }
  const auto nearest = nearest_name(flag, names);
  throw Error(ErrorCode::kUsage, {.where = flag},
              nearest ? fmt::format("no such option; did you mean {}?", *nearest)
                      : "no such option; --help lists them");
}

void OptionTable::assign(OptionRow& row, const std::string& value, const ErrorPlace& place) {
  require_utf8(value, place);
  if (value.empty() && !row.may_be_empty) throw Error(ErrorCode::kUsage, place, kEmpty);
  if (value.find('\0') != std::string::npos) {  // a path would end there
    throw Error(ErrorCode::kUsage, place, "holds a NUL character");
  }
  if (!allowed(row, value)) {
    throw Error(ErrorCode::kUsage, place,
                fmt::format("'{}' is not allowed; it must be {}", quote_for_message(value),
                            row.kind == OptionKind::kBoolean ? row.placeholder : row.range));
  }
  if (const auto expected = row.set(value)) {
    throw Error(ErrorCode::kUsage, place,
                fmt::format("'{}' is not {}", quote_for_message(value), *expected));
  }
  row.given = true;
}

// what: "no such key"
OptionRow& OptionTable::find_key(const std::string& key, const ErrorPlace& place,
                                 const char* what) {
  if (OptionRow* row = find(snake(key)); row != nullptr) return *row;
  std::vector<std::string> names;
  for (const OptionRow& known : rows_) {
    if (!known.foreign) names.push_back(known.name);
  }
  const auto nearest = nearest_name(snake(key), names);
  throw Error(ErrorCode::kUsage, place,
              nearest ? fmt::format("{}; did you mean {}?", what, *nearest) : what);
}

void OptionTable::assign_all(OptionRow& row, const std::vector<std::string>& values,
                             const ErrorPlace& place) {
  if (values.size() != 1 && row.kind != OptionKind::kList) {
    throw Error(ErrorCode::kUsage, place, "takes one value, not a list");
  }
  for (const std::string& value : values) assign(row, value, place);
}

void OptionTable::set(const std::string& name, const std::vector<std::string>& values) {
  const ErrorPlace place{.parameter = name};
  assign_all(find_key(name, place, "no such argument"), values, place);
}

void OptionTable::apply_config(std::string_view text, const std::string& file) {
  std::map<const OptionRow*, std::string> keys;  // how the file named an option
  for (const ConfigEntry& entry : parse_config(text, file)) {
    const ErrorPlace place = entry.place(file);
    OptionRow& row = find_key(entry.key, place, "no such key");
    if (row.name == "config") {
      throw Error(ErrorCode::kUsage, place, "a configuration file cannot name another one");
    }
    if (const auto [earlier, first] = keys.emplace(&row, entry.key); !first) {
      throw Error(ErrorCode::kUsage, place,
                  fmt::format("means the same option as '{}', which the file gives as well",
                              quote_for_message(earlier->second)));
    }
    assign_all(row, entry.values, place);
  }
}

void OptionTable::take_positionals(const Arguments& arguments, std::vector<std::string> words) {
  if (words.size() > positional_max_) {
    throw Error(
        ErrorCode::kUsage, {.where = quote_for_message(words[positional_max_])},
        fmt::format("one argument too many; see spanforge {} --help", arguments.command->name));
  }
  if (words.size() < positional_min_) {
    throw Error(ErrorCode::kUsage, {.where = positional_name_},
                fmt::format("is missing ({}); see spanforge {} --help", positional_help_,
                            arguments.command->name));
  }
  for (const std::string& word : words) {
    require_utf8(word, {.where = word});
    if (word.empty() && !positional_may_be_empty_) {
      throw Error(ErrorCode::kUsage, {.where = positional_name_}, kEmpty);
    }
  }
  if (positional_field_ != nullptr) *positional_field_ = std::move(words);
}

bool OptionTable::is_known_option(const std::string& word) {
  return is_option_word(word) && find(snake(word.substr(2, word.find('=') - 2))) != nullptr;
}

OptionTable::SplitWords OptionTable::split(const std::vector<std::string>& words) {
  SplitWords out;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "--") {
      out.positionals.insert(out.positionals.end(),
                             words.begin() + static_cast<std::ptrdiff_t>(i) + 1, words.end());
      break;
    }
    if (word == "--help" || word == "-h") {
      out.help = true;
      break;
    }
    if (is_short_option(word)) {
      throw Error(ErrorCode::kUsage, {.where = word}, "no such option; --help lists them");
    }
    if (!is_option_word(word)) {
      out.positionals.push_back(word);
      continue;
    }
    const size_t equals = word.find('=');
    const std::string flag = word.substr(0, equals);
    OptionRow& row = find_flag(flag);
    const std::string* next = i + 1 < words.size() ? &words[i + 1] : nullptr;
    std::string value = "true";
    if (equals != std::string::npos) {
      value = word.substr(equals + 1);
      if (row.kind == OptionKind::kSwitch)
        throw Error(ErrorCode::kUsage, {.where = flag}, "takes no value");
    } else if (row.kind == OptionKind::kBoolean) {
      if (next != nullptr && allowed(row, *next)) value = words[++i];
    } else if (row.kind != OptionKind::kSwitch) {
      if (next == nullptr || is_known_option(*next)) {
        throw Error(ErrorCode::kUsage, {.where = flag},
                    fmt::format("needs a value ({})", row.placeholder));
      }
      value = words[++i];
    }
    out.assignments.push_back({&row, flag, value});
  }
  return out;
}

bool OptionTable::parse(const Arguments& arguments) {
  if (config_allowed_) {
    (*this)(OptionInfo{"config", "TOML file of options; the command line has priority", ""},
            config_file_);
  }
  if (arguments.describe) return arguments.describe(*arguments.command, *this), false;
  SplitWords words = split(arguments.words);
  if (words.help) return print_help(*arguments.command, *this), false;
  for (const Assignment& a : words.assignments) {
    if (config_allowed_ && a.row->name == "config") assign(*a.row, a.value, {.where = a.flag});
  }
  if (!config_file_.empty()) {
    apply_config(read_input(config_file_), input_name(config_file_).string());
  }
  for (const Assignment& a : words.assignments) {
    // The first value of a list replaces the configuration file's; further ones are added.
    if (a.row->clear && !a.row->on_command_line) a.row->clear();
    if (a.row->on_command_line && !a.row->clear && a.row->value != a.value) {
      note(fmt::format("{} is given twice: '{}' is used, '{}' is not", a.flag, a.value,
                       a.row->value));
    }
    a.row->on_command_line = true;
    a.row->value = a.value;
    assign(*a.row, a.value, {.where = a.flag});
  }
  take_positionals(arguments, std::move(words.positionals));
  return true;
}

bool OptionTable::given(std::string_view name) const {
  for (const OptionRow& row : rows_) {
    if (row.name == name) return row.given;
  }
  throw Error(ErrorCode::kInternal, {.parameter = std::string(name)},
              "is no option of this command");
}

void OptionTable::require(std::string_view name) const {
  if (given(name)) return;
  const auto row =
      std::find_if(rows_.begin(), rows_.end(), [&](const auto& r) { return r.name == name; });
  throw Error(ErrorCode::kUsage, {.parameter = std::string(name)},
              fmt::format("is required ({})", row->help));
}

void OptionTable::exclude(std::string_view one, std::string_view other) const {
  if (given(one) && given(other)) {
    throw Error(ErrorCode::kUsage, {.parameter = std::string(one)},
                fmt::format("cannot be used with {}", flag_of(other)));
  }
}

void OptionTable::need(std::string_view one, std::string_view other) const {
  if (given(one) && !given(other)) {
    throw Error(ErrorCode::kUsage, {.parameter = std::string(one)},
                fmt::format("has no effect without {}", flag_of(other)));
  }
}

}  // namespace spanforge::app
