#include <map>
#include <optional>

#include "command.h"
#include "common.h"
#include "data_input.h"
#include "output.h"
#include "settings.h"
#include "spanforge/base/error.h"
#include "spanforge/data/check.h"
#include "spanforge/features/window_check.h"
#include "spanforge/io/input_file.h"
#include "spanforge/text/tokenizer.h"

namespace spanforge::app {
namespace {

// What does not fit into a model's windows, for one file.
struct FileWindows {
  const Dataset& dataset;
  std::vector<WindowFinding> findings;
};

using Counts = std::map<std::string, int64_t>;

Counts count(const FileWindows& file) {
  Counts counts;
  for (const WindowFinding& one : file.findings) {
    ++counts[std::string(window_fault_name(one.fault))];
  }
  return counts;
}

Json windows_to_json(const FileWindows& file, const WindowOptions& options) {
  Json json = {{"max_seq_length", options.max_seq_length},
               {"window_overlap", options.window_overlap},
               {"kinds", count(file)},
               {"places", Json::array()}};
  for (const WindowFinding& one : file.findings) {
    const Example& example = file.dataset.examples[one.example];
    json["places"].push_back({{"kind", window_fault_name(one.fault)},
                              {"id", example.id},
                              {"place", example.place},
                              {"reason", one.reason}});
  }
  return json;
}

std::string windows_to_text(const FileWindows& file, const WindowOptions& options) {
  constexpr int64_t kShown = 5;
  std::string out = fmt::format("{} in windows of {} tokens, overlap {}: {}\n",
                                quote_for_message(file.dataset.file.string(), 4096),
                                options.max_seq_length, options.window_overlap,
                                file.findings.empty() ? "every question and answer has room" : "");
  for (const auto& [kind, number] : count(file)) {
    out += fmt::format("  {} {}\n", number, kind);
    int64_t shown = 0;
    for (const WindowFinding& one : file.findings) {
      if (window_fault_name(one.fault) != kind) continue;
      if (shown++ == kShown) break;
      const Example& example = file.dataset.examples[one.example];
      out += fmt::format("    {} (id {}): {}\n", example.place, quote_for_message(example.id),
                         one.reason);
    }
  }
  return out;
}

std::optional<Error> windows_verdict(const FileWindows& file) {
  for (const WindowFinding& one : file.findings) {
    if (one.fault != WindowFault::kQuestionTooLong) continue;
    return Error(ErrorCode::kBadData, file.dataset.place_of(file.dataset.examples[one.example]),
                 one.reason);
  }
  return std::nullopt;
}

}  // namespace

int run_data_check(const Arguments& arguments) {
  std::vector<std::string> names;
  std::string model;
  std::optional<int32_t> max_seq_length, window_overlap;
  bool json = false;
  DataInput input;
  OptionTable table;
  table(
      {"model",
       "directory or hub id: also check that its windows have room for questions and answers", ""},
      model);
  table(kMaxSeqLengthOption, max_seq_length);
  table(kWindowOverlapOption, window_overlap);
  input.declare(table);
  table.add_switch(kJsonOption, json);
  table.positional("FILE", "data files; each two are compared for what they share", names, 1,
                   SIZE_MAX);
  if (!table.parse(arguments)) return 0;
  require_distinct_inputs({names.begin(), names.end()});
  for (const char* option : {"max_seq_length", "window_overlap"}) {
    if (table.given(option)) table.require("model");
  }
  std::vector<Dataset> datasets;
  datasets.reserve(names.size());
  for (const std::string& name : names) datasets.push_back(input.read(name));
  std::vector<const Dataset*> views;
  for (const Dataset& dataset : datasets) views.push_back(&dataset);
  const CheckReport report = check_datasets(views);
  std::vector<FileWindows> windows;
  WindowOptions options;
  if (!model.empty()) {
    const ModelDirectory directory = resolve_model(model);
    const Tokenizer tokenizer = Tokenizer::from_directory(directory.tokenizer());
    options = choose_windows(directory, tokenizer, max_seq_length, window_overlap);
    for (const Dataset& dataset : datasets) {
      windows.push_back({dataset, check_windows(dataset, tokenizer, options)});
    }
  }
  if (json) {
    Json out = check_to_json(report, views);
    for (size_t i = 0; i < windows.size(); ++i) {
      out["files"][i]["windows"] = windows_to_json(windows[i], options);
      const std::string inside(window_fault_name(WindowFault::kAnswerInsideToken));
      const Counts counts = count(windows[i]);
      if (counts.contains(inside)) out["files"][i]["remarks"][inside] = counts.at(inside);
    }
    print_json(out);
  } else {
    print(check_to_text(report, views));
    for (const FileWindows& file : windows) print(windows_to_text(file, options));
  }
  if (const auto verdict = check_verdict(report, views)) throw *verdict;
  for (const FileWindows& file : windows) {
    if (const auto verdict = windows_verdict(file)) throw *verdict;
  }
  return 0;
}

}  // namespace spanforge::app
