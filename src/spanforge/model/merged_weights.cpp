#include <algorithm>
#include <utility>

#include "spanforge/model/answering_weights.h"
#include "spanforge/model/encoder_spec.h"

namespace spanforge {
namespace {

class MergedWeights : public AnsweringWeights {
 public:
  explicit MergedWeights(QuestionAnsweringModel model) : model_(std::move(model)) {}

  void expect_whole() const override {}  // no file is in use any more

  void build(Precision precision) {
    const EncoderSpec& spec =
        encoder_spec(model_.config().model_type, ErrorCode::kBadModel, "config.json");
    const ModelParts<Tensor> from =
        bind_parts(build_parameter_table(spec, model_.config()), model_.all_weights(), {});
    parts = map_parts<Tensor, ops::PackedLinear>(
        from, [](const Tensor& tensor) { return tensor; },
        [&](const LinearPart<Tensor>& layer, size_t, BlockLinear) {
          return pack(layer, precision);
        });
  }

 private:
  static ops::PackedLinear pack(const LinearPart<Tensor>& linear, Precision precision) {
    if (precision == Precision::kF32) return ops::PackedLinear::f32({linear.weight}, linear.bias);
    return ops::PackedLinear::bf16(
        linear.weight.rows, linear.weight.cols,
        [&](int64_t first, int64_t count, float* to) {
          std::copy_n(linear.weight.row<float>(first), count * linear.weight.cols, to);
        },
        linear.bias);
  }

  QuestionAnsweringModel model_;  // the parts are views of its weights
};

}  // namespace

std::unique_ptr<AnsweringWeights> load_merged_weights(const ModelDirectory& adapter,
                                                      const std::string& source,
                                                      Precision precision, LoadReport* report) {
  LoadReport found;
  QuestionAnsweringModel model = QuestionAnsweringModel::load(adapter, /*head_seed=*/0, &found);
  if (!found.initialized.empty()) {
    throw Error(
        ErrorCode::kBadModel, source,
        "neither the adapter nor its base has a question-answering head (" +
            std::string(
                encoder_spec(model.config().model_type, ErrorCode::kBadModel, source).head.output) +
            "); fine-tune it first with spanforge train");
  }
  if (report != nullptr) *report = std::move(found);
  auto weights = std::make_unique<MergedWeights>(std::move(model));
  weights->build(precision);
  return weights;
}

}  // namespace spanforge
