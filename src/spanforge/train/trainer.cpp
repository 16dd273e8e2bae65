#include "spanforge/train/trainer.h"

#include <algorithm>
#include <memory>

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/base/hash.h"
#include "spanforge/base/threads.h"
#include "spanforge/formats/manifest.h"
#include "spanforge/io/file.h"
#include "spanforge/parallel/together.h"
#include "spanforge/train/alike.h"
#include "spanforge/train/early_stopping.h"
#include "spanforge/train/gradient_sum.h"
#include "spanforge/train/run.h"
#include "spanforge/train/run_log.h"
#include "spanforge/train/setup.h"
#include "spanforge/train/tensorboard.h"

namespace spanforge {
namespace {

void notify(const TrainContext& context, const std::string& text,
            Notice::Kind kind = Notice::Kind::kInformation) {
  for (Observer* observer : context.observers) observer->on_notice({kind, text});
}

void warn_without_manifest(const TrainContext& context, const CheckpointHead& checkpoint) {
  if (checkpoint.arguments) return;
  notify(
      context,
      fmt::format("{} has no {}: its files can be read, but a change in them would not be noticed",
                  checkpoint.directory.string(), kManifestName),
      Notice::Kind::kWarning);
}

std::optional<CheckpointHead> find_checkpoint(const TrainingArguments& arguments,
                                              const OutputDirectory& output,
                                              const TrainContext& context) {
  const std::string& asked = arguments.resume_from_checkpoint;
  if (asked.empty()) return std::nullopt;
  if (!resumes_from_last(arguments)) {
    if (directory_exists(asked) && !checkpoint_steps(asked).empty()) {
      throw Error(ErrorCode::kUsage, {.parameter = "resume_from_checkpoint"},
                  fmt::format("{} is a run's directory; give last for the newest checkpoint in "
                              "`output`, or one of its checkpoints",
                              asked));
    }
    CheckpointHead named = open_checkpoint(asked);
    warn_without_manifest(context, named);
    return named;
  }
  std::vector<std::string> skipped;
  auto found = newest_checkpoint(output, skipped);
  if (!skipped.empty()) {
    notify(context, fmt::format("skipped {} damaged or unreadable checkpoint(s), the newest: {}",
                                skipped.size(), skipped.front()));
  }
  notify(context,
         found ? fmt::format("resuming from {}", found->directory.string())
               : fmt::format("{} holds no checkpoint to resume from: starting from the beginning",
                             output.path().string()));
  if (found) warn_without_manifest(context, *found);
  return found;
}

// HF's checkpoint has its batch size, which decides how far in the data it is. Its batches have no
// limit on tokens.
void adopt_foreign_batches(TrainingArguments& arguments, const CheckpointHead& checkpoint) {
  const auto refuse_change = [&](const std::string& name, int64_t now, const std::string& saved) {
    const auto& allowed = arguments.allow_changed;
    if (std::find(allowed.begin(), allowed.end(), name) != allowed.end()) return;
    throw Error(ErrorCode::kUsage, {.parameter = std::string(name)},
                fmt::format("is {} but the run to resume has {}; `allow_changed` {} lets it change",
                            now, saved, dashed_name(name)));
  };
  if (const auto tokens = arguments.max_tokens_per_batch) {
    refuse_change("max_tokens_per_batch", *tokens, "none");
  }
  const std::string name = "per_device_train_batch_size";
  const int64_t saved = checkpoint.train_batch_size;
  if (saved <= 0 || saved == arguments.per_device_train_batch_size) return;
  if (arguments.per_device_train_batch_size.is_set()) {
    refuse_change(name, arguments.per_device_train_batch_size, std::to_string(saved));
  } else {
    arguments.per_device_train_batch_size = saved;
  }
}

// HF's Trainer would load the wrong state silently.
void require_its_optimizer(const TrainingArguments& arguments, const CheckpointHead& checkpoint) {
  const std::string_view asked = spelling_of(*arguments.optim);
  if (same_optimizer(asked, checkpoint.optimizer)) return;
  throw Error(ErrorCode::kUsage, {.parameter = "optim"},
              fmt::format("is {}, but {} holds the state of {}; give `optim` {}", asked,
                          (checkpoint.directory / "optimizer.pt").string(), checkpoint.optimizer,
                          checkpoint.optimizer));
}

// Checkpoints in OUTPUT after `step` do not belong to this run, but "last" would find them.
void require_free_output(const TrainingArguments& arguments, const OutputDirectory& output,
                         std::optional<int64_t> step) {
  if (arguments.overwrite || resumes_from_last(arguments) || !output.holds_run()) return;
  if (step) {
    const int64_t last = output.checkpoints().back();
    if (last == *step) return;
    throw Error(ErrorCode::kUsage, {.parameter = "resume_from_checkpoint"},
                fmt::format("{} came after {}; give `resume_from_checkpoint` last to go on from "
                            "there, `overwrite` to remove what came after, or another `output`",
                            output.checkpoint(last).string(), output.checkpoint(*step).string()));
  }
  throw Error(
      ErrorCode::kUsage, {.parameter = "output"},
      fmt::format("{} holds a run already; give `resume_from_checkpoint` last to go on with it or "
                  "`overwrite` to replace it",
                  output.path().string()));
}

// The observers of every run. They come before the caller's.
struct BuiltInObservers {
  std::vector<std::unique_ptr<Observer>> owned;

