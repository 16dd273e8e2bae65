// What observers see of a run, in which order, and what they can change.

#include <algorithm>

#include "spanforge/train/train_state.h"
#include "train/fixture.h"

namespace spanforge {
namespace {

using testing::expect_error;
using Names = std::vector<std::string>;

class ObservedRun : public testing::RunFixture {};

// Writes down every event with its step.
class Watching : public Observer {
 public:
  Names events;

  void on_train_begin(const TrainView& view) override { add("begin", view); }
  void on_epoch_begin(const TrainView& view) override { add("epoch_begin", view); }
  void on_step_begin(const TrainView& view) override { add("step_begin", view); }
  void on_step_end(const TrainView& view) override { add("step_end", view); }
  void on_epoch_end(const TrainView& view) override { add("epoch_end", view); }
  void on_log(const TrainView& view, const LogLine&, const LogLine&) override { add("log", view); }
  void on_evaluate(const TrainView& view, const Dataset&, const Evaluation&,
                   const LogLine&) override {
    add("evaluate", view);
  }
  void on_save(const TrainView& view, const std::filesystem::path&) override { add("save", view); }
  bool wants_saves_at_once() const override { return true; }

 private:
  void add(const std::string& name, const TrainView& view) {
    events.push_back(name + " " + std::to_string(view.state.global_step));
  }
};

// The events after the step.
Names from(const Names& events, const std::string& first) {
  return {std::find(events.begin(), events.end(), first), events.end()};
}

TEST_F(ObservedRun, StepEventsComeBeforeTheEndOfTheEpoch) {
  Watching watching;
  TrainingArguments a = with_validation("out");
  a.max_steps = 2;
  a.logging_steps = a.save_steps = 1;
  a.eval_steps = 1;
  train(a, {.observers = {&watching}});
  EXPECT_EQ(from(watching.events, "step_begin 1"),
            (Names{"step_begin 1", "step_end 2", "log 2", "log 2", "evaluate 2", "save 2",
                   "epoch_end 2", "log 2"}));
  EXPECT_EQ(watching.events.at(0), "begin 0");
  EXPECT_EQ(watching.events.at(1), "epoch_begin 0");
}

TEST_F(ObservedRun, EventsOfTheEpochComeAfterItsEndAndOnce) {
  Watching watching;
  TrainingArguments a = with_validation("out");
  a.max_steps = 1;
  a.logging_steps = 1;
  a.eval_strategy = IntervalStrategy::kEpoch;
  a.save_strategy = SaveStrategy::kSteps;
  train(a, {.observers = {&watching}});
  EXPECT_EQ(from(watching.events, "step_end 1"), (Names{"step_end 1", "log 1", "epoch_end 1",
                                                        "log 1", "evaluate 1", "save 1", "log 1"}));
}

TEST_F(ObservedRun, AnObserverAddsAndCancelsEvents) {
  struct Choosing : Watching {
    void choose_events(const TrainView& view, DueEvents& due) override {
      due.log = view.state.global_step == 2;
      due.save = false;
    }
    void add_events(DueEvents& due) override { due.save = true; }
  } choosing;
  TrainingArguments a = stepwise("out");
  a.max_steps = 3;
  a.logging_steps = 1;
  train(a, {.observers = {&choosing}});
  EXPECT_EQ(std::count(choosing.events.begin(), choosing.events.end(), "log 1"), 0);
  EXPECT_EQ(std::count(choosing.events.begin(), choosing.events.end(), "log 2"), 1);
  Names saved;
  for (const std::string& name : names_in("out")) {
    if (name.starts_with("checkpoint")) saved.push_back(name);
  }
  EXPECT_EQ(saved, (Names{"checkpoint-2"}));
}

TEST_F(ObservedRun, AskingForAnEvaluationWithoutValidationIsAnError) {
  struct Asking : Observer {
    void choose_events(const TrainView&, DueEvents& due) override { due.evaluate = true; }
  } asking;
  const Error error =
      expect_error(ErrorCode::kUsage, [&] { train(stepwise("out"), {.observers = {&asking}}); });
  EXPECT_EQ(error.parameter(), "validation");
}

TEST_F(ObservedRun, DataInMemoryEqualTheirFile) {
  TrainingArguments a = stepwise("file");
  train(a);
  const Dataset dataset = load_dataset(a.train);
  a.output = at("memory");
  a.train = "questions";
  train(a, {.train = {&dataset, "sum"}});
  EXPECT_EQ(bytes("file/trained/model.safetensors"), bytes("memory/trained/model.safetensors"));
  TrainingArguments other = resumed(a);
  const Error error = expect_error(ErrorCode::kUsage, [&] {
    train(other, {.train = {&dataset, "other sum"}});
  });
  EXPECT_EQ(error.parameter(), "train");
}

}  // namespace
}  // namespace spanforge
