// A plan of repairs as JSON and as text.
#include <map>

#include <fmt/core.h>

#include "spanforge/data/repair.h"

namespace spanforge {
namespace {

Json to_json(const Answer& answer) {
  return {{"text", answer.text}, {"answer_start", stated_start(answer)}};
}

std::string describe(const Answer& answer) {
  std::string out = fmt::format("\"{}\"", quote_for_message(answer.text));
  if (answer.source == StartSource::kStated) out += fmt::format(" at {}", answer.answer_start);
  return out;
}

// The value that the repair writes; for an answer with its new start.
Answer written(const Repair& repair) {
  return {repair.after.text, repair.after.answer_start, StartSource::kStated};
}

Json before_to_json(const Repair& repair, const Example& example) {
  if (repair.kind == RepairKind::kDuplicateId) return {{"id", example.id}};
  if (repair.answer == Repair::kNoAnswer) return nullptr;
  return to_json(example.answers[repair.answer]);
}

Json after_to_json(const Repair& repair, const Example& example) {
  switch (repair.kind) {
    case RepairKind::kDuplicateId: return {{"id", repair.new_id}};
    case RepairKind::kFlagType: return {{"is_impossible", example.is_impossible}};
    case RepairKind::kEmptyAnswer: return {{"answers", Json::array()}};
    default: return to_json(written(repair));
  }
}

Json to_json(const ShiftProof& proof) {
  const auto id = [](int64_t count, const std::string& nearest) {
    return count > 0 ? Json(nearest) : Json(nullptr);
  };
  return {{"shift", proof.shift},
          {"before", proof.before},
          {"behind", proof.behind},
          {"id_before", id(proof.before, proof.id_before)},
          {"id_behind", id(proof.behind, proof.id_behind)}};
}

int64_t answer_number(const Repair& repair) {
  return repair.answer == Repair::kNoAnswer ? -1 : static_cast<int64_t>(repair.answer);
}

using RepairCounts = std::map<std::string, int64_t>;

RepairCounts count_repairs(const RepairPlan& plan) {
  RepairCounts counts;
  for (const Repair& repair : plan.repairs) ++counts[std::string(repair_name(repair.kind))];
  return counts;
}

RepairCounts count_left(const RepairPlan& plan) {
  RepairCounts counts;
  for (const LeftOver& left : plan.left) ++counts[left.kind];
  return counts;
}

// "\"Ann\" at 5 becomes \"Ann\" at 3"
std::string describe_change(const Repair& repair, const Example& example) {
  switch (repair.kind) {
    case RepairKind::kDuplicateId:
      return fmt::format("its id becomes {}", quote_for_message(repair.new_id));
    case RepairKind::kFlagType:
      return fmt::format("is_impossible becomes {}", example.is_impossible);
    case RepairKind::kEmptyAnswer: return "its answers become []";
    default:
      return fmt::format("{} becomes {}", describe(example.answers[repair.answer]),
                         describe(written(repair)));
  }
}

std::string line_of(const Repair& repair, const Dataset& dataset) {
  const Example& example = dataset.examples[repair.example];
  return fmt::format("    {} (id {}): {}: {}\n", place_of_answer(example, answer_number(repair)),
                     quote_for_message(example.id), describe_change(repair, example),
                     repair.reason);
}

std::string line_of(const LeftOver& left) {
  return fmt::format("    {}{}: {}{}\n", left.place,
                     left.id.empty() ? "" : fmt::format(" (id {})", quote_for_message(left.id)),
                     left.before ? describe(*left.before) + ": " : "", left.reason);
}

}  // namespace

std::string place_of_answer(const Example& example, int64_t answer) {
  if (answer < 0) return example.place;
  return fmt::format("{}{}answers[{}]", example.place, example.place.empty() ? "" : ".", answer);
}

Json repair_to_json(const Repair& repair, const Dataset& dataset) {
  const Example& example = dataset.examples[repair.example];
  Json json = {{"status", "repaired"},
               {"id", example.id},
               {"place", place_of_answer(example, answer_number(repair))},
               {"kind", repair_name(repair.kind)},
               {"reason", repair.reason},
               {"before", before_to_json(repair, example)},
               {"after", after_to_json(repair, example)}};
  if (repair.proof) json["proof"] = to_json(*repair.proof);
  if (repair.kind == RepairKind::kSimilarSpan) json["f1"] = repair.f1;
  return json;
}

Json left_to_json(const LeftOver& left) {
  return {{"status", "left"},      {"id", left.id},
          {"place", left.place},   {"kind", left.kind},
          {"reason", left.reason}, {"before", left.before ? to_json(*left.before) : Json(nullptr)},
          {"after", nullptr}};
}

Json plan_to_json(const RepairPlan& plan, const Dataset& dataset) {
  Json json = {{"file", dataset.file.string()},   {"questions", plan.questions},
               {"answers", plan.answers},         {"misaligned", plan.misaligned},
               {"repaired", plan.repairs.size()}, {"left", plan.left.size()},
               {"kinds", count_repairs(plan)},    {"left_kinds", count_left(plan)},
               {"changes", Json::array()},        {"rest", Json::array()}};
  for (const Repair& repair : plan.repairs) {
    json["changes"].push_back(repair_to_json(repair, dataset));
  }
  for (const LeftOver& left : plan.left) json["rest"].push_back(left_to_json(left));
  return json;
}

std::string plan_to_text(const RepairPlan& plan, const Dataset& dataset, size_t max_examples) {
  std::string out =
      fmt::format("{}: {} questions, {} answers, {} misaligned; {} repaired, {} left\n",
                  quote_for_message(dataset.file.string(), 4096), plan.questions, plan.answers,
                  plan.misaligned, plan.repairs.size(), plan.left.size());
  for (const auto& [kind, count] : count_repairs(plan)) {
    out += fmt::format("  repaired: {} {}\n", count, kind);
    size_t shown = 0;
    for (const Repair& repair : plan.repairs) {
      if (repair_name(repair.kind) != kind) continue;
      if (shown++ == max_examples) break;
      out += line_of(repair, dataset);
    }
  }
  for (const auto& [kind, count] : count_left(plan)) {
    out += fmt::format("  left: {} {}\n", count, kind);
    size_t shown = 0;
    for (const LeftOver& left : plan.left) {
      if (left.kind != kind) continue;
      if (shown++ == max_examples) break;
      out += line_of(left);
    }
  }
  return out;
}

}  // namespace spanforge
