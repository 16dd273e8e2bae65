#include "help.h"

#include <algorithm>
#include <filesystem>
#include <optional>

#include <fmt/core.h>

#include "completion.h"
#include "manual.h"
#include "output.h"
#include "spanforge/base/error.h"
#include "spanforge/io/directory_writer.h"

namespace spanforge::app {
namespace {

// Commas separate several aliases.
std::vector<std::string> aliases(const OptionRow& row) {
  std::vector<std::string> out;
  for (size_t start = 0; start < row.alias.size();) {
    const size_t end = std::min(row.alias.find(',', start), row.alias.size());
    out.push_back(row.alias.substr(start, end - start));
    start = end + 1;
  }
  return out;
}

std::string markdown_cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

void print_foreign(const OptionTable& table) {
  std::string any, some, none;
  for (const OptionRow& row : table.rows()) {
    if (!row.foreign) continue;
    std::string& list = row.range == "*" ? any : row.range.empty() ? none : some;
    list += fmt::format("{}`{}`", list.empty() ? "" : ", ", row.name);
    if (&list == &some) list += fmt::format(" {}", row.range);
  }
  emit("\n{}\n\n- any value: {}\n- these values: {}\n- none: {}\n", kForeignOptions, any, some,
       none);
}

}  // namespace

std::string option_form(const OptionRow& row) {
  switch (row.kind) {
    case OptionKind::kSwitch: return flag_of(row.name);
    case OptionKind::kBoolean: return fmt::format("{} [{}]", flag_of(row.name), row.placeholder);
    case OptionKind::kList: return fmt::format("{} {} ...", flag_of(row.name), row.placeholder);
    case OptionKind::kValue: break;
  }
  return fmt::format("{} {}", flag_of(row.name), row.placeholder);
}

std::string option_description(const OptionRow& row) {
  std::string out = row.help;
  const bool is_choice = row.range.find('|') != std::string::npos;
  if (!row.range.empty() && !is_choice) out += fmt::format(" ({})", row.range);
  if (!row.default_text.empty()) out += fmt::format(" [{}]", row.default_text);
  for (const std::string& alias : aliases(row)) out += fmt::format(" (also {})", flag_of(alias));
  return out;
}

bool has_foreign_options(const OptionTable& table) {
  return std::ranges::any_of(table.rows(), &OptionRow::foreign);
}

void describe_commands(const std::function<void(const Command&, const OptionTable&)>& describe) {
  for (const Command& command : commands()) command.run(Arguments{&command, {}, describe});
}

void print_overview() {
  print(
      "spanforge trains, evaluates and uses models that answer questions with spans of a text.\n\n"
      "Commands (spanforge COMMAND --help explains one)\n");
  for (const Command& command : commands()) emit("  {:<15} {}\n", command.name, command.summary);
  print(
      "\nStart\n"
      "  spanforge data check train.json validation.json\n"
      "  spanforge train --model bert-base-chinese --train train.json --validation validation.json "
      "--output run\n"
      "  spanforge ask --model run/trained --context \"...\" --question \"...\"\n");
}

std::vector<const Command*> commands_in(std::string_view group) {
  std::vector<const Command*> out;
  for (const Command& command : commands()) {
    if (command.name.starts_with(group) && command.name.substr(group.size()).starts_with(" ")) {
      out.push_back(&command);
    }
  }
  return out;
}

bool is_group(std::string_view word) { return !commands_in(word).empty(); }

void print_group(std::string_view group) {
  emit("Commands of spanforge {}\n", group);
  for (const Command* command : commands_in(group)) {
    emit("  spanforge {:<15} {}\n", command->name, command->summary);
  }
}

void print_help(const Command& command, const OptionTable& table) {
  emit("spanforge {}: {}\n\n  spanforge {} {}\n", command.name, command.summary, command.name,
       command.synopsis);
  if (!table.positional_name().empty()) {
    emit("\n{:<8} {}\n", table.positional_name(), table.positional_help());
  }
  if (!table.rows().empty()) print("\nOptions\n");
  for (const OptionRow& row : table.rows()) {
    if (row.foreign) continue;
    const std::string left = option_form(row);
    emit("  {:<36}{}{}\n", left, left.size() < 36 ? "" : "\n" + std::string(38, ' '),
         option_description(row));
  }
  if (has_foreign_options(table)) emit("\n{}\n", kForeignOptions);
  if (!command.settings.empty()) emit("\nSettings (environment variables)\n{}", command.settings);
  print("\nExample\n");
  for (size_t start = 0; start < command.example.size();) {
    const size_t end = std::min(command.example.find('\n', start), command.example.size());
    emit("  {}\n", command.example.substr(start, end - start));
    start = end + 1;
  }
  emit("\nExit codes: {}\n", kExitCodes);
}

namespace {

void print_reference(const Command& command, const OptionTable& table) {
  emit("\n## spanforge {}\n\n{}.\n\n```\nspanforge {} {}\n```\n", command.name, command.summary,
       command.name, command.synopsis);
  if (!table.positional_name().empty()) {
    emit("\n`{}`: {}.\n", table.positional_name(), table.positional_help());
  }
  if (!table.rows().empty()) {
    print("\n| option | key | values | default | meaning |\n|---|---|---|---|---|\n");
  }
  for (const OptionRow& row : table.rows()) {
    if (row.foreign) continue;
    std::string values = row.kind == OptionKind::kSwitch ? "switch" : row.placeholder;
    if (row.kind == OptionKind::kList) values += ", repeated";
    if (!row.range.empty() && row.range != row.placeholder) values += " " + row.range;
    std::string key = fmt::format("`{}`", row.name);
    for (const std::string& alias : aliases(row)) key += fmt::format(", `{}`", alias);
    emit("| `{}` | {} | {} | {} | {} |\n", flag_of(row.name), key, markdown_cell(values),
         row.default_text.empty() ? "" : fmt::format("`{}`", row.default_text),
         markdown_cell(row.help));
  }
  if (has_foreign_options(table)) print_foreign(table);
  if (!command.settings.empty()) {
    emit("\nSettings (environment variables):\n\n```\n{}```\n", command.settings);
  }
  emit("\nExample\n\n```\n{}\n```\n", command.example);
}

}  // namespace

Error unknown_command(const std::string& wanted) {
  std::vector<std::string> names;
  std::optional<std::string> nearest;
  for (const Command& command : commands()) {
    names.emplace_back(command.name);
    names.emplace_back(command.name.substr(0, command.name.find(' ')));
    if (command.name.ends_with(" " + wanted)) nearest = command.name;  // "check": "data check"
  }
  names.insert(names.end(), {"--help", "--version"});
  if (!nearest) nearest = nearest_name(wanted, names);
  return {ErrorCode::kUsage, quote_for_message(wanted),
          nearest ? "no such command; did you mean " + *nearest + "?"
                  : "no such command; spanforge --help lists them"};
}

int run_help(const Arguments& arguments) {
  OptionTable table;
  bool markdown = false;
  std::optional<Shell> completion;
  std::filesystem::path man_pages;
  std::vector<std::string> name;
  table.positional("COMMAND", "whose help to print; none: the overview", name, 0, 2);
  table.add_switch({"markdown", "the reference page of all commands, docs/commands.md", ""},
                   markdown);
  table({"completion", "print the completion script for this shell", ""}, completion);
  table({"man_pages", "directory to write the manual pages into", ""}, man_pages);
  if (!table.parse(arguments)) return 0;
  if (markdown) {
    emit(
        "# Commands and options\n\nMade by `spanforge help --markdown`; a test compares.\n\n"
        "Options are accepted as --kebab-case and --snake_case, as `--name value` and "
        "`--name=value`. A boolean may have the value true or false, or none. No value may be "
        "empty, except `tokenize`'s texts. If an option is given twice, the last value is used, "
        "and a note says so; a configuration file may have each key only once. Exit codes: {}.\n",
        kExitCodes);
    describe_commands(print_reference);
    return 0;
  }
  if (completion) return print(completion_script(*completion)), 0;
  if (!man_pages.empty()) {
    spanforge::create_directories(man_pages);
    DirectoryWriter writer(man_pages);
    for (const ManualPage& page : manual_pages()) writer.write(page.file, page.text);
    return 0;
  }
  if (name.empty()) return print_overview(), 0;
  const std::string wanted = name.size() == 2 ? name[0] + " " + name[1] : name[0];
  for (const Command& command : commands()) {
    if (command.name == wanted) return command.run(Arguments{&command, {"--help"}, {}});
  }
  if (is_group(wanted)) return print_group(wanted), 0;
  throw unknown_command(wanted);
}

}  // namespace spanforge::app
