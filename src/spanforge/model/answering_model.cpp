#include "spanforge/model/answering_model.h"

#include <utility>

#include "spanforge/io/file.h"
#include "spanforge/model/answering_weights.h"
#include "spanforge/model/encoder.h"
#include "spanforge/model/int8_file.h"
#include "spanforge/model/load_report.h"
#include "spanforge/ops/gemm.h"

namespace spanforge {

struct AnsweringModel::Impl {
  explicit Impl(const ModelConfig& model_config)
      : config(model_config),
        spec(encoder_spec(config.model_type, ErrorCode::kBadModel, "config.json")),
        shape(encoder_shape(spec, config)) {}

  void predict(const PackedBatch& batch, Workspace& workspace, const Tensor& logits,
               const InputObserver* observer) const {
    const InputIds ids(spec, config, batch);
    if (batch.token_count() == 0) return;
    workspace.activations.release(0);
    const DropoutPlan no_dropout;
    const AnsweringPass pass{.spec = spec,
                             .config = config,
                             .shape = shape,
                             .weights = weights->parts,
                             .ids = ids,
                             .cu_seqlens = batch.cu_seqlens,
                             .dropout = no_dropout,
                             .arena = workspace.activations,
                             .observer = observer};
    const EncoderActivations activations =
        allocate_encoder(pass, dtype, batch.token_count(), Keeping::kNothing);
    encoder_forward(pass, activations, logits);
    weights->expect_whole();  // up to the end of a page, lost weights read as zeros
  }

  ModelConfig config;
  const EncoderSpec& spec;
  EncoderShape shape;
  DType dtype = DType::kF32;
  std::unique_ptr<AnsweringWeights> weights;
};

AnsweringModel::AnsweringModel(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
AnsweringModel::AnsweringModel(AnsweringModel&&) noexcept = default;
AnsweringModel& AnsweringModel::operator=(AnsweringModel&&) noexcept = default;
AnsweringModel::~AnsweringModel() = default;

AnsweringModel AnsweringModel::load(const ModelDirectory& directory, const std::string& source,
                                    Precision precision, LoadReport* report) {
  auto impl = std::make_unique<Impl>(ModelConfig::from_directory(directory.base));
  impl->dtype = precision == Precision::kBF16 ? DType::kBF16 : DType::kF32;
  const auto project = [&] {
    impl->weights->project_distances(impl->shape, impl->dtype);
    impl->weights->expect_whole();
  };
  if (directory.is_adapter()) {
    impl->weights = load_merged_weights(directory, source, precision, report);
    project();
    return AnsweringModel(std::move(impl));
  }
  const ParameterTable table = build_parameter_table(impl->spec, impl->config);
  if (is_int8_directory(directory.path)) {
    impl->weights = load_int8_weights(directory.path, impl->spec, table);
    impl->dtype = ops::bf16_is_fast() ? DType::kBF16 : DType::kF32;
    if (report != nullptr) *report = {};
  } else {
    impl->weights =
        load_stored_weights(directory.path, source, impl->spec, table, precision, report);
  }
  project();
  if (report != nullptr) *report = with_note(*report, impl->config);
  return AnsweringModel(std::move(impl));
}

const ModelConfig& AnsweringModel::config() const { return impl_->config; }
size_t AnsweringModel::block_count() const { return impl_->weights->parts.blocks.size(); }

void AnsweringModel::predict(const PackedBatch& batch, Workspace& workspace,
                             const Tensor& logits) const {
  impl_->predict(batch, workspace, logits, nullptr);
}
void AnsweringModel::predict(const PackedBatch& batch, Workspace& workspace, const Tensor& logits,
                             const InputObserver& observer) const {
  impl_->predict(batch, workspace, logits, &observer);
}

}  // namespace spanforge
