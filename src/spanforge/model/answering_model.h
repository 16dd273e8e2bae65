#pragma once
// What: a saved model made ready to answer and nothing else: see docs/design/engine.md.
// Forms: f32: the stored weights are used where the file is mapped, so processes share them. bf16:
//   linear layers are rounded and laid out for the CPU's tiles while they are read. int8: a
//   directory of `model convert --int8` (docs/int8.md), mapped as well; its layers are int8
//   whatever precision is asked for, what is between them is bf16 where that is fast, else f32.
// Files: replacing a weight file by renaming, as every command here does, is safe. A file that is
//   truncated while load() or predict() reads it is Error{kIo}. But predict() reads f32 and int8
//   weights where they are mapped: if it touches a page that is lost, the system ends the process
//   by SIGBUS. So never truncate or rewrite the files of a model in use.
// Threads: predict() is const and concurrent, each call with a Workspace of its own.

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
  // source: the model as its user named it, for messages. report: what the file had to spare.
  // Errors: Error{kBadModel} for weights that are missing (the head's too: what such a model
  // answers is random), misshaped or not finite, naming each; Error{kIo} for missing files.
  // An adapter is merged into its base's weights.
  static AnsweringModel load(const ModelDirectory& directory, const std::string& source,
                             Precision precision, LoadReport* report = nullptr);
  AnsweringModel(AnsweringModel&&) noexcept;
  AnsweringModel& operator=(AnsweringModel&&) noexcept;
  ~AnsweringModel() override;

  const ModelConfig& config() const override;
  size_t block_count() const;  // with weights of their own
  void predict(const PackedBatch& batch, Workspace& workspace, const Tensor& logits) const override;
  // The same, and `observer` sees every input of the blocks' linear layers; layers that share
  // weights are one block to it.
  void predict(const PackedBatch& batch, Workspace& workspace, const Tensor& logits,
               const InputObserver& observer) const;

 private:
  struct Impl;
  explicit AnsweringModel(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace spanforge
