#include "spanforge/data/dataset.h"

#include <fmt/core.h>

#include "spanforge/base/error.h"

namespace spanforge {

ErrorPlace row_place(const std::filesystem::path& file, const std::string& place,
                     const std::string& id) {
  const std::string with_id = id.empty() ? "" : fmt::format("(id {})", quote_for_message(id));
  const bool both = !place.empty() && !id.empty();
  return {.file = file.string(), .where = place + (both ? " " : "") + with_id};
}

ErrorPlace Dataset::place_of(const Example& example) const {
  return row_place(file, example.place, example.id);
}

Dataset select_examples(const Dataset& dataset, std::span<const size_t> examples) {
  constexpr size_t kNotYet = SIZE_MAX;
  Dataset chosen;
  chosen.file = dataset.file;
  chosen.version = dataset.version;
  chosen.form = dataset.form;
  chosen.blind = dataset.blind;
  chosen.examples.reserve(examples.size());
  std::vector<size_t> moved(dataset.contexts.size(), kNotYet);  // old context index -> new
  for (const size_t i : examples) {
    Example& example = chosen.examples.emplace_back(dataset.examples[i]);
    size_t& context = moved[example.context];
    if (context == kNotYet) {
      context = chosen.contexts.size();
      chosen.contexts.push_back(dataset.context_of(example));
    }
    example.context = context;
  }
  return chosen;
}

Dataset keep_examples(Dataset dataset, const std::vector<bool>& keep) {
  std::vector<size_t> moved(dataset.examples.size(), SIZE_MAX);
  size_t kept = 0;
  for (size_t i = 0; i < dataset.examples.size(); ++i) {
    if (!keep[i]) continue;
    moved[i] = kept;
    if (kept != i) dataset.examples[kept] = std::move(dataset.examples[i]);
    ++kept;
  }
  dataset.examples.resize(kept);
  std::erase_if(dataset.faults, [&](const RowFault& fault) {
    return fault.example != SIZE_MAX && moved[fault.example] == SIZE_MAX;
  });
  for (RowFault& fault : dataset.faults) {
    if (fault.example != SIZE_MAX) fault.example = moved[fault.example];
  }
  return dataset;
}

std::string_view fault_name(FaultKind kind) {
  switch (kind) {
    case FaultKind::kBadRow: return "bad_row";
    case FaultKind::kDuplicateId: return "duplicate_id";
    case FaultKind::kStartType: return "answer_start_type";
    case FaultKind::kTextType: return "answer_text_type";
    case FaultKind::kFlagType: return "is_impossible_type";
    case FaultKind::kEmptyAnswer: return "empty_answer_means_none";
  }
  return "bad_row";
}

std::vector<std::vector<size_t>> examples_by_context(const Dataset& dataset) {
  std::vector<std::vector<size_t>> examples(dataset.contexts.size());
  for (size_t i = 0; i < dataset.examples.size(); ++i) {
    examples[dataset.examples[i].context].push_back(i);
  }
  return examples;
}

bool is_aligned(const Answer& answer, const std::string& context, const CodePointIndex& index) {
  if (answer.answer_start < 0 || static_cast<size_t>(answer.answer_start) > index.size()) {
    return false;
  }
  const size_t first = index.byte_offset(static_cast<size_t>(answer.answer_start));
  return context.compare(first, answer.text.size(), answer.text) == 0;
}

bool is_aligned(const Answer& answer, const std::string& context) {
  if (answer.answer_start < 0) return false;
  size_t at = 0;
  for (int64_t i = 0; i < answer.answer_start; ++i) {
    if (at >= context.size()) return false;
    next_code_point(context, at);
  }
  return context.compare(at, answer.text.size(), answer.text) == 0;
}

}  // namespace spanforge
