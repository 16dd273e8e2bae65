#pragma once
// What: A command's options as typed fields. A command declares each field once, as a row
//   {OptionInfo, field}. Flags, configuration keys, --help and the reference page come from the
//   rows.
// Forms: --kebab-case and --snake_case; --name value and --name=value. A boolean may have a value
//   or not, as Hugging Face's do; a switch has none; "--" ends the options. Command line >
//   configuration file > defaults. If an option is given twice, the last value counts, as in
//   Hugging Face's programs, because scripts append their own options to common ones. A note
//   reports it.
// Empty values are errors, because they come from variables that are not set, except for texts that
//   allow_empty() names. A key that occurs twice in a configuration file is an error, too.
// Errors: Error{kUsage} whose place is the option, or the configuration file, its line and the key.
// Why no parsing library: values that start with a dash, empty values, booleans with and without a
//   value, and two spellings per name would all need code in front of the library.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "flags.h"
#include "option_value.h"
#include "spanforge/base/options.h"

namespace spanforge::app {

struct Command;
class OptionTable;

// What main passes to a command.
struct Arguments {
  const Command* command = nullptr;
  std::vector<std::string> words;  // after the command's name
  // Called with the command's options instead of running it, if it is set.
  std::function<void(const Command&, const OptionTable&)> describe;
};

enum class OptionKind { kSwitch, kBoolean, kValue, kList };

struct OptionRow {
  std::string name;  // snake_case
  std::string alias;
  std::string help, range, placeholder, default_text;
  OptionKind kind = OptionKind::kValue;
  bool given = false;  // on the command line or in the configuration file
  bool on_command_line = false;
  bool may_be_empty = false;
  bool foreign = false;  // from add_foreign(): not in --help
  // Sets the value from its text. If the text is not valid, returns what was expected ("a finite
  // number").
  std::function<std::optional<std::string>(const std::string&)> set;
  std::string value;            // the last one, from the command line
  std::function<void()> clear;  // lists: removes the configuration file's values
};

class OptionTable {
 public:
  // The visitor's call: adds one row. `field` must outlive parse().
  template <class T>
  void operator()(const OptionInfo& info, T& field) {
    const ValueNames names = value_names(&field);
    const std::string preset = default_text(field);
    add(info, names.placeholder == kBooleanPlaceholder ? OptionKind::kBoolean : OptionKind::kValue,
        names.placeholder, preset.empty() ? std::string(info.preset) : preset,
        [&field, expected = names.expected](const std::string& text) -> std::optional<std::string> {
          if (read_value(text, field)) return std::nullopt;
          return expected;
        });
    if (Spelled<typename OptionValue<T>::Type>) set_choices(rows_.back(), names.placeholder);
  }
  template <class T>
  void operator()(const OptionInfo& info, std::vector<T>& field) {
    const ValueNames names = value_names(static_cast<const T*>(nullptr));
    add(info, OptionKind::kList, names.placeholder, "",
        [&field, expected = names.expected](const std::string& text) -> std::optional<std::string> {
          T value{};
          if (!read_value(text, value)) return expected;
          field.push_back(std::move(value));
          return std::nullopt;
        });
    rows_.back().clear = [&field] { field.clear(); };
  }
  // A plain switch, which never takes a value.
  void add_switch(const OptionInfo& info, bool& field);
  // Another program's option, which has no field (base/options.h).
  void add_foreign(const ForeignOption& option);
  // The words that are not options, e.g. "FILE": at least `min` and at most `max` of them.
  void positional(std::string name, std::string help, std::vector<std::string>& field, size_t min,
                  size_t max);
  // Permits "" for this option, or for the words that are not options: an empty text is a text,
  // too.
  void allow_empty(std::string_view name);
  // Adds --config FILE, a TOML file whose keys are the rows' names.
  void allow_config() { config_allowed_ = true; }

  // Reads a configuration file's text into the fields. `file`: its name in messages.
  void apply_config(std::string_view text, const std::string& file);

  // Sets one option without a command line or a file: several values only for a list. Error{kUsage}
  // whose parameter is `name`.
  void set(const std::string& name, const std::vector<std::string>& values);

  // Reads the words into the fields. False: --help was printed or describe() called, nothing to
  // run.
  bool parse(const Arguments& arguments);

  const std::string& config_file() const { return config_file_; }  // empty: none
  bool given(std::string_view name) const;    // on the command line or in the file
  void require(std::string_view name) const;  // Error{kUsage} unless given
  void exclude(std::string_view one, std::string_view other) const;  // Error{kUsage} when both are
  // Error{kUsage} if `one` is given without `other`, without which it has no effect.
  void need(std::string_view one, std::string_view other) const;
  const std::vector<OptionRow>& rows() const { return rows_; }
  const std::string& positional_name() const { return positional_name_; }
  const std::string& positional_help() const { return positional_help_; }

 private:
  void add(const OptionInfo& info, OptionKind kind, std::string placeholder, std::string preset,
           std::function<std::optional<std::string>(const std::string&)> set);
  static void set_choices(OptionRow& row, const std::string& range);
  OptionRow* find(std::string_view snake_name);
  OptionRow& find_flag(const std::string& flag);
  OptionRow& find_key(const std::string& key, const ErrorPlace& place, const char* what);
  void assign_all(OptionRow& row, const std::vector<std::string>& values, const ErrorPlace& place);
  struct Assignment {
    OptionRow* row;
    std::string flag, value;
  };
  struct SplitWords {
    std::vector<Assignment> assignments;
    std::vector<std::string> positionals;
    bool help = false;
  };
  SplitWords split(const std::vector<std::string>& words);
  bool is_known_option(const std::string& word);
  void assign(OptionRow& row, const std::string& value, const ErrorPlace& place);
  void take_positionals(const Arguments& arguments, std::vector<std::string> words);

  std::vector<OptionRow> rows_;
  std::string positional_name_, positional_help_;
  std::vector<std::string>* positional_field_ = nullptr;
  size_t positional_min_ = 0, positional_max_ = 0;
  bool positional_may_be_empty_ = false;
  bool config_allowed_ = false;
  std::string config_file_;
};

// A configuration file's text as rows of {key, values, line}. Only flat keys are permitted.
// `file`: its name in messages.
struct ConfigEntry {
  std::string key;
  std::vector<std::string> values;
  uint32_t line = 0;
  ErrorPlace place(const std::string& file) const;  // "FILE:3: max_steps"
};
std::vector<ConfigEntry> parse_config(std::string_view text, const std::string& file);

// The candidate with the fewest edits to `name`, if they are few; else nullopt.
std::optional<std::string> nearest_name(std::string_view name,
                                        const std::vector<std::string>& candidates);

}  // namespace spanforge::app
