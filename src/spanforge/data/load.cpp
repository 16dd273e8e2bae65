// load_dataset(): makes a Dataset of rows of any known form.
#include <sys/mman.h>

#include <algorithm>

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/base/text_index.h"
#include "spanforge/data/dataset.h"
#include "spanforge/data/forms.h"
#include "spanforge/data/normalize.h"
#include "spanforge/data/occurrences.h"
#include "spanforge/data/question_reader.h"
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
  DatasetBuilder(const fs::path& file, const ReadOptions& options)
      : options_(options), questions_(file.string(), options.columns) {
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
      questions_ = QuestionReader(dataset_.file.string(), {});  // these rows already have our names
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
    const std::string id = questions_.id(object);
    switch (kind) {
      case RowKind::kQuestion:
        return forgive(
            id, [&] { add_example(object, kNoContext, place); }, [] {});
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

  // Removes the questions that have no context, with their faults.
  void drop_unplaced() {
    while (dataset_.examples.size() > placed_) {
      const size_t last = dataset_.examples.size() - 1;
      ids_.erase(dataset_.examples[last].id, last, ids_of_examples());
      dataset_.examples.pop_back();
      has_references_.pop_back();
    }
    std::vector<RowFault>& faults = dataset_.faults;
    const auto was_dropped = [&](const RowFault& fault) {
      return fault.example != SIZE_MAX && fault.example >= dataset_.examples.size();
    };
    faults.erase(std::remove_if(faults.begin() + static_cast<std::ptrdiff_t>(settled_),
                                faults.end(), was_dropped),
                 faults.end());
    settled_ = faults.size();
  }

  // The same at the end of an article or text: questions without a title stay so.
  void end_untitled() {
    drop_unplaced();
    titled_ = dataset_.examples.size();
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
    if (const Json* error = row.find("error")) questions_.fail(place, error->as_string());
    if (row.contains("qas")) {
      end_paragraph(row, place);
    } else if (!row.contains("paragraphs")) {
      add_example(row, take_context(row, place), place);
    }
    const std::string title = questions_.title(row);
    for (; titled_ < dataset_.examples.size(); ++titled_) dataset_.examples[titled_].title = title;
  }

  void end_paragraph(Json& paragraph, const std::string& place) {
    if (!paragraph.contains("qas")) questions_.fail(place, "qas is missing");
    const size_t context = take_context(paragraph, place);
    for (size_t i = placed_; i < dataset_.examples.size(); ++i) {
      dataset_.examples[i].context = context;
    }
    settle();
  }

  void add_example(Json& row, size_t context, const std::string& place) {
    states_impossible_ = states_impossible_ || questions_.states_impossible(row);
    auto [example, faults, has_references] = questions_.read(row, place);
    const size_t number = dataset_.examples.size();
    const auto [holder, is_new] = ids_.insert(example.id, number, ids_of_examples());
    if (!is_new) {
      faults.push_back({FaultKind::kDuplicateId, place, example.id,
                        fmt::format("the id \"{}\" is already used at {}",
                                    quote_for_message(example.id), dataset_.examples[holder].place),
                        SIZE_MAX, -1});
    }
    for (RowFault& fault : faults) {
      fault.example = number;
      dataset_.faults.push_back(std::move(fault));
    }
    example.context = context;
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
    std::string context = questions_.context(row, place);
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

  const ReadOptions& options_;
  QuestionReader questions_;
  std::vector<std::string> extra_keys_;
  Dataset dataset_;
  std::vector<bool> has_references_;  // of each example
  bool states_impossible_ = false;    // some row has is_impossible
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
