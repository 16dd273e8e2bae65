"""The arguments of spanforge.train(), from the program's option table. Made by tools/make_python_arguments.py."""

from __future__ import annotations

from os import PathLike
from typing import Any, Literal, TypedDict, Union

from spanforge.dataset import DataLike

PathText = Union[str, PathLike[str]]


class TrainingArguments(TypedDict, total=False):
    """The arguments of spanforge.train(). None: not set, so that the default counts.

    model: model to start from: a directory or a hub id (also model_name_or_path)
    train: training data: SQuAD JSON, JSON lines, a table, or an annotation tool's export (also train_file,
        train_dataset)
    validation: data to evaluate on (also validation_file, eval_dataset)
    columns: what the data's columns or keys are: question=q,context=text,answer=a
    encoding: the data's encoding, as GB18030, Big5 or windows-1252; default: recognised
    output: directory for checkpoints, logs and trained/ (also output_dir)
    max_seq_length: tokens of a window; default: what model and tokenizer allow, at most 384; >= 8 (also
        max_seq_len)
    window_overlap: context tokens that consecutive windows share; default: half a window, at most 128; >= 0 (also
        doc_stride, stride)
    max_answer_length: tokens of the longest answer given; default: learnt from the training data; >= 1 (also
        max_answer_len)
    on_bad_answer: if a row cannot be read, or an answer is not where the data says: stop, or train without the
        question (validation still asks it, and scores it if the answer has a text); error|drop [error]
    version_2_with_negative: whether questions may have no answer; auto: as in the training data; true|false|auto
        [auto]
    decoder: how evaluation turns logits into answers; spanforge|pipeline|run_qa|recipe [spanforge]
    num_train_epochs: passes over the training data, may be fractional; > 0 [3]
    max_steps: total optimiser steps, instead of num_train_epochs; -1: not used; >= -1 [-1]
    per_device_train_batch_size: windows of a micro-batch; >= 1 [8] (also train_batch_size,
        per_gpu_train_batch_size)
    per_device_eval_batch_size: windows of an evaluation batch; >= 1 [8] (also eval_batch_size,
        per_gpu_eval_batch_size)
    max_tokens_per_batch: most tokens of a micro-batch or evaluation batch; default: no limit, in evaluation 16384;
        >= 8
    gradient_accumulation_steps: micro-batches of an optimiser step; >= 1 [1]
    gradient_shards: parts of a micro-batch whose gradients are summed in a fixed order, each of
        per_device_train_batch_size windows: results are then equal for any number of processes; default: the number
        of processes; 1..65536
    accumulation_mean: hf: mean of micro-batch means; examples: mean over all windows of the step; hf|examples [hf]
    learning_rate: the peak learning rate; >= 0 [5e-05]
    lr_scheduler_type: schedule of the learning rate; linear|cosine|constant|constant_with_warmup|polynomial
        [linear]
    warmup_steps: steps of linear warm-up; below 1: share of all steps; above 0: warmup_ratio is ignored; >= 0 [0]
    warmup_ratio: share of all steps that warm up; Transformers 5: warmup_steps; 0..1 [0]
    optim: optimiser, as HF's Trainer makes it; the first two are the same here;
        adamw_torch_fused|adamw_torch|adafactor|sgd [adamw_torch_fused]
    weight_decay: weight decay; never on biases and LayerNorm; >= 0 [0]
    adam_beta1: AdamW's beta1; 0..1 [0.9]
    adam_beta2: AdamW's beta2; 0..1 [0.999]
    adam_epsilon: AdamW's epsilon; >= 0 [1e-08]
    max_grad_norm: gradients are clipped to this norm; 0: not clipped; >= 0 [1]
    freeze: what does not learn: embeddings, encoder (all layers), layers:A-B (from 0, B included); repeat for more
    lora_rank: train LoRA adapters of this rank and the head, nothing else; 0: no adapters; >= 0 [0] (also lora_r)
    lora_alpha: adapters are scaled by this divided by their rank; > 0 [8]
    lora_dropout: dropout of the adapters' inputs; 0..1 [0]
    lora_target: linear layers that have adapters, such as query or attention.output.dense, or all-linear; repeat
        for more; default: query and value (also lora_target_modules)
    on_nonfinite: if loss or gradient is NaN or Inf: stop, or skip the step; error|skip [error]
    seed: seed of dropout, of a new head and, without data_seed, of the data order; >= 0 [42]
    data_seed: seed of the data order; default: seed; >= 0
    data_order: order of the windows: shuffled, as HF's Trainer shuffles, or the file's; shuffle|hf|sequential
        [shuffle]
    bf16: compute in bfloat16 with fp32 master weights; auto: if this CPU is faster with it; true|false|auto [false]
    threads: threads to compute with; 0: the cores this process may use; 0..4096 [0]
    logging_strategy: when to log; no|steps|epoch [steps]
    logging_steps: steps between logs; below 1: share of all steps; > 0 [500]
    logging_first_step: also log the first step [false]
    eval_strategy: when to evaluate; no|steps|epoch [no] (also evaluation_strategy)
    eval_steps: steps between evaluations; below 1: share of all steps; default: logging_steps; > 0
    save_strategy: when to save a checkpoint; best: whenever an evaluation is the best so far; no|steps|epoch|best
        [steps]
    save_steps: steps between checkpoints; below 1: share of all steps; > 0 [500]
    save_total_limit: checkpoints to keep; the best and the newest are always kept; >= 1
    load_best_model_at_end: trained/ holds the best checkpoint, not the last [false]
    metric_for_best_model: metric that decides which model is best: loss, exact, f1, cmrc_f1, word_f1 ...
    greater_is_better: whether more of that metric is better; default: true, unless it ends in loss
    early_stopping_patience: evaluations without a better metric after which training stops; >= 1
    early_stopping_threshold: how much a metric must improve to count as better; >= 0 [0]
    report_to: where scalars and texts are written; none|tensorboard [tensorboard]
    logging_dir: TensorBoard's directory; default: OUTPUT/logs
    resume_from_checkpoint: last, or a checkpoint's directory (also HF's)
    allow_changed: option that may differ from the resumed run's
    overwrite: use an output that already holds a run, and remove its checkpoints (on resume: those after the one to
        resume from) [false] (also overwrite_output_dir)
    hf_defaults: TrainingArguments' own defaults: log and save every 500 steps, no evaluation [false]

    Transformers' other arguments are accepted where they ask for what is done here anyway.
    """

    model: Union[PathText, None]
    model_name_or_path: Union[PathText, None]
    train: DataLike
    train_file: DataLike
    train_dataset: DataLike
    validation: DataLike
    validation_file: DataLike
    eval_dataset: DataLike
    columns: Union[str, None]
    encoding: Union[str, None]
    output: Union[PathText, None]
    output_dir: Union[PathText, None]
    max_seq_length: Union[int, None]
    max_seq_len: Union[int, None]
    window_overlap: Union[int, None]
    doc_stride: Union[int, None]
    stride: Union[int, None]
    max_answer_length: Union[int, None]
    max_answer_len: Union[int, None]
    on_bad_answer: Union[Literal["error", "drop"], None]
    version_2_with_negative: Union[bool, Literal["auto"], None]
    decoder: Union[Literal["spanforge", "pipeline", "run_qa", "recipe"], None]
    num_train_epochs: Union[float, None]
    max_steps: Union[int, None]
    per_device_train_batch_size: Union[int, None]
    train_batch_size: Union[int, None]
    per_gpu_train_batch_size: Union[int, None]
    per_device_eval_batch_size: Union[int, None]
    eval_batch_size: Union[int, None]
    per_gpu_eval_batch_size: Union[int, None]
    max_tokens_per_batch: Union[int, None]
    gradient_accumulation_steps: Union[int, None]
    gradient_shards: Union[int, None]
    accumulation_mean: Union[Literal["hf", "examples"], None]
    learning_rate: Union[float, None]
    lr_scheduler_type: Union[Literal["linear", "cosine", "constant", "constant_with_warmup", "polynomial"], None]
    warmup_steps: Union[float, None]
    warmup_ratio: Union[float, None]
    optim: Union[Literal["adamw_torch_fused", "adamw_torch", "adafactor", "sgd"], None]
    weight_decay: Union[float, None]
    adam_beta1: Union[float, None]
    adam_beta2: Union[float, None]
    adam_epsilon: Union[float, None]
    max_grad_norm: Union[float, None]
    freeze: Union[str, list[str], None]
    lora_rank: Union[int, None]
    lora_r: Union[int, None]
    lora_alpha: Union[float, None]
    lora_dropout: Union[float, None]
    lora_target: Union[str, list[str], None]
    lora_target_modules: Union[str, list[str], None]
    on_nonfinite: Union[Literal["error", "skip"], None]
    seed: Union[int, None]
    data_seed: Union[int, None]
    data_order: Union[Literal["shuffle", "hf", "sequential"], None]
    bf16: Union[bool, Literal["auto"], None]
    threads: Union[int, None]
    logging_strategy: Union[Literal["no", "steps", "epoch"], None]
    logging_steps: Union[float, None]
    logging_first_step: Union[bool, None]
    eval_strategy: Union[Literal["no", "steps", "epoch"], None]
    evaluation_strategy: Union[Literal["no", "steps", "epoch"], None]
    eval_steps: Union[float, None]
    save_strategy: Union[Literal["no", "steps", "epoch", "best"], None]
    save_steps: Union[float, None]
    save_total_limit: Union[int, None]
    load_best_model_at_end: Union[bool, None]
    metric_for_best_model: Union[str, None]
    greater_is_better: Union[bool, None]
    early_stopping_patience: Union[int, None]
    early_stopping_threshold: Union[float, None]
    report_to: Union[Literal["none", "tensorboard"], None]
    logging_dir: Union[PathText, None]
    resume_from_checkpoint: Union[str, None]
    allow_changed: Union[str, list[str], None]
    overwrite: Union[bool, None]
    overwrite_output_dir: Union[bool, None]
    hf_defaults: Union[bool, None]
    no_cuda: Any
    use_cpu: Any
    use_mps_device: Any
    use_ipex: Any
    tf32: Any
    torch_empty_cache_steps: Any
    tpu_num_cores: Any
    tpu_metrics_debug: Any
    fp16: Any
    fp16_full_eval: Any
    bf16_full_eval: Any
    fp16_opt_level: Any
    fp16_backend: Any
    half_precision_backend: Any
    jit_mode_eval: Any
    torch_compile: Any
    torch_compile_backend: Any
    torch_compile_mode: Any
    torchdynamo: Any
    use_liger_kernel: Any
    liger_kernel_config: Any
    gradient_checkpointing: Any
    gradient_checkpointing_kwargs: Any
    activation_checkpointing: Any
    activation_checkpointing_kwargs: Any
    auto_find_batch_size: Any
    use_cache: Any
    full_determinism: Any
    optim_args: Any
    optim_target_modules: Any
    adafactor: Any
    lr_scheduler_kwargs: Any
    label_smoothing_factor: Any
    neftune_noise_alpha: Any
    past_index: Any
    train_sampling_strategy: Any
    group_by_length: Any
    length_column_name: Any
    remove_unused_columns: Any
    label_names: Any
    dataloader_drop_last: Any
    dataloader_num_workers: Any
    dataloader_pin_memory: Any
    dataloader_persistent_workers: Any
    dataloader_prefetch_factor: Any
    dataloader_multiprocessing_context: Any
    dataloader_in_order: Any
    ignore_data_skip: Any
    log_level: Any
    log_level_replica: Any
    log_on_each_node: Any
    logging_nan_inf_filter: Any
    include_num_input_tokens_seen: Any
    include_tokens_per_second: Any
    skip_memory_metrics: Any
    debug: Any
    run_name: Any
    project: Any
    trackio_space_id: Any
    trackio_bucket_id: Any
    trackio_static_space_id: Any
    eval_delay: Any
    eval_on_start: Any
    eval_accumulation_steps: Any
    eval_do_concat_batches: Any
    eval_use_gather_object: Any
    prediction_loss_only: Any
    include_for_metrics: Any
    include_inputs_for_metrics: Any
    batch_eval_metrics: Any
    use_legacy_prediction_loop: Any
    do_train: Any
    do_eval: Any
    do_predict: Any
    save_safetensors: Any
    save_only_model: Any
    save_on_each_node: Any
    enable_jit_checkpoint: Any
    restore_callback_states_from_checkpoint: Any
    push_to_hub: Any
    push_to_hub_model_id: Any
    push_to_hub_organization: Any
    push_to_hub_token: Any
    hub_model_id: Any
    hub_strategy: Any
    hub_token: Any
    hub_private_repo: Any
    hub_always_push: Any
    hub_revision: Any
    local_rank: Any
    average_tokens_across_devices: Any
    ddp_backend: Any
    ddp_timeout: Any
    ddp_bucket_cap_mb: Any
    ddp_find_unused_parameters: Any
    ddp_broadcast_buffers: Any
    ddp_static_graph: Any
    fsdp: Any
    fsdp_config: Any
    fsdp_min_num_params: Any
    fsdp_transformer_layer_cls_to_wrap: Any
    deepspeed: Any
    accelerator_config: Any
    parallelism_config: Any
    mp_parameters: Any
    ray_scope: Any
