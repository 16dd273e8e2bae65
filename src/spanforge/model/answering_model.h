#pragma once
// What: A saved model that answers and does nothing else: see docs/design/engine.md.
// Forms: f32 uses the stored weights in the mapped file, so processes share them. bf16 rounds
//   linear layers and lays them out for the CPU's tiles while it reads them. int8 is a directory of
//   `model convert --int8` (docs/int8.md); its file is mapped, too. Its layers compute in int8
//   whatever precision is asked for; between them it computes in bf16 if that is fast, else in f32.
// Files: It is safe to replace a weight file by renaming, as every command here does. If a file is
//   truncated while load() or predict() reads it, they throw Error{kIo}. But predict() reads f32
//   and int8 weights from the mapped file: if it touches a page that is lost, the system ends the
//   process by SIGBUS. So never truncate or rewrite the files of a model in use.
// Threads: predict() is const. Threads may call it concurrently, each with its own Workspace.

#include <memory>
#include <string>

#include "spanforge/model/input_observer.h"
#include "spanforge/model/model_directory.h"
#include "spanforge/model/precision.h"
#include "spanforge/model/predictor.h"

namespace spanforge {

struct LoadReport;

class AnsweringModel : public Predictor {
 public:
  // source: the model's name as the user gave it, for messages. report: receives what loading
  // noticed. An adapter is merged into its base's weights.
  // Errors: Error{kBadModel} naming each weight that is missing, misshaped or not finite. The head
  // must be there, too: without it, answers would be random. Error{kIo} for missing files.
  static AnsweringModel load(const ModelDirectory& directory, const std::string& source,
                             Precision precision, LoadReport* report = nullptr);
  AnsweringModel(AnsweringModel&&) noexcept;
  AnsweringModel& operator=(AnsweringModel&&) noexcept;
  ~AnsweringModel() override;

  const ModelConfig& config() const override;
  size_t block_count() const;  // blocks that have their own weights
  void predict(const PackedBatch& batch, Workspace& workspace, const Tensor& logits) const override;
  // Also shows `observer` every input of the blocks' linear layers. Layers that share weights are
  // one block to it.
  void predict(const PackedBatch& batch, Workspace& workspace, const Tensor& logits,
               const InputObserver& observer) const;

 private:
  struct Impl;
  explicit AnsweringModel(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace spanforge
