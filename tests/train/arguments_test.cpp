#include "spanforge/train/arguments.h"

#include <limits>
#include <set>
#include <sstream>

#include "spanforge/train/foreign_arguments.h"
#include "train/fixture.h"

namespace spanforge {
namespace {

using testing::expect_error;

TrainingArguments minimal() {
  TrainingArguments a;
  a.model = "m";
  a.train = "t.json";
  a.output = "o";
  return a;
}

std::string refused_parameter(TrainingArguments a) {
  return expect_error(ErrorCode::kUsage, [&] { resolve_arguments(a); }).parameter();
}

constexpr const char* kTransformersNames =
    "accelerator_config activation_checkpointing activation_checkpointing_kwargs "
    "adafactor adam_beta1 adam_beta2 adam_epsilon auto_find_batch_size "
    "average_tokens_across_devices batch_eval_metrics bf16 bf16_full_eval data_seed "
    "dataloader_drop_last dataloader_in_order dataloader_multiprocessing_context "
    "dataloader_num_workers dataloader_persistent_workers dataloader_pin_memory "
    "dataloader_prefetch_factor ddp_backend ddp_broadcast_buffers ddp_bucket_cap_mb "
    "ddp_find_unused_parameters ddp_static_graph ddp_timeout debug deepspeed disable_tqdm "
    "do_eval do_predict do_train enable_jit_checkpoint eval_accumulation_steps eval_delay "
    "eval_do_concat_batches eval_on_start eval_steps eval_strategy eval_use_gather_object "
    "fp16 fp16_backend fp16_full_eval fp16_opt_level fsdp fsdp_config fsdp_min_num_params "
    "fsdp_transformer_layer_cls_to_wrap full_determinism gradient_accumulation_steps "
    "gradient_checkpointing gradient_checkpointing_kwargs greater_is_better "
    "group_by_length half_precision_backend hub_always_push hub_model_id hub_private_repo "
    "hub_revision hub_strategy hub_token ignore_data_skip include_for_metrics "
    "include_inputs_for_metrics include_num_input_tokens_seen include_tokens_per_second "
    "jit_mode_eval label_names label_smoothing_factor learning_rate length_column_name "
    "liger_kernel_config load_best_model_at_end local_rank log_level log_level_replica "
    "log_on_each_node logging_dir logging_first_step logging_nan_inf_filter logging_steps "
    "logging_strategy lr_scheduler_kwargs lr_scheduler_type max_grad_norm max_steps "
    "metric_for_best_model mp_parameters neftune_noise_alpha no_cuda num_train_epochs "
    "optim optim_args optim_target_modules output_dir overwrite_output_dir "
    "parallelism_config past_index per_device_eval_batch_size per_device_train_batch_size "
    "per_gpu_eval_batch_size per_gpu_train_batch_size prediction_loss_only project "
    "push_to_hub push_to_hub_model_id push_to_hub_organization push_to_hub_token "
    "ray_scope remove_unused_columns report_to restore_callback_states_from_checkpoint "
    "resume_from_checkpoint run_name save_on_each_node save_only_model save_safetensors "
    "save_steps save_strategy save_total_limit seed skip_memory_metrics tf32 "
    "torch_compile torch_compile_backend torch_compile_mode torch_empty_cache_steps "
    "torchdynamo tpu_metrics_debug tpu_num_cores trackio_bucket_id trackio_space_id "
    "trackio_static_space_id train_sampling_strategy use_cache use_cpu "
    "use_legacy_prediction_loop use_liger_kernel use_mps_device warmup_ratio warmup_steps "
    "weight_decay ";

TEST(Arguments, AreHfsDefaultsWithoutValidation) {
  TrainingArguments a = minimal();
  resolve_arguments(a);
  EXPECT_EQ(a.logging_strategy, IntervalStrategy::kSteps);
  EXPECT_EQ(a.logging_steps, 500);
  EXPECT_EQ(a.eval_strategy, IntervalStrategy::kNo);
  EXPECT_EQ(a.save_strategy, SaveStrategy::kSteps);
  EXPECT_EQ(a.learning_rate, 5e-5);
}

TEST(Arguments, FollowTheRecipeWithValidation) {
  TrainingArguments a = minimal();
  a.validation = "v.json";
  resolve_arguments(a);
  EXPECT_EQ(a.logging_strategy, IntervalStrategy::kEpoch);
  EXPECT_EQ(a.eval_strategy, IntervalStrategy::kEpoch);
  EXPECT_EQ(a.save_strategy, SaveStrategy::kEpoch);
}

TEST(Arguments, HfDefaultsSwitchesTheRecipeOff) {
  TrainingArguments a = minimal();
  a.validation = "v.json";
  a.hf_defaults = true;
  resolve_arguments(a);
  EXPECT_EQ(a.eval_strategy, IntervalStrategy::kNo);
  EXPECT_EQ(a.save_strategy, SaveStrategy::kSteps);
}

TEST(Arguments, GivenStepsMeanTheStepsStrategy) {
  TrainingArguments a = minimal();
  a.validation = "v.json";
  a.eval_steps = 5.0;
  resolve_arguments(a);
  EXPECT_EQ(a.eval_strategy, IntervalStrategy::kSteps);
  EXPECT_EQ(a.logging_strategy, IntervalStrategy::kEpoch);
}

// With validation data, the recipe has other defaults.
TEST(Arguments, SettingAFieldIsEnough) {
  const auto resolved = [](const auto& set) {
    TrainingArguments a = minimal();
    a.validation = "v.json";
    set(a);
    resolve_arguments(a);
    return a;
  };
  using A = TrainingArguments;
  EXPECT_EQ(resolved([](A& a) { a.save_strategy = SaveStrategy::kNo; }).save_strategy,
            SaveStrategy::kNo);
  EXPECT_EQ(resolved([](A& a) { a.save_steps = 500; }).save_strategy, SaveStrategy::kSteps)
      << "even to its default";
  EXPECT_EQ(resolved([](A& a) { a.logging_strategy = IntervalStrategy::kNo; }).logging_strategy,
            IntervalStrategy::kNo);
  EXPECT_EQ(resolved([](A& a) { a.logging_steps = 10; }).logging_strategy,
            IntervalStrategy::kSteps);
  EXPECT_EQ(resolved([](A& a) { a.eval_strategy = IntervalStrategy::kNo; }).eval_strategy,
            IntervalStrategy::kNo);
  const A steps = resolved([](A& a) { a.eval_strategy = IntervalStrategy::kSteps; });
  EXPECT_EQ(steps.eval_steps_in_effect(), 500) << "follows logging_steps";
  EXPECT_EQ(resolved([](A& a) { a.eval_steps = 7; }).eval_steps_in_effect(), 7);
  EXPECT_EQ(resolved([](A& a) { a.seed = 5; }).data_seed_in_effect(), 5u);
  EXPECT_EQ(resolved([](A& a) { a.seed = 5, a.data_seed = 6; }).data_seed_in_effect(), 6u);
  const A best = resolved([](A& a) { a.load_best_model_at_end = true; });
  EXPECT_EQ(best.metric_for_best_model, "loss");
  EXPECT_EQ(best.greater_is_better, false);
  const A by_f1 = resolved([](A& a) { a.metric_for_best_model = "f1"; });
  EXPECT_EQ(by_f1.greater_is_better, true);
  const A least =
      resolved([](A& a) { a.metric_for_best_model = "f1", a.greater_is_better = false; });
  EXPECT_EQ(least.greater_is_better, false);
  const A plain = resolved([](A&) {});
  EXPECT_EQ(plain.metric_for_best_model, std::nullopt) << "no best model is looked for";
}

TEST(Arguments, RefuseWhatIsOutOfRangeNamingTheOption) {
  struct Case {
    const char* flag;
    void (*set)(TrainingArguments&);
  };
  const Case cases[] = {
      {"learning_rate", [](TrainingArguments& a) { a.learning_rate = -1; }},
      {"learning_rate",
       [](TrainingArguments& a) { a.learning_rate = std::numeric_limits<double>::quiet_NaN(); }},
      {"per_device_train_batch_size",
       [](TrainingArguments& a) { a.per_device_train_batch_size = 0; }},
      {"num_train_epochs", [](TrainingArguments& a) { a.num_train_epochs = 0; }},
      {"max_steps", [](TrainingArguments& a) { a.max_steps = -2; }},
      {"max_steps", [](TrainingArguments& a) { a.max_steps = 0; }},
      {"adam_beta1", [](TrainingArguments& a) { a.adam_beta1 = 1; }},
      {"warmup_ratio", [](TrainingArguments& a) { a.warmup_ratio = 1.5; }},
      {"warmup_steps", [](TrainingArguments& a) { a.warmup_steps = 1.5; }},
      {"warmup_steps", [](TrainingArguments& a) { a.warmup_steps = -0.1; }},
      {"warmup_steps", [](TrainingArguments& a) { a.warmup_steps = 1e300; }},
      {"lr_scheduler_type",
       [](TrainingArguments& a) { a.lr_scheduler_type = static_cast<ScheduleKind>(99); }},
      {"on_bad_answer",
       [](TrainingArguments& a) { a.on_bad_answer = BadAnswerPolicy::kKeepUnlabelled; }},
      {"save_steps", [](TrainingArguments& a) { a.save_steps = 2.5; }},
      {"eval_strategy", [](TrainingArguments& a) { a.eval_strategy = IntervalStrategy::kEpoch; }},
      {"save_total_limit", [](TrainingArguments& a) { a.save_total_limit = 0; }},
      {"load_best_model_at_end", [](TrainingArguments& a) { a.load_best_model_at_end = true; }},
      {"early_stopping_patience", [](TrainingArguments& a) { a.early_stopping_patience = 2; }},
      {"allow_changed", [](TrainingArguments& a) { a.allow_changed = {"sead"}; }},
      {"metric_for_best_model", [](TrainingArguments& a) { a.metric_for_best_model = "f2"; }},
      {"metric_for_best_model", [](TrainingArguments& a) { a.metric_for_best_model = "f2"; }},
      {"model", [](TrainingArguments& a) { a.model.clear(); }},
      {"overwrite",
       [](TrainingArguments& a) { a.overwrite = true, a.resume_from_checkpoint = "last"; }},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.flag);
    TrainingArguments a = minimal();
    c.set(a);
    EXPECT_EQ(refused_parameter(a), c.flag);
  }
}

TEST(Arguments, LoadBestNeedsMatchingStrategies) {
  TrainingArguments a = minimal();
  a.validation = "v.json";
  a.load_best_model_at_end = true;
  a.save_strategy = SaveStrategy::kSteps;
  EXPECT_EQ(refused_parameter(a), "load_best_model_at_end");
  a.eval_strategy = IntervalStrategy::kSteps;
  a.eval_steps = 4;
  a.save_steps = 6;
  EXPECT_EQ(refused_parameter(a), "save_steps");
  a.save_steps = 8;
  resolve_arguments(a);
  EXPECT_EQ(a.metric_for_best_model, "loss");
  EXPECT_EQ(a.greater_is_better, false);
}

TEST(Arguments, ComeBackFromTheirJson) {
  TrainingArguments a = minimal();
  a.learning_rate = 3.3e-5;
  a.seed = std::numeric_limits<uint64_t>::max();
  a.eval_steps = 0.25;
  a.metric_for_best_model = "f1";
  a.resume_from_checkpoint = "last";
  const Json json = arguments_json(a);
  EXPECT_FALSE(json.contains("resume_from_checkpoint"));
  const TrainingArguments b =
      arguments_from_json(parse_json(dump_python_json(json), "x", ErrorCode::kBadModel), "x");
  EXPECT_EQ(arguments_json(b), json);
  const Error error = expect_error(ErrorCode::kBadModel, [] {
    arguments_from_json({{"seed", "many"}}, "args.json");
  });
  EXPECT_EQ(error.file(), "args.json");
  const Error word = expect_error(ErrorCode::kBadModel, [] {
    arguments_from_json({{"save_strategy", "often"}}, "args.json");
  });
  EXPECT_NE(word.reason().find("one of no, steps, epoch, best"), std::string::npos)
      << word.reason();
}

TEST(AdoptSavedArguments, SavedOnesHoldWhereNothingIsGiven) {
  TrainingArguments saved = minimal();
  saved.learning_rate = 1e-3;
  saved.logging_strategy = IntervalStrategy::kNo;
  TrainingArguments a;
  a.validation = "v.json";
  a.output = "elsewhere";
  a.resume_from_checkpoint = "last";
  adopt_saved_arguments(a, saved);
  resolve_arguments(a);
  EXPECT_EQ(a.model, "m");
  EXPECT_EQ(a.output, "elsewhere");
  EXPECT_EQ(a.learning_rate, 1e-3);
  EXPECT_EQ(a.logging_strategy, IntervalStrategy::kNo)
      << "a default must not replace what was settled";
  EXPECT_EQ(a.resume_from_checkpoint, "last");
}

TEST(AdoptSavedArguments, RefusesAGivenDifferenceUnlessAllowed) {
  const TrainingArguments saved = minimal();
  TrainingArguments a = minimal();
  a.seed = 7;
  const Error error = expect_error(ErrorCode::kUsage, [&] {
    TrainingArguments copy = a;
    adopt_saved_arguments(copy, saved);
  });
  EXPECT_EQ(error.parameter(), "seed");
  EXPECT_NE(error.reason().find("42"), std::string::npos) << error.reason();
  a.allow_changed = {"seed"};
  adopt_saved_arguments(a, saved);
  EXPECT_EQ(a.seed, 7u);
}

// A field that was set to its default counts as set.
TEST(AdoptSavedArguments, RefusesADefaultThatIsAskedFor) {
  TrainingArguments saved = minimal();
  saved.seed = 7;
  saved.save_strategy = SaveStrategy::kNo;
  TrainingArguments a = minimal();
  a.seed = 42;
  const auto adopt = [&] { adopt_saved_arguments(a, saved); };
  EXPECT_EQ(expect_error(ErrorCode::kUsage, adopt).parameter(), "seed");
  a = minimal();
  a.save_strategy = SaveStrategy::kSteps;
  EXPECT_EQ(expect_error(ErrorCode::kUsage, adopt).parameter(), "save_strategy");
}

TEST(AdoptSavedArguments, SameValueGivenIsNoDifference) {
  TrainingArguments saved = minimal();
  saved.seed = 7;
  TrainingArguments a = minimal();
  a.seed = 7;
  a.threads = 2;
  EXPECT_NO_THROW(adopt_saved_arguments(a, saved));
}

// A name is an option, an alias of one, or a row of foreign_arguments(), but never two of these.
TEST(ForeignArguments, AreNamesThatNoOptionHas) {
  std::set<std::string> names;
  TrainingArguments arguments;
  visit_training_arguments(arguments, [&](const OptionInfo& info, const auto&) {
    names.insert(std::string(info.name));
    std::istringstream aliases{std::string(info.alias)};
    for (std::string alias; std::getline(aliases, alias, ',');) {
      EXPECT_TRUE(names.insert(alias).second) << alias;
    }
  });
  for (const ForeignOption& foreign : foreign_arguments()) {
    EXPECT_TRUE(names.insert(std::string(foreign.name)).second) << foreign.name;
    EXPECT_FALSE(foreign.why.empty()) << foreign.name;
  }
}

// Every name of TrainingArguments in Transformers 4.57.6 and 5.24.0.
TEST(ForeignArguments, KnowEveryNameOfTrainingArguments) {
  std::set<std::string> known;
  TrainingArguments arguments;
  visit_training_arguments(arguments, [&](const OptionInfo& info, const auto&) {
    known.insert(std::string(info.name));
    std::istringstream aliases{std::string(info.alias)};
    for (std::string alias; std::getline(aliases, alias, ',');) known.insert(alias);
  });
  for (const ForeignOption& foreign : foreign_arguments()) known.insert(std::string(foreign.name));
  known.insert("disable_tqdm");  // an option of the program
  std::istringstream names(kTransformersNames);
  int count = 0;
  for (std::string name; names >> name; ++count) EXPECT_TRUE(known.contains(name)) << name;
  EXPECT_GT(count, 120);
}

}  // namespace
}  // namespace spanforge
