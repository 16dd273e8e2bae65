// load_dataset: rows of any of the known forms -> Dataset.
#include <fmt/format.h>
#include <sys/mman.h>

#include <array>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_set>

#include "spanforge/base/error.h"
#include "spanforge/base/file.h"
#include "spanforge/data/dataset.h"
#include "spanforge/data/row_stream.h"

namespace spanforge {
namespace {

constexpr size_t kNoContext = SIZE_MAX;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::string_view kJsonSpace = " \t\r\n";

// Finds equal strings among those of a growing vector without keeping them twice.
template <class View>
class IndexedStrings {
 public:
  explicit IndexedStrings(View view) : indices_(16, Hash{view}, Equal{view}) {}
  std::optional<size_t> find(std::string_view text) const {
    const auto at = indices_.find(text);
    if (at == indices_.end()) return std::nullopt;
    return *at;
  }
  void insert(size_t index) { indices_.insert(index); }

 private:
  struct Hash {
    using is_transparent = void;
    View view;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
    size_t operator()(size_t index) const { return (*this)(view(index)); }
  };
  struct Equal {
    using is_transparent = void;
    View view;
    bool operator()(size_t a, size_t b) const { return a == b; }
    bool operator()(std::string_view a, size_t b) const { return a == view(b); }
    bool operator()(size_t a, std::string_view b) const { return b == view(a); }
  };
  std::unordered_set<size_t, Hash, Equal> indices_;
};

class DatasetBuilder {
 public:
  explicit DatasetBuilder(const fs::path& file)
      : contexts_([this](size_t i) -> std::string_view { return dataset_.contexts[i]; }),
        ids_([this](size_t i) -> std::string_view { return dataset_.examples[i].id; }) {
    dataset_.file = file;
  }
  DatasetBuilder(const DatasetBuilder&) = delete;

  void add(std::string_view text, const std::string& base_place, const ReadCallback& on_read) {
    stream_rows(
        text, dataset_.file.string(), base_place,
        [this](RowKind kind, Json& object, const std::string& place) {
          on_object(kind, object, place);
        },
        on_read);
  }

  Dataset finish() && {
    if (dataset_.examples.empty()) {
      throw Error(ErrorCode::kBadData, dataset_.file.string(), "holds no question");
    }
    return std::move(dataset_);
  }

 private:
  void on_object(RowKind kind, Json& object, const std::string& place) {
    switch (kind) {
      case RowKind::kQuestion:
        return add_example(object, kNoContext, place);
      case RowKind::kParagraph:
        return end_paragraph(object, place);
      case RowKind::kRow:
        return end_row(object, place);
      case RowKind::kDocument:
        return end_document(object, place);
    }
  }

  void end_document(Json& document, const std::string& place) {
    if (document.contains("version")) {
      const Json& version = document["version"];
      dataset_.version = version.is_string() ? version.get<std::string>() : version.dump();
    }
    if (!document.contains("data")) end_row(document, place);  // a row by itself
  }

  // An article, a paragraph, or one flat row: an element of "data" may be any of them.
  void end_row(Json& row, const std::string& place) {
    if (row.contains("qas")) {
      end_paragraph(row, place);
    } else if (!row.contains("paragraphs")) {
      add_example(row, take_context(row, place), place);
    }
    const std::string title = optional_string(row, "title", place);
    for (; titled_ < dataset_.examples.size(); ++titled_) dataset_.examples[titled_].title = title;
  }

  void end_paragraph(Json& paragraph, const std::string& place) {
    if (!paragraph.contains("qas")) fail(place, "qas is missing");
    const size_t context = take_context(paragraph, place);
    for (; placed_ < dataset_.examples.size(); ++placed_) {
      Example& example = dataset_.examples[placed_];
      example.context = context;
      locate_answers(example);
    }
  }

  void add_example(Json& row, size_t context, const std::string& place) {
    Example example;
    example.place = place;
    example.id = take_id(row, place);
    example.question = take_string(row, {"question", "query_text"}, place);
    example.context = context;
    example.is_impossible = take_impossible(row, place);
    take_answers(row, place, example);
    if (const auto other = ids_.find(example.id)) {
      fail(place, fmt::format("the id \"{}\" already stands at {}", quote_for_message(example.id),
                              dataset_.examples[*other].place));
    }
    dataset_.examples.push_back(std::move(example));
    ids_.insert(dataset_.examples.size() - 1);
    if (context != kNoContext) {
      locate_answers(dataset_.examples.back());
      placed_ = dataset_.examples.size();
    }
  }

