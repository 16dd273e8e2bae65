#pragma once
// What: reads the parts of a question from one row: keys by the names of keys.h or the user's, and
//   values of other types that have only one meaning. Does not look at other rows or the context.
// Errors: Error{kBadData, file, place} for a row that cannot be read.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "spanforge/base/json.h"
#include "spanforge/data/dataset.h"

namespace spanforge {

struct QuestionRow {
  Example example;  // without title and context; starts that are not stated are not set
  // What other types were read as. `example` is not set.
  std::vector<RowFault> faults;
  bool has_references = true;  // the row says what the answers are, or that there are none
};

class QuestionReader {
 public:
  // file: for messages. columns: see ReadOptions.
  QuestionReader(std::string file, std::vector<std::pair<std::string, std::string>> columns)
      : file_(std::move(file)), columns_(std::move(columns)) {}

  // place: of the row, for messages. Texts are moved out of the row.
  QuestionRow read(Json& row, const std::string& place) const;
  // Whether the row says if its question has an answer, in whatever way.
  bool states_impossible(Json& row) const;
  std::string context(Json& row, const std::string& place) const;
  // "" if there is none. Nothing needs a title, so one of another type is spelt, not refused.
  std::string title(Json& row) const;
  // As the row spells it, for messages; "" if there is none.
  std::string id(Json& row) const;

  [[noreturn]] void fail(const std::string& place, const std::string& reason) const;

 private:
  template <class Names>
  Json* find(Json& row, std::string_view ours, const Names& names) const;
  template <class Names>
  std::string take_string(Json& row, std::string_view ours, const Names& names,
                          const std::string& place) const;
  // Null if the row does not say it, or says null.
  const Json* find_impossible(Json& row) const;
  [[noreturn]] void fail_missing(std::string_view ours, const std::string& place) const;
  std::string string_of(Json& value, std::string_view key, const std::string& place) const;

  std::string take_id(Json& row, const std::string& place) const;
  void take_impossible(Json& row, QuestionRow& read) const;
  void take_answers(Json& row, QuestionRow& read) const;
  void take_answer_object(Json& answer, const std::string& where, QuestionRow& read) const;
  void take_stated(Json& text, const Json& start, std::string_view start_key,
                   const std::string& where, QuestionRow& read) const;
  void take_answer(Json& text, StartSource source, int64_t start, const std::string& where,
                   QuestionRow& read) const;

  std::string file_;
  std::vector<std::pair<std::string, std::string>> columns_;
};

}  // namespace spanforge
