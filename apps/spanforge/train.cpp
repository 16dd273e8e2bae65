#include "command.h"
#include "common.h"
#include "console_observer.h"
#include "output.h"
#include "ranks.h"
#include "signals.h"
#include "spanforge/io/input_file.h"
#include "spanforge/train/foreign_arguments.h"
#include "spanforge/train/trainer.h"
#include "start_threads.h"

namespace spanforge::app {

int run_train(const Arguments& arguments) {
  TrainingArguments options;
  bool json = false, no_bars = false;
  OptionTable table;
  visit_training_arguments(options, table);
  table.add_switch({"json", "log lines as JSON", ""}, json);
  table({"disable_tqdm", "draw no progress bars", ""}, no_bars);
  RankOptions ranks;
  add_rank_options(table, ranks);
  for (const ForeignOption& option : foreign_arguments()) table.add_foreign(option);
  table.allow_config();
  if (!table.parse(arguments)) return 0;
  require_distinct_inputs({table.config_file(), options.train, options.validation});
  const std::unique_ptr<Group> group = join_ranks(ranks, options.threads);
  start_threads(options.threads, 2);  // the model is loaded during other work
  ConsoleObserver console(json, !no_bars);
  TrainContext context;
  context.observers = {&console};
  context.stop = &watch_stop_signals();
  context.resolve_model = resolve_model;
  context.group = group.get();
  const TrainResult result = train(std::move(options), context);
  note(fmt::format("the model is in {}", result.trained.string()));
  return 0;
}

}  // namespace spanforge::app
