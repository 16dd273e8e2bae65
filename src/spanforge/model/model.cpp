#include "spanforge/model/model.h"

#include <cmath>
#include <optional>
#include <utility>

#include "spanforge/base/file.h"
#include "spanforge/base/random.h"
#include "spanforge/model/encoder.h"
#include "spanforge/model/gradient_store.h"
#include "spanforge/model/initial_weights.h"
#include "spanforge/model/load_report.h"
#include "spanforge/model/weight_io.h"
#include "spanforge/ops/optimizer.h"
#include "spanforge/ops/span_loss.h"

namespace spanforge {
struct QuestionAnsweringModel::Impl {
  explicit Impl(const ModelConfig& model_config)
      : config(model_config),
        spec(encoder_spec(config.model_type, ErrorCode::kBadModel, "config.json")),
        shape(encoder_shape(spec, config)),
        table(build_parameter_table(spec, config)) {}

  void allocate_weights() {
    weight_memory = Arena(table.arena_size * sizeof(float));
    bind_weights();
  }
  void bind_weights() { weight_views = bind_parts(table, weights(), shadow()); }

  Tensor weights() const { return flat(weight_memory, DType::kF32); }
  GradientStore& gradients() {
    if (!gradient_store) {
      throw Error(ErrorCode::kInternal, "model", "prepare_training() has not been called");
    }
    return *gradient_store;
  }
  Tensor shadow() const {
    return precision == Precision::kBF16 ? flat(shadow_memory, DType::kBF16) : Tensor{};
  }
  DType activation_type() const {
    return precision == Precision::kBF16 ? DType::kBF16 : DType::kF32;
  }
  void refresh_shadow() {
    if (precision == Precision::kBF16) ops::convert(weights(), shadow());
  }

  Pass pass(const InputIds& ids, const PackedBatch& batch, const DropoutPlan& dropout,
            Workspace& workspace) const {
    return {spec, config,           shape,   weight_views,
            ids,  batch.cu_seqlens, dropout, workspace.activations};
  }

  Tensor flat(const Arena& arena, DType dtype) const {
    return make_tensor(static_cast<void*>(arena.data()), dtype, 1, table.arena_size);
  }

