#include "spanforge/data/soundness.h"

#include <fmt/core.h>

#include <map>

#include "spanforge/base/error.h"
#include "spanforge/base/join.h"
#include "spanforge/data/occurrences.h"

namespace spanforge {
namespace {

using Stops = bool (*)(const Dataset&, const RowFault&);

std::string place_of(const Dataset& dataset, const RowFault& fault) {
  std::string place = dataset.file.string();
  if (!fault.place.empty()) place += ": " + fault.place;
  if (!fault.id.empty()) place += fmt::format(" (id {})", quote_for_message(fault.id));
  return place;
}

// What a user can do about it.
std::string way_on(FaultKind kind, bool training) {
  std::string way = kind == FaultKind::kDuplicateId
                        ? "scores are kept by id; data fix gives the second a new one"
                    : kind == FaultKind::kTextType ? "data fix writes it as a text where that is certain"
                                                   : "data check names all such rows";
  if (training) way += "; --on-bad-answer drop goes on without it";
  return way;
}

void refuse(const Dataset& dataset, Stops stops, bool training) {
  for (const RowFault& fault : dataset.faults) {
    if (!stops(dataset, fault)) continue;
    throw Error(ErrorCode::kBadData, place_of(dataset, fault),
                fmt::format("{} ({})", fault.reason, way_on(fault.kind, training)));
  }
}

// "2 bad_row, 1 duplicate_id; first line 7: question is missing"
std::string count_faults(const std::vector<const RowFault*>& faults) {
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
  for (const RowFault& fault : dataset.faults) {
    if (!stops(dataset, fault)) continue;
    dropped.push_back(&fault);
    if (fault.example != SIZE_MAX) keep[fault.example] = false;
  }
  line.clear();
  if (dropped.empty()) return dataset;
  line = fmt::format("{}: left out: {}", dataset.file.string(), count_faults(dropped));
  dataset = keep_examples(std::move(dataset), keep);
  if (dataset.examples.empty()) {
    throw Error(ErrorCode::kBadData, dataset.file.string(), "no question is left without its faults");
  }
  return dataset;
}

bool stops_training(const Dataset&, const RowFault& fault) {
  return fault.kind == FaultKind::kBadRow || (fault.kind == FaultKind::kTextType && fault.answer == 0);
}

bool stops_scoring(const Dataset& dataset, const RowFault& fault) {
  return fault.kind == FaultKind::kBadRow || !is_certain_text(dataset, fault);
}

bool stops_scoring_by_id(const Dataset& dataset, const RowFault& fault) {
  return fault.kind == FaultKind::kDuplicateId || stops_scoring(dataset, fault);
}

}  // namespace

bool is_certain_text(const Dataset& dataset, const RowFault& fault) {
  if (fault.kind != FaultKind::kTextType) return true;
  const Example& example = dataset.examples[fault.example];
  const Answer& answer = example.answers[static_cast<size_t>(fault.answer)];
  if (answer.text.empty()) return false;  // null
  const std::string& context = dataset.context_of(example);
  if (is_aligned(answer, context)) return true;
  const std::string_view text = answer.text;
  return answer.source != StartSource::kStated && find_occurrences(context, {&text, 1})[0].count > 0;
}

void require_references(const Dataset& dataset) {
  if (!dataset.blind) return;
  throw Error(ErrorCode::kBadData, dataset.file.string(),
              "no question has an answer, or says that there is none: there is nothing to train on or "
              "to score (evaluate --predictions-dir answers such a file)");
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
  return fmt::format("{}: {} (data check names all)", dataset.file.string(), count_faults(faults));
}

}  // namespace spanforge
