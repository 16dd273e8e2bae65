#pragma once
// What: Fine-tunes a model: reads data, makes windows, runs steps, evaluations and checkpoints, and
//   writes the result to OUTPUT/trained/. Reports through observers; prints nothing.
// Files in OUTPUT: checkpoint-N/, trained/, logs/, log.jsonl (every log line, unrounded, with its
//   step), and a lock while it runs.
// Threads: The option `threads` gives their number. Each step takes a Turn (base/threads.h), so
//   that it shares the cores with other calls of this process. The calling thread's own number is
//   restored at the end.
// Determinism: The learning rate, the data order and dropout masks are functions of (options,
//   step). A resumed run equals one that never stopped, bit for bit.
// Processes: With a group, all ranks call with the same options (output and threads may differ).
//   Rank 0 alone has observers and writes. All read model, data and the checkpoint to resume from.
//   The result has the same bits for any number of ranks and equal gradient_shards, on equal CPUs
//   with equal threads. A stop request to one rank stops all. Error{kPeerLost} if a rank is gone.
// Errors: Error{kUsage} for options and for an output that is in use; kBadData and kBadModel from
//   the files; kNonFinite naming step, example ids and tensor; kInterrupted after a stop request,
//   when the state was saved. Nothing is written before options, model and data are checked.
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

// Data that are in memory already, borrowed for the call. On resume the sums must be equal.
struct DataInMemory {
  const Dataset* dataset = nullptr;  // null: the option names a file
  std::string sha256;                // of what the dataset was made of
};
class Group;  // parallel/group.h

// What a run needs in addition to its options. Pointers are borrowed for the call.
struct TrainContext {
  std::vector<Observer*> observers;
  // To stop a run, set this (for example from a signal handler). The run finishes the current
  // step, saves a checkpoint and throws Error{kInterrupted}.
  const std::atomic<bool>* stop = nullptr;
  // Resolves a model's name in the options, or an adapter's base. Default: the name is a directory.
  ResolveBase resolve_model;
  // Instead of reading the files. The options `train` and `validation` are then names for messages.
  DataInMemory train, validation;
  Group* group = nullptr;  // null: this process alone
};

struct TrainResult {
  int64_t global_step = 0;
  LogLine summary;                        // train_runtime ... train_loss, epoch
  std::optional<LogLine> evaluation;      // the last eval_* line
  double train_loss = 0;                  // mean over all steps
  std::filesystem::path trained;          // OUTPUT/trained
  std::filesystem::path best_checkpoint;  // empty: none was chosen
  std::filesystem::path resumed_from;     // empty: started from the beginning
};

// Runs a whole training.
TrainResult train(TrainingArguments arguments, const TrainContext& context = {});

}  // namespace spanforge
