#pragma once
// What: a dataset written in another of the forms load_dataset reads. Every form keeps ids, titles,
//   questions, contexts and answers; loading what was written gives the same examples.

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
  kCsv,  // id, title, question, context, answer, answer_start, is_impossible; where some question
         // has several answers, answers in place of both: {"text": [...], "answer_start": [...]}
  kLabelStudio,  // tasks with their annotation; offsets are code points
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

// Writes the dataset and commits the file. Nested files group consecutive examples of one title and
// context into a paragraph and consecutive paragraphs of one title into an article, so the order of
// the examples is kept; is_impossible is true where there is no answer. A blind set
// (Dataset::blind) is written without answers and is_impossible.
void write_dataset(const Dataset& dataset, DataForm form, AtomicFile file);

}  // namespace spanforge