  ModelConfig config;
  const EncoderSpec& spec;
  EncoderShape shape;
  ParameterTable table;
  Precision precision = Precision::kF32;
  Arena weight_memory, shadow_memory;
  ModelParts<Tensor> weight_views;
  std::optional<GradientStore> gradient_store;  // while training
};

QuestionAnsweringModel::QuestionAnsweringModel(std::unique_ptr<Impl> impl)
    : impl_(std::move(impl)) {}
QuestionAnsweringModel::QuestionAnsweringModel(QuestionAnsweringModel&&) noexcept = default;
QuestionAnsweringModel& QuestionAnsweringModel::operator=(QuestionAnsweringModel&&) noexcept =
    default;
QuestionAnsweringModel::~QuestionAnsweringModel() = default;

QuestionAnsweringModel QuestionAnsweringModel::load(const std::filesystem::path& directory,
                                                    uint64_t head_seed, LoadReport* report) {
  auto impl = std::make_unique<Impl>(ModelConfig::from_directory(directory));
  const WeightFiles files(directory);
  // Before any memory is taken, the files must agree with the sizes config.json claims.
  const WeightMatch match = match_weights(files, impl->spec, impl->table, /*may_lack_head=*/true);
  impl->allocate_weights();
  copy_weights(files, match, impl->table, impl->weights());
  for (size_t i = 0; i < impl->table.rows.size(); ++i) {
    if (match.stored[i] != nullptr) continue;
    const Parameter& parameter = impl->table.rows[i];
    initialize_parameter(parameter, impl->config.initializer_range, head_seed,
                         parameter_view(parameter, impl->weights()));
  }
  if (report != nullptr) *report = with_note(match.report, impl->config);
  return QuestionAnsweringModel(std::move(impl));
}

QuestionAnsweringModel QuestionAnsweringModel::create(const ModelConfig& config, uint64_t seed,
                                                      MatrixSpread spread) {
  config.check(ErrorCode::kUsage, "model configuration");
  auto impl = std::make_unique<Impl>(config);
  impl->allocate_weights();
  for (const Parameter& parameter : impl->table.rows) {
    const Tensor weights = parameter_view(parameter, impl->weights());
    const bool by_inputs = spread == MatrixSpread::kInputs && !parameter.embedding;
    initialize_parameter(
        parameter,
        by_inputs ? 1 / std::sqrt(static_cast<double>(weights.cols)) : config.initializer_range,
        seed, weights);
  }
  return QuestionAnsweringModel(std::move(impl));
}

const ModelConfig& QuestionAnsweringModel::config() const { return impl_->config; }
const std::vector<Parameter>& QuestionAnsweringModel::parameters() const {
  return impl_->table.rows;
}
int64_t QuestionAnsweringModel::parameter_count() const { return impl_->table.parameter_count; }

Tensor QuestionAnsweringModel::weights(const Parameter& parameter) const {
  return parameter_view(parameter, impl_->weights());
}
Tensor QuestionAnsweringModel::gradients(const Parameter& parameter) const {
  return parameter_view(parameter, all_gradients());
}
Tensor QuestionAnsweringModel::all_weights() const { return impl_->weights(); }
Tensor QuestionAnsweringModel::all_gradients() const { return impl_->gradients().all(); }
Tensor QuestionAnsweringModel::shadow_weights() const { return impl_->shadow(); }
void QuestionAnsweringModel::zero_gradients() { impl_->gradients().clear(); }
double QuestionAnsweringModel::gradient_sum_of_squares() const {
  return impl_->gradients().sum_of_squares();
}
std::vector<QuestionAnsweringModel::TouchedRows> QuestionAnsweringModel::touched_rows() const {
  const std::vector<Slot>& slots = impl_->table.parts.embeddings;
  std::vector<TouchedRows> touched;
  for (const Parameter& parameter : impl_->table.rows) {
    for (size_t i = 0; i < slots.size(); ++i) {
      if (slots[i].offset == parameter.offset)
        touched.push_back({parameter, impl_->gradients().touched_rows(i)});
    }
  }
  return touched;
}
void QuestionAnsweringModel::weights_changed() { impl_->refresh_shadow(); }
Precision QuestionAnsweringModel::precision() const { return impl_->precision; }

void QuestionAnsweringModel::set_precision(Precision precision) {
  impl_->precision = precision;
  impl_->shadow_memory = precision == Precision::kBF16
                             ? Arena(impl_->table.arena_size * dtype_size(DType::kBF16))
                             : Arena();
  impl_->refresh_shadow();
  impl_->bind_weights();
}

void QuestionAnsweringModel::prepare_training() {
  impl_->gradient_store.emplace(impl_->spec.tables(impl_->config), impl_->table);
}

void QuestionAnsweringModel::predict(const PackedBatch& batch, Workspace& workspace,
                                     const Tensor& logits) const {
  const InputIds ids(impl_->spec, impl_->config, batch);
  if (batch.token_count() == 0) return;
  workspace.activations.release(0);
  const DropoutPlan no_dropout;
  const Pass pass = impl_->pass(ids, batch, no_dropout, workspace);
  const EncoderActivations activations =
      allocate_encoder(pass, impl_->activation_type(), batch.token_count(), Keeping::kNothing);
  encoder_forward(pass, activations, logits);
}

double QuestionAnsweringModel::forward_backward(const PackedBatch& batch, const DropoutSeeds& seeds,
                                                float gradient_scale, Workspace& workspace,
                                                std::vector<double>* window_losses) {
  GradientStore& gradients = impl_->gradients();
  const InputIds ids(impl_->spec, impl_->config, batch);
  if (window_losses != nullptr) window_losses->assign(batch.window_count(), 0.0);
  if (batch.token_count() == 0) return 0.0;
  ActivationArena& arena = workspace.activations;
  arena.release(0);
  const std::vector<uint64_t> row_keys = dropout_row_keys(batch);
  const DropoutPlan dropout(impl_->spec, impl_->config, combine(seeds.seed, seeds.step), row_keys);
  const Pass pass = impl_->pass(ids, batch, dropout, workspace);
  const EncoderActivations activations =
      allocate_encoder(pass, impl_->activation_type(), batch.token_count(), Keeping::kForBackward);
  const Tensor logits = arena.allocate<float>(batch.token_count(), 2);
  const Tensor dlogits = arena.allocate<float>(batch.token_count(), 2);
  encoder_forward(pass, activations, logits);
  const double loss = ops::span_loss(
      logits, batch.cu_seqlens, batch.start_positions, batch.end_positions, gradient_scale, dlogits,
      window_losses != nullptr ? std::span<double>(*window_losses) : std::span<double>());
  const bool add_to_matrices = gradients.begin_backward(ids);
  encoder_backward(pass, activations, dlogits, add_to_matrices, gradients.views());
  return loss;
}

void QuestionAnsweringModel::save(const std::filesystem::path& directory) const {
  spanforge::create_directories(directory);
  write_file_atomic(directory / "config.json", impl_->config.to_json_text());
  write_weights(directory, impl_->table, impl_->weights());
}

void QuestionAnsweringModel::load_weights(const std::filesystem::path& directory) {
  const WeightFiles files(directory);
  const WeightMatch match =
      match_weights(files, impl_->spec, impl_->table, /*may_lack_head=*/false);
  copy_weights(files, match, impl_->table, impl_->weights());
  impl_->refresh_shadow();
}

}  // namespace spanforge
