#pragma once
// One row of an option table. A struct of options has one visit function that calls
// visitor(OptionInfo, field) for each field; flags, TOML and JSON keys, --help, saved arguments and
// the documentation page are all made by visitors, so there is no second list to drift.

#include <string_view>

namespace spanforge {

struct OptionInfo {
  std::string_view name;        // HF's snake_case name; the flag is its --kebab-case form
  std::string_view help;        // one line: meaning, unit
  std::string_view range;       // what values are allowed, for --help and messages; "" when any
  std::string_view alias = "";  // another accepted name ("doc_stride"), or ""
};

// A name of another program's options that is none here. It is taken where its value asks for what
// is done anyway, and refused with `why` else.
struct ForeignOption {
  std::string_view name;
  std::string_view allowed;  // "a|b"; "*": any value; "": none
  std::string_view why;      // what is done here
  bool is_boolean = false;
};

}  // namespace spanforge
