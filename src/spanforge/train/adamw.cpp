// torch.optim.AdamW over the model's flat arenas. Parameters that decay and those that do not
// alternate in ranges; one call updates each range. Of embeddings only live rows are updated: those
// whose tokens have occurred. Without gradient and moments, an update is only weight decay.
// `adamw_torch_fused` and `adamw_torch` compute the same here; torch's two differ in the last bits.

#include <algorithm>
#include <array>

#include "spanforge/ops/optimizer.h"
#include "spanforge/train/optimizer.h"

namespace spanforge {
namespace {

std::optional<StateShape> adamw_shape(const Parameter& parameter) { return parameter.shape; }
constexpr std::string_view kAdamWFusedName = spelling_of(OptimizerName::kAdamWTorchFused);
constexpr std::string_view kAdamWName = spelling_of(OptimizerName::kAdamWTorch);
constexpr std::array kAdamWSlots = {StateSlot{"exp_avg", true, adamw_shape},
                                    StateSlot{"exp_avg_sq", true, adamw_shape}};

Tensor slice(const Tensor& all, int64_t begin, int64_t end) {
  return all.empty() ? all : all.columns(begin, end - begin);
}

class AdamW : public Optimizer {
 public:
  AdamW(TrainedParameters parameters, const TrainingArguments& arguments)
      : Optimizer(std::move(parameters)),
        ranges_(flat_ranges(Optimizer::parameters())),
        beta1_(arguments.adam_beta1),
        beta2_(arguments.adam_beta2),
        epsilon_(arguments.adam_epsilon),
        weight_decay_(arguments.weight_decay),
        fused_(arguments.optim == OptimizerName::kAdamWTorchFused) {}

  std::string_view name() const override { return fused_ ? kAdamWFusedName : kAdamWName; }
  std::span<const StateSlot> slots() const override { return kAdamWSlots; }
  StepForm step_form() const override { return StepForm::kFloatTensor; }

  std::vector<GroupSetting> settings() const override {
    return {{"betas", TorchTuple{{beta1_, beta2_}}},
            {"eps", epsilon_},
            {"amsgrad", false, true},
            {"maximize", false, true},
            {"foreach", TorchValue()},
            {"capturable", false},
            {"differentiable", false},
            {"fused", fused_ ? TorchValue(true) : TorchValue()},
            {"decoupled_weight_decay", true, true}};
  }

  void step(TrainableModel& model, const OptimizerState& state, const UpdateStep& update) override {
    const auto &first = state.array("exp_avg"), &second = state.array("exp_avg_sq");
    ops::AdamWConstants constants{.lr = update.learning_rate,
                                  .beta1 = beta1_,
                                  .beta2 = beta2_,
                                  .eps = epsilon_,
                                  .step = update.number,
                                  .gradient_scale = update.gradient_scale};
    for (const FlatRange& range : ranges_) {
      constants.weight_decay = range.decays ? weight_decay_ : 0.0;
      const int64_t shift = first.part_of(*range.first)->offset - range.begin;
      state.for_held(range.begin, range.end, [&](const ElementRange& held) {
        const int64_t begin = held.begin + shift, end = held.end + shift;
        ops::adamw(slice(model.all_weights(), held.begin, held.end),
                   slice(model.all_gradients(), held.begin, held.end),
                   slice(first.flat(), begin, end), slice(second.flat(), begin, end),
                   slice(model.shadow_weights(), held.begin, held.end), constants);
      });
    }
    constants.weight_decay = weight_decay_;
    step_embeddings(model, first, second, constants);
  }

 private:
  struct LiveRows {
    std::vector<bool> is_live;
    std::vector<int32_t> live, others;

    void list() {  // fills both from is_live
      live.clear();
      others.clear();
      for (size_t row = 0; row < is_live.size(); ++row) {
        (is_live[row] ? live : others).push_back(static_cast<int32_t>(row));
      }
    }
  };

  void step_embeddings(TrainableModel& model, const OptimizerState::Array& first,
                       const OptimizerState::Array& second, const ops::AdamWConstants& constants) {
    const auto touched = model.touched_rows();
    const bool begins = embeddings_.empty();
    embeddings_.resize(touched.size());
    for (size_t i = 0; i < touched.size(); ++i) {
      const Parameter& parameter = touched[i].parameter;
      if (first.part_of(parameter) == nullptr) continue;  // not trained
      const Tensor weights = model.weights(parameter);
      const Tensor m = make_tensor(first.of(parameter).as<float>(), weights.rows, weights.cols);
      const Tensor v = make_tensor(second.of(parameter).as<float>(), weights.rows, weights.cols);
      LiveRows& rows = embeddings_[i];
      if (begins) rows.is_live = rows_with_moments(m, v);
      bool grew = false;
      for (const int32_t row : touched[i].rows) {
        if (rows.is_live[static_cast<size_t>(row)]) continue;
        rows.is_live[static_cast<size_t>(row)] = grew = true;
      }
      if (grew || begins) rows.list();
      ops::adamw_rows(weights, model.gradients(parameter), m, v, rows.live, constants);
      const auto keep = static_cast<float>(1 - constants.lr * constants.weight_decay);
      if (keep != 1.0f) ops::scale_rows(weights, rows.others, keep);
    }
  }

  // With eps 0, the update of a row without moments is 0 / 0, as in torch. Then all rows are live.
  std::vector<bool> rows_with_moments(const Tensor& m, const Tensor& v) const {
    std::vector<bool> live;
    for (int64_t r = 0; r < m.rows; ++r) {
      const auto nonzero = [&](const Tensor& t) {
        return std::any_of(t.row<float>(r), t.row<float>(r) + t.cols,
                           [](float x) { return x != 0.0f; });
      };
      live.push_back(epsilon_ == 0 || nonzero(m) || nonzero(v));
    }
    return live;
  }

  const std::vector<FlatRange> ranges_;
  std::vector<LiveRows> embeddings_;  // in the order of touched_rows(); the first step makes them
  const double beta1_, beta2_, epsilon_, weight_decay_;
  const bool fused_;
};

std::unique_ptr<Optimizer> make_adamw(TrainedParameters parameters,
                                      const TrainingArguments& arguments) {
  return std::make_unique<AdamW>(std::move(parameters), arguments);
}
std::span<const StateSlot> adamw_slots() { return kAdamWSlots; }

}  // namespace

extern constinit const OptimizerKind kAdamWTorchFused = {kAdamWFusedName, "betas", make_adamw,
                                                         adamw_slots};
extern constinit const OptimizerKind kAdamWTorch = {kAdamWName, "betas", make_adamw, adamw_slots};

}  // namespace spanforge
