// The check's report as JSON, as text and as an error.
#include <algorithm>
#include <map>

#include <fmt/core.h>

#include "spanforge/data/check.h"
#include "spanforge/data/soundness.h"

namespace spanforge {
namespace {

// The example of a finding; an empty one for a finding about the file.
const Example& example_of(const Finding& finding, const Dataset& dataset) {
  static const Example none;
  return finding.example == SIZE_MAX ? none : dataset.examples[finding.example];
}

Json finding_to_json(const Finding& finding, const Dataset& dataset) {
  const Example& example = example_of(finding, dataset);
  return {{"kind", finding_name(finding.kind)},
          {"id", example.id},
          {"place", example.place},
          {"reason", finding.reason}};
}

Json misaligned_to_json(const MisalignedAnswer& item, const Dataset& dataset) {
  const Example& example = dataset.examples[item.example];
  const Answer& answer = example.answers[item.answer];
  const Diagnosis& diagnosis = item.diagnosis;
  return {
      {"id", example.id},
      {"place", fmt::format("{}.answers[{}]", example.place, item.answer)},
      {"text", answer.text},
      {"answer_start", stated_start(answer)},
      {"found", diagnosis.found},
      {"cause", misalignment_name(diagnosis.cause)},
      {"stated", stated_start_name(diagnosis.stated)},
      {"correct_start", diagnosis.repair ? Json(diagnosis.repair->answer_start) : Json(nullptr)},
      {"correct_text", diagnosis.repair ? Json(diagnosis.repair->text) : Json(nullptr)},
      {"occurrences", diagnosis.occurrences},
      {"reason", describe(diagnosis, answer)}};
}

Json fault_to_json(const RowFault& fault) {
  return {{"kind", fault_name(fault.kind)},
          {"id", fault.id},
          {"place", fault.place},
          {"reason", fault.reason}};
}

using FindingCounts = std::map<std::string, int64_t>;

// Counts the unsound faults, or those that are remarks.
FindingCounts count_faults(const Dataset& dataset, bool unsound) {
  FindingCounts counts;
  for (const RowFault& fault : dataset.faults) {
    if (is_unsound(fault.kind) == unsound) ++counts[std::string(fault_name(fault.kind))];
  }
  return counts;
}

FindingCounts count_kinds(const std::vector<Finding>& findings) {
  FindingCounts counts;
  for (const Finding& finding : findings) ++counts[std::string(finding_name(finding.kind))];
  return counts;
}

FindingCounts count_causes(const FileReport& file) {
  FindingCounts counts;
  for (const MisalignedAnswer& item : file.misaligned_answers) {
    ++counts[std::string(misalignment_name(item.diagnosis.cause))];
  }
  return counts;
}

Json file_to_json(const FileReport& file, const Dataset& dataset) {
  Json json = {{"file", file.file},
               {"questions", file.questions},
               {"contexts", file.contexts},
               {"answers", file.answers},
               {"misaligned", file.misaligned},
               {"misaligned_first", file.misaligned_first},
               {"without_answer", file.without_answer},
               {"usable", file.usable},
               {"repairable", file.repairable},
               {"negative", file.negative},
               {"past_end", file.past_end},
               {"causes", count_causes(file)},
               {"misaligned_answers", Json::array()},
               {"unsound", Json::array()},
               {"unsound_kinds", count_kinds(file.unsound)},
               {"remarks", count_kinds(file.remarks)},
               {"remark_places", Json::array()}};
  for (const bool unsound : {true, false}) {
    Json& kinds = json[unsound ? "unsound_kinds" : "remarks"];
    for (const auto& [kind, count] : count_faults(dataset, unsound)) kinds[kind] = count;
  }
  for (const MisalignedAnswer& item : file.misaligned_answers) {
    json["misaligned_answers"].push_back(misaligned_to_json(item, dataset));
  }
  for (const RowFault& fault : dataset.faults) {
    json[is_unsound(fault.kind) ? "unsound" : "remark_places"].push_back(fault_to_json(fault));
  }
  for (const Finding& finding : file.unsound) {
    json["unsound"].push_back(finding_to_json(finding, dataset));
  }
  for (const Finding& finding : file.remarks) {
    json["remark_places"].push_back(finding_to_json(finding, dataset));
  }
  return json;
}

Json overlap_to_json(const Overlap& overlap) {
  return {{"contexts", overlap.exact.contexts},
          {"questions", overlap.exact.questions},
          {"pairs", overlap.exact.pairs},
          {"normalized_contexts", overlap.normalized.contexts},
          {"normalized_questions", overlap.normalized.questions},
          {"normalized_pairs", overlap.normalized.pairs},
          {"ids", overlap.ids},
          {"second_questions", overlap.second_questions},
          {"second_questions_seen", overlap.second_questions_seen},
          {"second_pairs_seen", overlap.second_pairs_seen},
          {"second_is_seen", overlap.second_is_seen()}};
}

void append_faults(const Dataset& dataset, bool unsound, size_t max_examples, std::string& out) {
  for (const auto& [kind, count] : count_faults(dataset, unsound)) {
    out += fmt::format("  {}: {} {}\n", unsound ? "unsound" : "remark", count, kind);
    size_t shown = 0;
    for (const RowFault& fault : dataset.faults) {
      if (fault_name(fault.kind) != kind) continue;
      if (shown++ == max_examples) break;
      out +=
          fmt::format("    {}{}: {}\n", fault.place,
                      fault.id.empty() ? "" : fmt::format(" (id {})", quote_for_message(fault.id)),
                      fault.reason);
    }
  }
}

void append_findings(const std::vector<Finding>& findings, const Dataset& dataset,
                     std::string_view heading, size_t max_examples, std::string& out) {
  std::map<std::string, size_t> shown;
  for (const auto& [kind, count] : count_kinds(findings)) {
    out += fmt::format("  {}: {} {}\n", heading, count, kind);
    for (const Finding& finding : findings) {
      if (finding_name(finding.kind) != kind || shown[kind]++ >= max_examples) continue;
      const Example& example = example_of(finding, dataset);
      out += example.id.empty() ? fmt::format("    {}\n", finding.reason)
                                : fmt::format("    {} (id {}): {}\n", example.place,
                                              quote_for_message(example.id), finding.reason);
    }
  }
}

// "\"Ann\" at 5", or "\"Ann\"" if no start is stated.
std::string quote(const Answer& answer) {
  std::string out = fmt::format("\"{}\"", quote_for_message(answer.text));
  if (answer.source == StartSource::kStated) out += fmt::format(" at {}", answer.answer_start);
  return out;
}

std::string quote_found(const Diagnosis& diagnosis, std::string_view introduction) {
  if (diagnosis.stated != StatedStart::kInside) return "";
  return fmt::format("{} \"{}\"", introduction, quote_for_message(diagnosis.found));
}

void append_misaligned(const FileReport& file, const Dataset& dataset, size_t max_examples,
                       std::string& out) {
  std::map<Misalignment, size_t> shown;
  for (const auto& [cause, count] : count_causes(file)) {
    out += fmt::format("  misaligned: {} {}\n", count, cause);
    for (const MisalignedAnswer& item : file.misaligned_answers) {
      if (misalignment_name(item.diagnosis.cause) != cause) continue;
      if (shown[item.diagnosis.cause]++ >= max_examples) break;
      const Example& example = dataset.examples[item.example];
      const Answer& answer = example.answers[item.answer];
      out += fmt::format("    {}.answers[{}] (id {}): {}{}: {}\n", example.place, item.answer,
                         quote_for_message(example.id), quote(answer),
                         quote_found(item.diagnosis, ", the context has"),
                         describe(item.diagnosis, answer));
    }
  }
}

std::string name_of(const std::string& file) {
  return std::filesystem::path(file).filename().string();
}

}  // namespace

Json check_to_json(const CheckReport& report, const std::vector<const Dataset*>& datasets) {
  Json json = {{"files", Json::array()}};
  for (size_t i = 0; i < report.files.size(); ++i) {
    json["files"].push_back(file_to_json(report.files[i], *datasets[i]));
  }
  if (report.files.size() == 2) {
    json["overlap"] = overlap_to_json(report.overlaps.front().overlap);
  } else if (report.files.size() > 2) {
    json["overlaps"] = Json::array();
    for (const CheckReport::FilePair& pair : report.overlaps) {
      Json item = {{"files", {report.files[pair.first].file, report.files[pair.second].file}}};
      item.update(overlap_to_json(pair.overlap));
      json["overlaps"].push_back(std::move(item));
    }
  }
  return json;
}

std::string check_to_text(const CheckReport& report, const std::vector<const Dataset*>& datasets,
                          size_t max_examples) {
  std::string out;
  for (size_t i = 0; i < report.files.size(); ++i) {
    const FileReport& file = report.files[i];
    out += fmt::format(
        "{}: {} questions ({} without answer), {} contexts, {} answers, {} misaligned\n",
        quote_for_message(file.file, 4096), file.questions, file.without_answer, file.contexts,
        file.answers, file.misaligned);
    append_faults(*datasets[i], true, max_examples, out);
    append_misaligned(file, *datasets[i], max_examples, out);
    if (file.repairable > 0) {
      out += fmt::format("  repairable: {}, by `spanforge data fix`\n", file.repairable);
    }
    append_findings(file.unsound, *datasets[i], "unsound", max_examples, out);
    append_faults(*datasets[i], false, max_examples, out);
    append_findings(file.remarks, *datasets[i], "remark", max_examples, out);
  }
  for (const CheckReport::FilePair& pair : report.overlaps) {
    const std::string first = name_of(report.files[pair.first].file);
    const std::string second = name_of(report.files[pair.second].file);
    const std::string line = overlap_line(pair.overlap, first, second);
    out += line.empty()
               ? fmt::format("{} and {} share no context, question or pair\n", first, second)
               : line + "\n";
  }
  return out;
}

std::optional<Error> check_verdict(const CheckReport& report,
                                   const std::vector<const Dataset*>& datasets) {
  for (size_t i = 0; i < report.files.size(); ++i) {
    const FileReport& file = report.files[i];
    const std::vector<RowFault>& faults = datasets[i]->faults;
    const auto is_so = [](const RowFault& fault) { return is_unsound(fault.kind); };
    const auto fault = std::ranges::find_if(faults, is_so);
    const auto unsound =
        static_cast<size_t>(std::ranges::count_if(faults, is_so)) + file.unsound.size();
    if (unsound > 0) {
      const std::string tail =
          unsound > 1 ? fmt::format(" (and {} more unsound places)", unsound - 1) : "";
      if (fault != faults.end()) {
        return Error(ErrorCode::kBadData, place_of_fault(*datasets[i], *fault),
                     fault->reason + tail);
      }
      const Finding& first = file.unsound.front();
      return Error(ErrorCode::kBadData, datasets[i]->place_of(datasets[i]->examples[first.example]),
                   first.reason + tail);
    }
    if (file.misaligned > 0) {
      const MisalignedAnswer& first = file.misaligned_answers.front();
      const Example& example = datasets[i]->examples[first.example];
      const Answer& answer = example.answers[first.answer];
      return Error(
          ErrorCode::kBadData, file.file,
          fmt::format("{} of {} answers are not where they say; the first, at {} (id {}): {}{}: {}",
                      file.misaligned, file.answers, example.place, quote_for_message(example.id),
                      quote(answer), quote_found(first.diagnosis, ", where the context has"),
                      describe(first.diagnosis, answer)));
    }
  }
  for (const CheckReport::FilePair& pair : report.overlaps) {
    if (!pair.overlap.exact.any()) continue;
    return Error(ErrorCode::kBadData, report.files[pair.second].file,
                 overlap_line(pair.overlap, name_of(report.files[pair.first].file),
                              name_of(report.files[pair.second].file)));
  }
  return std::nullopt;
}

}  // namespace spanforge
