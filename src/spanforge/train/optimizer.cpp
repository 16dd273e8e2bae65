#include "spanforge/train/optimizer.h"

#include <algorithm>

#include "spanforge/ops/optimizer.h"

namespace spanforge {
namespace {

Tensor slice(const Tensor& all, int64_t begin, int64_t end) {
  return all.empty() ? all : all.columns(begin, end - begin);
}

Tensor arena_tensor(const Arena& arena) {
  auto* data = reinterpret_cast<float*>(arena.data());
  return make_tensor(data, 1, static_cast<int64_t>(arena.size() / sizeof(float)));
}

}  // namespace

AdamW::AdamW(const QuestionAnsweringModel& model, const TrainingArguments& arguments)
    : beta1_(arguments.adam_beta1),
      beta2_(arguments.adam_beta2),
      epsilon_(arguments.adam_epsilon),
      weight_decay_(arguments.weight_decay) {
  std::vector<const Parameter*> rows;
  for (const Parameter& parameter : model.parameters()) rows.push_back(&parameter);
  std::sort(rows.begin(), rows.end(), [](auto* a, auto* b) { return a->offset < b->offset; });
  // Gaps belong to the range before them: zeros stay zeros under any update.
  for (const Parameter* row : rows) {
    if (!ranges_.empty() && ranges_.back().decays == row->decays) continue;
    if (!ranges_.empty()) ranges_.back().end = row->offset;
    ranges_.push_back({row->offset, 0, row->decays});
  }
  if (!ranges_.empty()) ranges_.back().end = model.all_weights().size();
}

void AdamW::step(QuestionAnsweringModel& model, TrainState& state, double learning_rate,
                 float gradient_scale) const {
  const Tensor weights = model.all_weights(), gradients = model.all_gradients();
  const Tensor first = arena_tensor(state.first_moment), second = arena_tensor(state.second_moment);
  const Tensor shadow = model.shadow_weights();
  ops::AdamWConstants constants{.lr = learning_rate,
                                .beta1 = beta1_,
                                .beta2 = beta2_,
                                .eps = epsilon_,
                                .step = state.global_step + 1,
                                .gradient_scale = gradient_scale};
  for (const Range& range : ranges_) {
    constants.weight_decay = range.decays ? weight_decay_ : 0.0;
    ops::adamw(slice(weights, range.begin, range.end), slice(gradients, range.begin, range.end),
               slice(first, range.begin, range.end), slice(second, range.begin, range.end),
               slice(shadow, range.begin, range.end), constants);
  }
}

float clip_factor(double norm, double max_norm) {
  if (max_norm <= 0) return 1.0f;
  return std::min(1.0f, static_cast<float>(max_norm) / (static_cast<float>(norm) + 1e-6f));
}

}  // namespace spanforge
