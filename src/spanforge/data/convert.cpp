#include "spanforge/data/convert.h"

#include <fmt/core.h>

#include <string>

#include "spanforge/base/error.h"
#include "spanforge/base/file.h"

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

std::string version_of(const Dataset& dataset) {
  return Json(dataset.version.empty() ? "v2.0" : dataset.version).dump();
}

// Collects text and hands it to the file in pieces, so that no whole document stands in memory.
class Output {
 public:
  explicit Output(const fs::path& path) : file_(path) {}
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
    const Json row = {{"id", example.id},
                      {"question", example.question},
                      {"answers", answers_of(example)},
                      {"is_impossible", example.is_impossible || example.answers.empty()}};
    out.put("\n  " + row.dump());
    before = &example;
  }
  out.put(before == nullptr ? "]}\n" : "]}]}\n]}\n");
}

}  // namespace

DataForm parse_data_form(std::string_view name) {
  if (name == "nested") return DataForm::kNested;
  if (name == "flat") return DataForm::kFlat;
  if (name == "jsonl") return DataForm::kLines;
  throw Error(ErrorCode::kUsage, "form",
              fmt::format("unknown form \"{}\": nested, flat or jsonl", quote_for_message(name)));
}

Json flat_row(const Dataset& dataset, const Example& example) {
  return {{"id", example.id},
          {"title", example.title},
          {"context", dataset.context_of(example)},
          {"question", example.question},
          {"answers", answers_of(example)},
          {"is_impossible", example.is_impossible || example.answers.empty()}};
}

void write_dataset(const Dataset& dataset, DataForm form, const std::filesystem::path& file) {
  Output out(file);
  if (form == DataForm::kNested) {
    write_nested(dataset, out);
    return out.commit();
  }
  const bool lines = form == DataForm::kLines;
  if (!lines) out.put(fmt::format("{{\"version\": {}, \"data\": [", version_of(dataset)));
  bool first = true;
  for (const Example& example : dataset.examples) {
    if (!lines) out.put(first ? "\n" : ",\n");
    out.put(flat_row(dataset, example).dump());
    if (lines) out.put("\n");
    first = false;
  }
  if (!lines) out.put("\n]}\n");
  out.commit();
}

void save_squad(const Dataset& dataset, const std::filesystem::path& file) {
  write_dataset(dataset, DataForm::kNested, file);
}

}  // namespace spanforge
