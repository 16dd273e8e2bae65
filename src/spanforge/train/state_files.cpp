#include "spanforge/train/state_files.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include <fmt/core.h>

namespace spanforge {
namespace {

template <class T>
Json optional_json(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

template <class T>
void read(const JsonView& json, T& field) {
  if constexpr (std::is_same_v<T, bool>) {
    field = json.boolean();
  } else if constexpr (std::is_same_v<T, int64_t>) {
    field = json.integer();  // a number beyond 64 bits, or a malformed one, must not become a step
  } else if constexpr (std::is_same_v<T, double>) {
    field = json.number();
  } else {
    field.reset();
    if (!json.is_null()) read(json, field.emplace());
  }
}

// HF logs means rounded to 4 digits. Computes the sum from them as exactly as possible.
void sum_history(TrainState& state) {
  int64_t before = 0;
  for (const LogLine& line : state.log_history) {
    const auto loss = line.number("loss");
    if (!loss) continue;
    state.logged_loss += *loss * static_cast<double>(line.step - before);
    before = line.step;
  }
  state.unknown_losses = state.global_step - before;
  state.last_logged_step = state.global_step;
}

// Added in a later version: older checkpoints do not have them.
constexpr std::array<std::string_view, 1> kLaterFields = {"skipped_steps"};

// Calls visit(name, field) for each field of "progress".
template <class State, class Visit>
void visit_progress(State& s, Visit&& visit) {
  visit("loss_since_log", s.loss_since_log);
  visit("last_logged_step", s.last_logged_step);
  visit("logged_loss", s.logged_loss);
  visit("last_grad_norm", s.last_grad_norm);
  visit("unknown_losses", s.unknown_losses);
  visit("skipped_steps", s.skipped_steps);
  visit("best_metric", s.best_metric);
  visit("temperature", s.fitted.temperature);
  visit("null_threshold", s.fitted.null_threshold);
  visit("best_temperature", s.best_fitted.temperature);
  visit("best_null_threshold", s.best_fitted.null_threshold);
  visit("due_log", s.due.log);
  visit("due_evaluate", s.due.evaluate);
  visit("due_save", s.due.save);
}

}  // namespace

std::string trainer_state_text(const TrainingArguments& a, const TrainPlan& plan,
                               const TrainState& state,
                               const std::filesystem::path& best_model_checkpoint,
                               const Json& callbacks) {
  const bool states_eval_steps = a.eval_strategy == IntervalStrategy::kSteps || a.eval_steps;
  const Json json = {
      {"best_global_step", optional_json(state.best_global_step)},
      {"best_metric", optional_json(state.best_metric)},
      {"best_model_checkpoint",
       best_model_checkpoint.empty() ? Json(nullptr) : Json(best_model_checkpoint.string())},
      {"epoch", state.epoch},
      {"eval_steps", states_eval_steps ? plan.eval_steps : 500},
      {"global_step", state.global_step},
      {"is_hyper_param_search", false},
      {"is_local_process_zero", true},
      {"is_world_process_zero", true},
      {"log_history", nullptr},
      {"logging_steps", plan.logging_steps},
      {"max_steps", plan.max_steps},
      {"num_input_tokens_seen", 0},
      {"num_train_epochs", plan.epochs},
      {"save_steps", plan.save_steps},
      {"stateful_callbacks", callbacks},
      {"total_flos", state.total_flos},
      {"train_batch_size", a.per_device_train_batch_size},
      {"trial_name", nullptr},
      {"trial_params", nullptr}};
  const auto line = [&](size_t i) { return log_line_json(state.log_history[i]); };
  return dump_python_json(json, {.indent = 2, .sort_keys = true},
                          {"log_history", state.log_history.size(), line}) +
         "\n";
}

TrainState trainer_state_from_json(const Json& json, const std::string& place,
                                   std::filesystem::path& best_model_checkpoint) {
  const JsonView view(json, place);
  TrainState state;
  state.global_step = view.at("global_step").integer(0);
  state.epoch = view.at("epoch").number();
  for (const JsonView& line : view.at("log_history").items()) {
    state.log_history.push_back(log_line_from_json(line));
  }
  read(view.at("best_metric"), state.best_metric);
  if (const auto best_step = view.find("best_global_step"))
    read(*best_step, state.best_global_step);
  if (const auto flos = view.find("total_flos")) state.total_flos = flos->number();
  best_model_checkpoint = view.optional_string("best_model_checkpoint").value_or("");
  sum_history(state);
  return state;
}

Json progress_json(const TrainState& state) {
  Json json = Json::object();
  visit_progress(state, [&]<class T>(const char* name, const T& field) {
    if constexpr (std::is_arithmetic_v<T>) {
      json[name] = field;
    } else {
      json[name] = optional_json(field);
    }
  });
  return json;
}

void progress_from_json(const JsonView& json, TrainState& state) {
  visit_progress(state, [&](const char* name, auto& field) {
    const bool later =
        std::find(kLaterFields.begin(), kLaterFields.end(), name) != kLaterFields.end();
    if (!later || json.has(name)) read(json.at(name), field);
  });
}

}  // namespace spanforge
