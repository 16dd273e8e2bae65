// Label Studio: {"id", "data": {...}, "annotations": [{"result": [{"type", "value", ...}]}]}, and
// JSON-MIN, which has data and results in one object.
#include <algorithm>
#include <array>
#include <map>

#include <fmt/core.h>

#include "spanforge/data/annotations.h"
#include "spanforge/data/answer_start.h"
#include "spanforge/data/column_names.h"
#include "spanforge/data/json_items.h"
#include "spanforge/data/tool_rows.h"

namespace spanforge {
namespace {

// The members that JSON-MIN and CSV add to the data.
constexpr std::array<std::string_view, 8> kOfMin = {"annotator",   "annotation_id", "created_at",
                                                    "updated_at",  "lead_time",     "agreement",
                                                    "file_upload", "comments"};

std::string_view annotations_key(const Json& item) {
  for (const std::string_view key : {"annotations", "completions"}) {
    const Json* found = item.find(key);
    if (found != nullptr && found->is_array()) return key;
  }
  return {};
}

bool flag(const Json& object, std::string_view key) {
  const Json* found = object.find(key);
  return found != nullptr && found->is_boolean() && found->get<bool>();
}

std::string id_text(const Json& id) { return id.is_string() ? id.as_string() : id.dump(); }

// The text of an object's member, or its spelling; "" if there is none.
std::string text_at(const Json& object, std::string_view key) {
  const Json* found = object.find(key);
  return found == nullptr || found->is_null() ? "" : id_text(*found);
}

bool is_span_list(const Json& value) {
  return value.is_array() && !value.empty() &&
         std::ranges::all_of(value, [](const Json& one) { return span_of(one).has_value(); });
}

// A result of an annotation, or its equivalent in JSON-MIN.
struct Result {
  std::string region, name;
  const Json* value = nullptr;
};

// The texts of a textarea or the names of choices.
std::vector<std::string> texts_of(const Json& value, std::string_view key) {
  std::vector<std::string> texts;
  const Json* found = value.is_object() ? value.find(key) : &value;
  if (found == nullptr) return texts;
  if (found->is_string()) texts.push_back(found->as_string());
  if (!found->is_array()) return texts;
  for (const Json& one : *found) {
    if (one.is_string()) texts.push_back(one.as_string());
  }
  return texts;
}

class TaskReader {
 public:
  explicit TaskReader(const ReadOptions& options) : options_(options) {
    for (const auto& [ours, theirs] : options.columns) {
      if (ours == "answer") answer_name_ = theirs;
    }
  }

  void read(const Json& item, const std::string& place, const std::function<void(ToolRow&)>& out) {
    ToolRow row;
    row.place = place;
    if (const Json* error = item.find("error"); error != nullptr && item.size() == 1) {
      row.error = error->as_string();
      return out(row);
    }
    const Json* data = item.find("data");
    const bool whole = data != nullptr && data->is_object();
    std::vector<Result> results;
    whole ? gather(item, results, row) : gather_min(item, results, row);
    if (!take_data(whole ? *data : item, item, row)) return out(row);
    take_results(results, row, out);
  }

 private:
  static void gather(const Json& item, std::vector<Result>& results, ToolRow& row) {
    const std::string_view key = annotations_key(item);
    if (key.empty()) return;
    for (const Json& annotation : item.at(key)) {
      if (!annotation.is_object() || flag(annotation, "was_cancelled") ||
          flag(annotation, "cancelled") || flag(annotation, "skipped")) {
        continue;
      }
      row.labelled = true;
      const Json* list = annotation.find("result");
      if (list == nullptr || !list->is_array()) continue;
      for (const Json& one : *list) {
        const Json* value = one.find("value");
        if (value == nullptr || !value->is_object()) continue;
        results.push_back({text_at(one, "id"), text_at(one, "from_name"), value});
      }
    }
  }

  // A member is a result if it is a list of spans or has a name that data never have.
  void gather_min(const Json& item, std::vector<Result>& results, ToolRow& row) const {
    row.labelled = true;
    for (const auto& [key, value] : item.items()) {
      if (is_span_list(value)) {
        for (const Json& one : value) results.push_back({"", key, &one});
      } else if ((value.is_string() && means_no_answer(value.as_string())) ||
                 is_name_of(Part::kAnswer, key) || key == answer_name_) {
        if (key != "text") results.push_back({"", key, &value});
      }
    }
  }

