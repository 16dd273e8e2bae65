#include "spanforge/train/optimizer.h"

#include <algorithm>
#include <array>

#include "spanforge/base/error.h"
#include "spanforge/model/parameter_table.h"

namespace spanforge {

// The rows. Each is defined in its own file.
extern const OptimizerKind kAdamWTorchFused, kAdamWTorch, kAdafactor, kSgd;

std::span<const OptimizerKind> optimizer_kinds() {
  static const std::array kKinds = {kAdamWTorchFused, kAdamWTorch, kAdafactor, kSgd};
  return kKinds;
}

bool same_optimizer(std::string_view one, std::string_view other) {
  if (one == other) return true;
  std::string_view marks[2];
  for (const OptimizerKind& kind : optimizer_kinds()) {
    if (kind.name == one) marks[0] = kind.mark;
    if (kind.name == other) marks[1] = kind.mark;
  }
  return !marks[0].empty() && marks[0] == marks[1];
}

bool Optimizer::can_be_divided() const {
  return !slots().empty() && std::all_of(slots().begin(), slots().end(),
                                         [](const StateSlot& slot) { return slot.cuts_anywhere; });
}

const OptimizerKind& optimizer_kind(std::string_view name) {
  for (const OptimizerKind& kind : optimizer_kinds()) {
    if (kind.name == name) return kind;
  }
  throw Error(ErrorCode::kUsage, {.parameter = "optim"}, unknown_spelling<OptimizerName>(name));
}

std::unique_ptr<Optimizer> make_optimizer(const TrainableModel& model,
                                          const TrainingArguments& arguments) {
  return optimizer_kind(spelling_of(*arguments.optim))
      .make(trained_parameters(model.parameters()), arguments);
}

int64_t optimizer_state_bytes(std::string_view name, const ModelConfig& config) {
  const ParameterTable table = build_parameter_table(
      encoder_spec(config.model_type, ErrorCode::kBadModel, {.where = "model configuration"}),
      config);
  int64_t elements = 0;
  for (const StateSlot& slot : optimizer_kind(name).slots()) {
    for (const Parameter& parameter : table.rows) {
      const std::optional<StateShape> shape = slot.shape(parameter);
      if (!shape) continue;
      int64_t size = 1;
      for (const int64_t extent : *shape) size *= extent;
      elements += size;
    }
  }
  return elements * static_cast<int64_t>(sizeof(float));
}

float clip_factor(double norm, double max_norm) {
  if (max_norm <= 0) return 1.0f;
  return std::min(1.0f, static_cast<float>(max_norm) / (static_cast<float>(norm) + 1e-6f));
}

}  // namespace spanforge
