#include "spanforge/data/repair.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "spanforge/data/normalize.h"
#include "spanforge/data/similar_span.h"

namespace spanforge {
namespace {

RepairKind kind_of(Misalignment cause) {
  switch (cause) {
    case Misalignment::kUtf16:
      return RepairKind::kUtf16Offset;
    case Misalignment::kBytes:
      return RepairKind::kByteOffset;
    case Misalignment::kWhiteSpace:
      return RepairKind::kWhitespace;
    case Misalignment::kOffByOne:
      return RepairKind::kOffByOne;
    case Misalignment::kNormalForm:
      return RepairKind::kNormalForm;
    case Misalignment::kInvisible:
      return RepairKind::kInvisible;
    default:
      return RepairKind::kUniqueOccurrence;
  }
}

Answer trimmed(const Answer& answer) {
  const std::string_view all = answer.text, inside = trim_white_space(all);
  const auto before = static_cast<size_t>(inside.data() - all.data());
  return {std::string(inside),
          answer.answer_start + static_cast<int64_t>(count_code_points(all.substr(0, before)))};
}

class Planner {
 public:
  Planner(const Dataset& dataset, const RepairOptions& options)
      : dataset_(dataset), options_(options) {}

  RepairPlan run() && {
    const FileReport report = check_dataset(dataset_);
    plan_.questions = report.questions;
    plan_.answers = report.answers;
    plan_.misaligned = report.misaligned;
    for (const MisalignedAnswer& item : report.misaligned_answers) take_misaligned(item);
    for (const RowFault& fault : dataset_.faults) take_fault(fault);
    for (const Finding& finding : report.unsound) leave(finding);
    if (options_.trim) {
      for (const Finding& finding : report.remarks) {
        if (finding.kind == FindingKind::kAnswerEdgeSpace) trim(finding);
      }
    }
    keep_first_of_each();
    return std::move(plan_);
  }

 private:
  void take_misaligned(const MisalignedAnswer& item) {
    const Answer& answer = dataset_.examples[item.example].answers[item.answer];
    const Diagnosis& diagnosis = item.diagnosis;
    std::string reason = describe(diagnosis, answer);
    if (diagnosis.repair) {
      return repair({kind_of(diagnosis.cause), item.example, item.answer, *diagnosis.repair, 1,
                     std::move(reason)});
    }
    if (options_.similar && diagnosis.cause == Misalignment::kAbsent) {
      if (auto similar = find_similar(item, reason)) return repair(std::move(*similar));
    }
    leave(std::string(misalignment_name(diagnosis.cause)), item.example,
          static_cast<int64_t>(item.answer), std::move(reason));
  }

  // A start of the wrong type is mended where the number it spells is right, and by any repair that
  // writes another.
  void take_fault(const RowFault& fault) {
    if (fault.example == SIZE_MAX || fault.answer < 0) {
      plan_.left.push_back({std::string(fault_name(fault.kind)), fault.place, fault.id, fault.reason, std::nullopt});
      return;
    }
    const Example& example = dataset_.examples[fault.example];
    const auto index = static_cast<size_t>(fault.answer);
    const Answer& answer = example.answers[index];
    if (is_aligned(answer, dataset_.context_of(example)) && !answer.text.empty()) {
      repair({RepairKind::kNumber, fault.example, index, answer, 1, fault.reason});
    } else if (!repaired_.contains({fault.example, index})) {
      leave(std::string(fault_name(fault.kind)), fault.example, fault.answer, fault.reason);
    }
  }

  void leave(const Finding& finding) {
    leave(std::string(finding_name(finding.kind)), finding.example, finding.answer, finding.reason);
  }

  void leave(std::string kind, size_t example, int64_t answer, std::string reason) {
    const Example& one = dataset_.examples[example];
    LeftOver left{std::move(kind), place_of_answer(one, answer), one.id, std::move(reason), {}};
    if (answer >= 0) left.before = one.answers[static_cast<size_t>(answer)];
    plan_.left.push_back(std::move(left));
  }

