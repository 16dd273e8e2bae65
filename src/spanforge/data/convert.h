#pragma once
// What: writes a dataset in one of the forms that load_dataset() reads. Every form keeps ids,
//   titles, questions, contexts and answers; loading the file gives the same examples.

#include <array>
#include <filesystem>
#include <string_view>

#include "spanforge/base/json.h"
#include "spanforge/base/spelling.h"
#include "spanforge/data/dataset.h"
#include "spanforge/io/file.h"

namespace spanforge {

enum class DataForm {
  kNested,  // SQuAD v2.0: data[].paragraphs[].qas[]
  kFlat,    // {"version", "data": [row, ...]}
  kLines,   // one row a line
  kCsv,  // id, title, question, context, answer, answer_start, is_impossible. If some question has
         // several answers, one column replaces both: {"text": [...], "answer_start": [...]}
  kLabelStudio,  // tasks with their annotations; offsets are code points
};

constexpr auto spellings(DataForm) {
  return std::to_array<Spelling<DataForm>>({{"nested", DataForm::kNested},
                                            {"squad", DataForm::kNested},
                                            {"flat", DataForm::kFlat},
                                            {"jsonl", DataForm::kLines},
                                            {"csv", DataForm::kCsv},
                                            {"label-studio", DataForm::kLabelStudio}});
}

// {"id", "title", "context", "question", "answers": [{"text", "answer_start"}], "is_impossible"}
Json flat_row(const Dataset& dataset, const Example& example);

// Writes the dataset and commits the file. A nested file groups consecutive examples of one title
// and context into a paragraph, and consecutive paragraphs of one title into an article, which
// keeps the order of the examples. is_impossible is true if there is no answer. A blind set
// (Dataset::blind) is written without answers and is_impossible.
void write_dataset(const Dataset& dataset, DataForm form, AtomicFile file);

}  // namespace spanforge