  // false: the row has an error.
  bool take_data(const Json& data, const Json& item, ToolRow& row) {
    std::vector<std::string> names;
    std::vector<const Json*> values;
    for (const auto& [key, value] : data.items()) {
      if (std::ranges::find(kOfMin, key) != kOfMin.end() || is_span_list(value)) continue;
      names.push_back(key);
      values.push_back(&value);
    }
    const PartColumns parts = find_parts_leniently(names, options_.columns);
    const auto value = [&](Part part) -> const Json* {
      const auto at = parts[static_cast<size_t>(part)];
      return at ? values[*at] : nullptr;
    };
    const Json* context = value(Part::kContext);
    // Without a better name, "text" is the context, not an answer.
    if (context == nullptr) context = data.find("text");
    if (context == nullptr || !take_context(*context, row)) {
      row.error = fmt::format(
          "has no text to label; its data hold {}; name its key with `columns` context=KEY",
          list_names(names));
      return false;
    }
    const Json* question = value(Part::kQuestion);
    if (question != nullptr && question->is_string()) row.question = question->as_string();
    if (const Json* title = value(Part::kTitle); title != nullptr && title->is_string()) {
      row.title = title->as_string();
    }
    const Json* id = value(Part::kId);
    if (id == nullptr || id->is_null()) id = item.find("id");
    if (id == nullptr || id->is_null()) id = item.find("inner_id");
    row.id = id == nullptr || id->is_null() ? row.place : id_text(*id);
    keys_ = list_names(names);
    has_question_ = question != nullptr && question->is_string();
    return true;
  }

  // A text, or paragraphs [{"author", "text"}], joined by line ends.
  bool take_context(const Json& value, ToolRow& row) {
    paragraphs_.clear();
    if (value.is_string()) {
      row.context = value.as_string();
      return true;
    }
    if (!value.is_array()) return false;
    int64_t start = 0;
    for (const Json& one : value) {
      const Json* text = one.is_string() ? &one : one.find("text");
      if (text == nullptr || !text->is_string()) return false;
      if (!paragraphs_.empty()) row.context += "\n";
      row.context += text->as_string();
      paragraphs_.push_back({start, text->as_string()});
      start += static_cast<int64_t>(count_code_points(text->as_string())) + 1;
    }
    return !paragraphs_.empty();
  }

  void take_results(const std::vector<Result>& results, ToolRow& row,
                    const std::function<void(ToolRow&)>& out) {
    std::vector<std::pair<std::string, std::string>> questions;  // region, its question
    std::vector<std::pair<std::string, ToolSpan>> spans;         // region, its span
    std::vector<std::string> typed, other_typed;
    for (const Result& result : results) {
      if (const auto span = span_of(*result.value)) {
        if (answer_name_.empty() || result.name == answer_name_)
          spans.emplace_back(result.region, placed(*span));
        continue;
      }
      if (result.value->contains("start") && row.error.empty()) {
        row.error = fmt::format("holds a label with a malformed place: {}",
                                quote_for_message(result.value->dump()));
      }
      const std::vector<std::string> texts = texts_of(*result.value, "text");
      for (const std::string& text : texts) {
        if (is_name_of(Part::kQuestion, result.name) || is_question_name(result.name)) {
          questions.emplace_back(result.region, text);
        } else if (means_no_answer(text)) {
          continue;
        } else if (result.name == answer_name_ || is_name_of(Part::kAnswer, result.name)) {
          typed.push_back(text);
        } else {
          other_typed.push_back(text);
        }
      }
    }
    // If nothing is marked and one text is typed, that is the answer.
    if (spans.empty() && typed.empty() && has_question_ && other_typed.size() == 1 &&
        answer_name_.empty()) {
      typed = other_typed;
    }
    row.typed = typed;
    if (!has_question_ && take_regions(questions, spans, row, out)) return;
    for (auto& [region, span] : spans) row.spans.push_back(std::move(span));
    if (!has_question_ && !questions.empty()) {
      row.question = questions.front().second;
    } else if (!has_question_) {
      row.error = fmt::format(
          "has no question; its data hold {}; name its key with `columns` question=KEY", keys_);
    }
    out(row);
  }

  bool is_question_name(std::string_view name) const {
    return std::ranges::any_of(options_.columns, [&](const auto& column) {
      return column.first == "question" && column.second == name;
    });
  }

  // If questions are typed for marked places, with their ids, each such place is a row. false:
  // there is none.
  bool take_regions(const std::vector<std::pair<std::string, std::string>>& questions,
                    const std::vector<std::pair<std::string, ToolSpan>>& spans, const ToolRow& task,
                    const std::function<void(ToolRow&)>& out) {
    std::map<std::string, std::vector<const ToolSpan*>> of_region;
    for (const auto& [region, span] : spans) {
      if (!region.empty()) of_region[region].push_back(&span);
    }
    const auto has_span = [&](const auto& question) { return of_region.contains(question.first); };
    if (std::ranges::none_of(questions, has_span)) return false;
    for (const auto& [region, question] : questions) {
      ToolRow row;
      row.place = task.place;
      row.labelled = task.labelled;
      row.title = task.title;
      row.id = task.id + "-" + region;
      row.question = question;
      copied_ += task.context.size();
      if (copied_ > kMostCopied) {
        row.error = "has too many questions for one text of its size";
        return out(row), true;
      }
      row.context = task.context;
      for (const ToolSpan* span : of_region[region]) row.spans.push_back(*span);
      out(row);
    }
    return true;
  }

