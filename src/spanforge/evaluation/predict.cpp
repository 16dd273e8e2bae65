#include "spanforge/evaluation/predict.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "spanforge/base/threads.h"
#include "spanforge/ops/optimizer.h"
#include "spanforge/ops/span_loss.h"

namespace spanforge {
namespace {

// Groups windows of similar length, the longest first, so that the first batch sets memory's size.
std::vector<int32_t> by_length(const FeatureSet& features) {
  std::vector<int32_t> order(features.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    return features.windows()[a].length > features.windows()[b].length;
  });
  return order;
}

// Consecutive pieces of `order`, each within both limits.
std::vector<std::span<const int32_t>> split_batches(const FeatureSet& features,
                                                    std::span<const int32_t> order,
                                                    const PredictOptions& options) {
  std::vector<std::span<const int32_t>> batches;
  size_t first = 0;
  int64_t tokens = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    const int32_t length = features.windows()[order[i]].length;
    const bool full = i - first == static_cast<size_t>(options.batch_size) ||
                      tokens + length > options.max_batch_tokens;
    if (full && i > first) {
      batches.push_back(order.subspan(first, i - first));
      first = i;
      tokens = 0;
    }
    tokens += length;
  }
  if (first < order.size()) batches.push_back(order.subspan(first));
  return batches;
}

void check_finite(const PackedBatch& batch, const Tensor& logits) {
  const int64_t bad = ops::first_non_finite(logits);
  if (bad < 0) return;
  const auto token = static_cast<int32_t>(bad / 2);
  const auto after = std::upper_bound(batch.cu_seqlens.begin(), batch.cu_seqlens.end(), token);
  const auto window = batch.window_ids[after - batch.cu_seqlens.begin() - 1];
  throw Error(
      ErrorCode::kNonFinite, {.where = "logits"},
      "NaN or Inf in window " + std::to_string(window) + ": the model's weights have diverged");
}

// Copies window w of the batch to the place of `window` in its FeatureSet's layout.
void scatter(const PackedBatch& batch, const Tensor& logits, int32_t w, const Window& window,
             LogitSet& out) {
  for (int32_t t = 0; t < window.length; ++t) {
    const float* pair = logits.row<float>(batch.cu_seqlens[w] + t);
    out.start[window.first_token + t] = pair[0];
    out.end[window.first_token + t] = pair[1];
  }
}

}  // namespace

Predictions predict_all(const Predictor& model, const FeatureSet& features,
                        const PredictOptions& options, Workspace* workspace) {
  if (options.batch_size < 1 || options.max_batch_tokens < 1) {
    throw Error(ErrorCode::kUsage, {.parameter = "batch_size"},
                "a batch must hold at least one window and token");
  }
  Predictions result;
  result.logits.start.resize(features.token_count());
  result.logits.end.resize(features.token_count());
  if (options.with_losses) result.window_losses.resize(features.size());

  const std::vector<int32_t> order = by_length(features);
  const auto batches = split_batches(features, order, options);
  Workspace fresh;
  Workspace& used = workspace != nullptr ? *workspace : fresh;
  PackedBatch batch;
  std::vector<float> memory;
  std::vector<double> losses;
  for (size_t i = 0; i < batches.size(); ++i) {
    pack_windows(features, batches[i], batch);
    memory.resize(static_cast<size_t>(batch.token_count()) * 2);
    const Tensor logits = make_tensor(memory.data(), batch.token_count(), 2);
    {
      const Turn turn;
      model.predict(batch, used, logits);
    }
    check_finite(batch, logits);
    for (int32_t w = 0; w < batch.window_count(); ++w) {
      scatter(batch, logits, w, features.windows()[batch.window_ids[w]], result.logits);
    }
    if (options.with_losses) {
      losses.resize(batch.window_count());
      ops::span_loss(logits, batch.cu_seqlens, batch.start_positions, batch.end_positions,
                     /*gradient_scale=*/1.0f, /*dlogits=*/{}, losses);
      for (size_t w = 0; w < losses.size(); ++w) {
        const int32_t id = batch.window_ids[w];
        const bool labelled = features.windows()[id].labelled;
        result.window_losses[id] = labelled ? losses[w] : std::numeric_limits<double>::quiet_NaN();
      }
    }
    if (options.progress) options.progress(static_cast<int64_t>(i + 1), batches.size());
  }
  return result;
}

void predict_windows(const Predictor& model, std::span<const WindowToPredict> windows,
                     Workspace& workspace) {
  if (windows.empty()) return;
  PackedBatch batch;
  batch.clear();
  for (const WindowToPredict& one : windows) append_window(*one.features, one.window, batch);
  std::vector<float> memory(static_cast<size_t>(batch.token_count()) * 2);
  const Tensor logits = make_tensor(memory.data(), batch.token_count(), 2);
  {
    const Turn turn;
    model.predict(batch, workspace, logits);
  }
  check_finite(batch, logits);
  for (size_t w = 0; w < windows.size(); ++w) {
    const WindowToPredict& one = windows[w];
    scatter(batch, logits, static_cast<int32_t>(w), one.features->windows()[one.window],
            *one.logits);
  }
}

}  // namespace spanforge
