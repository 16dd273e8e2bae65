#include "manual.h"

#include <algorithm>
#include <cctype>

#include <fmt/core.h>

#include "command.h"
#include "help.h"
#include "spanforge/version.h"

namespace spanforge::app {
namespace {

// "": the overview's.
std::string page_name(std::string_view command) {
  std::string name = command.empty() ? "spanforge" : fmt::format("spanforge-{}", command);
  std::ranges::replace(name, ' ', '-');
  return name;
}

// A hyphen that a reader may copy into a shell is written \-. A line must not begin with a dot or
// an apostrophe, since such lines are requests to groff.
std::string roff(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool at_start = out.empty() || out.back() == '\n';
    if (at_start && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
  }
  return out;
}

class Page {
 public:
  Page(std::string_view command, std::string_view summary) : command_(command) {
    std::string title = page_name(command);
    for (char& c : title) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    add(".TH {} 1 \"\" \"spanforge {}\" \"User Commands\"\n", roff(title), SPANFORGE_VERSION);
    section("NAME");
    add("{} \\- {}\n", roff(page_name(command)), roff(summary));
  }

  template <class... Values>
  void add(fmt::format_string<Values...> form, Values&&... values) {
    append(text_, form, std::forward<Values>(values)...);
  }
  void section(std::string_view title) { add(".SH {}\n", title); }
  void entry(std::string_view font, std::string_view term, std::string_view meaning) {
    add(".TP\n\\f{}{}\\fR\n{}\n", font, roff(term), roff(meaning));
  }
  // Lines as they are, in a section of their own.
  void lines(std::string_view title, std::string_view text) {
    section(title);
    add(".nf\n{}{}.fi\n", roff(text), text.ends_with('\n') ? "" : "\n");
  }

  ManualPage finish() {
    section("\"EXIT STATUS\"");
    add("{}.\n", roff(kExitCodes));
    section("\"SEE ALSO\"");
    if (!command_.empty()) {
      add("\\fBspanforge\\fR(1)\n");
    } else {
      std::string_view before;
      for (const Command& command : commands()) {
        add("{}\\fB{}\\fR(1)", before, roff(page_name(command.name)));
        before = ",\n";
      }
      add("\n");
    }
    return {page_name(command_) + ".1", std::move(text_)};
  }

 private:
  std::string_view command_;
  std::string text_;
};

ManualPage overview_page() {
  Page page("", "train, evaluate and use models that answer questions with spans of a text");
  page.section("SYNOPSIS");
  page.add("\\fBspanforge\\fR \\fICOMMAND\\fR [\\fIOPTION\\fR ...]\n");
  page.section("COMMANDS");
  page.add("Each has a page of its own, such as \\fBspanforge\\-train\\fR(1).\n");
  for (const Command& command : commands()) page.entry("B", command.name, command.summary);
  return page.finish();
}

ManualPage command_page(const Command& command, const OptionTable& table) {
  Page page(command.name, command.summary);
  page.section("SYNOPSIS");
  page.add("\\fBspanforge {}\\fR {}\n", roff(command.name), roff(command.synopsis));
  const bool has_words = !table.positional_name().empty();
  if (has_words || !table.rows().empty()) page.section("OPTIONS");
  if (has_words) page.entry("I", table.positional_name(), table.positional_help());
  for (const OptionRow& row : table.rows()) {
    if (!row.foreign) page.entry("B", option_form(row), option_description(row));
  }
  if (has_foreign_options(table)) page.add(".PP\n{}\n", roff(kForeignOptions));
  if (!command.settings.empty()) page.lines("ENVIRONMENT", command.settings);
  page.lines("EXAMPLES", command.example);
  return page.finish();
}

}  // namespace

std::vector<ManualPage> manual_pages() {
  std::vector<ManualPage> pages = {overview_page()};
  describe_commands([&](const Command& command, const OptionTable& table) {
    pages.push_back(command_page(command, table));
  });
  return pages;
}

}  // namespace spanforge::app
