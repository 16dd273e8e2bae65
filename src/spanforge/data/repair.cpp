#include "spanforge/data/repair.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include <fmt/core.h>

#include "spanforge/base/keyed_hash.h"
#include "spanforge/data/normalize.h"
#include "spanforge/data/similar_span.h"

namespace spanforge {
namespace {

RepairKind kind_of(Misalignment cause) {
  switch (cause) {
    case Misalignment::kUtf16: return RepairKind::kUtf16Offset;
    case Misalignment::kBytes: return RepairKind::kByteOffset;
    case Misalignment::kWhiteSpace: return RepairKind::kWhitespace;
    case Misalignment::kOffByOne: return RepairKind::kOffByOne;
    case Misalignment::kNormalForm: return RepairKind::kNormalForm;
    case Misalignment::kInvisible: return RepairKind::kInvisible;
    case Misalignment::kContextShift: return RepairKind::kContextShift;
    default: return RepairKind::kUniqueOccurrence;
  }
}

Answer trimmed(const Answer& answer) {
  const std::string_view all = answer.text, inside = trim_white_space(all);
  const auto before = static_cast<size_t>(inside.data() - all.data());
  return {std::string(inside),
          answer.answer_start + static_cast<int64_t>(count_code_points(all.substr(0, before)))};
}

// Makes new ids for questions with duplicate ids.
class NewIds {
 public:
  explicit NewIds(const Dataset& dataset) {
    for (const Example& example : dataset.examples) take(example.id);
    for (const RowFault& fault : dataset.faults) take(fault.id);
  }

  // "d1" becomes the first free id of "d1-2", "d1-3", ... A whole number becomes one above all of
  // the file's, so that a column of numbers keeps its type.
  std::string make(const std::string& id) {
    if (is_whole_number(id) && largest_ < kLargest) {
      std::string next = std::to_string(++largest_);
      if (taken_.insert(next).second) return next;
    }
    uint64_t& last = last_.try_emplace(id, 1).first->second;
    while (true) {
      std::string next = fmt::format("{}-{}", id, ++last);
      if (taken_.insert(next).second) return next;
    }
  }

 private:
  static constexpr uint64_t kLargest = uint64_t{1} << 53;  // exact in every JSON reader

  static bool is_whole_number(std::string_view id) {
    return !id.empty() && id.size() <= 16 && (id == "0" || id.front() != '0') &&
           id.find_first_not_of("0123456789") == std::string_view::npos;
  }

  void take(const std::string& id) {
    if (!taken_.insert(id).second || !is_whole_number(id)) return;
    largest_ = std::max(largest_, uint64_t{std::stoull(id)});
  }

  KeyedSet<std::string> taken_;
  KeyedMap<std::string, uint64_t> last_;  // id -> the last number appended to it
  uint64_t largest_ = 0;
};

class Planner {
 public:
  Planner(const Dataset& dataset, const RepairOptions& options)
      : dataset_(dataset), options_(options) {}

  RepairPlan run() && {
    const FileReport report = check_dataset(dataset_);
    plan_.questions = report.questions;
    plan_.answers = report.answers;
    plan_.misaligned = report.misaligned;
    for (const MistypedText& one : report.mistyped_texts) {
      mistyped_[{one.example, one.answer}] = one.repair;
    }
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
      const bool mistyped = mistyped_.contains({item.example, item.answer});
      Repair one{.kind = mistyped ? RepairKind::kNumberText : kind_of(diagnosis.cause),
                 .example = item.example,
                 .answer = item.answer,
                 .after = *diagnosis.repair};
      one.reason = (mistyped ? "the text must be a string; " : "") + reason;
      one.proof = diagnosis.shift;
      return repair(std::move(one));
    }
    if (options_.similar && diagnosis.cause == Misalignment::kAbsent) {
      if (auto similar = find_similar(item, reason)) return repair(std::move(*similar));
    }
    leave(std::string(misalignment_name(diagnosis.cause)), item.example,
          static_cast<int64_t>(item.answer), std::move(reason));
  }

