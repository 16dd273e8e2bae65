#pragma once
// The rows of an option table. A struct of options has one visit function, which calls
// visitor(OptionInfo, field) for each field. Visitors make flags, TOML and JSON keys, --help, saved
// arguments and the documentation page, so there is no second list.
//
// A field's type says what happens if nobody sets it:
//   Preset<T>         it has a default of its own
//   std::optional<T>  its default depends on other options, on the model or on the data, and is
//                     chosen later; or there is none
//   text, path, list  empty means not set
// T may be an enumeration with words (base/spelling.h). The words are then the row's range.

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "spanforge/base/spelling.h"

namespace spanforge {

struct OptionInfo {
  std::string_view name;         // HF's snake_case name; the flag is its --kebab-case form
  std::string_view help;         // one line: meaning, unit
  std::string_view range;        // the allowed values, for --help and messages; "": any
  std::string_view alias = "";   // another accepted name ("doc_stride"), or ""
  std::string_view preset = "";  // for --help: the default of an optional field, or ""
};

// A value with a default. Knows whether it was set, and reads like a T.
template <class T>
class Preset {
 public:
  constexpr Preset(T preset) : value_(std::move(preset)) {}  // NOLINT: `Preset<int> x = 8;`
  Preset& operator=(T value) {
    value_ = std::move(value);
    is_set_ = true;
    return *this;
  }
  constexpr operator const T&() const { return value_; }  // NOLINT
  constexpr const T& operator*() const { return value_; }
  constexpr bool is_set() const { return is_set_; }  // true even if it was set to its default

 private:
  T value_;
  bool is_set_ = false;
};

template <class T>
bool is_set(const Preset<T>& field) {
  return field.is_set();
}
template <class T>
bool is_set(const std::optional<T>& field) {
  return field.has_value();
}
template <class T>  // a text, a path or a list
bool is_set(const T& field) {
  return !field.empty();
}

// T for Preset<T> and std::optional<T>; else the type itself.
template <class Field>
struct OptionValue {
  using Type = Field;
};
template <class T>
struct OptionValue<Preset<T>> {
  using Type = T;
};
template <class T>
struct OptionValue<std::optional<T>> {
  using Type = T;
};

// A boolean that the program may choose (kAuto).
enum class AutoBool { kTrue, kFalse, kAuto };
constexpr auto spellings(AutoBool) {
  return std::to_array<Spelling<AutoBool>>(
      {{"true", AutoBool::kTrue}, {"false", AutoBool::kFalse}, {"auto", AutoBool::kAuto}});
}

// An option of another program that does not exist here. Accepted if its value asks for what
// spanforge does anyway, else refused with `why`.
struct ForeignOption {
  std::string_view name;
  std::string_view allowed;  // "a|b"; "*": any value; "": none
  std::string_view why;      // what spanforge does
  bool is_boolean = false;
};

}  // namespace spanforge
