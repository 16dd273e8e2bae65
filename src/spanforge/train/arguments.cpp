#include "spanforge/train/arguments.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <type_traits>

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/base/json_view.h"
#include "spanforge/train/evaluation_line.h"
#include "spanforge/train/learning.h"

namespace spanforge {
namespace {

constexpr std::array<std::string_view, 3> kOfThisRunOnly = {"resume_from_checkpoint",
                                                            "allow_changed", "overwrite"};
// What may differ between a run and its continuation without changing its result, and the data
// files, because their contents are compared instead of their names.
constexpr std::array<std::string_view, 6> kFreeOnResume = {"output",  "logging_dir", "report_to",
                                                           "threads", "train",       "validation"};

template <class Names>
bool contains(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};

template <class T>
struct IsPreset : std::false_type {};
template <class T>
struct IsPreset<Preset<T>> : std::true_type {};

template <class T>
Json to_json_value(const T& field) {
  if constexpr (IsOptional<T>::value) {
    return field ? to_json_value(*field) : Json(nullptr);
  } else if constexpr (IsPreset<T>::value) {
    return to_json_value(*field);
  } else if constexpr (Spelled<T>) {
    return Json(std::string(spelling_of(field)));
  } else if constexpr (std::is_same_v<T, std::filesystem::path>) {
    return Json(field.string());
  } else {
    return Json(field);
  }
}

template <class T>
void from_json_value(const JsonView& json, T& field) {
  if constexpr (IsOptional<T>::value) {
    field.reset();
    if (!json.is_null()) from_json_value(json, field.emplace());
  } else if constexpr (IsPreset<T>::value) {
    typename OptionValue<T>::Type value{};
    from_json_value(json, value);
    field = std::move(value);
  } else if constexpr (Spelled<T>) {
    const auto known = find_spelling<T>(json.string());
    if (!known) json.refuse("one of " + choices<T>(", "));
    field = *known;
  } else if constexpr (std::is_same_v<T, bool>) {
    field = json.boolean();
  } else if constexpr (std::is_same_v<T, uint64_t>) {
    field = json.natural();
  } else if constexpr (std::is_integral_v<T>) {
    static_assert(std::is_signed_v<T>);
    field =
        static_cast<T>(json.integer(std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
  } else if constexpr (std::is_floating_point_v<T>) {
    field = json.number();
  } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
    field.clear();
    for (const JsonView& item : json.items()) field.push_back(item.string());
  } else {
    field = json.string();
  }
}

[[noreturn]] void refuse(std::string_view name, const std::string& why) {
  throw Error(ErrorCode::kUsage, {.parameter = std::string(name)}, why);
}

// Checks a number against a range of the form ">= X", "> X" or "A..B".
void check_number(const OptionInfo& info, double value) {
  if (!std::isfinite(value))
    refuse(info.name, fmt::format("is {}, must be a finite number", value));
  const std::string range(info.range);
  bool good = true;
  if (range.starts_with(">= ")) {
    good = value >= std::stod(range.substr(3));
  } else if (range.starts_with("> ")) {
    good = value > std::stod(range.substr(2));
  } else if (const size_t dots = range.find(".."); dots != std::string::npos) {
    good = value >= std::stod(range.substr(0, dots)) && value <= std::stod(range.substr(dots + 2));
  }
  if (!good) refuse(info.name, fmt::format("is {}, must be {}", value, range));
}

// Numbers of steps and windows are computed from counting options. Above this limit they could
// overflow.
void check_count(std::string_view name, double value) {
  if (value > kMostSteps) refuse(name, fmt::format("is {}, must be at most {}", value, kMostSteps));
}

// Refuses a value that users cannot choose: one that only evaluation has, or none of the
// enumeration's.
template <Spelled E>
void check_choice(const OptionInfo& info, E value) {
  if (find_word(value)) return;
  refuse(info.name, fmt::format("is {}, must be one of {}", static_cast<int>(value), choices<E>()));
}

struct RangeCheck {
  template <class T>
  void operator()(const OptionInfo& info, const T& field) const {
    if constexpr (IsOptional<T>::value) {
      if (field) (*this)(info, *field);
    } else if constexpr (IsPreset<T>::value) {
      (*this)(info, *field);
    } else if constexpr (Spelled<T>) {
      check_choice(info, field);
    } else if constexpr (std::is_arithmetic_v<T> && !std::is_same_v<T, bool>) {
      check_number(info, static_cast<double>(field));
      if constexpr (std::is_same_v<T, int64_t>) check_count(info.name, static_cast<double>(field));
    }
  }
};

// Steps of 1 or more count steps. Below 1 they are a share of all steps, as in HF.
void check_steps(std::string_view name, double steps) {
  if (steps > 1 && steps != std::floor(steps)) {
    refuse(name, fmt::format("is {}, above 1 it must be a whole number", steps));
  }
  check_count(name, steps);
}

std::string normal_name(std::string name) {
  std::replace(name.begin(), name.end(), '-', '_');
  while (name.starts_with('_')) name.erase(0, 1);
  return name;
}

void check_allow_changed(TrainingArguments& a) {
  std::vector<std::string_view> names;
  visit_training_arguments(
      a, [&](const OptionInfo& info, const auto&) { names.push_back(info.name); });
  for (std::string& name : a.allow_changed) {
    name = normal_name(name);
    if (!contains(names, name))
      refuse("allow_changed", fmt::format("'{}' is not an option", quote_for_message(name)));
  }
}

// True if two spellings name the same model.
bool same_model(const Json& one, const Json& other) {
  if (one == other) return true;
  std::error_code ignored;
  return std::filesystem::equivalent(one.get<std::string>(), other.get<std::string>(), ignored);
}

// --allow-changed does not permit this: there would be no state to continue from.
void refuse_other_optimizer(const std::string& now, const std::string& saved) {
  if (same_optimizer(now, saved)) return;
  refuse("optim",
         fmt::format("is {} but the run to resume has {}, whose state no other optimizer can "
                     "use; to start anew from a checkpoint's weights give it as `model`",
                     quote_for_message(now), quote_for_message(saved)));
}

// hf: the default of HF's strategy.
template <class Strategy, class Steps>
void settle_strategy(std::optional<Strategy>& strategy, const Steps& steps, bool by_recipe,
                     Strategy hf) {
  if (strategy) return;
  strategy = by_recipe ? Strategy::kEpoch : hf;
  if (is_set(steps)) strategy = Strategy::kSteps;
}

void settle_strategies(TrainingArguments& a) {
  const bool evaluates = !a.validation.empty();
  const bool by_recipe = evaluates && !a.hf_defaults;
  settle_strategy(a.logging_strategy, a.logging_steps, by_recipe, IntervalStrategy::kSteps);
  settle_strategy(a.save_strategy, a.save_steps, by_recipe, SaveStrategy::kSteps);
  if (by_recipe) settle_strategy(a.eval_strategy, a.eval_steps, true, IntervalStrategy::kNo);
  if (!a.eval_strategy) a.eval_strategy = IntervalStrategy::kNo;
}

void resolve_best_metric(TrainingArguments& a) {
  const bool needs_best = a.load_best_model_at_end || a.early_stopping_patience ||
                          a.save_strategy == SaveStrategy::kBest;
  if (!needs_best && !a.metric_for_best_model) return;
  if (!a.metric_for_best_model) a.metric_for_best_model = "loss";
  require_metric_key(*a.metric_for_best_model);  // now, not after the first epoch
  if (!a.greater_is_better) a.greater_is_better = !a.metric_for_best_model->ends_with("loss");
  const std::string_view asking = a.early_stopping_patience  ? "early_stopping_patience"
                                  : a.load_best_model_at_end ? "load_best_model_at_end"
                                                             : "save_strategy";
  if (needs_best && a.eval_strategy == IntervalStrategy::kNo)
    refuse(asking, "needs evaluations: give `validation` and `eval_strategy`");
  if (!a.load_best_model_at_end || a.save_strategy == SaveStrategy::kBest) return;
  const std::string_view saves = spelling_of(*a.save_strategy);
  const std::string_view evaluates = spelling_of(*a.eval_strategy);
  if (saves != evaluates) {
    refuse("load_best_model_at_end",
           fmt::format("needs a checkpoint at each evaluation, but `save_strategy` is "
                       "{} and `eval_strategy` {}",
                       saves, evaluates));
  }
  const double eval_steps = a.eval_steps_in_effect();
  // HF compares shares below 1 after scaling them to whole millionths.
  const double ratio = a.save_steps / eval_steps;
  if (a.save_strategy == SaveStrategy::kSteps &&
      std::abs(ratio - std::round(ratio)) > 1e-9 * ratio) {
    refuse("save_steps",
           fmt::format("is {}, must be a multiple of `eval_steps` {} for `load_best_model_at_end`",
                       *a.save_steps, eval_steps));
  }
}

// Set even if it is 1: a resumed run keeps its shards, whatever the number of processes is now.
int64_t shards_to_resume(const TrainingArguments& arguments, const TrainingArguments& saved) {
  const int64_t then = saved.gradient_shards.value_or(1);
  const int64_t now = arguments.gradient_shards.value_or(then);
  if (now != then && !contains(arguments.allow_changed, "gradient_shards")) {
    refuse("gradient_shards",
           fmt::format("is {} but the run to resume has {}; `allow_changed` gradient-shards lets "
                       "it change",
                       now, then));
  }
  return now;
}

void require_inputs(const TrainingArguments& a) {
  if (a.model.empty()) refuse("model", "is needed: a model directory or a hub id to start from");
  if (a.train.empty()) refuse("train", "is needed: the file to train on");
  if (a.output.empty())
    refuse("output", "is needed: the directory that receives checkpoints and trained/");
}

}  // namespace

std::string dashed_name(std::string name) {
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

Json arguments_json(const TrainingArguments& arguments) {
  Json json = Json::object();
  visit_training_arguments(arguments, [&](const OptionInfo& info, const auto& field) {
    if (!contains(kOfThisRunOnly, info.name)) json[std::string(info.name)] = to_json_value(field);
  });
  // A run of one shard is a run without shards.
  if (arguments.gradient_shards.value_or(1) == 1) json.erase("gradient_shards");
  return json;
}

TrainingArguments arguments_from_json(const Json& json, const std::string& place) {
  const JsonView view(json, place);
  TrainingArguments arguments;
  visit_training_arguments(arguments, [&](const OptionInfo& info, auto& field) {
    if (contains(kOfThisRunOnly, info.name)) return;
    if (const auto found = view.find(info.name)) from_json_value(*found, field);
  });
  return arguments;
}

void adopt_saved_arguments(TrainingArguments& arguments, const TrainingArguments& saved) {
  check_allow_changed(arguments);
  std::vector<std::string_view> set;
  visit_training_arguments(arguments, [&](const OptionInfo& info, const auto& field) {
    if (is_set(field)) set.push_back(info.name);
  });
  Json merged = arguments_json(arguments);
  const Json old = arguments_json(saved);
  for (const auto& [name, value] : old.items()) {
    if (name == "gradient_shards") continue;  // below
    const bool asked = contains(set, name);
    if (!asked && name != "output") merged[name] = value;
    const Json& now = merged[name];
    if (asked && name == "optim") {
      refuse_other_optimizer(now.get<std::string>(), value.get<std::string>());
      continue;
    }
    if (!asked || now == value || contains(kFreeOnResume, name) ||
        contains(arguments.allow_changed, name))
      continue;
    if (name == "model" && same_model(now, value)) continue;
    refuse(name,
           fmt::format("is {} but the run to resume has {}; `allow_changed` {} lets it change",
                       now.dump(), value.dump(), dashed_name(name)));
  }
  // Everything read from JSON counts as set: later defaults do not change what was chosen then.
  TrainingArguments result = arguments_from_json(merged, "the resumed run's options");
  result.resume_from_checkpoint = arguments.resume_from_checkpoint;
  result.allow_changed = arguments.allow_changed;
  result.overwrite = arguments.overwrite;
  result.gradient_shards = shards_to_resume(arguments, saved);
  arguments = std::move(result);
}

bool resumes_from_last(const TrainingArguments& arguments) {
  return arguments.resume_from_checkpoint == "last" || arguments.resume_from_checkpoint == "true";
}

void resolve_arguments(TrainingArguments& a) {
  require_inputs(a);
  visit_training_arguments(a, RangeCheck{});
  check_allow_changed(a);
  if (a.adam_beta1 >= 1) refuse("adam_beta1", "is 1, must be below 1");
  if (a.adam_beta2 >= 1) refuse("adam_beta2", "is 1, must be below 1");
  if (a.max_steps == 0) refuse("max_steps", "is 0, must be at least 1, or -1 to train by epochs");
  if (a.lr_scheduler_type == ScheduleKind::kPolynomial && a.learning_rate <= 1e-7) {
    refuse("learning_rate", "must be above 1e-07, where the polynomial schedule ends");
  }
  if (a.overwrite && resumes_from_last(a)) {
    refuse("overwrite", "contradicts `resume_from_checkpoint` last: give one of the two");
  }
  settle_strategies(a);
  if (a.eval_strategy != IntervalStrategy::kNo && a.validation.empty())
    refuse("eval_strategy", "needs `validation`");
  check_learning(a);
  check_steps("warmup_steps", a.warmup_steps);
  check_steps("logging_steps", a.logging_steps);
  check_steps("save_steps", a.save_steps);
  if (a.eval_steps) check_steps("eval_steps", *a.eval_steps);
  resolve_best_metric(a);
}

}  // namespace spanforge