  // In the dataset's order; an answer whose start is rewritten and which is trimmed too counts
  // once.
  void keep_first_of_each() {
    const auto key = [](const Repair& one) { return std::pair(one.example, one.answer); };
    std::ranges::stable_sort(plan_.repairs, {}, key);
    // std::ranges::unique does not compile with clang 14 and GCC 12's library, which fuzz/ is built
    // with.
    const auto same = [&](const Repair& a, const Repair& b) { return key(a) == key(b); };
    plan_.repairs.erase(std::unique(plan_.repairs.begin(), plan_.repairs.end(), same),
                        plan_.repairs.end());
  }

  // Where there is none, `reason` says why.
  std::optional<Repair> find_similar(const MisalignedAnswer& item, std::string& reason) {
    const Example& example = dataset_.examples[item.example];
    const Answer& answer = example.answers[item.answer];
    const std::string& context = dataset_.context_of(example);
    const SimilarSpans found = find_similar_spans(answer.text, context, options_.min_f1);
    if (found.given_up) {
      reason += "; it is too long to look for a similar span";
      return std::nullopt;
    }
    if (found.spans.empty()) {
      reason += fmt::format("; no span of it has F1 {} or more", options_.min_f1);
      return std::nullopt;
    }
    if (found.spans.size() > 1) {
      reason += fmt::format("; {} spans of it are equally similar, F1 {:.3f}", found.spans.size(),
                            found.f1);
      return std::nullopt;
    }
    const CharSpan span = found.spans.front();
    return Repair{RepairKind::kSimilarSpan,
                  item.example,
                  item.answer,
                  {slice_code_points(context, span.start, span.end), span.start},
                  found.f1,
                  fmt::format("{}; the most similar span stands at {}, F1 {:.3f}", reason,
                              span.start, found.f1)};
  }

  void trim(const Finding& finding) {
    const auto index = static_cast<size_t>(finding.answer);
    const Answer& answer = dataset_.examples[finding.example].answers[index];
    const std::string& context = dataset_.context_of(dataset_.examples[finding.example]);
    if (!is_aligned(answer, context)) return;  // planned already, or left
    repair({RepairKind::kTrimmed, finding.example, index, answer, 1,
            "white space at the ends of an answer belongs to no token"});
  }

  void repair(Repair one) {
    if (options_.trim) one.after = trimmed(one.after);
    const Example& example = dataset_.examples[one.example];
    if (!is_aligned(one.after, dataset_.context_of(example)) || one.after.text.empty()) {
      throw Error(ErrorCode::kInternal, dataset_.place_of(example), "a repair that is none");
    }
    repaired_.emplace(one.example, one.answer);
    plan_.repairs.push_back(std::move(one));
  }

  const Dataset& dataset_;
  const RepairOptions& options_;
  RepairPlan plan_;
  std::set<std::pair<size_t, size_t>> repaired_;  // example and answer
};

}  // namespace

std::string_view repair_name(RepairKind kind) {
  switch (kind) {
    case RepairKind::kUtf16Offset:
      return "utf16_offset";
    case RepairKind::kByteOffset:
      return "byte_offset";
    case RepairKind::kWhitespace:
      return "whitespace";
    case RepairKind::kOffByOne:
      return "off_by_one";
    case RepairKind::kNormalForm:
      return "normal_form";
    case RepairKind::kInvisible:
      return "invisible";
    case RepairKind::kUniqueOccurrence:
      return "unique_occurrence";
    case RepairKind::kNumber:
      return "number";
    case RepairKind::kSimilarSpan:
      return "similar_span";
    case RepairKind::kTrimmed:
      return "trimmed";
  }
  return "unknown";
}

RepairPlan plan_repairs(const Dataset& dataset, const RepairOptions& options) {
  return Planner(dataset, options).run();
}

void apply_repairs(const RepairPlan& plan, Dataset& dataset) {
  for (const Repair& repair : plan.repairs) {
    dataset.examples[repair.example].answers[repair.answer] = repair.after;
  }
}

}  // namespace spanforge
