// torch.optim.SGD as the Trainer makes it: without momentum, and so without state.

#include "spanforge/ops/sgd.h"

#include "spanforge/train/optimizer.h"

namespace spanforge {
namespace {

constexpr std::string_view kSgdName = spelling_of(OptimizerName::kSgd);

class Sgd : public Optimizer {
 public:
  Sgd(TrainedParameters parameters, const TrainingArguments& arguments)
      : Optimizer(std::move(parameters)),
        ranges_(flat_ranges(Optimizer::parameters())),
        weight_decay_(arguments.weight_decay) {}

  std::string_view name() const override { return kSgdName; }
  std::span<const StateSlot> slots() const override { return {}; }
  StepForm step_form() const override { return StepForm::kNone; }

  std::vector<GroupSetting> settings() const override {
    return {{"momentum", 0, true},     {"dampening", 0, true},    {"nesterov", false, true},
            {"maximize", false, true}, {"foreach", TorchValue()}, {"differentiable", false},
            {"fused", TorchValue()}};
  }

  void step(TrainableModel& model, const OptimizerState&, const UpdateStep& update) override {
    ops::SgdConstants constants{.lr = update.learning_rate,
                                .gradient_scale = update.gradient_scale};
    const Tensor weights = model.all_weights(), gradients = model.all_gradients();
    const Tensor shadow = model.shadow_weights();
    for (const FlatRange& range : ranges_) {
      const auto slice = [&](const Tensor& all) {
        return all.empty() ? all : all.columns(range.begin, range.end - range.begin);
      };
      constants.weight_decay = range.decays ? weight_decay_ : 0.0;
      ops::sgd(slice(weights), slice(gradients), slice(shadow), constants);
    }
    constants.weight_decay = weight_decay_;
    for (const TrainedParameter& trained : parameters()) {
      if (trained.row->embedding) step_embedding(model, *trained.row, constants);
    }
  }

 private:
  // Rows without a gradient change by weight decay alone.
  static void step_embedding(TrainableModel& model, const Parameter& parameter,
                             const ops::SgdConstants& constants) {
    if (constants.weight_decay != 0) {
      const auto flat = [&](const Tensor& all) {
        return all.columns(parameter.offset, parameter.size);
      };
      ops::sgd(flat(model.all_weights()), flat(model.all_gradients()), Tensor{}, constants);
      return;
    }
    for (const auto& touched : model.touched_rows()) {
      if (&touched.parameter != &parameter) continue;
      ops::sgd_rows(model.weights(parameter), model.gradients(parameter), touched.rows, constants);
    }
  }

  const std::vector<FlatRange> ranges_;
  const double weight_decay_;
};

std::unique_ptr<Optimizer> make_sgd(TrainedParameters parameters,
                                    const TrainingArguments& arguments) {
  return std::make_unique<Sgd>(std::move(parameters), arguments);
}
std::span<const StateSlot> sgd_slots() { return {}; }

}  // namespace

extern constinit const OptimizerKind kSgd = {kSgdName, "momentum", make_sgd, sgd_slots};

}  // namespace spanforge
