#include "spanforge/train/foreign_arguments.h"

namespace spanforge {
namespace {

constexpr std::string_view kAny = "*";
constexpr std::string_view kNone = "";
constexpr bool kYesNo = true;

constexpr const char* kCpu = "training runs on CPUs";
constexpr const char* kFp16 = "fp16 is not supported; `bf16` is";
constexpr const char* kOne = "training runs in one process";
constexpr const char* kCompile = "there is no PyTorch to compile";
constexpr const char* kMemory = "activations are always kept";
constexpr const char* kUpload = "nothing is uploaded; `output` holds the model";
constexpr const char* kMetrics = "the metrics are those of docs/metrics.md";
constexpr const char* kLoader = "batches are made from memory";
constexpr const char* kOptimizer = "the optimizers of `optim` take no arguments";

constexpr ForeignOption kRows[] = {
    // Device and precision.
    {"no_cuda", kAny, kCpu, kYesNo},
    {"use_cpu", kAny, kCpu, kYesNo},
    {"use_mps_device", "false", kCpu, kYesNo},
    {"use_ipex", "false", kCpu, kYesNo},
    {"tf32", "false", kCpu, kYesNo},
    {"torch_empty_cache_steps", kAny, kCpu},
    {"tpu_num_cores", kNone, kCpu},
    {"tpu_metrics_debug", "false", kCpu, kYesNo},
    {"fp16", "false", kFp16, kYesNo},
    {"fp16_full_eval", "false", kFp16, kYesNo},
    {"bf16_full_eval", "false", "evaluation has the precision of training; see `bf16`", kYesNo},
    {"fp16_opt_level", kAny, kFp16},
    {"fp16_backend", kAny, kFp16},
    {"half_precision_backend", kAny, kFp16},
    {"jit_mode_eval", "false", kCompile, kYesNo},
    {"torch_compile", "false", kCompile, kYesNo},
    {"torch_compile_backend", kNone, kCompile},
    {"torch_compile_mode", kNone, kCompile},
    {"torchdynamo", kNone, kCompile},
    {"use_liger_kernel", "false", kCompile, kYesNo},
    {"liger_kernel_config", kNone, kCompile},
    {"gradient_checkpointing", "false", kMemory, kYesNo},
    {"gradient_checkpointing_kwargs", kNone, kMemory},
    {"activation_checkpointing", "false", kMemory, kYesNo},
    {"activation_checkpointing_kwargs", kNone, kMemory},
    {"auto_find_batch_size", "false", "`max_tokens_per_batch` limits the memory", kYesNo},
    {"use_cache", "false", "encoders have no cache", kYesNo},
    {"full_determinism", kAny, "a run is deterministic", kYesNo},

    // Optimisation.
    {"optim_args", kNone, kOptimizer},
    {"optim_target_modules", kNone, kOptimizer},
    {"adafactor", "false", "`optim` adafactor selects it", kYesNo},
    {"lr_scheduler_kwargs", "{}", "schedules have Transformers' defaults"},
    {"label_smoothing_factor", "0|0.0", "the loss is the cross-entropy"},
    {"neftune_noise_alpha", kNone, "no noise is added"},
    {"past_index", "-1", "encoders have no past"},

    // Data.
    {"train_sampling_strategy", "random", "`data_order` shuffle, hf or sequential sets the order"},
    {"group_by_length", "false", "there is no padding to save", kYesNo},
    {"length_column_name", kAny, "there is no padding to save"},
    {"remove_unused_columns", kAny, "columns that are not needed are not kept", kYesNo},
    {"label_names", kNone, "the labels are start_positions and end_positions"},
    {"dataloader_drop_last", "false", "every window is trained on", kYesNo},
    {"dataloader_num_workers", kAny, kLoader},
    {"dataloader_pin_memory", kAny, kLoader, kYesNo},
    {"dataloader_persistent_workers", kAny, kLoader, kYesNo},
    {"dataloader_prefetch_factor", kAny, kLoader},
    {"dataloader_multiprocessing_context", kAny, kLoader},
    {"dataloader_in_order", kAny, kLoader, kYesNo},
    {"ignore_data_skip", "false", "a resumed run goes on where it stopped", kYesNo},

    // Logs and evaluations.
    {"log_level", "passive", "notices have no levels"},
    {"log_level_replica", kAny, kOne},
    {"log_on_each_node", kAny, kOne, kYesNo},
    {"logging_nan_inf_filter", kAny, "`on_nonfinite` decides", kYesNo},
    {"include_num_input_tokens_seen", "false|no", "tokens are not counted"},
    {"include_tokens_per_second", "false", "tokens are not counted", kYesNo},
    {"skip_memory_metrics", "true", "memory is not measured", kYesNo},
    {"debug", kNone, "`on_nonfinite` stops at NaN and Inf"},
    {"run_name", kAny, "TensorBoard runs have no names; see `logging_dir`"},
    {"project", kAny, "nothing is reported to a service"},
    {"trackio_space_id", kAny, "nothing is reported to a service"},
    {"trackio_bucket_id", kAny, "nothing is reported to a service"},
    {"trackio_static_space_id", kAny, "nothing is reported to a service"},
    {"eval_delay", "0|0.0", "evaluations are not delayed"},
    {"eval_on_start", "false", "spanforge evaluate evaluates the model before training", kYesNo},
    {"eval_accumulation_steps", kAny, kCpu},
    {"eval_do_concat_batches", "true", kMetrics, kYesNo},
    {"eval_use_gather_object", "false", kOne, kYesNo},
    {"prediction_loss_only", "false", kMetrics, kYesNo},
    {"include_for_metrics", kNone, kMetrics},
    {"include_inputs_for_metrics", "false", kMetrics, kYesNo},
    {"batch_eval_metrics", "false", kMetrics, kYesNo},
    {"use_legacy_prediction_loop", "false", kMetrics, kYesNo},
    {"do_train", "true", "spanforge evaluate evaluates without training", kYesNo},
    {"do_eval", kAny, "`eval_strategy` decides", kYesNo},
    {"do_predict", "false", "spanforge ask and evaluate answer", kYesNo},

    // Saving.
    {"save_safetensors", "true", "weights are safetensors", kYesNo},
    {"save_only_model", "false", "a checkpoint always holds the whole state", kYesNo},
    {"save_on_each_node", kAny, kOne, kYesNo},
    {"enable_jit_checkpoint", kAny, "a stop signal always saves the state", kYesNo},
    {"restore_callback_states_from_checkpoint", kAny, "states are always restored", kYesNo},
    {"push_to_hub", "false", kUpload, kYesNo},
    {"push_to_hub_model_id", kAny, kUpload},
    {"push_to_hub_organization", kAny, kUpload},
    {"push_to_hub_token", kAny, kUpload},
    {"hub_model_id", kAny, kUpload},
    {"hub_strategy", kAny, kUpload},
    {"hub_token", kAny, kUpload},
    {"hub_private_repo", kAny, kUpload, kYesNo},
    {"hub_always_push", kAny, kUpload, kYesNo},
    {"hub_revision", kAny, kUpload},

    // Several processes.
    {"local_rank", "-1|0", kOne},
    {"average_tokens_across_devices", kAny, kOne, kYesNo},
    {"ddp_backend", kAny, kOne},
    {"ddp_timeout", kAny, kOne},
    {"ddp_bucket_cap_mb", kAny, kOne},
    {"ddp_find_unused_parameters", kAny, kOne, kYesNo},
    {"ddp_broadcast_buffers", kAny, kOne, kYesNo},
    {"ddp_static_graph", kAny, kOne, kYesNo},
    {"fsdp", kNone, kOne},
    {"fsdp_config", kNone, kOne},
    {"fsdp_min_num_params", "0", kOne},
    {"fsdp_transformer_layer_cls_to_wrap", kNone, kOne},
    {"deepspeed", kNone, kOne},
    {"accelerator_config", kNone, kOne},
    {"parallelism_config", kNone, kOne},
    {"mp_parameters", kNone, kOne},
    {"ray_scope", kAny, "there is no search for options"},
};

}  // namespace

std::span<const ForeignOption> foreign_arguments() { return kRows; }

}  // namespace spanforge