  // The log comes first: event files without a log could not be recognised as an earlier run's.
  BuiltInObservers(const TrainingArguments& arguments, const OutputDirectory& output) {
    const std::filesystem::path log = output.path() / "log.jsonl";
    owned.push_back(std::make_unique<RunLog>(log));
    if (arguments.report_to == ReportTo::kTensorBoard) {
      if (arguments.logging_dir.empty()) {
        // Events next to an earlier run's log belong to that run; a new start replaces them.
        const bool replaces = arguments.overwrite || path_exists(log);
        owned.push_back(std::make_unique<TensorBoard>(output.path() / "logs", replaces));
      } else {
        const std::string place = std::filesystem::weakly_canonical(output.path()).string();
        owned.push_back(std::make_unique<TensorBoard>(
            arguments.logging_dir, /*replaces=*/true,
            TensorBoard::kRunSuffix + sha256_hex(place).substr(0, 8)));
      }
    }
    if (arguments.early_stopping_patience) {
      owned.push_back(std::make_unique<EarlyStopping>(*arguments.early_stopping_patience,
                                                      arguments.early_stopping_threshold));
    }
  }
};

std::unique_ptr<OutputDirectory> open_output(const TrainingArguments& arguments, bool writes) {
  if (arguments.output.empty()) {
    throw Error(ErrorCode::kUsage, {.parameter = "output"},
                "is needed: the directory that receives checkpoints and trained/");
  }
  if (const auto run = run_around(arguments.output)) {
    throw Error(ErrorCode::kUsage, {.parameter = "output"},
                fmt::format("{} belongs to the run in {}; give a directory outside it",
                            arguments.output.string(), run->string()));
  }
  using Use = OutputDirectory::Use;
  auto output =
      std::make_unique<OutputDirectory>(arguments.output, writes ? Use::kWrite : Use::kLook);
  if (output->manages(arguments.logging_dir)) {
    throw Error(ErrorCode::kUsage, {.parameter = "logging_dir"},
                fmt::format("{} would be replaced with what the training saves there; give another "
                            "directory",
                            arguments.logging_dir.string()));
  }
  return output;
}

void settle_arguments(TrainingArguments& arguments, const std::optional<CheckpointHead>& checkpoint,
                      int ranks) {
  if (checkpoint && checkpoint->arguments) adopt_saved_arguments(arguments, *checkpoint->arguments);
  if (!arguments.gradient_shards && ranks > 1) arguments.gradient_shards = ranks;
  resolve_arguments(arguments);
  if (!shards_suit(arguments.gradient_shards.value_or(1), ranks)) {
    throw Error(ErrorCode::kUsage, {.parameter = "gradient_shards"},
                fmt::format("is {}, which {} processes cannot share: it must be their number "
                            "times 1, 2, 4, 8 ...",
                            *arguments.gradient_shards, ranks));
  }
  if (checkpoint && !checkpoint->arguments) {
    adopt_foreign_batches(arguments, *checkpoint);
    require_its_optimizer(arguments, *checkpoint);
  }
}

void create_output(const Setup& setup, OutputDirectory& output, const TrainContext& context) {
  // Also an error before the output is created.
  if (setup.arguments.report_to == ReportTo::kTensorBoard && !setup.arguments.logging_dir.empty()) {
    spanforge::create_directories(setup.arguments.logging_dir);
  }
  output.create();
  if (output.locked()) return;
  notify(context,
         fmt::format("{} is on a file system without locks: make sure that no other training uses "
                     "it",
                     output.path().string()),
         Notice::Kind::kWarning);
}

}  // namespace

TrainResult train(TrainingArguments arguments, const TrainContext& given) {
  GroupAlone alone;
  Group& group = given.group != nullptr ? *given.group : alone;
  TrainContext context = given;
  if (!group.leads()) context.observers.clear();

  std::unique_ptr<OutputDirectory> output;
  std::optional<CheckpointHead> checkpoint;
  work_together(group, [&] {
    output = open_output(arguments, group.leads());
    if (group.leads()) checkpoint = find_checkpoint(arguments, *output, context);
  });
  const std::string resumed =
      gather_texts(group, checkpoint ? checkpoint->directory.string() : "").front();
  std::optional<int64_t> step;
  std::optional<Setup> setup;
  std::optional<ThreadScope> scope;
  work_together(group, [&] {
    if (!group.leads() && !resumed.empty()) checkpoint = open_checkpoint(resumed);
    settle_arguments(arguments, checkpoint, group.size());
    if (checkpoint) step = output->step_of(checkpoint->directory);
    if (group.leads()) require_free_output(arguments, *output, step);
    scope.emplace(arguments.threads);
    setup.emplace(prepare_setup(std::move(arguments), std::move(checkpoint), context));
  });
  require_alike(group, *setup);

  std::optional<BuiltInObservers> built_in;
  work_together(group, [&] {
    if (!group.leads()) return;
    create_output(*setup, *output, context);
    built_in.emplace(setup->arguments, *output);
    if (!setup->arguments.overwrite) return;
    if (step) {
      output->remove_after(*step);
    } else {
      output->remove_run();
    }
  });
  std::vector<Observer*> observers;
  if (built_in) {
    for (const auto& observer : built_in->owned) observers.push_back(observer.get());
  }
  observers.insert(observers.end(), context.observers.begin(), context.observers.end());
  return TrainingRun(*setup, *output, std::move(observers), context.stop, group).run();
}

}  // namespace spanforge
