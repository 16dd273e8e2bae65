#include "spanforge/data/soundness.h"

#include <map>

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/base/join.h"
#include "spanforge/data/alignment.h"
#include "spanforge/data/numerals.h"

namespace spanforge {
namespace {

// certain: whether the text of the faulty answer is certain.
using Stops = bool (*)(const RowFault& fault, bool certain);

// For each fault, whether it is certain. Reads each context once.
std::vector<bool> find_certain_texts(const Dataset& dataset) {
  std::vector<bool> certain(dataset.faults.size(), true);
  std::map<size_t, std::vector<size_t>> faults_of;  // by context
  for (size_t i = 0; i < dataset.faults.size(); ++i) {
    const RowFault& fault = dataset.faults[i];
    if (fault.kind == FaultKind::kTextType) {
      faults_of[dataset.examples[fault.example].context].push_back(i);
    }
  }
  for (const auto& [number, faults] : faults_of) {
    const std::string& context = dataset.contexts[number];
    const Numerals numerals(context);
    const CodePointIndex index(context);
    for (const size_t i : faults) {
      const RowFault& fault = dataset.faults[i];
      const Answer& answer =
          dataset.examples[fault.example].answers[static_cast<size_t>(fault.answer)];
      certain[i] =
          place_of_mistyped(answer.text, stated_start(answer),
                            answer.source == StartSource::kNoStarts, numerals, context, index)
              .has_value();
    }
  }
  return certain;
}

// What the user can do.
std::string way_on(FaultKind kind, bool training) {
  std::string way = "data check names all such rows";
  if (kind == FaultKind::kDuplicateId) {
    way = "scores are kept by id; data fix gives the second a new one";
  } else if (kind == FaultKind::kTextType) {
    way = "data fix writes a number as a text if that is certain";
  }
  if (training) way += "; `on_bad_answer` drop skips it";
  return way;
}

void refuse(const Dataset& dataset, Stops stops, bool training) {
  const std::vector<bool> certain = find_certain_texts(dataset);
  for (size_t i = 0; i < dataset.faults.size(); ++i) {
    const RowFault& fault = dataset.faults[i];
    if (!stops(fault, certain[i])) continue;
    throw Error(ErrorCode::kBadData, place_of_fault(dataset, fault),
                fmt::format("{} ({})", fault.reason, way_on(fault.kind, training)));
  }
}

// "2 bad_row, 1 duplicate_id; first line 7: question is missing"
std::string counts_and_first(const std::vector<const RowFault*>& faults) {
  std::map<std::string_view, int64_t> counts;
  for (const RowFault* fault : faults) ++counts[fault_name(fault->kind)];
  std::vector<std::string> kinds;
  for (const auto& [kind, count] : counts) kinds.push_back(fmt::format("{} {}", count, kind));
  const RowFault& first = *faults.front();
  return fmt::format("{}; first {}{}{}", join(kinds, ", "), first.place,
                     first.place.empty() ? "" : ": ", first.reason);
}

Dataset drop(Dataset dataset, Stops stops, std::string& line) {
  std::vector<const RowFault*> dropped;
  std::vector<bool> keep(dataset.examples.size(), true);
  const std::vector<bool> certain = find_certain_texts(dataset);
  for (size_t i = 0; i < dataset.faults.size(); ++i) {
    const RowFault& fault = dataset.faults[i];
    if (!stops(fault, certain[i])) continue;
    dropped.push_back(&fault);
    if (fault.example != SIZE_MAX) keep[fault.example] = false;
  }
  line.clear();
  if (dropped.empty()) return dataset;
  line = fmt::format("{}: skipped: {}", dataset.file.string(), counts_and_first(dropped));
  dataset = keep_examples(std::move(dataset), keep);
  if (dataset.examples.empty()) {
    throw Error(ErrorCode::kBadData, dataset.file.string(), "every question has a fault");
  }
  return dataset;
}

bool stops_training(const RowFault& fault, bool) {
  return fault.kind == FaultKind::kBadRow ||
         (fault.kind == FaultKind::kTextType && fault.answer == 0);
}

bool stops_scoring(const RowFault& fault, bool certain) {
  return fault.kind == FaultKind::kBadRow || !certain;
}

bool stops_scoring_by_id(const RowFault& fault, bool certain) {
  return fault.kind == FaultKind::kDuplicateId || stops_scoring(fault, certain);
}

}  // namespace

ErrorPlace place_of_fault(const Dataset& dataset, const RowFault& fault) {
  return row_place(dataset.file, fault.place, fault.id);
}

void require_references(const Dataset& dataset) {
  if (!dataset.blind) return;
  throw Error(ErrorCode::kBadData, dataset.file.string(),
              "no question has an answer, or says that there is none: the file can be answered "
              "(evaluate `predictions_dir`), but not trained on or scored");
}

void require_trainable(const Dataset& dataset) { refuse(dataset, stops_training, true); }

Dataset drop_untrainable(Dataset dataset, std::string& line) {
  return drop(std::move(dataset), stops_training, line);
}

void require_scorable(const Dataset& dataset, bool by_id) {
  refuse(dataset, by_id ? stops_scoring_by_id : stops_scoring, false);
}

Dataset drop_unscorable(Dataset dataset, std::string& line) {
  return drop(std::move(dataset), stops_scoring, line);
}

std::optional<std::string> faults_line(const Dataset& dataset) {
  std::vector<const RowFault*> faults;
  for (const RowFault& fault : dataset.faults) {
    if (fault.kind != FaultKind::kEmptyAnswer) faults.push_back(&fault);
  }
  if (faults.empty()) return std::nullopt;
  return fmt::format("{}: {} (data check names all)", dataset.file.string(),
                     counts_and_first(faults));
}

}  // namespace spanforge
