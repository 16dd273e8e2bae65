#include "spanforge/data/question_reader.h"

#include <array>
#include <optional>

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/base/utf8.h"
#include "spanforge/data/answer_start.h"
#include "spanforge/data/keys.h"

namespace spanforge {
namespace {

std::string type_name(const Json& value) {
  if (value.is_array()) return "a list";
  if (value.is_null()) return "null";
  if (is_spelling(value)) return "a number";
  return fmt::format("{} {}", value.is_object() ? "an" : "a", value.type_name());
}

// Notes a fault that leaves the row usable.
void note(FaultKind kind, const std::string& place, std::string reason, QuestionRow& read,
          int64_t answer = -1) {
  read.faults.push_back({kind, place, read.example.id, std::move(reason), SIZE_MAX, answer});
}

}  // namespace

void QuestionReader::fail(const std::string& place, const std::string& reason) const {
  throw Error(ErrorCode::kBadData, {.file = file_, .where = place}, reason);
}

// The member for a part of a question, by the user's name or a known one.
template <class Names>
Json* QuestionReader::find(Json& row, std::string_view ours, const Names& names) const {
  for (const auto& [part, theirs] : columns_) {
    if (part == ours) return row.contains(theirs) ? &row[theirs] : nullptr;
  }
  const std::string_view name = keys::present(row, names);
  return name.empty() ? nullptr : &row[name];
}

template <class Names>
std::string QuestionReader::take_string(Json& row, std::string_view ours, const Names& names,
                                        const std::string& place) const {
  Json* value = find(row, ours, names);
  if (value == nullptr) fail_missing(ours, place);
  return string_of(*value, ours, place);
}

void QuestionReader::fail_missing(std::string_view ours, const std::string& place) const {
  fail(place,
       fmt::format("{} is missing; if it has another name, give `columns` {}=NAME", ours, ours));
}

std::string QuestionReader::string_of(Json& value, std::string_view key,
                                      const std::string& place) const {
  if (!value.is_string()) {
    fail(place, fmt::format("{} must be a string, not {}", key, type_name(value)));
  }
  return std::move(value.as_string());
}

QuestionRow QuestionReader::read(Json& row, const std::string& place) const {
  QuestionRow read;
  read.example.place = place;
  read.example.id = take_id(row, place);
  read.example.question = take_string(row, "question", keys::kQuestion, place);
  take_impossible(row, read);
  take_answers(row, read);
  return read;
}

const Json* QuestionReader::find_impossible(Json& row) const {
  const Json* value = find(row, "is_impossible", keys::kImpossible);
  return value == nullptr || value->is_null() ? nullptr : value;
}

bool QuestionReader::states_impossible(Json& row) const { return find_impossible(row) != nullptr; }

std::string QuestionReader::context(Json& row, const std::string& place) const {
  return take_string(row, "context", keys::kContext, place);
}

std::string QuestionReader::title(Json& row) const {
  Json* title = find(row, "title", std::array<std::string_view, 1>{"title"});
  if (title == nullptr || title->is_null()) return {};
  return title->is_string() ? std::move(title->as_string()) : title->dump();
}

std::string QuestionReader::id(Json& row) const {
  const Json* id = row.is_object() ? find(row, "id", keys::kId) : nullptr;
  if (id == nullptr) return {};
  return id->is_string() ? id->as_string() : id->dump();
}

std::string QuestionReader::take_id(Json& row, const std::string& place) const {
  Json* id = find(row, "id", keys::kId);
  if (id == nullptr) fail_missing("id", place);
  if (id->is_number_integer()) return id->dump();
  std::string text = string_of(*id, "id", place);
  if (text.empty()) fail(place, "id is empty");
  return text;
}

void QuestionReader::take_impossible(Json& row, QuestionRow& read) const {
  const Json* value = find_impossible(row);
  if (value == nullptr) return;
  const std::optional<bool> spelt = spelled_bool(*value);
  if (!spelt) {
    fail(read.example.place,
         fmt::format("is_impossible must be true or false, not {}", type_name(*value)));
  }
  read.example.is_impossible = *spelt;
  if (value->is_boolean()) return;
  note(FaultKind::kFlagType, read.example.place,
       fmt::format("is_impossible must be true or false, not {}", quote_for_message(value->dump())),
       read);
}

void QuestionReader::take_answers(Json& row, QuestionRow& read) const {
  const std::string& place = read.example.place;
  Json* answers = find(row, "answer", keys::kAnswers);
  if (answers == nullptr) {
    read.has_references = read.example.is_impossible;
    return;
  }
  const auto where = [&](size_t i) { return fmt::format("{}.answers[{}]", place, i); };
  if (answers->is_object() && !is_spelling(*answers)) {
    take_answer_object(*answers, place + ".answers", read);
  } else if (answers->is_array()) {
    bool objects = false, plain = false;
    for (size_t i = 0; i < answers->size(); ++i) {
      Json& answer = (*answers)[i];
      if (answer.is_array()) fail(where(i), "must be {\"text\", \"answer_start\"}, not a list");
      if (answer.is_object() && !is_spelling(answer)) {
        objects = true;
        take_answer_object(answer, where(i), read);
      } else {
        plain = true;
        take_answer(answer, StartSource::kNoStarts, -1, where(i), read);
      }
    }
    if (plain && objects) fail(place, "answers mixes strings and objects");
  } else if (!answers->is_null()) {  // a single answer
    take_answer(*answers, StartSource::kNoStarts, -1, place + ".answers", read);
  }
}

// {"text", "answer_start"} of one answer, or two lists of all answers.
void QuestionReader::take_answer_object(Json& answer, const std::string& where,
                                        QuestionRow& read) const {
  const std::string_view text_key = keys::present(answer, keys::kText);
  if (text_key.empty()) fail(where, "text is missing");
  const std::string_view start_key = keys::present(answer, keys::kStart);
  Json& texts = answer[text_key];
  const Json none = nullptr;
  const Json& starts = start_key.empty() ? none : answer[start_key];
  if (!texts.is_array()) {
    if (starts.is_array()) fail(where, fmt::format("{} is a list, but text is not", start_key));
    return take_stated(texts, starts, start_key, where, read);
  }
  if (!starts.is_array() && !starts.is_null()) {
    fail(where, fmt::format("{} must be a list, not {}", start_key, type_name(starts)));
  }
  if (starts.is_array() && texts.size() != starts.size()) {
    fail(where, fmt::format("holds {} texts but {} positions", texts.size(), starts.size()));
  }
  for (size_t i = 0; i < texts.size(); ++i) {
    take_stated(texts[i], starts.is_array() ? starts[i] : none, start_key, where, read);
  }
}

void QuestionReader::take_stated(Json& text, const Json& start, std::string_view start_key,
                                 const std::string& where, QuestionRow& read) const {
  const int64_t number = start.is_null() ? -1 : start_value(start);
  const bool unknown = start.is_null() || number == -1;
  if (!start.is_null() && !is_start(start)) {
    note(FaultKind::kStartType, where,
         fmt::format("{} must be a whole number, not {}", start_key,
                     start.is_number() ? quote_for_message(start.dump()) : type_name(start)),
         read, static_cast<int64_t>(read.example.answers.size()));
  }
  take_answer(text, unknown ? StartSource::kUnknown : StartSource::kStated, number, where, read);
}

// An empty text under is_impossible means no answer. Some sets write {"text": "", "answer_start":
// -1} without is_impossible.
void QuestionReader::take_answer(Json& text, StartSource source, int64_t start,
                                 const std::string& where, QuestionRow& read) const {
  const auto number = static_cast<int64_t>(read.example.answers.size());
  Answer answer{{}, start, source};
  if (text.is_string()) {
    answer.text = std::move(text.as_string());
  } else if (is_spelling(text)) {
    answer.text = text.items().front().value.as_string();
  } else if (text.is_boolean()) {
    answer.text = text.dump();
  } else if (!text.is_null()) {
    fail(where, fmt::format("text must be a string, not {}", type_name(text)));
  }
  if (says_no_answer(answer.text, source, read.example.is_impossible)) {
    // Removes the fault of its start, which was noted last.
    if (!read.faults.empty() && read.faults.back().answer == number) read.faults.pop_back();
    if (read.example.is_impossible) {
      note(FaultKind::kEmptyAnswer, where,
           "an empty answer under is_impossible means no answer; data fix writes an empty list",
           read);
    }
    return;
  }
  if (!text.is_string()) {
    note(FaultKind::kTextType, where,
         fmt::format("text must be a string, not {}",
                     is_spelling(text) ? "the number " + answer.text : type_name(text)),
         read, number);
  }
  read.example.answers.push_back(std::move(answer));
}

}  // namespace spanforge
