#pragma once
// What: An encoder with a question-answering head: parameters, a forward pass and a hand-written
//   backward pass. It loads and saves Hugging Face directories under HF's names.
// Precision: fp32, or bf16 compute over fp32 master weights (set_precision).

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "spanforge/base/spelling.h"
#include "spanforge/model/config.h"
#include "spanforge/model/load_report.h"
#include "spanforge/model/model_directory.h"
#include "spanforge/model/trainable_model.h"
#include "spanforge/tensor/arena.h"

namespace spanforge {

// How widely a new model's matrices spread. Embeddings always use the config's initializer_range.
enum class MatrixSpread {
  kConfig,  // initializer_range, as in HF
  kInputs,  // 1 / sqrt(a row's inputs): keeps the signal's size in narrow layers, too
};
constexpr auto spellings(MatrixSpread) {
  return std::to_array<Spelling<MatrixSpread>>(
      {{"config", MatrixSpread::kConfig}, {"inputs", MatrixSpread::kInputs}});
}

class QuestionAnsweringModel : public TrainableModel {
 public:
  // learning: with a rank, adapters are made new, or read from the directory if it is an adapter.
  // Without a rank, an adapter is merged into its base's weights, and the result is a whole model.
  // Errors: Error{kBadModel} naming each weight (except the head's) that is missing, misshaped or
  // not finite; Error{kIo} for missing files; Error{kUsage} for layers that do not exist.
  static QuestionAnsweringModel load(const ModelDirectory& directory, uint64_t head_seed,
                                     LoadReport* report = nullptr, const Learning& learning = {});
  static QuestionAnsweringModel create(const ModelConfig& config, uint64_t seed,
                                       MatrixSpread spread = MatrixSpread::kConfig,
                                       const Learning& learning = {});
  QuestionAnsweringModel(QuestionAnsweringModel&&) noexcept;
  QuestionAnsweringModel& operator=(QuestionAnsweringModel&&) noexcept;
  ~QuestionAnsweringModel() override;

  const ModelConfig& config() const override;
  const std::vector<Parameter>& parameters() const override;
  int64_t parameter_count() const;
  Tensor weights(const Parameter& parameter) const override;

  void set_precision(Precision precision);
  Precision precision() const override;

  void predict(const PackedBatch& batch, Workspace& workspace, const Tensor& logits) const override;

  void prepare_training() override;
  Tensor gradients(const Parameter& parameter) const override;
  Tensor all_weights() const override;
  Tensor all_gradients() const override;
  void zero_gradients() override;
  std::vector<TouchedRows> touched_rows() const override;
  void touch_rows(size_t index, std::span<const int32_t> rows) override;
  double forward_backward(const PackedBatch& batch, const BackwardOptions& options,
                          Workspace& workspace) override;
  Tensor shadow_weights() const override;
  // Refreshes the shadow. Call it after changing weights from outside (loading, tests).
  void weights_changed();

  void save(DirectoryWriter& writer) const override;
  void load_weights(const std::filesystem::path& directory) override;
  uint64_t saved_bytes() const override;

 private:
  struct Impl;
  static QuestionAnsweringModel load_merged(const ModelDirectory& directory, LoadReport* report);
  explicit QuestionAnsweringModel(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace spanforge
