#include "spanforge/train/state_files.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <string_view>
#include <type_traits>

namespace spanforge {
namespace {

template <class T>
Json optional_json(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

template <class T>
std::optional<T> optional_from(const Json& value) {
  return value.is_null() ? std::nullopt : std::optional<T>(value.get<T>());
}

// Runs `read`, turning what Json says of a missing key or a wrong type into an Error that names the
// file.
void reading(const std::string& place, const std::function<void()>& read) {
  try {
    read();
  } catch (const Json::Mismatch& error) {
    const std::string what = error.what();
    throw Error(ErrorCode::kBadModel, place,
                "a key is missing or of the wrong type (" + what + ")");
  }
}

// A number beyond 64 bits, or a broken one, must not become a step.
int64_t whole_number(const Json& value, const std::string& place) {
  const bool fits =
      value.is_number_unsigned() ? value.get<uint64_t>() <= INT64_MAX : value.is_number_integer();
  if (fits) return value.get<int64_t>();
  throw Error(ErrorCode::kBadModel, place,
              fmt::format("a number of steps is {}, which is no whole number of 64 bits",
                          quote_for_message(value.dump())));
}

// HF logs means rounded to 4 digits: what of the sum can be known again.
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

// Came with a later version: checkpoints before it say nothing of them.
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
  const bool states_eval_steps = a.eval_strategy == "steps" || a.eval_steps;
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
  TrainState state;
  reading(place, [&] {
    state.global_step = whole_number(json.at("global_step"), place);
    state.epoch = json.at("epoch").get<double>();
    for (const Json& line : json.at("log_history"))
      state.log_history.push_back(log_line_from_json(line, place));
    state.best_metric = optional_from<double>(json.at("best_metric"));
    const Json best_step = json.value("best_global_step", Json(nullptr));
    if (!best_step.is_null()) state.best_global_step = whole_number(best_step, place);
    state.total_flos = json.value("total_flos", 0.0);
    const auto best =
        optional_from<std::string>(json.value("best_model_checkpoint", Json(nullptr)));
    best_model_checkpoint = best.value_or("");
  });
  if (state.global_step < 0) throw Error(ErrorCode::kBadModel, place, "global_step is negative");
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

void progress_from_json(const Json& json, const std::string& place, TrainState& state) {
  reading(place, [&] {
    visit_progress(state, [&]<class T>(const char* name, T& field) {
      const bool later =
          std::find(kLaterFields.begin(), kLaterFields.end(), name) != kLaterFields.end();
      if (later && !json.contains(name)) return;
      if constexpr (std::is_same_v<T, int64_t>) {
        field = whole_number(json.at(name), place);
      } else if constexpr (std::is_arithmetic_v<T>) {
        field = json.at(name).get<T>();
      } else {
        field = optional_from<typename T::value_type>(json.at(name));
      }
    });
  });
}

}  // namespace spanforge
