#pragma once
// What: an encoder with a question-answering head: parameters, forward, and backward written beside
//   it. Weights come from and go to Hugging Face directories under HF's names.
// Precision: fp32, or bf16 compute over fp32 master weights (set_precision).
// Threads: predict() is const and may be called concurrently, each call with a Workspace of its
//   own; training methods may not.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "spanforge/features/packed_batch.h"
#include "spanforge/model/config.h"
#include "spanforge/model/predictor.h"
#include "spanforge/tensor/arena.h"
#include "spanforge/tensor/tensor.h"

namespace spanforge {

enum class Precision { kF32, kBF16 };

// One row a parameter: all that arena layout, loading, saving, decay and initial values need.
struct Parameter {
  std::string name;            // HF's key with the family's prefix, e.g. bert.encoder.layer.0...
  std::vector<int64_t> shape;  // as saved
  int64_t offset = 0;          // elements into each arena
  int64_t size = 0;            // elements
  bool decays = true;          // false for biases and LayerNorm
  bool embedding = false;      // rows chosen by ids: its gradients are zero but for a few rows
  enum class Init { kNormal, kZeros, kOnes } init = Init::kNormal;
  int64_t zero_row = -1;    // row of [PAD] in an embedding: starts as zeros, gets no gradient
  size_t module_index = 0;  // place in torch's named_parameters(), which optimiser files follow
};

// What loading noticed, for the messages HF users know.
struct LoadReport {
  std::vector<std::string> unused;       // in the file, not in the model (the pooler, say)
  std::vector<std::string> initialized;  // made new (only the QA head may be)
  std::vector<std::string> notes;        // what was understood otherwise than written; a line each
};

struct DropoutSeeds {  // training only
  uint64_t seed = 0;
  uint64_t step = 0;  // optimiser step
};

// How widely a fresh model's matrices spread; embeddings always by the config's initializer_range.
enum class MatrixSpread {
  kConfig,  // initializer_range, as in HF
  kInputs,  // 1 / sqrt(a row's inputs): layers hand on their signal, narrow ones too
};

class QuestionAnsweringModel : public Predictor {
 public:
  // Errors: Error{kBadModel} for weights that are missing (other than the head), misshaped or not
  // finite, naming each; Error{kIo} for missing files.
  static QuestionAnsweringModel load(const std::filesystem::path& directory, uint64_t head_seed,
                                     LoadReport* report = nullptr);
  static QuestionAnsweringModel create(const ModelConfig& config, uint64_t seed,
                                       MatrixSpread spread = MatrixSpread::kConfig);
  QuestionAnsweringModel(QuestionAnsweringModel&&) noexcept;
  QuestionAnsweringModel& operator=(QuestionAnsweringModel&&) noexcept;
  ~QuestionAnsweringModel() override;

  const ModelConfig& config() const override;
  const std::vector<Parameter>& parameters() const;  // arena order: reverse execution
  int64_t parameter_count() const;
  Tensor weights(const Parameter& parameter) const;  // [rows, cols] f32; a vector is [1,n]

  void set_precision(Precision precision);
  Precision precision() const;

  // logits[T,2] f32 (start, end) of every token.
  void predict(const PackedBatch& batch, Workspace& workspace, const Tensor& logits) const override;

  // --- training ---
  // Makes the gradient arena (zeroed). Dropout probabilities are config()'s.
  void prepare_training();
  Tensor gradients(const Parameter& parameter) const;
  Tensor all_weights() const;  // [1, n] flat arena, alignment gaps included (always 0)
  Tensor all_gradients() const;
  void zero_gradients();
  double gradient_sum_of_squares() const;
  // Of each embedding the rows whose gradients may be other than zero.
  struct TouchedRows {
    const Parameter& parameter;
    std::span<const int32_t> rows;
  };
  std::vector<TouchedRows> touched_rows() const;
  // Forward and backward of one micro-batch; gradients += d(sum of window losses) * gradient_scale.
  // Returns the sum of window losses. window_losses, when not null, receives each window's.
  double forward_backward(const PackedBatch& batch, const DropoutSeeds& seeds, float gradient_scale,
                          Workspace& workspace, std::vector<double>* window_losses = nullptr);
  // bf16 shadow of the weights for the optimiser to write, embeddings left out (no pass reads them
  // there); empty tensor in fp32.
  Tensor shadow_weights() const;
  // After weights were changed from outside (loading, tests): refreshes the shadow.
  void weights_changed();

  // --- files ---
  // config.json and model.safetensors, names HF's. The caller writes the tokenizer beside them.
  void save(const std::filesystem::path& directory) const;
  // Replaces all weights by those of a directory (a checkpoint): nothing may be missing.
  void load_weights(const std::filesystem::path& directory);

 private:
  struct Impl;
  explicit QuestionAnsweringModel(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace spanforge
