#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include "bindings.h"
#include "call.h"
#include "common.h"
#include "convert.h"
#include "dataset.h"
#include "load_options.h"
#include "spanforge/train/foreign_arguments.h"
#include "spanforge/train/train_state.h"
#include "spanforge/train/trainer.h"
#include "watcher.h"

namespace nb = nanobind;

namespace spanforge::python {
namespace {

nb::object or_none(const std::filesystem::path& path) {
  if (path.empty()) return nb::none();
  return nb::cast(path.string());
}

template <class T>
nb::object or_none(const std::optional<T>& value) {
  return value ? nb::cast(*value) : nb::none();
}

// Hands each event to an object of _callbacks.py, whose method event() has all of them.
class PythonObserver : public Observer {
 public:
  PythonObserver(Watcher& watcher, nb::handle target, bool saves_at_once)
      : watcher_(watcher), target_(target), saves_at_once_(saves_at_once) {}

  bool wants_saves_at_once() const override { return saves_at_once_; }
  bool wants_stop() const override { return wants_stop_; }

  void on_notice(const Notice& notice) override {
    const bool warning = notice.kind == Notice::Kind::kWarning;
    watcher_.run([&] { target_.attr("notice")(warning, notice.text); });
  }
  void on_progress(const Progress& progress) override {
    watcher_.run([&] {
      const char* stage = progress.stage == Progress::Stage::kMap     ? "map"
                          : progress.stage == Progress::Stage::kTrain ? "train"
                                                                      : "evaluate";
      target_.attr("progress")(stage, std::string(progress.label), progress.done, progress.total);
    });
  }
  void on_train_begin(const TrainView& view) override {
    watcher_.run([&] {
      nb::dict plan;
      plan["max_steps"] = view.plan.max_steps;
      plan["num_train_epochs"] = view.plan.epochs;
      plan["logging_steps"] = view.plan.logging_steps;
      plan["eval_steps"] = view.plan.eval_steps;
      plan["save_steps"] = view.plan.save_steps;
      nb::list history;
      for (const LogLine& line : view.state.log_history) history.append(history_row(line));
      target_.attr("train_begin")(python_of(arguments_json(view.arguments)), plan, history);
      send("on_train_begin", view, nb::none());
    });
  }
  void on_epoch_begin(const TrainView& view) override { tell("on_epoch_begin", view); }
  void on_step_begin(const TrainView& view) override { tell("on_step_begin", view); }
  // Python's callbacks see these two with what is due, in choose_events().
  void on_step_end(const TrainView&) override { ended_ = "on_step_end"; }
  void on_epoch_end(const TrainView&) override { ended_ = "on_epoch_end"; }
  void choose_events(const TrainView& view, DueEvents& due) override {
    watcher_.run([&] {
      const nb::tuple asked = nb::make_tuple(due.log, due.evaluate, due.save);
      send(ended_, view, asked);
      due = wanted_;
    });
  }
  void add_events(DueEvents& due) override {
    due.evaluate |= wanted_.evaluate;
    due.save |= wanted_.save;
  }
  void on_log(const TrainView& view, const LogLine& line, const LogLine&) override {
    watcher_.run([&] {
      target_.attr("log")(history_row(line), console_line(line));
      send("on_log", view, python_of(line));
    });
  }
  void on_evaluate(const TrainView& view, const Dataset&, const Evaluation&,
                   const LogLine& metrics) override {
    watcher_.run([&] { send("on_evaluate", view, python_of(metrics)); });
  }
  void on_save(const TrainView& view, const std::filesystem::path& checkpoint) override {
    watcher_.run([&] { send("on_save", view, or_none(checkpoint)); });
  }
  void on_train_end(const TrainView& view) override { tell("on_train_end", view); }

 private:
  static nb::dict history_row(const LogLine& line) {
    nb::dict row = python_of(line);
    row["step"] = line.step;
    return row;
  }
  void tell(const char* event, const TrainView& view) {
    watcher_.run([&] { send(event, view, nb::none()); });
  }
  void send(const char* event, const TrainView& view, const nb::object& details) {
    nb::dict state;
    state["global_step"] = view.state.global_step;
    state["epoch"] = view.state.epoch;
    state["best_metric"] = or_none(view.state.best_metric);
    state["best_global_step"] = or_none(view.state.best_global_step);
    state["total_flos"] = view.state.total_flos;
    const nb::object answer = target_.attr("event")(event, state, details);
    wanted_ = {nb::cast<bool>(answer[0]), nb::cast<bool>(answer[1]), nb::cast<bool>(answer[2])};
    wants_stop_ = nb::cast<bool>(answer[3]);
  }

  Watcher& watcher_;
  nb::handle target_;
  bool saves_at_once_;
  bool wants_stop_ = false;
  DueEvents wanted_;
  const char* ended_ = "on_step_end";
};

void declare(app::OptionTable& table, TrainingArguments& options) {
  visit_training_arguments(options, table);
  for (const ForeignOption& option : foreign_arguments()) table.add_foreign(option);
}

nb::list training_option_rows() {
  TrainingArguments options;
  app::OptionTable table;
  declare(table, options);
  return rows_of(table);
}

DataInMemory in_memory(const HeldDataset* held) {
  if (held == nullptr) return {};
  return {held->data.get(), held->sha256};
}

// A stop request becomes an Error of the library after it saved; callers of Python expect
// KeyboardInterrupt.
[[noreturn]] void raise_interrupt(const Error& error) {
  PyErr_SetString(PyExc_KeyboardInterrupt, error.what());
  throw nb::python_error();
}

nb::dict run_train(const nb::dict& options, const HeldDataset* train_data,
                   const HeldDataset* validation_data, nb::object target, bool saves_at_once) {
  const OptionTexts texts = option_texts(options);
  Watcher watcher;
  PythonObserver observer(watcher, target, saves_at_once);
  TrainResult result;
  try {
    const Call call;
    TrainingArguments arguments;
    app::OptionTable table;
    declare(table, arguments);
    apply(texts, table);
    TrainContext context;
    context.observers = {&observer};
    context.stop = &watcher.stop();
    context.resolve_model = [](const std::string& name) { return find_model(name, false); };
    context.train = in_memory(train_data);
    context.validation = in_memory(validation_data);
    result = train(std::move(arguments), context);
  } catch (const CallbackFailed&) {
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kInterrupted) raise_interrupt(error);
    throw;
  }
  watcher.raise_kept();
  nb::dict dict;
  dict["global_step"] = result.global_step;
  dict["training_loss"] = result.train_loss;
  dict["metrics"] = python_of(result.summary);
  dict["evaluation"] = result.evaluation ? nb::object(python_of(*result.evaluation)) : nb::none();
  dict["trained"] = result.trained.string();
  dict["best_checkpoint"] = or_none(result.best_checkpoint);
  dict["resumed_from"] = or_none(result.resumed_from);
  return dict;
}

}  // namespace

void bind_train(nb::module_& module) {
  module.def("train", run_train, nb::arg("options"), nb::arg("train").none(),
             nb::arg("validation").none(), nb::arg("target"), nb::arg("saves_at_once"));
  module.def("training_options", training_option_rows);
}

}  // namespace spanforge::python
