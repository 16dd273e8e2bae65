#include <nlohmann/json.hpp>
#include <optional>

#include "command.h"
#include "common.h"
#include "output.h"
#include "progress.h"
#include "settings.h"
#include "spanforge/base/threads.h"
#include "spanforge/features/summary.h"

namespace spanforge::app {
namespace {

struct LabelOptions {
  std::string model, on_bad_answer = "error", label_rule = "recipe";
  std::vector<std::string> files;
  std::optional<int32_t> max_seq_length, window_overlap;
  bool json = false;
  int32_t threads = 0;
};

struct LabelledFile {
  std::string name;
  Dataset dataset;
  FeatureSet features;
};

LabelledFile label_file(const std::string& file, const Tokenizer& tokenizer,
                        const WindowOptions& windows, const LabelOptions& o) {
  LabelledFile out{std::filesystem::path(file).stem().string(), load_dataset(file), {}};
  FeatureOptions options;
  options.windows = windows;
  options.on_bad_answer =
      o.on_bad_answer == "drop" ? BadAnswerPolicy::kDrop : BadAnswerPolicy::kError;
  options.label_rule = o.label_rule == "run_qa" ? LabelRule::kRunQa : LabelRule::kRecipe;
  ProgressBar bar("Map", "examples", 0);
  options.progress = bar.callback();
  out.features = FeatureSet::build(out.dataset, tokenizer, options);
  bar.finish();
  return out;
}

void print_json_rows(const LabelledFile& file, const Tokenizer& tokenizer) {
  for (size_t w = 0; w < file.features.size() && !output_closed(); ++w) {
    const LabelRow row = label_row(file.dataset, file.features, tokenizer, w);
    print_json({{"id", row.id},
                {"question", row.question},
                {"answer", row.answer},
                {"decoded", row.decoded},
                {"source", row.source}});
  }
}

void print_text_rows(const LabelledFile& file, const Tokenizer& tokenizer) {
  emit("---{}---\n", file.name);
  for (size_t w = 0; w < file.features.size() && !output_closed(); ++w) {
    const LabelRow row = label_row(file.dataset, file.features, tokenizer, w);
    const Example& example =
        file.dataset.examples[static_cast<size_t>(file.features.windows()[w].example)];
    emit("# {} {}\n{}\n{} | {}\n", w, file.dataset.context_of(example), row.question, row.decoded,
         row.source);
  }
}

}  // namespace

int run_data_labels(const Arguments& arguments) {
  LabelOptions o;
  OptionTable table;
  table(kModelOption, o.model);
  table(
      {"on_bad_answer",
       "an answer that is not where the data says: stop, or leave its question out", "error|drop"},
      o.on_bad_answer);
  table({"label_rule", "which tokens an answer is labelled with", "recipe|run_qa"}, o.label_rule);
  table(kMaxSeqLengthOption, o.max_seq_length);
  table(kWindowOverlapOption, o.window_overlap);
  table.add_switch(kJsonOption, o.json);
  table(kThreadsOption, o.threads);
  table.positional("FILE", "data files", o.files, 1, SIZE_MAX);
  if (!table.parse(arguments)) return 0;
  table.require("model");
  set_thread_count(o.threads);
  const std::filesystem::path directory = resolve_model(o.model);
  const Tokenizer tokenizer = Tokenizer::from_directory(directory);
  const WindowOptions windows =
      choose_windows(directory, tokenizer, o.max_seq_length, o.window_overlap);
  std::vector<LabelledFile> files;
  for (const std::string& file : o.files) files.push_back(label_file(file, tokenizer, windows, o));
  release_notes();
  for (const LabelledFile& file : files) {
    o.json ? print_json_rows(file, tokenizer) : print_text_rows(file, tokenizer);
    note(fmt::format("{}: {}", file.name, label_summary(file.features)));
  }
  return 0;
}

}  // namespace spanforge::app
