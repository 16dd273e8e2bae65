#include <optional>

#include "command.h"
#include "common.h"
#include "data_input.h"
#include "output.h"
#include "progress.h"
#include "settings.h"
#include "spanforge/data/soundness.h"
#include "spanforge/features/summary.h"
#include "spanforge/io/input_file.h"
#include "spanforge/text/tokenizer.h"
#include "start_threads.h"

namespace spanforge::app {
namespace {

constexpr int64_t kRowTokens = 1 << 19;  // in memory at the same time: some 10 MB

struct LabelOptions {
  std::string model;
  BadAnswerPolicy on_bad_answer = BadAnswerPolicy::kError;
  LabelRule label_rule = LabelRule::kRecipe;
  std::vector<std::string> files;
  std::optional<int32_t> max_seq_length, window_overlap;
  DataInput input;
  bool json = false;
  int32_t threads = 0;
};

void print_json_row(const LabelRow& row) {
  print_json({{"id", row.id},
              {"question", row.question},
              {"answer", row.answer},
              {"decoded", row.decoded},
              {"source", row.source},
              {"label", row.label},
              {"input", row.input}});
}

void print_text_row(const LabelRow& row, int64_t number, const std::string& context) {
  emit("# {} {}\n{}\n{} | {}\n{}\n", number, context, row.question, row.label, row.source,
       row.input);
}

// Prints a file's rows one chunk at a time, as they are made.
void print_labels(const Dataset& dataset, const Tokenizer& tokenizer, FeatureOptions options,
                  bool json) {
  const std::string name = dataset.file.stem().string();
  ProgressBar bar("Map", "examples", 0);
  if (!stdout_is_terminal())
    options.progress = bar.callback();  // the bar would appear among the rows
  FeatureStream stream(dataset, tokenizer, options);
  if (!json) emit("---{}---\n", name);
  LabelCounts counts;
  int64_t windows = 0;
  while (const std::optional<FeatureSet> chunk = stream.next(kRowTokens)) {
    for (size_t w = 0; w < chunk->size() && !output_closed(); ++w, ++windows) {
      const LabelRow row = label_row(dataset, *chunk, tokenizer, w);
      const Example& example = dataset.examples[static_cast<size_t>(chunk->windows()[w].example)];
      json ? print_json_row(row) : print_text_row(row, windows, dataset.context_of(example));
    }
    counts += chunk->label_counts();
    if (output_closed()) return;
  }
  bar.finish();
  note(fmt::format("{}: {}", name, label_summary(counts, windows, options.windows)));
}

}  // namespace

int run_data_labels(const Arguments& arguments) {
  LabelOptions o;
  OptionTable table;
  table(kModelOption, o.model);
  table({"on_bad_answer",
         "if a row cannot be read, or an answer is not where the data says: stop, or skip the "
         "question",
         ""},
        o.on_bad_answer);
  table({"label_rule", "which tokens an answer is labelled with", ""}, o.label_rule);
  table(kMaxSeqLengthOption, o.max_seq_length);
  table(kWindowOverlapOption, o.window_overlap);
  o.input.declare(table);
  table.add_switch(kJsonOption, o.json);
  table(kThreadsOption, o.threads);
  table.positional("FILE", "data files", o.files, 1, SIZE_MAX);
  if (!table.parse(arguments)) return 0;
  require_distinct_inputs({o.files.begin(), o.files.end()});
  table.require("model");
  start_threads(o.threads);
  const ModelDirectory directory = resolve_model(o.model);
  const Tokenizer tokenizer = Tokenizer::from_directory(directory.tokenizer());
  const WindowOptions windows =
      choose_windows(directory, tokenizer, o.max_seq_length, o.window_overlap);
  FeatureOptions options;
  options.windows = windows;
  options.on_bad_answer = o.on_bad_answer;
  options.label_rule = o.label_rule;
  std::vector<Dataset> datasets;
  for (const std::string& file : o.files) {  // errors come before the first row is printed
    Dataset dataset = o.input.load(file);
    std::string left_out;
    if (options.on_bad_answer == BadAnswerPolicy::kDrop) {
      dataset = drop_untrainable(std::move(dataset), left_out);
      if (!left_out.empty()) note(left_out);
    } else {
      require_trainable(dataset);
      require_sound_answers(dataset);
    }
    datasets.push_back(std::move(dataset));
  }
  for (const Dataset& dataset : datasets) print_labels(dataset, tokenizer, options, o.json);
  return 0;
}

}  // namespace spanforge::app
