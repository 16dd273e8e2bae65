// load_dataset(): makes a Dataset of rows of any known form.
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/base/text_index.h"
#include "spanforge/data/answer_start.h"
#include "spanforge/data/dataset.h"
#include "spanforge/data/forms.h"
#include "spanforge/data/keys.h"
#include "spanforge/data/normalize.h"
#include "spanforge/data/occurrences.h"
#include "spanforge/data/row_stream.h"
#include "spanforge/data/source_text.h"
#include "spanforge/data/unread_kind.h"
#include "spanforge/io/file.h"
#include "spanforge/io/input_file.h"

namespace spanforge {
namespace {

constexpr size_t kNoContext = SIZE_MAX;
constexpr std::string_view kBlank = "\xEF\xBB\xBF \t\r\n";  // byte order mark and white space

class DatasetBuilder {
 public:
  DatasetBuilder(const fs::path& file, const ReadOptions& options) : options_(options) {
    dataset_.file = file;
    for (const auto& [ours, theirs] : options.columns) extra_keys_.push_back(theirs);
  }
  DatasetBuilder(const DatasetBuilder&) = delete;

  void read(std::string_view bytes, const ReadCallback& on_read) {
    const SourceText source = read_source_text(bytes, dataset_.file, options_.encoding);
    if (source.text.find_first_not_of(kBlank) == std::string_view::npos) {
      throw Error(ErrorCode::kBadData, dataset_.file.string(), "is empty");
    }
    dataset_.encoding = source.encoding;
    if (source.encoding != "UTF-8") dataset_.notes.push_back("read as " + source.encoding);
    const bool converted = !source.converted.empty();
    read_form(source.text, converted ? ReadCallback() : on_read);
  }

  Dataset finish() && {
    settle_references();
    if (dataset_.examples.empty()) {
      const std::string file = dataset_.file.string();
      if (dataset_.faults.empty()) throw Error(ErrorCode::kBadData, file, "holds no question");
      const RowFault& first = dataset_.faults.front();
      throw Error(ErrorCode::kBadData, {.file = file, .where = first.place},
                  first.reason + "; the file holds no usable question");
    }
    return std::move(dataset_);
  }

 private:
  auto ids_of_examples() const { return texts_in(dataset_.examples, &Example::id); }

  void read_form(std::string_view text, const ReadCallback& on_read) {
    const RowCallback on_row = [this](RowKind kind, Json& object, const std::string& place) {
      on_object(kind, object, place);
    };
    dataset_.form = recognise_form(text, dataset_.file);
    if (dataset_.form != SourceForm::kJson) {
      return stream_form(dataset_.form, text, dataset_.file, options_, on_row, dataset_.notes,
                         on_read);
    }
    for_each_text(text, [&](std::string_view one, const std::string& base_place) {
      const auto stream = [&] {
        stream_rows(one, dataset_.file.string(), base_place, extra_keys_, on_row,
                    base_place.empty() ? on_read : ReadCallback());
      };
      // A malformed line does not affect other lines. A malformed JSON text ends the file.
      base_place.empty() ? stream() : forgive("", stream, [this] { end_untitled(); });
      if (on_read) on_read(one.data() + one.size());
    });
  }

