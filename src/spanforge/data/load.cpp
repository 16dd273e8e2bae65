// load_dataset: rows of any of the known forms -> Dataset.
#include <fmt/core.h>
#include <sys/mman.h>

#include <algorithm>
#include <deque>
#include <optional>

#include "spanforge/base/error.h"
#include "spanforge/base/file.h"
#include "spanforge/base/text_index.h"
#include "spanforge/data/answer_start.h"
#include "spanforge/data/dataset.h"
#include "spanforge/data/row_stream.h"

namespace spanforge {
namespace {

constexpr size_t kNoContext = SIZE_MAX;
constexpr std::string_view kBlank = "\xEF\xBB\xBF \t\r\n";  // byte order mark and white space

class DatasetBuilder {
 public:
  // lenient: faulty rows are noted, not refused.
  DatasetBuilder(const fs::path& file, bool lenient) : lenient_(lenient) { dataset_.file = file; }
  DatasetBuilder(const DatasetBuilder&) = delete;

  void add(std::string_view text, const std::string& base_place, const ReadCallback& on_read) {
    const auto stream = [&] {
      stream_rows(
          text, dataset_.file.string(), base_place,
          [this](RowKind kind, Json& object, const std::string& place) {
            on_object(kind, object, place);
          },
          on_read);
    };
    // A line that is no JSON spoils no other line; within one JSON text nothing is left to go on.
    base_place.empty() ? stream() : forgive("", stream, [this] { end_untitled(); });
  }

  Dataset finish() && {
    if (dataset_.examples.empty()) {
      const std::string file = dataset_.file.string();
      if (dataset_.faults.empty()) throw Error(ErrorCode::kBadData, file, "holds no question");
      const RowFault& first = dataset_.faults.front();
      throw Error(ErrorCode::kBadData, first.place.empty() ? file : file + ": " + first.place,
                  first.reason + "; the file holds no usable question");
    }
    return std::move(dataset_);
  }

 private:
  auto ids_of_examples() const { return texts_in(dataset_.examples, &Example::id); }

  void on_object(RowKind kind, Json& object, const std::string& place) {
    const std::string id = lenient_ ? id_of(object) : "";
    switch (kind) {
      case RowKind::kQuestion: {
        const size_t before = dataset_.faults.size();
        return forgive(
            id, [&] { add_example(object, kNoContext, place); }, [&] { drop_stray_faults(before); });
      }
      case RowKind::kParagraph:
        return forgive(
            id, [&] { end_paragraph(object, place); }, [&] { drop_unplaced(); });
      case RowKind::kRow:
        return forgive(
            id, [&] { end_row(object, place); }, [&] { end_untitled(); });
      case RowKind::kDocument:
        return forgive(
            id, [&] { end_document(object, place); }, [&] { end_untitled(); });
    }
  }

  // Runs the body; where it fails and faults are noted, notes that and undoes what it began.
  template <class Body, class Undo>
  void forgive(const std::string& id, const Body& body, const Undo& undo) {
    if (!lenient_) return body();
    try {
      body();
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kBadData) throw;
      const std::string file = dataset_.file.string() + ": ";
      std::string_view place = error.place();
      place = place.starts_with(file) ? place.substr(file.size()) : std::string_view();
      dataset_.faults.push_back({"bad_row", std::string(place), id, error.reason()});
      undo();
    }
  }

  // Forgets the questions that have no context.
  void drop_unplaced() {
    while (dataset_.examples.size() > placed_) {
      const size_t last = dataset_.examples.size() - 1;
      ids_.erase(dataset_.examples[last].id, last, ids_of_examples());
      if (!unplaced_.empty() && unplaced_.back() == last) unplaced_.pop_back();
      dataset_.examples.pop_back();
    }
    drop_stray_faults(settled_);
    settled_ = dataset_.faults.size();
  }

  // The same, where an article or all of a text ends: what has no title yet gets none.
  void end_untitled() {
    drop_unplaced();
    titled_ = dataset_.examples.size();
  }

  // Forgets what was noted, from there on, of questions that were not added in the end.
  void drop_stray_faults(size_t first) {
    std::vector<RowFault>& faults = dataset_.faults;
    const auto is_stray = [&](const RowFault& fault) {
      return fault.example != SIZE_MAX && fault.example >= dataset_.examples.size();
    };
    faults.erase(std::remove_if(faults.begin() + static_cast<std::ptrdiff_t>(first), faults.end(),
                                is_stray),
                 faults.end());
  }

  // A fault that leaves the row usable. The example is the one about to be added.
  void note(std::string kind, const std::string& place, const std::string& id, std::string reason,
            int64_t answer = -1) {
    if (!lenient_) fail(place, reason);
    dataset_.faults.push_back(
        {std::move(kind), place, id, std::move(reason), dataset_.examples.size(), answer});
  }

  static std::string id_of(const Json& row) {
    for (const char* key : {"id", "query_id"}) {
      if (!row.is_object() || !row.contains(key)) continue;
      return row[key].is_string() ? row[key].get<std::string>() : row[key].dump();
    }
    return {};
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
    for (size_t i = placed_; i < dataset_.examples.size(); ++i) {
      dataset_.examples[i].context = context;
      locate_answers(i);
    }
    settle();
  }