  // A span of paragraphs gives their numbers, and positions within them.
  ToolSpan placed(ToolSpan span) const {
    if (paragraphs_.empty() || !span.first_part) return span;
    const auto part = [&](int64_t number) -> const Paragraph* {
      return number >= 0 && number < static_cast<int64_t>(paragraphs_.size())
                 ? &paragraphs_[static_cast<size_t>(number)]
                 : nullptr;
    };
    const Paragraph *first = part(*span.first_part),
                    *last = part(span.last_part.value_or(*span.first_part));
    if (first == nullptr || last == nullptr) return {.text = span.text};
    for (const OffsetUnit unit : label_studio_units()) {
      const UnitIndex &in_first = first->positions(), &in_last = last->positions();
      const auto start = in_first.code_point(unit, span.start),
                 end = in_last.code_point(unit, span.end);
      if (!start || !end) continue;
      ToolSpan whole{first->start + *start, last->start + *end, span.text};
      whole.unit = OffsetUnit::kCodePoints;
      const bool checked =
          first != last ||
          place_span({span.start, span.end, span.text}, in_first, unit).has_value();
      if (checked) return whole;
    }
    return {.text = span.text};
  }

  struct Paragraph {
    int64_t start = 0;
    std::string text;
    mutable std::optional<UnitIndex> index;  // of text, so made when paragraphs_ is complete
    const UnitIndex& positions() const { return index ? *index : index.emplace(text); }
  };

  // The limit allows a thousand questions about a million characters, in both passes.
  static constexpr uint64_t kMostCopied = uint64_t{4} << 30;

  const ReadOptions& options_;
  uint64_t copied_ = 0;
  std::string answer_name_;
  std::string keys_;  // of the task's data, for messages
  bool has_question_ = false;
  std::vector<Paragraph> paragraphs_;
};

}  // namespace

// Code points since 1.4, UTF-16 units before.
std::vector<OffsetUnit> label_studio_units() {
  return {OffsetUnit::kCodePoints, OffsetUnit::kUtf16};
}

std::optional<ToolSpan> span_of(const Json& value) {
  if (!value.is_object()) return std::nullopt;
  const auto member = [&](std::string_view key) -> const Json* {
    const Json* found = value.find(key);
    return found == nullptr || found->is_null() ? nullptr : found;
  };
  ToolSpan span;
  if (const Json* text = member("text"); text != nullptr && text->is_string())
    span.text = text->as_string();
  const Json *start = member("start"), *end = member("end");
  const Json *start_offset = member("startOffset"), *end_offset = member("endOffset");
  if (const Json* global = member("globalOffsets"); global != nullptr && global->is_object()) {
    // In hypertext, start and end are paths in the document.
    const auto offset = [&](std::string_view key) {
      const Json* found = global->find(key);
      return found == nullptr ? -1 : start_value(*found);
    };
    span.start = offset("start");
    span.end = offset("end");
    span.doubtful = true;
  } else if (start_offset != nullptr && end_offset != nullptr && start != nullptr) {
    span.start = start_value(*start_offset);
    span.end = start_value(*end_offset);
    const int64_t first = start_value(*start);
    if (first >= 0) {  // the number of a paragraph
      span.first_part = first;
      span.last_part = end == nullptr ? first : start_value(*end);
    } else {
      span.start = span.end = -1;  // the offsets are within an unknown element
    }
  } else if (start != nullptr && end != nullptr) {
    span.start = start_value(*start);
    span.end = start_value(*end);
  } else {
    start = member("start_offset");
    end = member("end_offset");
    if (start == nullptr || end == nullptr) return std::nullopt;
    span.start = start_value(*start);
    span.end = start_value(*end);
  }
  if (span.start < 0 && !span.text) return std::nullopt;
  return span;
}

bool is_label_studio(const Json& item) {
  const Json* data = item.find("data");
  if (data != nullptr && data->is_object() && !data->empty()) return true;
  return item.contains("annotation_id") &&
         (item.contains("annotator") || item.contains("lead_time"));
}

void stream_label_studio(std::string_view text, const std::string& file, const ReadOptions& options,
                         const RowCallback& callback, std::vector<std::string>& notes,
                         const ReadCallback& on_read) {
  TaskReader reader(options);
  stream_tool_rows(
      {"Label Studio's export", label_studio_units()}, text.size(),
      [&](const std::function<void(ToolRow&)>& out) {
        for_each_item(
            text, file,
            [&](Json& item, const std::string& place) { reader.read(item, place, out); }, on_read);
      },
      callback, notes);
}

}  // namespace spanforge