  void take_fault(const RowFault& fault) {
    switch (fault.kind) {
      case FaultKind::kBadRow: break;
      case FaultKind::kDuplicateId: {
        if (fault.example == SIZE_MAX) break;
        if (!new_ids_) new_ids_.emplace(dataset_);
        std::string fresh = new_ids_->make(dataset_.examples[fault.example].id);
        return repair_row(RepairKind::kDuplicateId, fault, std::move(fresh));
      }
      case FaultKind::kFlagType: return repair_row(RepairKind::kFlagType, fault);
      case FaultKind::kEmptyAnswer:
        if (dataset_.examples[fault.example].answers.empty()) {
          repair_row(RepairKind::kEmptyAnswer, fault);
        }
        return;
      case FaultKind::kStartType:
      case FaultKind::kTextType: return take_mistyped(fault);
    }
    plan_.left.push_back(
        {std::string(fault_name(fault.kind)), fault.place, fault.id, fault.reason, std::nullopt});
  }

  // Repairs a start of the wrong type if the number that it spells is right; any repair that writes
  // another start does the same. Repairs a text of the wrong type if one place holds it whole.
  void take_mistyped(const RowFault& fault) {
    const Example& example = dataset_.examples[fault.example];
    const auto index = static_cast<size_t>(fault.answer);
    if (repaired_.contains({fault.example, index})) return;
    const Answer& answer = example.answers[index];
    if (const auto text = mistyped_.find({fault.example, index}); text != mistyped_.end()) {
      if (text->second) {
        return repair({RepairKind::kNumberText,
                       fault.example,
                       index,
                       *text->second,
                       1,
                       fault.reason,
                       {},
                       {}});
      }
    } else if (aligned(answer, example) && !answer.text.empty()) {
      return repair({RepairKind::kNumber, fault.example, index, answer, 1, fault.reason, {}, {}});
    }
    leave(std::string(fault_name(fault.kind)), fault.example, fault.answer, fault.reason);
  }

  void repair_row(RepairKind kind, const RowFault& fault, std::string new_id = {}) {
    Repair one{.kind = kind, .example = fault.example, .answer = Repair::kNoAnswer};
    one.reason = fault.reason;
    one.new_id = std::move(new_id);
    plan_.repairs.push_back(std::move(one));
  }

  void leave(const Finding& finding) {
    leave(std::string(finding_name(finding.kind)), finding.example, finding.answer, finding.reason);
  }

  void leave(std::string kind, size_t example, int64_t answer, std::string reason) {
    const Example& one = dataset_.examples[example];
    LeftOver left{std::move(kind), place_of_answer(one, answer), one.id, std::move(reason), {}};
    if (answer >= 0) {
      left.before = one.answers[static_cast<size_t>(answer)];
      left.before->answer_start = stated_start(*left.before);
    }
    plan_.left.push_back(std::move(left));
  }

  // Sorts the repairs into the dataset's order. An answer with a new start that is also trimmed
  // counts once.
  void keep_first_of_each() {
    const auto key = [](const Repair& one) {
      const bool of_row = one.answer == Repair::kNoAnswer;
      return std::tuple(one.example, one.answer, of_row ? one.kind : RepairKind());
    };
    std::ranges::stable_sort(plan_.repairs, {}, key);
    // std::ranges::unique does not compile with clang 14 and GCC 12's library, which fuzz/ uses.
    const auto same = [&](const Repair& a, const Repair& b) { return key(a) == key(b); };
    plan_.repairs.erase(std::unique(plan_.repairs.begin(), plan_.repairs.end(), same),
                        plan_.repairs.end());
  }

  // nullopt: there is none, and `reason` says why.
  std::optional<Repair> find_similar(const MisalignedAnswer& item, std::string& reason) {
    const Example& example = dataset_.examples[item.example];
    const Answer& answer = example.answers[item.answer];
    const std::string& context = dataset_.context_of(example);
    if (taken_apart_ != example.context) {
      similar_.emplace(context);
      taken_apart_ = example.context;
    }
    const SimilarSpans found = similar_->find(answer.text, options_.min_f1);
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
    return Repair{
        RepairKind::kSimilarSpan,
        item.example,
        item.answer,
        {slice_code_points(context, positions_in(example.context), span.start, span.end),
         span.start, answer.source},
        found.f1,
        fmt::format("{}; the most similar span is at {}, F1 {:.3f}", reason, span.start, found.f1),
        {},
        {}};
  }

