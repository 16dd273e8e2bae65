// doccano: {"id", "text", "label": [[start, end, "Answer"]], ...} with all that was imported next
// to the text; its older and newer spellings; and its text-to-text form ("label": ["an answer"]).
#include <algorithm>
#include <array>

#include <fmt/core.h>

#include "spanforge/data/annotations.h"
#include "spanforge/data/answer_start.h"
#include "spanforge/data/column_names.h"
#include "spanforge/data/json_items.h"
#include "spanforge/data/keys.h"
#include "spanforge/data/tool_rows.h"

namespace spanforge {
namespace {

constexpr std::array<std::string_view, 4> kLabels = {"label", "labels", "entities", "annotations"};
constexpr std::array<std::string_view, 2> kTexts = {"text", "data"};
constexpr std::array<std::string_view, 4> kNoData = {"annotation_approver", "Comments", "relations",
                                                     "comments"};

std::string_view labels_key(const Json& item) {
  for (const std::string_view key : kLabels) {
    const Json* found = item.find(key);
    if (found != nullptr && found->is_array()) return key;
  }
  return {};
}

// Reads [start, end, label], or an object of them.
std::optional<ToolSpan> labelled_span(const Json& label) {
  if (!label.is_array()) return span_of(label);
  if (label.size() < 2 || !is_start(label[0]) || !is_start(label[1])) return std::nullopt;
  return ToolSpan{start_value(label[0]), start_value(label[1]), std::nullopt};
}

class LineReader {
 public:
  explicit LineReader(const ReadOptions& options) : options_(options) {}

  void read(const Json& item, const std::string& place,
            const std::function<void(ToolRow&)>& out) const {
    ToolRow row;
    row.place = place;
    const Json* error = item.find("error");
    if (error != nullptr && item.size() == 1) {
      row.error = error->as_string();
    } else {
      take_labels(item, row);
      take_data(item, row);
    }
    out(row);
  }

 private:
  static void take_labels(const Json& item, ToolRow& row) {
    const std::string_view key = labels_key(item);
    row.labelled = !key.empty();
    if (key.empty()) return;
    for (const Json& label : item.at(key)) {
      if (label.is_string()) {
        if (!means_no_answer(label.as_string())) row.typed.push_back(label.as_string());
      } else if (const auto span = labelled_span(label)) {
        row.spans.push_back(*span);
      } else {
        row.error =
            fmt::format("{} holds a malformed label: {}", key, quote_for_message(label.dump()));
      }
    }
  }

  // Values imported next to the text are in the row itself, in older versions under "meta".
  void take_data(const Json& item, ToolRow& row) const {
    std::vector<std::string> names;
    std::vector<const Json*> values;
    const auto gather = [&](const Json& object) {
      for (const auto& [key, value] : object.items()) {
        if (keys::is_one_of(key, kLabels) || keys::is_one_of(key, kNoData) || value.is_object())
          continue;
        names.push_back(key);
        values.push_back(&value);
      }
    };
    gather(item);
    for (const std::string_view inner : {"meta", "metadata"}) {
      const Json* meta = item.find(inner);
      if (meta != nullptr && meta->is_object()) gather(*meta);
    }
    const PartColumns parts = find_parts_leniently(names, options_.columns);
    const auto text = [&](Part part) -> const std::string* {
      const auto at = parts[static_cast<size_t>(part)];
      return at && values[*at]->is_string() ? &values[*at]->as_string() : nullptr;
    };
    const std::string* context = text(Part::kContext);
    for (const std::string_view key : kTexts) {
      const Json* found = item.find(key);
      if (context == nullptr && found != nullptr && found->is_string())
        context = &found->as_string();
    }
    const std::string* question = text(Part::kQuestion);
    const auto missing = [&](std::string_view what) {
      row.error = fmt::format("has no {}; the row holds {}; name its key with `columns` {}=KEY",
                              what, list_names(names), what);
    };
    if (context == nullptr) return missing("context");
    if (question == nullptr) return missing("question");
    row.context = *context;
    row.question = *question;
    if (const std::string* title = text(Part::kTitle)) row.title = *title;
    const auto id = parts[static_cast<size_t>(Part::kId)];
    row.id = id && !values[*id]->is_null()
                 ? (values[*id]->is_string() ? values[*id]->as_string() : values[*id]->dump())
                 : row.place;
  }

  const ReadOptions& options_;
};

}  // namespace

// UTF-16 units, or grapheme clusters if the project is set so.
std::vector<OffsetUnit> doccano_units() {
  return {OffsetUnit::kUtf16, OffsetUnit::kGraphemes, OffsetUnit::kCodePoints};
}

bool is_doccano(const Json& item) {
  using namespace keys;
  if (!present(item, kAnswers).empty() || item.contains("qas") || item.contains("paragraphs"))
    return false;
  const bool has_text = std::ranges::any_of(kTexts, [&](std::string_view key) {
    const Json* found = item.find(key);
    return found != nullptr && found->is_string();
  });
  return has_text && !labels_key(item).empty();
}

void stream_doccano(std::string_view text, const std::string& file, const ReadOptions& options,
                    const RowCallback& callback, std::vector<std::string>& notes,
                    const ReadCallback& on_read) {
  const LineReader reader(options);
  stream_tool_rows(
      {"doccano's export", doccano_units(), /*records_work=*/false}, text.size(),
      [&](const std::function<void(ToolRow&)>& out) {
        for_each_item(
            text, file,
            [&](Json& item, const std::string& place) { reader.read(item, place, out); }, on_read);
      },
      callback, notes);
}

}  // namespace spanforge
