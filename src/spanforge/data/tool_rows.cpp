#include "spanforge/data/tool_rows.h"

#include <algorithm>
#include <array>
#include <set>

#include <fmt/core.h>

#include "spanforge/data/normalize.h"

namespace spanforge {
namespace {

struct Survey {
  UnitVote vote;
  bool any_labelled = false;
};

// The tool writes a line end as a backslash and an n.
std::string with_line_ends(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool escaped = text.substr(i, 2) == "\\n";
    out += escaped ? '\n' : text[i];
    i += escaped;
  }
  return out;
}

// The index of the last context: rows about one text follow each other, and there may be many.
class LastIndex {
 public:
  const UnitIndex& of(const std::string& context) {
    if (!index_ || context != text_) {
      index_.reset();
      text_ = context;
      index_.emplace(text_);
    }
    return *index_;
  }

 private:
  std::string text_;
  std::optional<UnitIndex> index_;  // of text_
};

Json row_of(ToolRow& row, LastIndex& indexes, const Survey& survey, const ToolForm& form,
            SliceBudget& budget) {
  const auto error = [](std::string reason) -> Json { return {{"error", std::move(reason)}}; };
  if (!row.error.empty()) return error(std::move(row.error));
  Json out = Json::object();
  out["id"] = std::move(row.id);
  if (!row.title.empty()) out["title"] = std::move(row.title);
  out["question"] = std::move(row.question);
  const UnitIndex& index = indexes.of(row.context);
  Json answers = Json::array();
  std::set<std::pair<int64_t, std::string_view>> known;  // the texts are those in `answers`
  const auto add = [&](Json answer) {
    const bool object = answer.is_object();
    const Json* start = answer.find("answer_start");
    const int64_t number = start == nullptr || start->is_null() ? -1 : start->get<int64_t>();
    const std::string& text = object ? answer.at("text").as_string() : answer.as_string();
    if (known.emplace(number, text).second) answers.push_back(std::move(answer));
  };
  for (const ToolSpan& span : row.spans) {
    auto answer = answer_of(span, index, form.units, survey.vote.winner(), budget);
    if (auto* reason = std::get_if<std::string>(&answer)) return error(std::move(*reason));
    add(std::move(std::get<Json>(answer)));
  }
  // A list holds answers of one kind.
  for (std::string& text : row.typed) {
    row.spans.empty() ? add(Json(std::move(text)))
                      : add({{"text", std::move(text)}, {"answer_start", nullptr}});
  }
  out["context"] = std::move(row.context);
  if (!survey.any_labelled) return out;
  if (answers.empty()) out["is_impossible"] = true;
  out["answers"] = std::move(answers);
  return out;
}

}  // namespace

std::variant<Json, std::string> answer_of(const ToolSpan& span, const UnitIndex& index,
                                          const std::vector<OffsetUnit>& units, OffsetUnit first,
                                          SliceBudget& budget) {
  std::optional<CharSpan> place = place_span(span, index, first);
  if (span.text) {
    for (size_t i = 0; i < units.size() && !place; ++i) place = place_span(span, index, units[i]);
  }
  if (place) {
    const std::string_view text = index.slice(place->start, place->end);
    if (!span.text && !budget.take(text.size())) {
      return std::string("the labels of this file take far more memory than their text");
    }
    return Json{{"text", text}, {"answer_start", place->start}};
  }
  if (!span.text) {
    return fmt::format("the label from {} to {} is not within the text", span.start, span.end);
  }
  std::string text = index.has_escapes() ? *span.text : with_line_ends(*span.text);
  if (span.start < 0 || span.doubtful)
    return Json{{"text", std::move(text)}, {"answer_start", nullptr}};
  const OffsetUnit unit = span.unit.value_or(first);
  const int64_t stated = index.code_point(unit, span.start).value_or(span.start);
  return Json{{"text", std::move(text)}, {"answer_start", stated}};
}

bool means_no_answer(std::string_view text) {
  constexpr std::array<std::string_view, 19> kSpellings = {
      "noanswer",     "none",      "unanswerable", "notanswerable", "impossible",
      "isimpossible", "noanswers", "notfound",     "无答案",        "無答案",
      "无法回答",     "無法回答",  "不可回答",     "没有答案",      "沒有答案",
      "答えなし",     "回答不可",  "답없음",       "sinrespuesta"};
  std::string plain = normalize_for_overlap(text);
  std::erase(plain, '_');
  return std::ranges::find(kSpellings, plain) != kSpellings.end();
}

void stream_tool_rows(const ToolForm& form, size_t file_size, const ToolRows& rows,
                      const RowCallback& callback, std::vector<std::string>& notes) {
  Survey survey{UnitVote(form.units)};
  LastIndex indexes;
  int64_t unlabelled = 0, empty = 0;
  rows([&](ToolRow& row) {
    if (!row.error.empty()) return;
    const bool has_answer = !row.spans.empty() || !row.typed.empty();
    survey.any_labelled |= row.labelled && (form.records_work || has_answer);
    unlabelled += !row.labelled;
    empty += row.labelled && !has_answer;
    if (row.spans.empty()) return;
    const UnitIndex& index = indexes.of(row.context);
    if (!index.matters()) return;
    for (const ToolSpan& span : row.spans) survey.vote.count(span, index);
  });
  SliceBudget budget(file_size);
  rows([&](ToolRow& row) {
    if (row.error.empty() && survey.any_labelled && !row.labelled) return;
    const std::string place = row.place;
    Json out = row_of(row, indexes, survey, form, budget);
    callback(RowKind::kRow, out, place);
  });
  std::string note = fmt::format("read as {}", form.name);
  if (survey.vote.mattered()) {
    note += fmt::format("; its offsets count {}", offset_unit_name(survey.vote.winner()));
  }
  if (survey.any_labelled && unlabelled > 0) {
    note += fmt::format("; skipped, because nobody has labelled them: {}", unlabelled);
  }
  if (survey.any_labelled && !form.records_work && empty > 0) {
    note += fmt::format("; without a label, and so without an answer: {}", empty);
  }
  notes.push_back(std::move(note));
}

}  // namespace spanforge
