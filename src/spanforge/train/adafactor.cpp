// transformers' Adafactor as the Trainer makes it: scale_parameter and relative_step false, the
// other arguments its defaults. It takes query, key and value as three parameters, although they
// are one matrix here. An embedding's means are taken over all of its rows.

#include "spanforge/ops/adafactor.h"

#include <array>

#include "spanforge/model/parameter_table.h"
#include "spanforge/train/optimizer.h"

namespace spanforge {
namespace {

constexpr std::string_view kAdafactorName = spelling_of(OptimizerName::kAdafactor);

bool is_matrix(const Parameter& parameter) { return parameter.shape.size() == 2; }

// The means and the clipping of an update need the whole parameter.
constexpr std::array kAdafactorSlots = {
    StateSlot{"exp_avg_sq_row", false,
              [](const Parameter& p) {
                return is_matrix(p) ? std::optional(StateShape{p.shape[0]}) : std::nullopt;
              }},
    StateSlot{"exp_avg_sq_col", false,
              [](const Parameter& p) {
                return is_matrix(p) ? std::optional(StateShape{p.shape[1]}) : std::nullopt;
              }},
    StateSlot{"exp_avg_sq", false,
              [](const Parameter& p) {
                return is_matrix(p) ? std::nullopt : std::optional(StateShape(p.shape));
              }},
    StateSlot{"RMS", false, [](const Parameter&) { return std::optional(StateShape{}); }}};

class Adafactor : public Optimizer {
 public:
  Adafactor(TrainedParameters parameters, const TrainingArguments& arguments)
      : Optimizer(std::move(parameters)), weight_decay_(arguments.weight_decay) {}

  std::string_view name() const override { return kAdafactorName; }
  std::span<const StateSlot> slots() const override { return kAdafactorSlots; }
  StepForm step_form() const override { return StepForm::kInteger; }

  std::vector<GroupSetting> settings() const override {
    const ops::AdafactorConstants c;
    return {{"eps", TorchTuple{{c.eps, kParameterEps}}, true},
            {"clip_threshold", c.clip_threshold, true},
            {"decay_rate", c.decay_rate, true},
            {"beta1", TorchValue(), true},
            {"scale_parameter", false, true},
            {"relative_step", false, true},
            {"warmup_init", false, true}};
  }

  void step(TrainableModel& model, const OptimizerState& state, const UpdateStep& update) override {
    ops::AdafactorConstants constants{
        .lr = update.learning_rate, .step = update.number, .gradient_scale = update.gradient_scale};
    const auto of = [&](std::string_view slot, const Parameter& parameter) {
      return state.array(slot).of(parameter);
    };
    const Tensor shadow = model.shadow_weights();
    const auto touched = model.touched_rows();
    for (const TrainedParameter& trained : parameters()) {
      const Parameter& parameter = *trained.row;
      const Tensor weights = model.weights(parameter), gradient = model.gradients(parameter);
      const Tensor rms = of("RMS", parameter);
      constants.weight_decay = parameter.decays ? weight_decay_ : 0.0;
      if (!is_matrix(parameter)) {
        ops::adafactor_vector(weights, gradient, of("exp_avg_sq", parameter), rms, constants);
        continue;
      }
      const Tensor row = of("exp_avg_sq_row", parameter), col = of("exp_avg_sq_col", parameter);
      if (parameter.embedding) {
        for (const auto& rows : touched) {
          if (&rows.parameter != &parameter) continue;
          ops::adafactor_rows(weights, gradient, row, col, rms, rows.rows, constants);
        }
      } else {
        const Tensor rounded = shadow.empty() ? Tensor{} : parameter_view(parameter, shadow);
        ops::adafactor(weights, gradient, row, col, rms, rounded, constants);
      }
    }
  }

 private:
  static constexpr double kParameterEps = 1e-3;  // for scale_parameter, which is off
  const double weight_decay_;
};

std::unique_ptr<Optimizer> make_adafactor(TrainedParameters parameters,
                                          const TrainingArguments& arguments) {
  return std::make_unique<Adafactor>(std::move(parameters), arguments);
}
std::span<const StateSlot> adafactor_slots() { return kAdafactorSlots; }

}  // namespace

extern constinit const OptimizerKind kAdafactor = {kAdafactorName, "clip_threshold", make_adafactor,
                                                   adafactor_slots};

}  // namespace spanforge