  size_t take_context(Json& row, const std::string& place) {
    std::string context = take_string(row, {"context", "context_text"}, place);
    if (const auto known = contexts_.find(context)) return *known;
    dataset_.contexts.push_back(std::move(context));
    contexts_.insert(dataset_.contexts.size() - 1);
    return dataset_.contexts.size() - 1;
  }

  // CMRC's own form has answers without positions: the first occurrence, or -1 where there is none.
  void locate_answers(Example& example) {
    if (unplaced_.empty() || unplaced_.front() != &example - dataset_.examples.data()) return;
    unplaced_.erase(unplaced_.begin());
    const std::string& context = dataset_.contexts[example.context];
    for (Answer& answer : example.answers) {
      const size_t at = context.find(answer.text);
      answer.answer_start =
          at == std::string::npos
              ? -1
              : static_cast<int64_t>(count_code_points(std::string_view(context).substr(0, at)));
    }
  }

  void take_answers(Json& row, const std::string& place, Example& example) {
    if (!row.contains("answers")) {
      if (example.is_impossible) return;
      fail(place, "answers is missing (a question without answer has \"answers\": [])");
    }
    Json& answers = row["answers"];
    if (answers.is_object()) return take_parallel_answers(answers, place + ".answers", example);
    if (!answers.is_array()) {
      fail(place, fmt::format("answers must be a list, not {}", type_name(answers)));
    }
    bool positions = false, plain = false;
    for (size_t i = 0; i < answers.size(); ++i) {
      const std::string where = fmt::format("{}.answers[{}]", place, i);
      Json& answer = answers[i];
      if (answer.is_string()) {
        plain = true;
        keep_answer({answer.get<std::string>(), 0}, example);
      } else if (answer.is_object()) {
        positions = true;
        std::string text = take_string(answer, {"text"}, where);
        if (!answer.contains("answer_start")) fail(where, "answer_start is missing");
        keep_answer({std::move(text), to_start(answer["answer_start"], where)}, example);
      } else {
        fail(where,
             fmt::format("must be {{\"text\", \"answer_start\"}}, not {}", type_name(answer)));
      }
    }
    if (plain && positions) fail(place, "answers mixes strings and objects");
    if (plain && !example.answers.empty()) {
      unplaced_.push_back(static_cast<std::ptrdiff_t>(dataset_.examples.size()));
    }
  }

  void take_parallel_answers(Json& answers, const std::string& where, Example& example) {
    for (const char* key : {"text", "answer_start"}) {
      if (!answers.contains(key)) fail(where, fmt::format("{} is missing", key));
      if (!answers[key].is_array()) {
        fail(where, fmt::format("{} must be a list, not {}", key, type_name(answers[key])));
      }
    }
    Json& texts = answers["text"];
    const Json& starts = answers["answer_start"];
    if (texts.size() != starts.size()) {
      fail(where, fmt::format("holds {} texts but {} positions", texts.size(), starts.size()));
    }
    for (size_t i = 0; i < texts.size(); ++i) {
      if (!texts[i].is_string()) {
        fail(where, fmt::format("text[{}] must be a string, not {}", i, type_name(texts[i])));
      }
      keep_answer({texts[i].get<std::string>(), to_start(starts[i], where)}, example);
    }
  }

  // {"text": "", "answer_start": -1} is how some sets write "no answer".
  static void keep_answer(Answer&& answer, Example& example) {
    if (answer.text.empty() && answer.answer_start == -1) return;
    example.answers.push_back(std::move(answer));
  }

  int64_t to_start(const Json& value, const std::string& where) const {
    if (!value.is_number_integer() ||
        (value.is_number_unsigned() && value.get<uint64_t>() > INT64_MAX)) {
      fail(where,
           fmt::format("answer_start must be a whole number, not {}",
                       value.is_number() ? quote_for_message(value.dump()) : type_name(value)));
    }
    return value.get<int64_t>();
  }

  std::string take_id(Json& row, const std::string& place) const {
    for (const char* key : {"id", "query_id"}) {
      if (row.contains(key) && row[key].is_number_integer()) return row[key].dump();
    }
    std::string id = take_string(row, {"id", "query_id"}, place);
    if (id.empty()) fail(place, "id is empty");
    return id;
  }

