#include "spanforge/train/optimizer.h"

#include <algorithm>

#include "spanforge/model/parameter_table.h"
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
  int64_t end = model.all_weights().size();
  for (const Parameter& parameter : model.parameters()) {
    if (parameter.embedding) {
      end = std::min(end, parameter.offset);  // they stand at the end
    } else {
      rows.push_back(&parameter);
    }
  }
  std::sort(rows.begin(), rows.end(), [](auto* a, auto* b) { return a->offset < b->offset; });
  // Gaps belong to the range before them: zeros stay zeros under any update.
  for (const Parameter* row : rows) {
    if (!ranges_.empty() && ranges_.back().decays == row->decays) continue;
    if (!ranges_.empty()) ranges_.back().end = row->offset;
    ranges_.push_back({row->offset, 0, row->decays});
  }
  if (!ranges_.empty()) ranges_.back().end = end;
}

void AdamW::step(QuestionAnsweringModel& model, TrainState& state, double learning_rate,
                 float gradient_scale) {
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
  constants.weight_decay = weight_decay_;
  step_embeddings(model, state, constants);
}

void AdamW::step_embeddings(QuestionAnsweringModel& model, TrainState& state,
                            const ops::AdamWConstants& constants) {
  const Tensor first = arena_tensor(state.first_moment), second = arena_tensor(state.second_moment);
  const auto touched = model.touched_rows();
  const bool begins = embeddings_.empty();
  for (size_t i = 0; i < touched.size(); ++i) {
    const Parameter& parameter = touched[i].parameter;
    if (begins) embeddings_.push_back(rows_with_moments(parameter, state));
    LiveRows& rows = embeddings_[i];
    bool grew = false;
    for (const int32_t row : touched[i].rows) {
      if (rows.is_live[static_cast<size_t>(row)]) continue;
      rows.is_live[static_cast<size_t>(row)] = grew = true;
    }
    if (grew || begins) rows.list();
    const Tensor weights = model.weights(parameter);
    ops::adamw_rows(weights, model.gradients(parameter), parameter_view(parameter, first),
                    parameter_view(parameter, second), rows.live, constants);
    const auto keep = static_cast<float>(1 - constants.lr * constants.weight_decay);
    if (keep != 1.0f) ops::scale_rows(weights, rows.others, keep);
  }
}

void AdamW::LiveRows::list() {
  live.clear();
  others.clear();
  for (size_t row = 0; row < is_live.size(); ++row) {
    (is_live[row] ? live : others).push_back(static_cast<int32_t>(row));
  }
}

// eps 0 makes the update of a row without moments 0 / 0, as it does in torch: then all rows live.
AdamW::LiveRows AdamW::rows_with_moments(const Parameter& parameter,
                                         const TrainState& state) const {
  const Tensor m = parameter_view(parameter, arena_tensor(state.first_moment));
  const Tensor v = parameter_view(parameter, arena_tensor(state.second_moment));
  LiveRows rows;
  for (int64_t r = 0; r < m.rows; ++r) {
    const auto nonzero = [&](const Tensor& t) {
      return std::any_of(t.row<float>(r), t.row<float>(r) + t.cols,
                         [](float x) { return x != 0.0f; });
    };
    rows.is_live.push_back(epsilon_ == 0 || nonzero(m) || nonzero(v));
  }
  return rows;
}

float clip_factor(double norm, double max_norm) {
  if (max_norm <= 0) return 1.0f;
  return std::min(1.0f, static_cast<float>(max_norm) / (static_cast<float>(norm) + 1e-6f));
}

}  // namespace spanforge
