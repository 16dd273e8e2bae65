#pragma once
// What: the words for an enumeration's values. Each enumeration has one list of them, which
//   parsers, --help, messages, files and the reference page use.
// How: next to the enumeration, in its namespace,
//   enum class Fruit { kApple, kPear };
//   constexpr auto spellings(Fruit) {
//     return std::to_array<Spelling<Fruit>>({{"apple", Fruit::kApple}, {"pear", Fruit::kPear}});
//   }
//   spelling_of(Fruit::kPear) == "pear", find_spelling<Fruit>("apple") == Fruit::kApple.
// Words: a value may have several; files and messages use the first. Users cannot choose a value
//   without a word.

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include <fmt/core.h>

#include "spanforge/base/error.h"

namespace spanforge {

template <class E>
struct Spelling {
  std::string_view word;
  E value;
};

template <class E>
concept Spelled = std::is_enum_v<E> && requires(E value) {
  spellings(value);
};

// nullopt: the value has no word.
template <Spelled E>
constexpr std::optional<std::string_view> find_word(E value) {
  for (const Spelling<E>& row : spellings(value)) {
    if (row.value == value) return row.word;
  }
  return std::nullopt;
}

// REQUIRES: the value has a word.
template <Spelled E>
constexpr std::string_view spelling_of(E value) {
  return find_word(value).value();
}

// nullopt: no value has this word.
template <Spelled E>
constexpr std::optional<E> find_spelling(std::string_view word) {
  for (const Spelling<E>& row : spellings(E{})) {
    if (row.word == word) return row.value;
  }
  return std::nullopt;
}

// All words, in the order of the list: "apple|pear".
template <Spelled E>
std::string choices(std::string_view between = "|") {
  std::string text;
  for (const Spelling<E>& row : spellings(E{})) {
    if (!text.empty()) text += between;
    text += row.word;
  }
  return text;
}

// "'plum' is not one of apple, pear"
template <Spelled E>
std::string unknown_spelling(std::string_view word) {
  return fmt::format("'{}' is not one of {}", quote_for_message(word), choices<E>(", "));
}

}  // namespace spanforge
