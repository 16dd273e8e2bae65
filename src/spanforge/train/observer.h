#pragma once
// What: The interface to watch a training run. Everything periodic is an observer: progress,
//   console lines, the JSON log, TensorBoard, early stopping. The library prints nothing.
// Order: Before an epoch and before a step: on_epoch_begin, on_step_begin. After a step:
//   on_step_end, then, if due, on_log, on_evaluate, on_before_save. After an epoch: on_epoch_end,
//   then the same three; what a step and the epoch that ends with it make due happens once, after
//   on_epoch_end if the epoch wants anything but what the step has logged. on_save comes when the
//   checkpoint is in place, perhaps some steps later, but before the next on_before_save and before
//   on_train_end. Observers are called in the order in which they were added.
// State: Each checkpoint stores the value of save_state() under name(). On resume load_state()
//   receives it, before on_train_begin.
// Threads: All calls come from the thread that runs the training.
// Errors: An exception ends the training; the last checkpoint stays.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "spanforge/base/json_view.h"
#include "spanforge/train/log_line.h"

namespace spanforge {

struct TrainingArguments;
struct TrainPlan;
struct TrainState;
struct Evaluation;
struct Dataset;
struct DueEvents;
class TrainableModel;

// A line of text for people about what was found or decided.
struct Notice {
  enum class Kind { kInformation, kWarning };
  Kind kind = Kind::kInformation;
  std::string text;
};

// Progress of a stage, for a bar. A stage ends when done == total.
struct Progress {
  enum class Stage {
    kMap,       // questions made into windows
    kTrain,     // optimiser steps; starts above 0 after a resume
    kEvaluate,  // questions of an evaluation
  };
  Stage stage = Stage::kTrain;
  std::string_view label;  // "train", "validation"
  int64_t done = 0;
  int64_t total = 0;
};

// What an observer sees of the run. Valid during the call.
struct TrainView {
  const TrainingArguments& arguments;
  const TrainPlan& plan;
  const TrainState& state;
  const TrainableModel& model;
};

class Observer {
 public:
  virtual ~Observer();
  // The key of its state in checkpoints; empty if it has none.
  virtual std::string name() const;
  virtual void on_notice(const Notice& notice);
  virtual void on_progress(const Progress& progress);
  virtual void on_train_begin(const TrainView& view);
  virtual void on_epoch_begin(const TrainView& view);
  virtual void on_step_begin(const TrainView& view);
  virtual void on_step_end(const TrainView& view);
  virtual void on_epoch_end(const TrainView& view);
  // line: HF's keys in HF's order with HF's digits; console_line(line) is the text of HF's console.
  // unrounded: the same with full digits. Evaluations and the final summary are lines, too.
  virtual void on_log(const TrainView& view, const LogLine& line, const LogLine& unrounded);
  // Called after the on_log of the same evaluation; metrics is its line.
  virtual void on_evaluate(const TrainView& view, const Dataset& validation,
                           const Evaluation& evaluation, const LogLine& metrics);
  // Called before the state is written. What the observer has written must be durable afterwards.
  virtual void on_before_save(const TrainView& view);
  // The checkpoint is in place. Training went on meanwhile: view may be some steps ahead.
  virtual void on_save(const TrainView& view, const std::filesystem::path& checkpoint);
  virtual void on_train_end(const TrainView& view);
  // Called after on_step_end and after on_epoch_end with the events that are due now. The observer
  // may add events and cancel them.
  virtual void choose_events(const TrainView& view, DueEvents& due);
  // Called after a loss was logged and after an evaluation: the observer may add events that come
  // later in the order log, evaluate, save.
  virtual void add_events(DueEvents& due);
  // True: the run waits for each checkpoint, so that on_save comes at the step that is saved.
  virtual bool wants_saves_at_once() const;
  // Asked after each step's events. True ends the training after this step, as finished.
  virtual bool wants_stop() const;
  virtual Json save_state() const;
  virtual void load_state(const JsonView& state);
};

}  // namespace spanforge
