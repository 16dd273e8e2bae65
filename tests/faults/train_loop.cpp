// What: Runs trainings one after the other in one process, for flat_memory.py, which watches it.
//   Each is stopped in the middle, resumed from its checkpoint and run to its end, with
//   evaluations, checkpoints, rotation and event files. Goes on until it is killed.
// Usage: train_loop, in a directory of lab.make_inputs(); prints a line per training.

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>

#include "spanforge/base/error.h"
#include "spanforge/train/train_state.h"
#include "spanforge/train/trainer.h"

namespace spanforge {
namespace {

TrainingArguments arguments() {
  TrainingArguments a;
  a.model = "fresh";
  a.train = "train.json";
  a.validation = "validation.json";
  a.output = "run";
  a.max_steps = 40;
  a.learning_rate = 2e-3;
  a.per_device_train_batch_size = 4;
  a.gradient_accumulation_steps = 2;
  a.max_seq_length = 64;
  a.threads = 2;
  a.logging_strategy = IntervalStrategy::kSteps;
  a.logging_steps = 1.0;
  a.eval_strategy = IntervalStrategy::kSteps;
  a.eval_steps = 5.0;
  a.save_strategy = SaveStrategy::kSteps;
  a.save_steps = 5.0;
  a.save_total_limit = 1;
  a.load_best_model_at_end = true;
  return a;
}

struct StopAt : Observer {
  explicit StopAt(int64_t at) : step(at) {}
  void on_step_end(const TrainView& view) override {
    if (view.state.global_step == step) stop = true;
  }
  int64_t step;
  std::atomic<bool> stop{false};
};

void train_once(int64_t stop_at) {
  StopAt stop(stop_at);
  TrainingArguments begun = arguments();
  begun.overwrite = true;
  try {
    train(begun, {.observers = {&stop}, .stop = &stop.stop});
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kInterrupted) throw;
  }
  TrainingArguments rest = arguments();
  rest.resume_from_checkpoint = "last";
  train(rest, {});
}

}  // namespace
}  // namespace spanforge

int main() {
  try {
    for (int64_t n = 0;; ++n) {
      spanforge::train_once(1 + n % 39);
      std::printf("%lld\n", static_cast<long long>(n + 1));
      std::fflush(stdout);
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
