#pragma once
// What: Every option of a training run, under the names and defaults of HF's TrainingArguments if
//   HF has the option. A plain struct and one visit function (base/options.h). Visitors make the
//   flags, configuration keys, --help, training_args.json and the reference page.
// Life of a value: The caller sets fields; setting a field is enough (base/options.h). On resume,
//   adopt_saved_arguments() fills fields that are not set from the checkpoint. resolve_arguments()
//   chooses defaults that depend on other options and checks all of them.
// Errors: Error{kUsage} whose place is the option in its `kebab_case` form.

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "spanforge/base/json.h"
#include "spanforge/base/options.h"
#include "spanforge/data/column_names.h"
#include "spanforge/evaluation/answer_settings.h"
#include "spanforge/features/feature_set.h"
#include "spanforge/train/schedule.h"

namespace spanforge {

// When something periodic happens. HF's IntervalStrategy and SaveStrategy.
enum class IntervalStrategy { kNo, kSteps, kEpoch };
constexpr auto spellings(IntervalStrategy) {
  return std::to_array<Spelling<IntervalStrategy>>({{"no", IntervalStrategy::kNo},
                                                    {"steps", IntervalStrategy::kSteps},
                                                    {"epoch", IntervalStrategy::kEpoch}});
}
enum class SaveStrategy { kNo, kSteps, kEpoch, kBest };
constexpr auto spellings(SaveStrategy) {
  return std::to_array<Spelling<SaveStrategy>>({{"no", SaveStrategy::kNo},
                                                {"steps", SaveStrategy::kSteps},
                                                {"epoch", SaveStrategy::kEpoch},
                                                {"best", SaveStrategy::kBest}});
}

// What the loss of a step with several micro-batches is the mean of.
enum class AccumulationMean { kHf, kExamples };
constexpr auto spellings(AccumulationMean) {
  return std::to_array<Spelling<AccumulationMean>>(
      {{"hf", AccumulationMean::kHf}, {"examples", AccumulationMean::kExamples}});
}

enum class OnNonFinite { kError, kSkip };
constexpr auto spellings(OnNonFinite) {
  return std::to_array<Spelling<OnNonFinite>>(
      {{"error", OnNonFinite::kError}, {"skip", OnNonFinite::kSkip}});
}

// The order in which an epoch visits the windows (train/data_order.h).
enum class WindowOrder { kShuffle, kHf, kSequential };
constexpr auto spellings(WindowOrder) {
  return std::to_array<Spelling<WindowOrder>>({{"shuffle", WindowOrder::kShuffle},
                                               {"hf", WindowOrder::kHf},
                                               {"sequential", WindowOrder::kSequential}});
}

enum class ReportTo { kNone, kTensorBoard };
constexpr auto spellings(ReportTo) {
  return std::to_array<Spelling<ReportTo>>(
      {{"none", ReportTo::kNone}, {"tensorboard", ReportTo::kTensorBoard}});
}

// The optimisers; each is a row in train/optimizer.cpp.
enum class OptimizerName { kAdamWTorchFused, kAdamWTorch, kAdafactor, kSgd };
constexpr auto spellings(OptimizerName) {
  return std::to_array<Spelling<OptimizerName>>(
      {{"adamw_torch_fused", OptimizerName::kAdamWTorchFused},
       {"adamw_torch", OptimizerName::kAdamWTorch},
       {"adafactor", OptimizerName::kAdafactor},
       {"sgd", OptimizerName::kSgd}});
}

struct TrainingArguments {
  // What to train on, and where the result goes.
  std::string model;                 // directory, or a name the caller's resolver knows
  std::filesystem::path train;       // training data
  std::filesystem::path validation;  // empty: no evaluation
  std::filesystem::path output;
  std::string columns, encoding;  // of the data (ReadOptions)

  // Windows and answers.
  std::optional<int32_t> max_seq_length;
  std::optional<int32_t> window_overlap;
  std::optional<int32_t> max_answer_length;
  Preset<BadAnswerPolicy> on_bad_answer = BadAnswerPolicy::kError;
  Preset<AutoBool> version_2_with_negative = AutoBool::kAuto;
  Preset<DecoderKind> decoder = DecoderKind::kSpanforge;