  bool take_impossible(const Json& row, const std::string& place) const {
    if (!row.contains("is_impossible")) return false;
    const Json& value = row["is_impossible"];
    if (!value.is_boolean()) {
      fail(place, fmt::format("is_impossible must be true or false, not {}", type_name(value)));
    }
    return value.get<bool>();
  }

  // The member under the first of the keys that is there. It is moved out.
  std::string take_string(Json& row, std::initializer_list<const char*> keys,
                          const std::string& place) const {
    for (const char* key : keys) {
      if (!row.contains(key)) continue;
      Json& value = row[key];
      if (!value.is_string()) {
        fail(place, fmt::format("{} must be a string, not {}", key, type_name(value)));
      }
      return std::move(value.get_ref<std::string&>());
    }
    fail(place, fmt::format("{} is missing", *keys.begin()));
  }

  std::string optional_string(Json& row, const char* key, const std::string& place) const {
    if (!row.contains(key) || row[key].is_null()) return {};
    return take_string(row, {key}, place);
  }

  static std::string type_name(const Json& value) {
    if (value.is_array()) return "a list";
    if (value.is_null()) return "null";
    return std::string(value.is_object() ? "an " : "a ") + value.type_name();
  }

  [[noreturn]] void fail(const std::string& place, const std::string& reason) const {
    const std::string file = dataset_.file.string();
    throw Error(ErrorCode::kBadData, place.empty() ? file : file + ": " + place, reason);
  }

  Dataset dataset_;
  IndexedStrings<std::function<std::string_view(size_t)>> contexts_, ids_;
  size_t titled_ = 0;                     // examples whose title is known
  size_t placed_ = 0;                     // examples whose context is known
  std::vector<std::ptrdiff_t> unplaced_;  // examples whose answers came without positions, in order
};

// True when the brackets that open in the text all close in it.
bool closes(std::string_view text) {
  int64_t depth = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') --depth;
    if (c != '"') continue;
    for (++i; i < text.size() && text[i] != '"'; ++i) i += text[i] == '\\';
  }
  return depth <= 0;
}

// JSON lines: an object closes on the first line, and another opens after it.
bool is_json_lines(std::string_view text) {
  const size_t first = text.find_first_not_of(kJsonSpace);
  if (first == std::string_view::npos || text[first] != '{') return false;
  const size_t line_end = text.find('\n', first);
  const size_t next = text.find_first_not_of(kJsonSpace, line_end);
  if (line_end == std::string_view::npos || next == std::string_view::npos) return false;
  return text[next] == '{' && closes(text.substr(first, line_end - first));
}

Dataset parse(std::string_view text, const fs::path& file, const ReadCallback& on_read) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  DatasetBuilder builder(file);
  if (!is_json_lines(text)) {
    if (text.find_first_not_of(kJsonSpace) == std::string_view::npos) {
      throw Error(ErrorCode::kBadData, file.string(), "is empty");
    }
    builder.add(text, "", on_read);
    return std::move(builder).finish();
  }
  int64_t number = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (line.find_first_not_of(kJsonSpace) == std::string_view::npos) continue;
    builder.add(line, fmt::format("line {}", number), {});
    if (on_read) on_read(text.data());
  }
  return std::move(builder).finish();
}

// Gives the pages of a mapped file back as they have been read: a file larger than memory loads as
// long as what is in it fits, and the peak is not the file and the dataset together.
class PageReleaser {
 public:
  explicit PageReleaser(std::string_view mapped) : released_(mapped.data()) {}
  void operator()(const char* at) {
    constexpr std::ptrdiff_t kStep = 4 << 20;  // a multiple of any page size
    const std::ptrdiff_t bytes = (at - released_) / kStep * kStep;
    if (bytes == 0) return;
    // Only advice: where it is refused, the pages merely stay.
    ::madvise(const_cast<char*>(released_), static_cast<size_t>(bytes), MADV_DONTNEED);
    released_ += bytes;
  }

 private:
  const char* released_;  // starts at the mapping, so it stays on a page boundary
};

}  // namespace

Dataset load_dataset(const std::filesystem::path& file) {
  const MappedFile mapped(file);
  PageReleaser release(mapped.bytes());
  return parse(mapped.bytes(), file, [&](const char* at) { release(at); });
}

Dataset parse_dataset(std::string_view text, const std::filesystem::path& file) {
  return parse(text, file, {});
}

}  // namespace spanforge
