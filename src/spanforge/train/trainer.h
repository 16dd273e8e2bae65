#pragma once
// What: fine-tuning from data to a model directory: windows, steps, evaluations, checkpoints,
//   OUTPUT/trained/. Reports through observers; prints nothing.
// Files in OUTPUT: checkpoint-N/, trained/, logs/, log.jsonl (every log line, unrounded, with its
//   step), a lock while it runs.
// Threads: `threads` of the options, each step in a Turn (base/threads.h), so that it shares the
//   cores with other calls of this process; the calling thread's number is put back at the end.
// Determinism: the learning rate, the data order and dropout masks are functions of (options,
// step);
//   a resumed run equals one that never stopped bit for bit.
// Errors: Error{kUsage} for options and for an output that is taken; kBadData, kBadModel from the
//   files; kNonFinite naming step, example ids and tensor; kInterrupted after a stop request, when
//   the state was saved. Nothing is written before the options, the model and the data are proved.
// Example:
//   TrainingArguments arguments;
//   arguments.model = "model", arguments.train = "train.json", arguments.output = "out";
//   TrainResult result = train(arguments);

#include <atomic>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "spanforge/model/model_directory.h"
#include "spanforge/train/arguments.h"
#include "spanforge/train/log_line.h"
#include "spanforge/train/observer.h"

namespace spanforge {

// What a run needs besides its options. Pointers are borrowed for the call.
struct TrainContext {
  std::vector<Observer*> observers;
  // Set (from a signal handler, say): the step in progress is finished, a checkpoint is saved, and
  // Error{kInterrupted} is thrown.
  const std::atomic<bool>* stop = nullptr;
  // A model named in the options, or an adapter's base; default: the name is a directory.
  ResolveBase resolve_model;
};

struct TrainResult {
  int64_t global_step = 0;
  LogLine summary;                        // train_runtime ... train_loss, epoch
  std::optional<LogLine> evaluation;      // the last eval_* line
  double train_loss = 0;                  // mean over all steps
  std::filesystem::path trained;          // OUTPUT/trained
  std::filesystem::path best_checkpoint;  // empty: none was tracked
  std::filesystem::path resumed_from;     // empty: started from the beginning
};

// The whole job.
TrainResult train(TrainingArguments arguments, const TrainContext& context = {});

}  // namespace spanforge
