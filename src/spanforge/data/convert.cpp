#include "spanforge/data/convert.h"

#include <algorithm>
#include <string>
#include <vector>

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/base/utf8.h"
#include "spanforge/data/normalize.h"
#include "spanforge/io/file.h"

namespace spanforge {
namespace {

constexpr size_t kFlushBytes = 1 << 20;

Json answers_of(const Example& example) {
  Json answers = Json::array();
  for (const Answer& answer : example.answers) {
    answers.push_back({{"text", answer.text}, {"answer_start", answer.answer_start}});
  }
  return answers;
}

bool is_impossible(const Example& example) {
  return example.is_impossible || example.answers.empty();
}

std::string version_of(const Dataset& dataset) {
  return Json(dataset.version.empty() ? "v2.0" : dataset.version).dump();
}

// Collects text and writes it to the file in pieces, so that the document is never whole in memory.
class Output {
 public:
  explicit Output(AtomicFile file) : file_(std::move(file)) {}
  void put(std::string_view text) {
    buffer_ += text;
    if (buffer_.size() >= kFlushBytes) flush();
  }
  void commit() {
    flush();
    file_.commit();
  }

 private:
  void flush() {
    file_.write(buffer_);
    buffer_.clear();
  }
  AtomicFile file_;
  std::string buffer_;
};

void write_nested(const Dataset& dataset, Output& out) {
  out.put(fmt::format("{{\"version\": {}, \"data\": [", version_of(dataset)));
  const Example* before = nullptr;
  for (const Example& example : dataset.examples) {
    const bool new_article = before == nullptr || before->title != example.title;
    const bool new_paragraph = new_article || before->context != example.context;
    if (before != nullptr) out.put(new_article ? "]}]}," : new_paragraph ? "]}," : ",");
    if (new_article) {
      out.put(fmt::format("\n{{\"title\": {}, \"paragraphs\": [", Json(example.title).dump()));
    }
    if (new_paragraph) {
      out.put(fmt::format("\n {{\"context\": {}, \"qas\": [",
                          Json(dataset.context_of(example)).dump()));
    }
    Json row = {{"id", example.id}, {"question", example.question}};
    if (!dataset.blind) {
      row["answers"] = answers_of(example);
      row["is_impossible"] = is_impossible(example);
    }
    out.put("\n  " + row.dump());
    before = &example;
  }
  out.put(before == nullptr ? "]}\n" : "]}]}\n]}\n");
}

void write_rows(const Dataset& dataset, bool lines, Output& out) {
  if (!lines) out.put(fmt::format("{{\"version\": {}, \"data\": [", version_of(dataset)));
  bool first = true;
  for (const Example& example : dataset.examples) {
    if (!lines) out.put(first ? "\n" : ",\n");
    Json row = flat_row(dataset, example);
    if (dataset.blind) {
      row.erase("answers");
      row.erase("is_impossible");
    }
    out.put(row.dump());
    if (lines) out.put("\n");
    first = false;
  }
  if (!lines) out.put("\n]}\n");
}

// Whether a reader takes the cell for one answer, not for several or none.
bool is_plain_cell(std::string_view text) {
  const std::string_view trimmed = trim_white_space(text);
  return !trimmed.empty() && trimmed.front() != '[' && trimmed.front() != '{' &&
         !trimmed.starts_with("array(") && trimmed != "nan" && trimmed != "NaN" &&
         trimmed != "None";
}

bool has_one_plain_answer_each(const Dataset& dataset) {
  return std::ranges::all_of(dataset.examples, [](const Example& example) {
    return example.answers.size() < 2 &&
           std::ranges::all_of(example.answers,
                               [](const Answer& answer) { return is_plain_cell(answer.text); });
  });
}

std::string csv_cell(std::string_view cell) {
  if (cell.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(cell);
  std::string out = "\"";
  for (const char c : cell) c == '"' ? out += "\"\"" : out += c;
  return out + '"';
}

void write_csv(const Dataset& dataset, Output& out) {
  const bool titles = std::ranges::any_of(
      dataset.examples, [](const Example& example) { return !example.title.empty(); });
  const bool plain = has_one_plain_answer_each(dataset);
  const auto put_row = [&](const std::vector<std::string>& cells) {
    for (size_t i = 0; i < cells.size(); ++i) out.put((i == 0 ? "" : ",") + csv_cell(cells[i]));
    out.put("\n");
  };
  std::vector<std::string> header = {"id"};
  if (titles) header.push_back("title");
  header.insert(header.end(), {"question", "context"});
  if (!dataset.blind && plain) header.insert(header.end(), {"answer", "answer_start"});
  if (!dataset.blind && !plain) header.push_back("answers");
  if (!dataset.blind) header.push_back("is_impossible");
  put_row(header);
  for (const Example& example : dataset.examples) {
    std::vector<std::string> cells = {example.id};
    if (titles) cells.push_back(example.title);
    cells.insert(cells.end(), {example.question, dataset.context_of(example)});
    if (!dataset.blind && plain) {
      const Answer* answer = example.answers.empty() ? nullptr : &example.answers.front();
      cells.push_back(answer == nullptr ? "" : answer->text);
      cells.push_back(answer == nullptr ? "" : std::to_string(answer->answer_start));
    } else if (!dataset.blind) {
      Json lists = {{"text", Json::array()}, {"answer_start", Json::array()}};
      for (const Answer& answer : example.answers) {
        lists["text"].push_back(answer.text);
        lists["answer_start"].push_back(answer.answer_start);
      }
      cells.push_back(example.answers.empty() ? "" : lists.dump());
    }
    if (!dataset.blind) cells.push_back(is_impossible(example) ? "true" : "false");
    put_row(cells);
  }
}

// An answer as a region of Label Studio; an answer without a place as a typed text.
Json region_of(const Answer& answer, size_t number) {
  const std::string id = fmt::format("a{}", number);
  if (answer.answer_start < 0) {
    return {{"id", id},
            {"from_name", "answer_text"},
            {"to_name", "text"},
            {"type", "textarea"},
            {"value", {{"text", Json::array({answer.text})}}}};
  }
  const int64_t end = answer.answer_start + static_cast<int64_t>(count_code_points(answer.text));
  return {{"id", id},
          {"from_name", "answer"},
          {"to_name", "text"},
          {"type", "labels"},
          {"value",
           {{"start", answer.answer_start},
            {"end", end},
            {"text", answer.text},
            {"labels", Json::array({"Answer"})}}}};
}

void write_label_studio(const Dataset& dataset, Output& out) {
  out.put("[");
  bool first = true;
  for (const Example& example : dataset.examples) {
    Json data = {{"id", example.id}};
    if (!example.title.empty()) data["title"] = example.title;
    data["question"] = example.question;
    data["text"] = dataset.context_of(example);
    Json task = {{"data", std::move(data)}};
    if (!dataset.blind) {
      Json result = Json::array();
      for (const Answer& answer : example.answers)
        result.push_back(region_of(answer, result.size()));
      task["annotations"] = Json::array({{{"result", std::move(result)}}});
    }
    out.put(first ? "\n" : ",\n");
    out.put(task.dump());
    first = false;
  }
  out.put("\n]\n");
}

}  // namespace

Json flat_row(const Dataset& dataset, const Example& example) {
  return {{"id", example.id},
          {"title", example.title},
          {"context", dataset.context_of(example)},
          {"question", example.question},
          {"answers", answers_of(example)},
          {"is_impossible", is_impossible(example)}};
}

void write_dataset(const Dataset& dataset, DataForm form, AtomicFile file) {
  Output out(std::move(file));
  switch (form) {
    case DataForm::kNested: write_nested(dataset, out); break;
    case DataForm::kFlat: write_rows(dataset, /*lines=*/false, out); break;
    case DataForm::kLines: write_rows(dataset, /*lines=*/true, out); break;
    case DataForm::kCsv: write_csv(dataset, out); break;
    case DataForm::kLabelStudio: write_label_studio(dataset, out); break;
  }
  out.commit();
}

void save_squad(const Dataset& dataset, AtomicFile file) {
  write_dataset(dataset, DataForm::kNested, std::move(file));
}

}  // namespace spanforge
