#include "spanforge/model/model.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "spanforge/base/keyed_hash.h"
#include "spanforge/base/random.h"
#include "spanforge/io/directory_writer.h"
#include "spanforge/io/file.h"
#include "spanforge/model/adapter_file.h"
#include "spanforge/model/encoder.h"
#include "spanforge/model/gradient_store.h"
#include "spanforge/model/initial_weights.h"
#include "spanforge/model/load_report.h"
#include "spanforge/model/weight_io.h"
#include "spanforge/ops/elementwise.h"
#include "spanforge/ops/gemm.h"
#include "spanforge/ops/optimizer.h"
#include "spanforge/ops/span_loss.h"

namespace spanforge {
struct QuestionAnsweringModel::Impl {
  Impl(const ModelConfig& model_config, const Learning& learning)
      : config(model_config),
        spec(encoder_spec(config.model_type, ErrorCode::kBadModel, "config.json")),
        shape(encoder_shape(spec, config)),
        table(build_parameter_table(spec, config, learning)) {}

  void allocate_weights() {
    weight_memory = Arena(table.arena_size * sizeof(float));
    bind_weights();
  }
  void bind_weights() { weight_views = bind_parts(table, weights(), shadow()); }

  Tensor weights() const { return flat(weight_memory, DType::kF32); }
  GradientStore& gradients() {
    if (!gradient_store) {
      throw Error(ErrorCode::kInternal, {.where = "model"},
                  "prepare_training() has not been called");
    }
    return *gradient_store;
  }
  Tensor shadow() const {
    return precision == Precision::kBF16 ? flat(shadow_memory, DType::kBF16) : Tensor{};
  }
  DType activation_type() const {
    return precision == Precision::kBF16 ? DType::kBF16 : DType::kF32;
  }
  void read_adapter(const std::filesystem::path& directory) {
    read_adapter_weights(directory, adapter_parameters(table.rows, read_adapter_config(directory)),
                         [&](const Parameter& parameter) { return address(parameter); });
  }
  void refresh_shadow() {
    if (precision == Precision::kBF16) ops::convert(weights(), shadow());
  }

  Pass pass(const InputIds& ids, const PackedBatch& batch, const DropoutPlan& dropout,
            Workspace& workspace) const {
    return {.spec = spec,
            .config = config,
            .shape = shape,
            .weights = weight_views,
            .ids = ids,
            .cu_seqlens = batch.cu_seqlens,
            .dropout = dropout,
            .arena = workspace.activations,
            .adapter_scale = static_cast<float>(table.lora.scale())};
  }
  // Each with its place among the family's tables, in their order, which touched_rows() has.
  std::vector<std::pair<const Parameter*, size_t>> learning_embeddings() const {
    const std::vector<Slot>& slots = table.parts.embeddings;
    std::vector<std::pair<const Parameter*, size_t>> learning;
    for (size_t i = 0; i < slots.size(); ++i) {
      for (const Parameter& parameter : table.rows) {
        if (parameter.trainable && slots[i].offset == parameter.offset) {
          learning.emplace_back(&parameter, i);
        }
      }
    }
    return learning;
  }
  bool has_adapters() const { return table.lora.rank > 0; }
  float* address(const Parameter& parameter) const {
    return weights().as<float>() + parameter.offset;
  }

  Tensor flat(const Arena& arena, DType dtype) const {
    return make_tensor(static_cast<void*>(arena.data()), dtype, 1, table.arena_size);
  }