  void add_example(Json& row, size_t context, const std::string& place) {
    Example example;
    example.place = place;
    example.id = take_id(row, place);
    example.question = take_string(row, {"question", "query_text"}, place);
    example.context = context;
    example.is_impossible = take_impossible(row, place);
    take_answers(row, place, example);
    const auto [holder, is_new] =
        ids_.insert(example.id, dataset_.examples.size(), ids_of_examples());
    if (!is_new) {
      note("duplicate_id", place, example.id,
           fmt::format("the id \"{}\" already stands at {}", quote_for_message(example.id),
                       dataset_.examples[holder].place));
    }
    dataset_.examples.push_back(std::move(example));
    if (context != kNoContext) {
      locate_answers(dataset_.examples.size() - 1);
      settle();
    }
  }

  // Every question up to here has its context and stays.
  void settle() {
    placed_ = dataset_.examples.size();
    settled_ = dataset_.faults.size();
  }

  size_t take_context(Json& row, const std::string& place) {
    std::string context = take_string(row, {"context", "context_text"}, place);
    const auto [number, is_new] =
        contexts_.insert(context, dataset_.contexts.size(), texts_in(dataset_.contexts));
    if (is_new) dataset_.contexts.push_back(std::move(context));
    return number;
  }

  // CMRC's own form has answers without positions: the first occurrence, or -1 where there is none.
  void locate_answers(size_t number) {
    if (unplaced_.empty() || unplaced_.front() != number) return;
    unplaced_.pop_front();
    Example& example = dataset_.examples[number];
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
        example.answers.push_back({answer.get<std::string>(), 0});
      } else if (answer.is_object()) {
        positions = true;
        std::string text = take_string(answer, {"text"}, where);
        if (!answer.contains("answer_start")) fail(where, "answer_start is missing");
        take_answer(std::move(text), answer["answer_start"], where, example);
      } else {
        fail(where,
             fmt::format("must be {{\"text\", \"answer_start\"}}, not {}", type_name(answer)));
      }
    }
    if (plain && positions) fail(place, "answers mixes strings and objects");
    if (plain && !example.answers.empty()) {
      unplaced_.push_back(dataset_.examples.size());
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
      take_answer(texts[i].get<std::string>(), starts[i], where, example);
    }
  }

  // {"text": "", "answer_start": -1} is how some sets write "no answer".
  void take_answer(std::string text, const Json& start, const std::string& where,
                   Example& example) {
    Answer answer{std::move(text), start_value(start)};
    const bool none = answer.text.empty() && answer.answer_start == -1;
    if (!is_start(start)) {
      note("answer_start_type", where, example.id,
           fmt::format("answer_start must be a whole number, not {}",
                       start.is_number() ? quote_for_message(start.dump()) : type_name(start)),
           none ? -1 : static_cast<int64_t>(example.answers.size()));
    }
    if (!none) example.answers.push_back(std::move(answer));
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
      return std::move(value.as_string());
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
    return fmt::format("{} {}", value.is_object() ? "an" : "a", value.type_name());
  }

  [[noreturn]] void fail(const std::string& place, const std::string& reason) const {
    const std::string file = dataset_.file.string();
    throw Error(ErrorCode::kBadData, place.empty() ? file : file + ": " + place, reason);
  }

  const bool lenient_;
  Dataset dataset_;
  TextIndex contexts_, ids_;
  size_t titled_ = 0;            // examples whose title is known
  size_t placed_ = 0;            // examples whose context is known
  size_t settled_ = 0;           // faults that stay noted, whatever becomes of later questions
  std::deque<size_t> unplaced_;  // examples whose answers came without positions, in order
};

Dataset parse(std::string_view text, const fs::path& file, bool lenient,
              const ReadCallback& on_read) {
  if (text.find_first_not_of(kBlank) == std::string_view::npos) {
    throw Error(ErrorCode::kBadData, file.string(), "is empty");
  }
  DatasetBuilder builder(file, lenient);
  for_each_text(text, [&](std::string_view one, const std::string& base_place) {
    builder.add(one, base_place, base_place.empty() ? on_read : ReadCallback());
    if (on_read) on_read(one.data() + one.size());
  });
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

Dataset load(const std::filesystem::path& file, bool lenient) {
  const MappedFile mapped(file);
  PageReleaser release(mapped.bytes());
  return while_whole(mapped, [&] {
    return parse(mapped.bytes(), file, lenient, [&](const char* at) { release(at); });
  });
}

}  // namespace

Dataset load_dataset(const std::filesystem::path& file) { return load(file, false); }
Dataset survey_dataset(const std::filesystem::path& file) { return load(file, true); }

Dataset parse_dataset(std::string_view text, const std::filesystem::path& file) {
  return parse(text, file, false, {});
}
Dataset survey_text(std::string_view text, const std::filesystem::path& file) {
  return parse(text, file, true, {});
}

}  // namespace spanforge