  // Optimisation.
  Preset<double> num_train_epochs = 3.0;
  Preset<int64_t> max_steps = -1;
  Preset<int64_t> per_device_train_batch_size = 8;
  Preset<int64_t> per_device_eval_batch_size = 8;
  std::optional<int64_t> max_tokens_per_batch;  // absent: only the number of windows limits a batch
  Preset<int64_t> gradient_accumulation_steps = 1;
  std::optional<int64_t> gradient_shards;  // default: the number of processes
  Preset<AccumulationMean> accumulation_mean = AccumulationMean::kHf;
  Preset<double> learning_rate = 5e-5;
  Preset<ScheduleKind> lr_scheduler_type = ScheduleKind::kLinear;
  Preset<double> warmup_steps = 0;  // below 1: share of all steps
  Preset<double> warmup_ratio = 0.0;
  Preset<OptimizerName> optim = OptimizerName::kAdamWTorchFused;
  Preset<double> weight_decay = 0.0;
  Preset<double> adam_beta1 = 0.9;
  Preset<double> adam_beta2 = 0.999;
  Preset<double> adam_epsilon = 1e-8;
  Preset<double> max_grad_norm = 1.0;
  std::vector<std::string> freeze;
  std::optional<int64_t> lora_rank;  // lora_*: default: those of the adapter to train, if any
  std::optional<double> lora_alpha, lora_dropout;
  std::vector<std::string> lora_target;
  Preset<OnNonFinite> on_nonfinite = OnNonFinite::kError;
  Preset<uint64_t> seed = 42;
  std::optional<uint64_t> data_seed;  // default: seed
  Preset<WindowOrder> data_order = WindowOrder::kShuffle;
  Preset<AutoBool> bf16 = AutoBool::kFalse;
  Preset<int32_t> threads = 0;

  // When to log, evaluate, save; what to keep.
  std::optional<IntervalStrategy> logging_strategy;
  Preset<double> logging_steps = 500;
  Preset<bool> logging_first_step = false;
  std::optional<IntervalStrategy> eval_strategy;
  std::optional<double> eval_steps;  // default: logging_steps
  std::optional<SaveStrategy> save_strategy;
  Preset<double> save_steps = 500;
  std::optional<int64_t> save_total_limit;
  Preset<bool> load_best_model_at_end = false;
  std::optional<std::string> metric_for_best_model;
  std::optional<bool> greater_is_better;
  std::optional<int64_t> early_stopping_patience;
  Preset<double> early_stopping_threshold = 0.0;
  Preset<ReportTo> report_to = ReportTo::kTensorBoard;
  std::filesystem::path logging_dir;  // default: OUTPUT/logs

  // This run.
  std::string resume_from_checkpoint;  // "", "last" or a directory
  std::vector<std::string> allow_changed;
  Preset<bool> overwrite = false;
  Preset<bool> hf_defaults = false;

