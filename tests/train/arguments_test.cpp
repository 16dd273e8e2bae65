#include "spanforge/train/arguments.h"

#include <limits>

#include "train/fixture.h"

namespace spanforge {
namespace {

using testing::expect_error;
using testing::give;

TrainingArguments minimal() {
  TrainingArguments a;
  a.model = "m";
  a.train = "t.json";
  a.output = "o";
  a.given = {"model", "train", "output"};
  return a;
}

std::string place_of_refusal(TrainingArguments a) {
  return expect_error(ErrorCode::kUsage, [&] { resolve_arguments(a); }).place();
}

TEST(Arguments, AreHfsDefaultsWithoutValidation) {
  TrainingArguments a = minimal();
  resolve_arguments(a);
  EXPECT_EQ(a.logging_strategy, "steps");
  EXPECT_EQ(a.logging_steps, 500);
  EXPECT_EQ(a.eval_strategy, "no");
  EXPECT_EQ(a.save_strategy, "steps");
  EXPECT_EQ(a.learning_rate, 5e-5);
}

TEST(Arguments, FollowTheRecipeWithValidation) {
  TrainingArguments a = minimal();
  a.validation = "v.json";
  resolve_arguments(a);
  EXPECT_EQ(a.logging_strategy, "epoch");
  EXPECT_EQ(a.eval_strategy, "epoch");
  EXPECT_EQ(a.save_strategy, "epoch");
}

TEST(Arguments, HfDefaultsSwitchesTheRecipeOff) {
  TrainingArguments a = minimal();
  a.validation = "v.json";
  a.hf_defaults = true;
  resolve_arguments(a);
  EXPECT_EQ(a.eval_strategy, "no");
  EXPECT_EQ(a.save_strategy, "steps");
}

TEST(Arguments, GivenStepsMeanTheStepsStrategy) {
  TrainingArguments a = minimal();
  a.validation = "v.json";
  give(a, "eval_steps", a.eval_steps, 5.0);
  resolve_arguments(a);
  EXPECT_EQ(a.eval_strategy, "steps");
  EXPECT_EQ(a.logging_strategy, "epoch");
}

TEST(Arguments, RefuseWhatIsOutOfRangeNamingTheOption) {
  struct Case {
    const char* flag;
    void (*set)(TrainingArguments&);
  };
  const Case cases[] = {
      {"--learning-rate", [](TrainingArguments& a) { a.learning_rate = -1; }},
      {"--learning-rate",
       [](TrainingArguments& a) { a.learning_rate = std::numeric_limits<double>::quiet_NaN(); }},
      {"--per-device-train-batch-size",
       [](TrainingArguments& a) { a.per_device_train_batch_size = 0; }},
      {"--num-train-epochs", [](TrainingArguments& a) { a.num_train_epochs = 0; }},
      {"--max-steps", [](TrainingArguments& a) { a.max_steps = -2; }},
      {"--max-steps", [](TrainingArguments& a) { a.max_steps = 0; }},
      {"--adam-beta1", [](TrainingArguments& a) { a.adam_beta1 = 1; }},
      {"--warmup-ratio", [](TrainingArguments& a) { a.warmup_ratio = 1.5; }},
      {"--lr-scheduler-type", [](TrainingArguments& a) { a.lr_scheduler_type = "x"; }},
      {"--save-steps", [](TrainingArguments& a) { a.save_steps = 2.5; }},
      {"--eval-strategy", [](TrainingArguments& a) { a.eval_strategy = "epoch"; }},
      {"--save-total-limit", [](TrainingArguments& a) { a.save_total_limit = 0; }},
      {"--load-best-model-at-end", [](TrainingArguments& a) { a.load_best_model_at_end = true; }},
      {"--early-stopping-patience", [](TrainingArguments& a) { a.early_stopping_patience = 2; }},
      {"--allow-changed", [](TrainingArguments& a) { a.allow_changed = {"sead"}; }},
      {"--metric-for-best-model", [](TrainingArguments& a) { a.metric_for_best_model = "f2"; }},
      {"--metric-for-best-model", [](TrainingArguments& a) { a.metric_for_best_model = "f2"; }},
      {"--model", [](TrainingArguments& a) { a.model.clear(); }},
      {"--overwrite",
       [](TrainingArguments& a) { a.overwrite = true, a.resume_from_checkpoint = "last"; }},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.flag);
    TrainingArguments a = minimal();
    c.set(a);
    EXPECT_EQ(place_of_refusal(a), c.flag);
  }
}

TEST(Arguments, LoadBestNeedsMatchingStrategies) {
  TrainingArguments a = minimal();
  a.validation = "v.json";
  a.load_best_model_at_end = true;
  give(a, "save_strategy", a.save_strategy, "steps");
  EXPECT_EQ(place_of_refusal(a), "--load-best-model-at-end");
  give(a, "eval_strategy", a.eval_strategy, "steps");
  a.eval_steps = 4;
  a.save_steps = 6;
  EXPECT_EQ(place_of_refusal(a), "--save-steps");
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
  EXPECT_EQ(error.place(), "args.json");
}

TEST(AdoptSavedArguments, SavedOnesHoldWhereNothingIsGiven) {
  TrainingArguments saved = minimal();
  saved.learning_rate = 1e-3;
  saved.logging_strategy = "no";
  TrainingArguments a;
  a.validation = "v.json";
  a.output = "elsewhere";
  a.given = {"output"};
  a.resume_from_checkpoint = "last";
  adopt_saved_arguments(a, saved);
  resolve_arguments(a);
  EXPECT_EQ(a.model, "m");
  EXPECT_EQ(a.output, "elsewhere");
  EXPECT_EQ(a.learning_rate, 1e-3);
  EXPECT_EQ(a.logging_strategy, "no") << "a default must not replace what was settled";
  EXPECT_EQ(a.resume_from_checkpoint, "last");
}

TEST(AdoptSavedArguments, RefusesAGivenDifferenceUnlessAllowed) {
  const TrainingArguments saved = minimal();
  TrainingArguments a = minimal();
  give(a, "seed", a.seed, 7);
  const Error error = expect_error(ErrorCode::kUsage, [&] {
    TrainingArguments copy = a;
    adopt_saved_arguments(copy, saved);
  });
  EXPECT_EQ(error.place(), "--seed");
  EXPECT_NE(error.reason().find("42"), std::string::npos) << error.reason();
  a.allow_changed = {"seed"};
  adopt_saved_arguments(a, saved);
  EXPECT_EQ(a.seed, 7u);
}

TEST(AdoptSavedArguments, SameValueGivenIsNoDifference) {
  TrainingArguments saved = minimal();
  saved.seed = 7;
  TrainingArguments a = minimal();
  give(a, "seed", a.seed, 7);
  give(a, "threads", a.threads, 2);
  EXPECT_NO_THROW(adopt_saved_arguments(a, saved));
}

}  // namespace
}  // namespace spanforge
