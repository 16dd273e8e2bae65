#pragma once
// The table of commands. Dispatch, --help, the reference page and the tests all use its rows.

#include <span>
#include <string_view>

#include "options.h"

namespace spanforge::app {

struct Command {
  std::string_view name;           // "train", "data show"
  std::string_view summary;        // one line
  std::string_view synopsis;       // what follows the name
  std::string_view example;        // commands that work unchanged, one per line
  int (*run)(const Arguments&);    // returns the exit code; throws Error
  bool runs_models = false;        // many short pieces of work for all threads, in sequence
  std::string_view settings = "";  // environment variables that it reads, one per line
};

std::span<const Command> commands();

int run_train(const Arguments& arguments);
int run_evaluate(const Arguments& arguments);
int run_ask(const Arguments& arguments);
int run_serve(const Arguments& arguments);
int run_health(const Arguments& arguments);
int run_data_show(const Arguments& arguments);
int run_data_check(const Arguments& arguments);
int run_data_fix(const Arguments& arguments);
int run_data_stats(const Arguments& arguments);
int run_data_split(const Arguments& arguments);
int run_data_labels(const Arguments& arguments);
int run_data_convert(const Arguments& arguments);
int run_data_baseline(const Arguments& arguments);
int run_tokenize(const Arguments& arguments);
int run_model_new(const Arguments& arguments);
int run_model_info(const Arguments& arguments);
int run_model_convert(const Arguments& arguments);
int run_checkpoint_verify(const Arguments& arguments);
int run_download(const Arguments& arguments);
int run_doctor(const Arguments& arguments);
int run_help(const Arguments& arguments);

}  // namespace spanforge::app
