#include <optional>

#include "command.h"
#include "common.h"
#include "data_input.h"
#include "data_output.h"
#include "output.h"
#include "spanforge/base/error.h"
#include "spanforge/data/convert.h"
#include "spanforge/data/repair.h"
#include "spanforge/data/rewrite.h"
#include "spanforge/io/file.h"
#include "spanforge/io/input_file.h"

namespace spanforge::app {
namespace {

struct FixFiles {
  std::string input, output, report;
  bool overwrite = false;
};

void check_outputs(const FixFiles& files) {
  check_output(files.output, files.input, files.overwrite);
  if (files.report.empty()) return;
  check_output(files.report, files.input, files.overwrite);
  if (same_file(files.output, files.report)) {
    throw Error(ErrorCode::kUsage, {.parameter = "report"}, "is the same file as --output");
  }
}

void write_report(const RepairPlan& plan, const Dataset& dataset, AtomicFile& out) {
  const auto put = [&](const Json& line) {
    out.write(dump_python_json(line, {.ensure_ascii = false}) + "\n");
  };
  for (const Repair& repair : plan.repairs) put(repair_to_json(repair, dataset));
  for (const LeftOver& left : plan.left) put(left_to_json(left));
}

// True if the file's own bytes can be kept: it is JSON in UTF-8 with names that rewrite.h knows.
bool keeps_bytes(const Dataset& dataset, const DataInput& input) {
  return dataset.form == SourceForm::kJson && dataset.encoding == "UTF-8" && input.columns.empty();
}

// The report is put in place first: a new file without the list of its changes would be worse.
template <class Commit>
void write_report_and(const RepairPlan& plan, const Dataset& dataset, const FixFiles& files,
                      const Commit& commit_output) {
  if (files.report.empty()) return commit_output();
  const bool fresh = !path_exists(files.report);
  AtomicFile report(files.report);
  write_report(plan, dataset, report);
  report.commit();
  try {
    commit_output();
  } catch (...) {
    if (fresh) remove_tree(files.report);
    throw;
  }
}

void write_as_squad(const RepairPlan& plan, const Dataset& dataset, const FixFiles& files) {
  Dataset repaired = dataset;
  apply_repairs(plan, repaired);
  write_report_and(plan, dataset, files,
                   [&] { write_dataset(repaired, DataForm::kNested, AtomicFile(files.output)); });
}

void write_in_place(const RepairPlan& plan, const Dataset& dataset, const MappedFile& input,
                    const FixFiles& files) {
  const std::vector<RowChange> changes = changes_of(plan);
  const auto release = [&](const char* at) {
    input.release_before(static_cast<size_t>(at - input.bytes().data()));
  };
  // Checked before the output is begun, so that nothing of it remains if the input is truncated.
  const auto found = while_whole(
      input, [&] { return find_byte_changes(input.bytes(), dataset, changes, release); });
  AtomicFile output(files.output);
  write_changed(input, found, output);
  write_report_and(plan, dataset, files, [&] { output.commit(); });
}

void print_result(const RepairPlan& plan, const Dataset& dataset, const FixFiles& files,
                  bool same_form, bool json) {
  const char* const form = same_form ? "as it was" : "nested";
  if (json) {
    Json out = plan_to_json(plan, dataset);
    out["output"] = files.output;
    out["form"] = form;
    out["report"] = files.report.empty() ? Json(nullptr) : Json(files.report);
    return print_json(out);
  }
  print(plan_to_text(plan, dataset));
  emit("{}: written{}{}\n", quote_for_message(files.output, 4096),
       same_form ? ", in the form it had"
                 : " as SQuAD JSON (nested; data convert --to writes other forms)",
       files.report.empty() ? "" : "; changes and remaining faults: " + files.report);
}

}  // namespace

int run_data_fix(const Arguments& arguments) {
  std::vector<std::string> inputs;
  FixFiles files;
  RepairOptions options;
  DataInput input;
  bool json = false;
  OptionTable table;
  table({"output", "file to write: the data with its answers repaired", ""}, files.output);
  table({"report", "file to write: a JSON line for each change and each remaining fault", ""},
        files.report);
  table({"similar",
         "if the context does not contain an answer, take the most similar span as its text", ""},
        options.similar);
  table({"min_f1", "with --similar: the least F1 of such a span", "> 0"}, options.min_f1);
  table(
      {"trim", "also remove white space from the ends of answers that are where the data say", ""},
      options.trim);
  table({"overwrite", "replace the files if they are there already", ""}, files.overwrite);
  input.declare(table);
  table.add_switch(kJsonOption, json);
  table.positional("FILE", "the data file to repair; it is never changed", inputs, 1, 1);
  if (!table.parse(arguments)) return 0;
  table.require("output");
  if (options.min_f1 > 1)
    throw Error(ErrorCode::kUsage, {.parameter = "min_f1"}, "must be at most 1");
  if (table.given("min_f1") && !options.similar) {
    throw Error(ErrorCode::kUsage, {.parameter = "min_f1"}, "needs --similar");
  }
  files.input = inputs[0];
  check_outputs(files);
  const MappedFile mapped = map_input(files.input);
  const Dataset dataset = input.read(mapped);
  const RepairPlan plan = plan_repairs(dataset, options);
  const bool same_form = keeps_bytes(dataset, input);
  same_form ? write_in_place(plan, dataset, mapped, files) : write_as_squad(plan, dataset, files);
  print_result(plan, dataset, files, same_form, json);
  return 0;
}

}  // namespace spanforge::app