  void on_object(RowKind kind, Json& object, const std::string& place) {
    const std::string id = id_of(object);
    switch (kind) {
      case RowKind::kQuestion: {
        const size_t before = dataset_.faults.size();
        return forgive(
            id, [&] { add_example(object, kNoContext, place); },
            [&] { drop_stray_faults(before); });
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

  // Runs the body. If it throws, notes the fault and calls undo().
  template <class Body, class Undo>
  void forgive(const std::string& id, const Body& body, const Undo& undo) {
    try {
      body();
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kBadData) throw;
      dataset_.faults.push_back({FaultKind::kBadRow, error.where(), id, error.reason()});
      undo();
    }
  }

  // Removes the questions that have no context.
  void drop_unplaced() {
    while (dataset_.examples.size() > placed_) {
      const size_t last = dataset_.examples.size() - 1;
      ids_.erase(dataset_.examples[last].id, last, ids_of_examples());
      dataset_.examples.pop_back();
      has_references_.pop_back();
    }
    drop_stray_faults(settled_);
    settled_ = dataset_.faults.size();
  }

  // The same at the end of an article or text: questions without a title stay so.
  void end_untitled() {
    drop_unplaced();
    titled_ = dataset_.examples.size();
  }

  // Removes the faults, from this one on, of questions that were not added.
  void drop_stray_faults(size_t first) {
    std::vector<RowFault>& faults = dataset_.faults;
    const auto is_stray = [&](const RowFault& fault) {
      return fault.example != SIZE_MAX && fault.example >= dataset_.examples.size();
    };
    faults.erase(
        std::remove_if(faults.begin() + static_cast<std::ptrdiff_t>(first), faults.end(), is_stray),
        faults.end());
  }

  // Notes a fault that leaves the row usable. The example is the next one to be added.
  void note(FaultKind kind, const std::string& place, const std::string& id, std::string reason,
            int64_t answer = -1) {
    dataset_.faults.push_back(
        {kind, place, id, std::move(reason), dataset_.examples.size(), answer});
  }

  // The member for a part of a question, by the user's name or a known one.
  template <class Names>
  Json* find(Json& row, std::string_view ours, const Names& names) const {
    // Rows of other forms already have our names.
    const bool renamed = dataset_.form == SourceForm::kJson;
    for (const auto& [part, theirs] : options_.columns) {
      if (renamed && part == ours) return row.contains(theirs) ? &row[theirs] : nullptr;
    }
    const std::string_view name = keys::present(row, names);
    return name.empty() ? nullptr : &row[name];
  }

  std::string id_of(Json& row) const {
    const Json* id = row.is_object() ? find(row, "id", keys::kId) : nullptr;
    if (id == nullptr) return {};
    return id->is_string() ? id->as_string() : id->dump();
  }

  void end_document(Json& document, const std::string& place) {
    if (document.contains("version")) {
      const Json& version = document["version"];
      dataset_.version = version.is_string() ? version.get<std::string>() : version.dump();
    }
    if (document.contains("data")) return;
    if (document.contains("header") && document.size() == 1) return;  // MRQA's first line
    end_row(document, place);                                         // the only row
  }

  // An element of "data": an article, a paragraph or a flat row.
  void end_row(Json& row, const std::string& place) {
    if (const Json* error = row.find("error")) fail(place, error->as_string());
    if (row.contains("qas")) {
      end_paragraph(row, place);
    } else if (!row.contains("paragraphs")) {
      add_example(row, take_context(row, place), place);
    }
    const std::string title = title_of(row);
    for (; titled_ < dataset_.examples.size(); ++titled_) dataset_.examples[titled_].title = title;
  }

  // Nothing needs a title, so a title of another type is not a fault.
  std::string title_of(Json& row) const {
    Json* title = find(row, "title", std::array<std::string_view, 1>{"title"});
    if (title == nullptr || title->is_null()) return {};
    return title->is_string() ? std::move(title->as_string()) : title->dump();
  }

  void end_paragraph(Json& paragraph, const std::string& place) {
    if (!paragraph.contains("qas")) fail(place, "qas is missing");
    const size_t context = take_context(paragraph, place);
    for (size_t i = placed_; i < dataset_.examples.size(); ++i) {
      dataset_.examples[i].context = context;
    }
    settle();
  }

  void add_example(Json& row, size_t context, const std::string& place) {
    Example example;
    example.place = place;
    example.id = take_id(row, place);
    example.question = take_string(row, "question", keys::kQuestion, place);
    example.context = context;
    example.is_impossible = take_impossible(row, place, example.id);
    const bool has_references = take_answers(row, place, example);
    const auto [holder, is_new] =
        ids_.insert(example.id, dataset_.examples.size(), ids_of_examples());
    if (!is_new) {
      note(FaultKind::kDuplicateId, place, example.id,
           fmt::format("the id \"{}\" is already used at {}", quote_for_message(example.id),
                       dataset_.examples[holder].place));
    }
    dataset_.examples.push_back(std::move(example));
    has_references_.push_back(has_references);
    if (context != kNoContext) settle();
  }

  // Keeps all questions so far: each has its context.
  void settle() {
    locate_answers(placed_);
    placed_ = dataset_.examples.size();
    settled_ = dataset_.faults.size();
  }

  size_t take_context(Json& row, const std::string& place) {
    std::string context = take_string(row, "context", keys::kContext, place);
    const auto [number, is_new] =
        contexts_.insert(context, dataset_.contexts.size(), texts_in(dataset_.contexts));
    if (is_new) dataset_.contexts.push_back(std::move(context));
    return number;
  }

  // Locates the answers without a start of the examples from `first` on, which share a context.
  void locate_answers(size_t first) {
    std::vector<Answer*> sought;
    std::vector<std::string_view> texts;
    for (size_t i = first; i < dataset_.examples.size(); ++i) {
      for (Answer& answer : dataset_.examples[i].answers) {
        if (answer.source == StartSource::kStated) continue;
        answer.answer_start = -1;
        if (trim_white_space(answer.text).empty()) continue;
        sought.push_back(&answer);
        texts.push_back(answer.text);
      }
    }
    if (sought.empty()) return;
    const std::string& context = dataset_.context_of(dataset_.examples[first]);
    const std::vector<Occurrences> found = find_occurrences(context, texts);
    for (size_t i = 0; i < sought.size(); ++i) {
      const bool taken = found[i].count == 1 || sought[i]->source == StartSource::kNoStarts;
      sought[i]->answer_start = taken ? found[i].first : -1;
    }
  }

  // false: the row has no references.
  bool take_answers(Json& row, const std::string& place, Example& example) {
    Json* answers = find(row, "answer", keys::kAnswers);
    if (answers == nullptr) return example.is_impossible;
    const auto where = [&](size_t i) { return fmt::format("{}.answers[{}]", place, i); };
    if (answers->is_object() && !is_spelling(*answers)) {
      take_answer_object(*answers, place + ".answers", example);
    } else if (answers->is_array()) {
      bool objects = false, plain = false;
      for (size_t i = 0; i < answers->size(); ++i) {
        Json& answer = (*answers)[i];
        if (answer.is_array()) fail(where(i), "must be {\"text\", \"answer_start\"}, not a list");
        if (answer.is_object() && !is_spelling(answer)) {
          objects = true;
          take_answer_object(answer, where(i), example);
        } else {
          plain = true;
          take_answer(answer, StartSource::kNoStarts, -1, where(i), example);
        }
      }
      if (plain && objects) fail(place, "answers mixes strings and objects");
    } else if (!answers->is_null()) {  // a single answer
      take_answer(*answers, StartSource::kNoStarts, -1, place + ".answers", example);
    }
    return true;
  }

  // {"text", "answer_start"} of one answer, or two lists of all answers.
  void take_answer_object(Json& answer, const std::string& where, Example& example) {
    const std::string_view text_key = keys::present(answer, keys::kText);
    if (text_key.empty()) fail(where, "text is missing");
    const std::string_view start_key = keys::present(answer, keys::kStart);
    Json& texts = answer[text_key];
    const Json none = nullptr;
    const Json& starts = start_key.empty() ? none : answer[start_key];
    if (!texts.is_array()) {
      if (starts.is_array()) fail(where, fmt::format("{} is a list, but text is not", start_key));
      return take_stated(texts, starts, start_key, where, example);
    }
    if (!starts.is_array() && !starts.is_null()) {
      fail(where, fmt::format("{} must be a list, not {}", start_key, type_name(starts)));
    }
    if (starts.is_array() && texts.size() != starts.size()) {
      fail(where, fmt::format("holds {} texts but {} positions", texts.size(), starts.size()));
    }
    for (size_t i = 0; i < texts.size(); ++i) {
      take_stated(texts[i], starts.is_array() ? starts[i] : none, start_key, where, example);
    }
  }

  void take_stated(Json& text, const Json& start, std::string_view start_key,
                   const std::string& where, Example& example) {
    const int64_t number = start.is_null() ? -1 : start_value(start);
    const bool unknown = start.is_null() || number == -1;
    if (!start.is_null() && !is_start(start)) {
      note(FaultKind::kStartType, where, example.id,
           fmt::format("{} must be a whole number, not {}", start_key,
                       start.is_number() ? quote_for_message(start.dump()) : type_name(start)),
           static_cast<int64_t>(example.answers.size()));
    }
    take_answer(text, unknown ? StartSource::kUnknown : StartSource::kStated, number, where,
                example);
  }

  // An empty text under is_impossible means no answer. Some sets write {"text": "", "answer_start":
  // -1} without is_impossible.
  void take_answer(Json& text, StartSource source, int64_t start, const std::string& where,
                   Example& example) {
    const auto number = static_cast<int64_t>(example.answers.size());
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
    if (says_no_answer(answer.text, source, example.is_impossible)) {
      // Removes the fault of its start, which was noted last.
      std::vector<RowFault>& faults = dataset_.faults;
      if (!faults.empty() && faults.back().example == dataset_.examples.size() &&
          faults.back().answer == number) {
        faults.pop_back();
      }
      if (example.is_impossible) {
        note(FaultKind::kEmptyAnswer, where, example.id,
             "an empty answer under is_impossible means no answer; data fix writes an empty list");
      }
      return;
    }
    if (!text.is_string()) {
      note(FaultKind::kTextType, where, example.id,
           fmt::format("text must be a string, not {}",
                       is_spelling(text) ? "the number " + answer.text : type_name(text)),
           number);
    }
    example.answers.push_back(std::move(answer));
  }

  std::string take_id(Json& row, const std::string& place) const {
    Json* id = find(row, "id", keys::kId);
    if (id == nullptr) fail_missing("id", place);
    if (id->is_number_integer()) return id->dump();
    std::string text = string_of(*id, "id", place);
    if (text.empty()) fail(place, "id is empty");
    return text;
  }

  bool take_impossible(Json& row, const std::string& place, const std::string& id) {
    const Json* value = find(row, "is_impossible", keys::kImpossible);
    if (value == nullptr || value->is_null()) return false;
    states_impossible_ = true;
    if (value->is_boolean()) return value->get<bool>();
    const std::optional<bool> read = spelled_bool(*value);
    if (!read) {
      fail(place, fmt::format("is_impossible must be true or false, not {}", type_name(*value)));
    }
    note(FaultKind::kFlagType, place, id,
         fmt::format("is_impossible must be true or false, not {}",
                     quote_for_message(value->dump())));
    return *read;
  }

  template <class Names>
  std::string take_string(Json& row, std::string_view ours, const Names& names,
                          const std::string& place) const {
    Json* value = find(row, ours, names);
    if (value == nullptr) fail_missing(ours, place);
    return string_of(*value, ours, place);
  }

  [[noreturn]] void fail_missing(std::string_view ours, const std::string& place) const {
    fail(place,
         fmt::format("{} is missing; if it has another name, give `columns` {}=NAME", ours, ours));
  }

  // The text, moved out of the row.
  std::string string_of(Json& value, std::string_view key, const std::string& place) const {
    if (!value.is_string()) {
      fail(place, fmt::format("{} must be a string, not {}", key, type_name(value)));
    }
    return std::move(value.as_string());
  }

  static std::string type_name(const Json& value) {
    if (value.is_array()) return "a list";
    if (value.is_null()) return "null";
    if (is_spelling(value)) return "a number";
    return fmt::format("{} {}", value.is_object() ? "an" : "a", value.type_name());
  }

  // If no question has references, the set is blind. Otherwise a question without them is a faulty
  // row.
  void settle_references() {
    const std::vector<Example>& examples = dataset_.examples;
    const bool none = std::ranges::none_of(has_references_, [](bool has) { return has; });
    const bool all_empty =
        !states_impossible_ &&
        std::ranges::all_of(examples, [](const Example& e) { return e.answers.empty(); });
    dataset_.blind = !examples.empty() && (none || all_empty);
    if (none || std::ranges::all_of(has_references_, [](bool has) { return has; })) return;
    for (size_t i = 0; i < examples.size(); ++i) {
      if (has_references_[i]) continue;
      dataset_.faults.push_back(
          {FaultKind::kBadRow, examples[i].place, examples[i].id,
           "answers is missing (a question without answer has \"answers\": [])", SIZE_MAX, -1});
    }
    dataset_ = keep_examples(std::move(dataset_), has_references_);
  }

  [[noreturn]] void fail(const std::string& place, const std::string& reason) const {
    throw Error(ErrorCode::kBadData, {.file = dataset_.file.string(), .where = place}, reason);
  }

  const ReadOptions& options_;
  std::vector<std::string> extra_keys_;
  Dataset dataset_;
  std::vector<bool> has_references_;  // of each example
  bool states_impossible_ = false;
  TextIndex contexts_, ids_;
  size_t titled_ = 0;   // examples whose title is known
  size_t placed_ = 0;   // examples whose context is known
  size_t settled_ = 0;  // faults that later questions cannot remove
};

// Frees the pages of a mapped file once they are read. So a file larger than memory can be read if
// its dataset fits, and the peak is not the sum of both.
class PageReleaser {
 public:
  explicit PageReleaser(std::string_view mapped) : released_(mapped.data()) {}
  void operator()(const char* at) {
    constexpr std::ptrdiff_t kStep = 4 << 20;  // a multiple of any page size
    const std::ptrdiff_t bytes = (at - released_) / kStep * kStep;
    if (bytes == 0) return;
    // A hint: if the system refuses it, the pages stay until memory is needed.
    ::madvise(const_cast<char*>(released_), static_cast<size_t>(bytes), MADV_DONTNEED);
    released_ += bytes;
  }

 private:
  const char* released_;  // begins at the mapping, so it is always at a page boundary
};

void refuse_unreadable(const Dataset& dataset) {
  for (const RowFault& fault : dataset.faults) {
    if (fault.kind != FaultKind::kBadRow && fault.kind != FaultKind::kTextType) continue;
    throw Error(ErrorCode::kBadData, {.file = dataset.file.string(), .where = fault.place},
                fault.reason);
  }
}

}  // namespace

Dataset read_dataset(const std::filesystem::path& file, const ReadOptions& options) {
  refuse_unread_directory(file);
  return read_dataset(map_input(file), options);
}

Dataset read_dataset(const MappedFile& mapped, const ReadOptions& options) {
  PageReleaser release(mapped.bytes());
  return while_whole(mapped, [&] {
    DatasetBuilder builder(mapped.path(), options);
    builder.read(mapped.bytes(), [&](const char* at) { release(at); });
    return std::move(builder).finish();
  });
}

Dataset read_dataset_text(std::string_view text, const std::filesystem::path& file,
                          const ReadOptions& options) {
  DatasetBuilder builder(file, options);
  builder.read(text, {});
  return std::move(builder).finish();
}

Dataset load_dataset(const std::filesystem::path& file, const ReadOptions& options) {
  return load_dataset(map_input(file), options);
}

Dataset load_dataset(const MappedFile& mapped, const ReadOptions& options) {
  Dataset dataset = read_dataset(mapped, options);
  refuse_unreadable(dataset);
  return dataset;
}

Dataset parse_dataset(std::string_view text, const std::filesystem::path& file,
                      const ReadOptions& options) {
  Dataset dataset = read_dataset_text(text, file, options);
  refuse_unreadable(dataset);
  return dataset;
}

}  // namespace spanforge
