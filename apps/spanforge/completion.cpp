#include "completion.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include <fmt/core.h>

#include "command.h"
#include "help.h"

namespace spanforge::app {
namespace {

struct Described {
  const Command* command;
  std::vector<OptionRow> rows;  // without foreign ones
};

std::vector<Described> described_commands() {
  std::vector<Described> out;
  describe_commands([&](const Command& command, const OptionTable& table) {
    Described one{&command, {}};
    for (const OptionRow& row : table.rows()) {
      if (!row.foreign) one.rows.push_back(row);
    }
    out.push_back(std::move(one));
  });
  return out;
}

// The words that a value may be, between spaces; "" where it may be anything.
std::string values_of(const OptionRow& row) {
  if (row.placeholder.find('|') == std::string::npos) return "";
  std::string words = row.placeholder;
  std::ranges::replace(words, '|', ' ');
  return words;
}

bool takes_value(const OptionRow& row) { return row.kind != OptionKind::kSwitch; }

// The first words of commands, each once, and what they are: a command's summary, or "" of a group.
std::vector<std::pair<std::string_view, std::string_view>> first_words() {
  std::vector<std::pair<std::string_view, std::string_view>> out;
  for (const Command& command : commands()) {
    const size_t space = command.name.find(' ');
    const std::string_view word = command.name.substr(0, space);
    if (out.empty() || out.back().first != word) {
      out.emplace_back(word, space == std::string_view::npos ? command.summary : "");
    }
  }
  return out;
}

std::string second_word(const Command& command) {
  return std::string(command.name.substr(command.name.find(' ') + 1));
}

std::string bash_script() {
  std::string groups, first, options, values;
  for (const auto& [word, summary] : first_words()) {
    append(first, "{}{}", first.empty() ? "" : " ", word);
    if (!summary.empty()) continue;
    std::string words;
    for (const Command* command : commands_in(word)) append(words, " {}", second_word(*command));
    append(groups, "    {}) words=\"{}\" ;;\n", word, words.substr(1));
  }
  for (const Described& one : described_commands()) {
    append(options, "    \"{}\") options=\"", one.command->name);
    for (const OptionRow& row : one.rows) {
      append(options, "{} ", flag_of(row.name));
      if (takes_value(row)) {
        append(values, "    \"{} {}\") words=\"{}\"; takes_value=1 ;;\n", one.command->name,
               flag_of(row.name), values_of(row));
      }
    }
    append(options, "--help\" ;;\n");
  }
  return fmt::format(
      R"(# Completion of spanforge for bash, made by `spanforge help --completion bash`.
_spanforge() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}}
  local command=${{COMP_WORDS[1]}} words= options= takes_value=
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "{} --help --version" -- "$current"))
    return
  fi
  case $command in
{}  esac
  if [ -n "$words" ]; then
    if [ "$COMP_CWORD" -eq 2 ]; then
      COMPREPLY=($(compgen -W "$words --help" -- "$current"))
      return
    fi
    command="$command ${{COMP_WORDS[2]}}"
    words=
  fi
  case "$command $before" in
{}  esac
  if [ -n "$words" ]; then
    COMPREPLY=($(compgen -W "$words" -- "$current"))
    return
  fi
  if [ -z "$takes_value" ] && [[ $current == -* ]]; then
    case $command in
{}    esac
    COMPREPLY=($(compgen -W "$options" -- "$current"))
    return
  fi
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen -f -- "$current")
}}
complete -F _spanforge spanforge
)",
      first, groups, values, options);
}

// Within a single-quoted specification of _arguments or _describe.
std::string zsh_quoted(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      if (c == ':' || c == '[' || c == ']' || c == '\\') out += '\\';
      out += c;
    }
  }
  return out;
}

std::string zsh_script() {
  std::string first, groups, commands_text;
  for (const auto& [word, summary] : first_words()) {
    append(first, "    '{}:{}'\n", word, zsh_quoted(summary.empty() ? "commands on it" : summary));
    if (!summary.empty()) continue;
    std::string words;
    for (const Command* command : commands_in(word)) {
      append(words, "        '{}:{}'\n", second_word(*command), zsh_quoted(command->summary));
    }
    append(groups, "    {})\n      words_of_group=(\n{}      ) ;;\n", word, words);
  }
  for (const Described& one : described_commands()) {
    append(commands_text, "    \"{}\")\n      _arguments -s", one.command->name);
    for (const OptionRow& row : one.rows) {
      append(commands_text, " \\\n        '{}{}[{}]", row.kind == OptionKind::kList ? "*" : "",
             flag_of(row.name), zsh_quoted(row.help));
      if (takes_value(row)) {
        const std::string words = values_of(row);
        append(commands_text, ":{}:{}", zsh_quoted(row.name),
               words.empty() ? "_files" : fmt::format("({})", words));
      }
      commands_text += '\'';
    }
    append(commands_text,
           " \\\n        '--help[print the options]' \\\n        '*:file:_files' ;;\n");
  }
  return fmt::format(R"(#compdef spanforge
# Completion of spanforge for zsh, made by `spanforge help --completion zsh`.
_spanforge() {{
  local -a first=(
{}  )
  if (( CURRENT == 2 )); then
    _describe command first
    return
  fi
  local command=$words[2]
  local -a words_of_group=()
  integer used=1
  case $command in
{}  esac
  if (( $#words_of_group )); then
    if (( CURRENT == 3 )); then
      _describe command words_of_group
      return
    fi
    command="$command $words[3]"
    used=2
  fi
  shift $used words
  (( CURRENT -= used ))
  case $command in
{}  esac
}}
_spanforge "$@"
)",
                     first, groups, commands_text);
}

std::string fish_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

std::string fish_script() {
  std::string out =
      R"(# Completion of spanforge for fish, made by `spanforge help --completion fish`.
# True if the words after spanforge begin with these.
function __spanforge_is
    set -l words (commandline -opc)
    test (count $words) -gt (count $argv); or return 1
    for i in (seq (count $argv))
        test $words[(math $i + 1)] = $argv[$i]; or return 1
    end
end
function __spanforge_begins
    test (count (commandline -opc)) -eq 1
end
# True if the group is the last word so far.
function __spanforge_in
    set -l words (commandline -opc)
    test (count $words) -eq 2; and test $words[2] = $argv[1]
end
complete -c spanforge -n __spanforge_begins -f -l version -d 'print the version'
)";
  for (const auto& [word, summary] : first_words()) {
    append(out, "complete -c spanforge -n __spanforge_begins -f -a {} -d {}\n", word,
           fish_quoted(summary.empty() ? "commands on it" : summary));
    if (!summary.empty()) continue;
    for (const Command* command : commands_in(word)) {
      append(out, "complete -c spanforge -n '__spanforge_in {}' -f -a {} -d {}\n", word,
             second_word(*command), fish_quoted(command->summary));
    }
  }
  for (const Described& one : described_commands()) {
    for (const OptionRow& row : one.rows) {
      const std::string words = values_of(row);
      append(out, "complete -c spanforge -n '__spanforge_is {}' -l {} -d {}", one.command->name,
             flag_of(row.name).substr(2), fish_quoted(row.help));
      if (takes_value(row))
        out += words.empty() ? " -r" : fmt::format(" -x -a {}", fish_quoted(words));
      out += '\n';
    }
  }
  return out;
}

}  // namespace

std::string completion_script(Shell shell) {
  switch (shell) {
    case Shell::kBash: return bash_script();
    case Shell::kZsh: return zsh_script();
    case Shell::kFish: return fish_script();
  }
  return "";
}

}  // namespace spanforge::app
