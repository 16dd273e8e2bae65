#pragma once
// What: A network that learns, as a trainer sees it: parameters with names, gradients of one
//   optimiser step, files. The network alone decides where weights are, on which device, and which
//   of them learn.
// Threads: predict() is const; threads may call it concurrently, each with its own Workspace. The
//   other functions must not be called concurrently.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "spanforge/features/packed_batch.h"
#include "spanforge/model/lora.h"
#include "spanforge/model/precision.h"
#include "spanforge/model/predictor.h"
#include "spanforge/tensor/tensor.h"

namespace spanforge {

class DirectoryWriter;  // io/directory_writer.h

// One parameter, with all that arena layout, loading, saving, decay and initial values need.
struct Parameter {
  std::string name;            // HF's key with the family's prefix, e.g. bert.encoder.layer.0...
  std::vector<int64_t> shape;  // as saved
  int64_t offset = 0;          // elements into each arena
  int64_t size = 0;            // elements
  bool decays = true;          // false for biases and LayerNorm
  bool trainable = true;       // false: it has no gradient and no optimiser state
  bool is_adapter = false;     // belongs to LoRA, not to the model itself
  bool embedding = false;      // rows chosen by ids: its gradients are zero except for a few rows
  enum class Init {
    kNormal,
    kRows,  // as kNormal, for rows that are looked up, not multiplied
    kZeros,
    kOnes,
    kUniformInputs,  // uniform between -1 and 1 over the root of a row's inputs
  } init = Init::kNormal;
  double spread = 0;      // of kNormal: the standard deviation
  double cutoff = 0;      // of kNormal: values beyond cutoff * spread are drawn again; 0: no bound
  int64_t zero_row = -1;  // row of [PAD] in an embedding: starts as zeros, gets no gradient
  size_t module_index = 0;  // place in torch's named_parameters(), which optimiser files follow
};

// Which parameters learn; all by default. The head always does.
struct Learning {
  bool embeddings = true;  // false: tables, their norm and projection are frozen
  std::vector<std::pair<int32_t, int32_t>> frozen_layers;  // first and last, from 0
  LoraConfig lora;  // with a rank: adapters and the head learn, nothing else does
};

struct DropoutSeeds {  // training only
  uint64_t seed = 0;
  uint64_t step = 0;  // optimiser step
};

struct BackwardOptions {
  DropoutSeeds seeds;
  float gradient_scale = 1;
  std::vector<double>* window_losses = nullptr;  // receives the loss of each window
  // Called during the pass with growing `elements`: gradients [0, elements) of all_gradients() are
  // final in this pass. The last micro-batch of a step uses it to sum gradients over processes
  // meanwhile.
  std::function<void(int64_t elements)> on_final;
};

class TrainableModel : public Predictor {
 public:
  // Parameters that learn first; each group in reverse order of execution.
  virtual const std::vector<Parameter>& parameters() const = 0;
  virtual Tensor weights(
      const Parameter& parameter) const = 0;  // [rows, cols] f32; a vector is [1,n]
  virtual Precision precision() const = 0;

  // Allocates the gradients (zero). Dropout probabilities are config()'s.
  virtual void prepare_training() = 0;
  virtual Tensor gradients(const Parameter& parameter) const = 0;  // of a trainable one
  // Flat, with alignment gaps (always 0). The first n elements of the weights are those that learn;
  // n is the number of gradients.
  virtual Tensor all_weights() const = 0;    // [1, N]
  virtual Tensor all_gradients() const = 0;  // [1, n], n <= N
  virtual void zero_gradients() = 0;
  // The rows of each learning embedding whose gradients may be other than zero. The gradients' norm
  // adds embeddings in this order.
  struct TouchedRows {
    const Parameter& parameter;
    std::span<const int32_t> rows;
  };
  virtual std::vector<TouchedRows> touched_rows() const = 0;
  // Adds to touched_rows() rows that gradients from elsewhere are about to be added to. index:
  // place in touched_rows().
  virtual void touch_rows(size_t index, std::span<const int32_t> rows) = 0;
  // Runs forward and backward of one micro-batch. Adds d(sum of window losses) * gradient_scale to
  // the gradients. Returns the sum of window losses.
  virtual double forward_backward(const PackedBatch& batch, const BackwardOptions& options,
                                  Workspace& workspace) = 0;
  // The bf16 shadow of the weights, which the optimiser writes, without embeddings (no pass reads
  // them there). Empty in fp32.
  virtual Tensor shadow_weights() const = 0;

  // Saves the model: a whole directory in HF's form, or an adapter's files in PEFT's. The caller
  // writes the tokenizer next to it.
  virtual void save(DirectoryWriter& writer) const = 0;
  // Reads from a directory (a checkpoint) what save() writes. Nothing may be missing.
  virtual void load_weights(const std::filesystem::path& directory) = 0;
  virtual uint64_t saved_bytes() const = 0;
};

// The view of one parameter in a flat arena, [rows, cols]; a vector is [1,n].
Tensor parameter_view(const Parameter& parameter, const Tensor& arena);

}  // namespace spanforge
