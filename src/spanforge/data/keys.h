#pragma once
// The keys of the parts of a question in known data sets and tools: SQuAD's first, then those of
// CMRC, MRQA, DuReader, KorQuAD, PIAF, cdQA, Haystack's and other labelling tools. If an object has
// several of them, the first in the list counts.

#include <array>
#include <string_view>

namespace spanforge::keys {

inline constexpr std::array<std::string_view, 5> kId = {"id", "query_id", "qid", "question_id",
                                                        "_id"};
inline constexpr std::array<std::string_view, 4> kQuestion = {"question", "query_text", "query",
                                                              "question_text"};
inline constexpr std::array<std::string_view, 5> kContext = {"context", "context_text", "passage",
                                                             "document", "paragraph"};
inline constexpr std::array<std::string_view, 2> kAnswers = {"answers", "answer"};
inline constexpr std::array<std::string_view, 3> kText = {"text", "answer_text", "answer"};
inline constexpr std::array<std::string_view, 8> kStart = {
    "answer_start", "answerStart", "answer_starts", "start",
    "char_start",   "start_char",  "start_index",   "answer_begin"};
inline constexpr std::array<std::string_view, 5> kImpossible = {
    "is_impossible", "isImpossible", "impossible", "unanswerable", "no_answer"};

// The first of the names that the object has; "": none. Object: Json, or a type with its find().
template <class Object, class Names>
std::string_view present(const Object& object, const Names& names) {
  for (const std::string_view name : names) {
    if (object.find(name) != nullptr) return name;
  }
  return {};
}

template <class Names>
bool is_one_of(std::string_view key, const Names& names) {
  for (const std::string_view name : names) {
    if (key == name) return true;
  }
  return false;
}

}  // namespace spanforge::keys