  void trim(const Finding& finding) {
    const auto index = static_cast<size_t>(finding.answer);
    const Answer& answer = dataset_.examples[finding.example].answers[index];
    if (!aligned(answer, dataset_.examples[finding.example])) return;  // planned already, or left
    repair({RepairKind::kTrimmed,
            finding.example,
            index,
            answer,
            1,
            "white space at the ends of an answer is in no token",
            {},
            {}});
  }

  void repair(Repair one) {
    if (options_.trim) one.after = trimmed(one.after);
    const Example& example = dataset_.examples[one.example];
    if (!aligned(one.after, example) || one.after.text.empty()) {
      throw Error(ErrorCode::kInternal, dataset_.place_of(example), "a repair changes nothing");
    }
    repaired_.emplace(one.example, one.answer);
    plan_.repairs.push_back(std::move(one));
  }

  bool aligned(const Answer& answer, const Example& example) {
    return is_aligned(answer, dataset_.context_of(example), positions_in(example.context));
  }

  // Examples of one context are mostly neighbours.
  const CodePointIndex& positions_in(size_t context) {
    if (indexed_ != context) {
      index_.emplace(dataset_.contexts[context]);
      indexed_ = context;
    }
    return *index_;
  }

  const Dataset& dataset_;
  const RepairOptions& options_;
  RepairPlan plan_;
  std::set<std::pair<size_t, size_t>> repaired_;                         // example and answer
  std::map<std::pair<size_t, size_t>, std::optional<Answer>> mistyped_;  // ... to its repair
  std::optional<NewIds> new_ids_;
  std::optional<CodePointIndex> index_;
  size_t indexed_ = SIZE_MAX;  // the context of the index above
  std::optional<SimilarSpanSearch> similar_;
  size_t taken_apart_ = SIZE_MAX;  // the context of the search above
};

}  // namespace

std::string_view repair_name(RepairKind kind) {
  switch (kind) {
    case RepairKind::kUtf16Offset: return "utf16_offset";
    case RepairKind::kByteOffset: return "byte_offset";
    case RepairKind::kWhitespace: return "whitespace";
    case RepairKind::kOffByOne: return "off_by_one";
    case RepairKind::kNormalForm: return "normal_form";
    case RepairKind::kInvisible: return "invisible";
    case RepairKind::kUniqueOccurrence: return "unique_occurrence";
    case RepairKind::kContextShift: return "context_shift";
    case RepairKind::kNumber: return "number";
    case RepairKind::kNumberText: return "number_text";
    case RepairKind::kDuplicateId: return fault_name(FaultKind::kDuplicateId);
    case RepairKind::kFlagType: return fault_name(FaultKind::kFlagType);
    case RepairKind::kEmptyAnswer: return fault_name(FaultKind::kEmptyAnswer);
    case RepairKind::kSimilarSpan: return "similar_span";
    case RepairKind::kTrimmed: return "trimmed";
  }
  return "unknown";
}

RepairPlan plan_repairs(const Dataset& dataset, const RepairOptions& options) {
  return Planner(dataset, options).run();
}

std::vector<RowChange> changes_of(const RepairPlan& plan) {
  using ChangedPart = RowChange::Part;
  std::vector<RowChange> changes;
  for (const Repair& repair : plan.repairs) {
    ChangedPart part = ChangedPart::kAnswer;
    if (repair.kind == RepairKind::kDuplicateId) part = ChangedPart::kId;
    if (repair.kind == RepairKind::kFlagType) part = ChangedPart::kFlag;
    if (repair.kind == RepairKind::kEmptyAnswer) part = ChangedPart::kNoAnswers;
    changes.push_back({repair.example, repair.answer, repair.after, part, repair.new_id});
  }
  return changes;
}

void apply_repairs(const RepairPlan& plan, Dataset& dataset) {
  for (const Repair& repair : plan.repairs) {
    Example& example = dataset.examples[repair.example];
    if (repair.kind == RepairKind::kDuplicateId) {
      example.id = repair.new_id;
    } else if (repair.answer != Repair::kNoAnswer) {
      Answer& answer = example.answers[repair.answer];
      answer = repair.after;
      answer.source = StartSource::kStated;
    }
  }
}

}  // namespace spanforge
