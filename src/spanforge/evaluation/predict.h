#pragma once
// Runs a model over all windows of a FeatureSet, in batches sorted by length, and returns logits in
// the FeatureSet's layout. Results depend on the batches only by rounding. Each batch is computed
// in a Turn, with the calling thread's number of threads (base/threads.h).

#include <functional>
#include <span>

#include "spanforge/features/logits.h"
#include "spanforge/model/predictor.h"

namespace spanforge {

class Group;  // parallel/group.h

// Thrown out of a prediction that PredictOptions::wants_stop ends.
struct PredictionStopped {};

struct PredictOptions {
  int32_t batch_size = 8;            // most windows of a forward pass
  int32_t max_batch_tokens = 16384;  // most tokens of a forward pass (one window always fits)
  bool with_losses = false;          // per-window loss, of the windows that have a label
  std::function<void(int64_t, int64_t)> progress;  // (batches done, all batches)
  std::function<bool()> wants_stop;  // asked before each batch; true: PredictionStopped is thrown
  // Ranks that predict together: all call with the same features, each computes some of the
  // batches, and rank 0 alone gets the result. If one wants to stop, all do. Null: this process.
  Group* group = nullptr;
};

// On ranks above 0 empty.
struct Predictions {
  LogitSet logits;
  std::vector<double> window_losses;  // [windows] if asked for; NaN for a window without a label
};

// workspace: memory to reuse; null: new memory. Errors: the model's, and Error{kNonFinite} naming
// the window whose logits are NaN or Inf.
Predictions predict_all(const Predictor& model, const FeatureSet& features,
                        const PredictOptions& options, Workspace* workspace = nullptr);

// A window of a FeatureSet, and where its logits go: into a set of the same layout.
struct WindowToPredict {
  const FeatureSet* features;
  int32_t window;
  LogitSet* logits;
};

// One forward pass over windows of any number of feature sets. Errors: as predict_all's.
void predict_windows(const Predictor& model, std::span<const WindowToPredict> windows,
                     Workspace& workspace);

}  // namespace spanforge
