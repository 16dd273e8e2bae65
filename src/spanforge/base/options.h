#pragma once
// One row of an option table. A struct of options has one visit function that calls
// visitor(OptionInfo, field) for each field; flags, TOML and JSON keys, --help, saved arguments and
// the documentation page are all made by visitors, so there is no second list to drift.
//
// A field's type says what happens when nobody sets it:
//   Preset<T>         it has a default of its own
//   std::optional<T>  its default depends on other options, on the model or on the data, and is
//                     chosen later; or there is none
//   text, path, list  empty means not set
// T may be an enumeration with words (base/spelling.h): they are the row's range.

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
  std::string_view range;        // what values are allowed, for --help and messages; "" when any
  std::string_view alias = "";   // another accepted name ("doc_stride"), or ""
  std::string_view preset = "";  // for --help: the default of a field that is not set, or ""
};

// A value with a default, which knows whether somebody set it. Reads like a T.
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
  constexpr bool is_set() const { return is_set_; }  // even to its default

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

// T of Preset<T> and std::optional<T>; else the type itself.
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

// A boolean that may be left to the program.
enum class AutoBool { kTrue, kFalse, kAuto };
constexpr auto spellings(AutoBool) {
  return std::to_array<Spelling<AutoBool>>(
      {{"true", AutoBool::kTrue}, {"false", AutoBool::kFalse}, {"auto", AutoBool::kAuto}});
}

// A name of another program's options that is none here. It is taken where its value asks for what
// is done anyway, and refused with `why` else.
struct ForeignOption {
  std::string_view name;
  std::string_view allowed;  // "a|b"; "*": any value; "": none
  std::string_view why;      // what is done here
  bool is_boolean = false;
};

}  // namespace spanforge