  ModelConfig config;
  const EncoderSpec& spec;
  EncoderShape shape;
  ParameterTable table;
  AdapterConfig adapter;  // of a model with adapters
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

QuestionAnsweringModel QuestionAnsweringModel::load(const ModelDirectory& directory,
                                                    uint64_t head_seed, LoadReport* report,
                                                    const Learning& learning) {
  if (directory.is_adapter() && learning.lora.rank == 0) return load_merged(directory, report);
  auto impl = std::make_unique<Impl>(ModelConfig::from_directory(directory.base), learning);
  if (impl->has_adapters()) {
    impl->adapter = adapter_config_for(impl->table.lora, impl->spec, directory);
  }
  const WeightFiles files(directory.base);
  // Before memory is allocated, the files must agree with the sizes that config.json states.
  const WeightMatch match = match_weights(files, impl->spec, impl->table, /*may_lack_head=*/true);
  impl->allocate_weights();
  copy_weights(files, match, impl->table, impl->weights());
  for (size_t i = 0; i < impl->table.rows.size(); ++i) {
    if (match.stored[i] != nullptr) continue;
    const Parameter& parameter = impl->table.rows[i];
    initialize_parameter(parameter, parameter.spread, head_seed,
                         parameter_view(parameter, impl->weights()));
  }
  LoadReport found = with_note(match.report, impl->config);
  if (directory.is_adapter()) {
    impl->read_adapter(directory.path);
    const AdapterConfig stored = read_adapter_config(directory.path);
    std::erase_if(found.initialized, [&](const std::string& name) { return stored.saves(name); });
  }
  if (report != nullptr) *report = std::move(found);
  return QuestionAnsweringModel(std::move(impl));
}

// Adds each adapter's product of matrices to the weights of its linear layer. The adapter's head
// becomes the model's.
QuestionAnsweringModel QuestionAnsweringModel::load_merged(const ModelDirectory& directory,
                                                           LoadReport* report) {
  Learning learning;
  learning.lora = read_adapter_lora(directory.path, ModelConfig::from_directory(directory.base));
  const QuestionAnsweringModel parts = load(directory, /*head_seed=*/0, report, learning);
  auto whole = std::make_unique<Impl>(parts.config(), Learning{});
  whole->allocate_weights();
  KeyedMap<std::string_view, const Parameter*> by_name;
  for (const Parameter& parameter : parts.parameters()) by_name.emplace(parameter.name, &parameter);
  for (const Parameter& parameter : whole->table.rows) {
    const Tensor from = parts.weights(*by_name.at(parameter.name));
    std::copy_n(from.as<float>(), parameter.size, whole->address(parameter));
  }
  const auto merge = [&](const std::vector<AdapterPart<Tensor>>& adapters, const Tensor& weight) {
    for (const AdapterPart<Tensor>& adapter : adapters) {
      const Tensor& b = adapter.b;
      std::vector<float> memory(b.as<float>(), b.as<float>() + b.size());
      const Tensor scaled = make_tensor(memory.data(), b.rows, b.cols);
      ops::scale(scaled, static_cast<float>(parts.impl_->table.lora.scale()));
      ops::gemm(scaled, adapter.a, weight.row_range(adapter.first_output, b.rows),
                {.accumulate = true});
    }
  };
  const ModelParts<Tensor>& from = parts.impl_->weight_views;
  for (size_t block = 0; block < from.blocks.size(); ++block) {
    for (const BlockLinear linear : kAllBlockLinears) {
      merge(from.blocks[block].adapters[static_cast<size_t>(linear)],
            linear_of(whole->weight_views.blocks[block], linear).weight);
    }
    for (size_t term = 0; term < kDistanceTerms; ++term) {
      merge(from.blocks[block].distance_adapters[term],
            whole->weight_views.blocks[block].distances[term].weight);
    }
  }
  if (whole->weight_views.projection) {
    merge(from.projection_adapters, whole->weight_views.projection->weight);
  }
  return QuestionAnsweringModel(std::move(whole));
}

QuestionAnsweringModel QuestionAnsweringModel::create(const ModelConfig& config, uint64_t seed,
                                                      MatrixSpread spread,
                                                      const Learning& learning) {
  config.check(ErrorCode::kUsage, {.where = "model configuration"});
  auto impl = std::make_unique<Impl>(config, learning);
  impl->allocate_weights();
  for (const Parameter& parameter : impl->table.rows) {
    const Tensor weights = parameter_view(parameter, impl->weights());
    const bool by_inputs =
        spread == MatrixSpread::kInputs && parameter.init != Parameter::Init::kRows;
    initialize_parameter(
        parameter, by_inputs ? 1 / std::sqrt(static_cast<double>(weights.cols)) : parameter.spread,
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
std::vector<TrainableModel::TouchedRows> QuestionAnsweringModel::touched_rows() const {
  std::vector<TouchedRows> touched;
  for (const auto& [parameter, embedding] : impl_->learning_embeddings()) {
    touched.push_back({*parameter, impl_->gradients().touched_rows(embedding)});
  }
  return touched;
}
void QuestionAnsweringModel::touch_rows(size_t index, std::span<const int32_t> rows) {
  impl_->gradients().touch_rows(impl_->learning_embeddings().at(index).second, rows);
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

double QuestionAnsweringModel::forward_backward(const PackedBatch& batch,
                                                const BackwardOptions& options,
                                                Workspace& workspace) {
  std::vector<double>* const window_losses = options.window_losses;
  GradientStore& gradients = impl_->gradients();
  const InputIds ids(impl_->spec, impl_->config, batch);
  if (window_losses != nullptr) window_losses->assign(batch.window_count(), 0.0);
  if (batch.token_count() == 0) return 0.0;
  ActivationArena& arena = workspace.activations;
  arena.release(0);
  const std::vector<uint64_t> row_keys = dropout_row_keys(batch);
  const DropoutPlan dropout(impl_->spec, impl_->config, impl_->table.lora.dropout,
                            combine(options.seeds.seed, options.seeds.step), row_keys);
  const Pass pass = impl_->pass(ids, batch, dropout, workspace);
  const EncoderActivations activations =
      allocate_encoder(pass, impl_->activation_type(), batch.token_count(), Keeping::kForBackward);
  const Tensor logits = arena.allocate<float>(batch.token_count(), 2);
  const Tensor dlogits = arena.allocate<float>(batch.token_count(), 2);
  encoder_forward(pass, activations, logits);
  const double loss = ops::span_loss(
      logits, batch.cu_seqlens, batch.start_positions, batch.end_positions, options.gradient_scale,
      dlogits, window_losses != nullptr ? std::span<double>(*window_losses) : std::span<double>());
  const bool add_to_matrices = gradients.begin_backward(ids);
  DoneObserver done;
  if (options.on_final) {
    done = [&](std::optional<size_t> block) {
      options.on_final(block ? impl_->table.block_ends[*block] : impl_->table.head_end);
    };
  }
  encoder_backward(pass, activations, dlogits, add_to_matrices, gradients.views(), done);
  if (options.on_final) options.on_final(impl_->table.trainable_size);
  return loss;
}

void QuestionAnsweringModel::save(DirectoryWriter& writer) const {
  if (impl_->has_adapters()) {
    writer.write(kAdapterConfigFile, adapter_config_text(impl_->adapter));
    write_adapter_weights(writer, adapter_parameters(parameters(), impl_->adapter),
                          impl_->weights());
    return;
  }
  writer.write("config.json", impl_->config.to_json_text());
  write_weights(writer, impl_->table, impl_->weights());
}

void QuestionAnsweringModel::load_weights(const std::filesystem::path& directory) {
  if (impl_->has_adapters()) {
    impl_->read_adapter(directory);
  } else {
    const WeightFiles files(directory);
    const WeightMatch match =
        match_weights(files, impl_->spec, impl_->table, /*may_lack_head=*/false);
    copy_weights(files, match, impl_->table, impl_->weights());
  }
  impl_->refresh_shadow();
}

uint64_t QuestionAnsweringModel::saved_bytes() const {
  // An adapter saves what learns; a whole model saves everything.
  uint64_t elements = 0;
  for (const Parameter& parameter : parameters()) {
    if (parameter.trainable || !impl_->has_adapters()) {
      elements += static_cast<uint64_t>(parameter.size);
    }
  }
  return elements * sizeof(float);
}

}  // namespace spanforge
