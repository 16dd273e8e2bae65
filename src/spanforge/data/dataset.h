#pragma once
// What: question answering data as read from files: nested SQuAD v1.1/v2.0, flat rows, JSON lines.
//   Every example remembers the file and place it came from, so that messages can name it.
// Units: answer_start counts Unicode code points of the context, as in SQuAD.
// Sharing: a context that stands once in the file is stored once, however many questions it has;
//   downstream code tokenises each context once.

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "spanforge/base/utf8.h"

namespace spanforge {

struct Answer {
  std::string text;
  int64_t answer_start = 0;  // code points; as the file says, not yet proved (see check.h)
  bool operator==(const Answer&) const = default;
};

struct Example {
  std::string id;
  std::string title;
  std::string question;
  size_t context = 0;           // index into Dataset::contexts
  std::vector<Answer> answers;  // empty: no answer in the context
  bool is_impossible = false;   // as stated; v1.1 files state nothing
  std::string place;            // e.g. data[3].paragraphs[0].qas[2], or line 17
};

// What load_dataset refuses a file for, and survey_dataset notes before it goes on.
struct RowFault {
  std::string kind;  // "duplicate_id", "answer_start_type" or, where the row is left out, "bad_row"
  std::string place, id, reason;  // id: empty where none is known
  size_t example = SIZE_MAX;      // that stays although it is faulty; SIZE_MAX: left out
  int64_t answer = -1;            // which of its answers; -1: it concerns none
};

struct Dataset {
  std::filesystem::path file;
  std::vector<RowFault> faults;  // only survey_dataset gives any
  std::string version;  // "v2.0"; empty when the file says none
  std::vector<std::string> contexts;
  std::vector<Example> examples;  // in file order

  const std::string& context_of(const Example& example) const { return contexts[example.context]; }
  // "squad.json: data[3].paragraphs[0].qas[2] (id 56be...)" for messages.
  std::string place_of(const Example& example) const;
};

// Some examples, in this order, with their contexts.
Dataset select_examples(const Dataset& dataset, std::span<const size_t> examples);

// Reads a dataset, deciding the form by its content. Structure and types are checked here (missing
// keys, wrong types, invalid UTF-8, duplicate ids): Error{kBadData, file, place}. Whether answers
// stand where they say is check.h's matter.
Dataset load_dataset(const std::filesystem::path& file);
// The same for text already in memory; `file` is only its name.
Dataset parse_dataset(std::string_view text, const std::filesystem::path& file);

// The same, for who looks for faults: a row that cannot be used is left out, and the rest is read;
// an answer_start that is no whole number counts as the one it spells ("12", 12.0), else as -1.
// What is no JSON, or holds no usable row at all, is refused all the same.
Dataset survey_dataset(const std::filesystem::path& file);
Dataset survey_text(std::string_view text, const std::filesystem::path& file);

// Writes nested SQuAD v2.0 JSON (atomically), paragraphs grouped by title and context.
void save_squad(const Dataset& dataset, const std::filesystem::path& file);

// True when the context holds answer.text at answer.answer_start.
bool is_aligned(const Answer& answer, const std::string& context);
bool is_aligned(const Answer& answer, const std::string& context, const CodePointIndex& index);

}  // namespace spanforge