  // The values of options that follow another option. The fields stay not set, so a resumed run
  // that changes the other option changes these, too.
  uint64_t data_seed_in_effect() const { return data_seed.value_or(seed); }
  double eval_steps_in_effect() const { return eval_steps.value_or(logging_steps); }
};

// True if both names mean the same optimiser, so that each reads the other's checkpoints.
bool same_optimizer(std::string_view one, std::string_view other);

// No run has more steps, and no counting option is larger.
inline constexpr double kMostSteps = 1e15;

// Calls visitor(OptionInfo{name, help, range, alias}, field) for each option, in the order of
// --help. Arguments is TrainingArguments, const or not.
template <class Arguments, class Visitor>
void visit_training_arguments(Arguments& a, Visitor&& v) {
  using I = OptionInfo;
  v(I{"model", "model to start from: a directory or a hub id", "", "model_name_or_path"}, a.model);
  v(I{"train", "training data: SQuAD JSON, JSON lines, a table, or an annotation tool's export", "",
      "train_file"},
    a.train);
  v(I{"validation", "data to evaluate on", "", "validation_file"}, a.validation);
  v(kColumnsOption, a.columns);
  v(kEncodingOption, a.encoding);
  v(I{"output", "directory for checkpoints, logs and trained/", "", "output_dir"}, a.output);

  v(I{"max_seq_length", "tokens of a window; default: what model and tokenizer allow, at most 384",
      ">= 8", "max_seq_len"},
    a.max_seq_length);
  v(I{"window_overlap",
      "context tokens that consecutive windows share; default: half a window, at most 128", ">= 0",
      "doc_stride,stride"},
    a.window_overlap);
  v(I{"max_answer_length",
      "tokens of the longest answer given; default: learnt from the training data", ">= 1",
      "max_answer_len"},
    a.max_answer_length);
  v(I{"on_bad_answer",
      "if a row cannot be read, or an answer is not where the data says: stop, or train without "
      "the question (validation still asks it, and scores it if the answer has a text)",
      ""},
    a.on_bad_answer);
  v(I{"version_2_with_negative",
      "whether questions may have no answer; auto: as in the training data", ""},
    a.version_2_with_negative);
  v(I{"decoder", "how evaluation turns logits into answers", ""}, a.decoder);

  v(I{"num_train_epochs", "passes over the training data, may be fractional", "> 0"},
    a.num_train_epochs);
  v(I{"max_steps", "total optimiser steps, instead of num_train_epochs; -1: not used", ">= -1"},
    a.max_steps);
  v(I{"per_device_train_batch_size", "windows of a micro-batch", ">= 1",
      "train_batch_size,per_gpu_train_batch_size"},
    a.per_device_train_batch_size);
  v(I{"per_device_eval_batch_size", "windows of an evaluation batch", ">= 1",
      "eval_batch_size,per_gpu_eval_batch_size"},
    a.per_device_eval_batch_size);
  v(I{"max_tokens_per_batch",
      "most tokens of a micro-batch or evaluation batch; default: no limit, in evaluation 16384",
      ">= 8"},
    a.max_tokens_per_batch);
  v(I{"gradient_accumulation_steps", "micro-batches of an optimiser step", ">= 1"},
    a.gradient_accumulation_steps);
  v(I{"gradient_shards",
      "parts of a micro-batch whose gradients are summed in a fixed order, each of "
      "per_device_train_batch_size windows: results are then equal for any number of processes; "
      "default: the number of processes",
      "1..65536"},
    a.gradient_shards);
  v(I{"accumulation_mean",
      "hf: mean of micro-batch means; examples: mean over all windows of the step", ""},
    a.accumulation_mean);
  v(I{"learning_rate", "the peak learning rate", ">= 0"}, a.learning_rate);
  v(I{"lr_scheduler_type", "schedule of the learning rate", ""}, a.lr_scheduler_type);
  v(I{"warmup_steps",
      "steps of linear warm-up; below 1: share of all steps; above 0: warmup_ratio is ignored",
      ">= 0"},
    a.warmup_steps);
  v(I{"warmup_ratio", "share of all steps that warm up; Transformers 5: warmup_steps", "0..1"},
    a.warmup_ratio);
  v(I{"optim", "optimiser, as HF's Trainer makes it; the first two are the same here", ""},
    a.optim);
  v(I{"weight_decay", "weight decay; never on biases and LayerNorm", ">= 0"}, a.weight_decay);
  v(I{"adam_beta1", "AdamW's beta1", "0..1"}, a.adam_beta1);
  v(I{"adam_beta2", "AdamW's beta2", "0..1"}, a.adam_beta2);
  v(I{"adam_epsilon", "AdamW's epsilon", ">= 0"}, a.adam_epsilon);
  v(I{"max_grad_norm", "gradients are clipped to this norm; 0: not clipped", ">= 0"},
    a.max_grad_norm);
  v(I{"freeze",
      "what does not learn: embeddings, encoder (all layers), layers:A-B (from 0, B included); "
      "repeat for more",
      ""},
    a.freeze);
  v(I{"lora_rank", "train LoRA adapters of this rank and the head, nothing else; 0: no adapters",
      ">= 0", "lora_r", "0"},
    a.lora_rank);
  v(I{"lora_alpha", "adapters are scaled by this divided by their rank", "> 0", "", "8"},
    a.lora_alpha);
  v(I{"lora_dropout", "dropout of the adapters' inputs", "0..1", "", "0"}, a.lora_dropout);
  v(I{"lora_target",
      "linear layers that have adapters, such as query or attention.output.dense, or all-linear; "
      "repeat for more; default: query and value",
      "", "lora_target_modules"},
    a.lora_target);
  v(I{"on_nonfinite", "if loss or gradient is NaN or Inf: stop, or skip the step", ""},
    a.on_nonfinite);
  v(I{"seed", "seed of dropout, of a new head and, without data_seed, of the data order", ">= 0"},
    a.seed);
  v(I{"data_seed", "seed of the data order; default: seed", ">= 0"}, a.data_seed);
  v(I{"data_order", "order of the windows: shuffled, as HF's Trainer shuffles, or the file's", ""},
    a.data_order);
  v(I{"bf16", "compute in bfloat16 with fp32 master weights; auto: if this CPU is faster with it",
      ""},
    a.bf16);
  v(I{"threads", "threads to compute with; 0: the cores this process may use", "0..4096"},
    a.threads);

  v(I{"logging_strategy", "when to log", "", "", "steps"}, a.logging_strategy);
  v(I{"logging_steps", "steps between logs; below 1: share of all steps", "> 0"}, a.logging_steps);
  v(I{"logging_first_step", "also log the first step", ""}, a.logging_first_step);
  v(I{"eval_strategy", "when to evaluate", "", "evaluation_strategy", "no"}, a.eval_strategy);
  v(I{"eval_steps",
      "steps between evaluations; below 1: share of all steps; default: logging_steps", "> 0"},
    a.eval_steps);
  v(I{"save_strategy", "when to save a checkpoint; best: whenever an evaluation is the best so far",
      "", "", "steps"},
    a.save_strategy);
  v(I{"save_steps", "steps between checkpoints; below 1: share of all steps", "> 0"}, a.save_steps);
  v(I{"save_total_limit", "checkpoints to keep; the best and the newest are always kept", ">= 1"},
    a.save_total_limit);
  v(I{"load_best_model_at_end", "trained/ holds the best checkpoint, not the last", ""},
    a.load_best_model_at_end);
  v(I{"metric_for_best_model",
      "metric that decides which model is best: loss, exact, f1, cmrc_f1, word_f1 ...", ""},
    a.metric_for_best_model);
  v(I{"greater_is_better",
      "whether more of that metric is better; default: true, unless it ends in loss", ""},
    a.greater_is_better);
  v(I{"early_stopping_patience", "evaluations without a better metric after which training stops",
      ">= 1"},
    a.early_stopping_patience);
  v(I{"early_stopping_threshold", "how much a metric must improve to count as better", ">= 0"},
    a.early_stopping_threshold);
  v(I{"report_to", "where scalars and texts are written", ""}, a.report_to);
  v(I{"logging_dir", "TensorBoard's directory; default: OUTPUT/logs", ""}, a.logging_dir);

  v(I{"resume_from_checkpoint", "last, or a checkpoint's directory (also HF's)", ""},
    a.resume_from_checkpoint);
  v(I{"allow_changed", "option that may differ from the resumed run's", ""}, a.allow_changed);
  v(I{"overwrite",
      "use an output that already holds a run, and remove its checkpoints (on resume: those after "
      "the one to resume from)",
      "", "overwrite_output_dir"},
    a.overwrite);
  v(I{"hf_defaults", "TrainingArguments' own defaults: log and save every 500 steps, no evaluation",
      ""},
    a.hf_defaults);
}

// True for --resume-from-checkpoint last, or HF's true.
bool resumes_from_last(const TrainingArguments& arguments);

// The options as in training_args.json: every option by its name, null if it is not set,
// without those of this run only (resume_from_checkpoint, allow_changed, overwrite), and without
// gradient_shards if it is 1.
Json arguments_json(const TrainingArguments& arguments);
// Reads what arguments_json() wrote and ignores unknown keys. Error{kBadModel, place} for a
// wrong type.
TrainingArguments arguments_from_json(const Json& json, const std::string& place);

// On resume: options that are not set take the saved values. If one is set and differs, throws
// Error{kUsage} naming both values, unless allow_changed names it. These may differ: output,
// logging_dir, report_to, threads, and the data files (their contents are compared instead).
void adopt_saved_arguments(TrainingArguments& arguments, const TrainingArguments& saved);

// Chooses defaults that depend on other options, and checks all options. Afterwards the three
// strategies are set, and also metric_for_best_model and greater_is_better if a best model is
// searched for. A strategy that is not set becomes steps if its number of steps is set; else, with
// validation (and not hf_defaults), epoch; else HF's default. Defaults that depend on the model or
// the data are chosen when those are read.
void resolve_arguments(TrainingArguments& arguments);

// "max_steps" -> "max-steps", the spelling of allow_changed on a command line.
std::string dashed_name(std::string name);

}  // namespace spanforge
