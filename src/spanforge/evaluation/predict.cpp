#include "spanforge/evaluation/predict.h"

#include <algorithm>
#include <exception>
#include <limits>
#include <numeric>

#include "spanforge/base/threads.h"
#include "spanforge/ops/optimizer.h"
#include "spanforge/ops/span_loss.h"
#include "spanforge/parallel/group.h"
#include "spanforge/parallel/together.h"

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

// Copies a window's logits, [length, 2], to the place of `window` in its FeatureSet's layout.
void scatter(const float* pairs, const Window& window, LogitSet& out) {
  for (int32_t t = 0; t < window.length; ++t, pairs += 2) {
    out.start[window.first_token + t] = pairs[0];
    out.end[window.first_token + t] = pairs[1];
  }
}

struct BatchResult {
  std::vector<float> logits;   // [T, 2]
  std::vector<double> losses;  // [W] if asked for
};

class BatchPredictor {
 public:
  BatchPredictor(const Predictor& model, const FeatureSet& features, bool with_losses,
                 Workspace& workspace)
      : model_(model), features_(features), with_losses_(with_losses), workspace_(workspace) {}

  BatchResult predict(std::span<const int32_t> windows) {
    pack_windows(features_, windows, batch_);
    BatchResult result;
    result.logits.resize(static_cast<size_t>(batch_.token_count()) * 2);
    const Tensor logits = make_tensor(result.logits.data(), batch_.token_count(), 2);
    {
      const Turn turn;
      model_.predict(batch_, workspace_, logits);
    }
    check_finite(batch_, logits);
    if (!with_losses_) return result;
    result.losses.resize(static_cast<size_t>(batch_.window_count()));
    ops::span_loss(logits, batch_.cu_seqlens, batch_.start_positions, batch_.end_positions,
                   /*gradient_scale=*/1.0f, /*dlogits=*/{}, result.losses);
    for (size_t w = 0; w < windows.size(); ++w) {
      const bool labelled = features_.windows()[windows[w]].labelled;
      if (!labelled) result.losses[w] = std::numeric_limits<double>::quiet_NaN();
    }
    return result;
  }

 private:
  const Predictor& model_;
  const FeatureSet& features_;
  const bool with_losses_;
  Workspace& workspace_;
  PackedBatch batch_;
};

// losses: of these windows, or null.
void put_in_place(const FeatureSet& features, std::span<const int32_t> windows, const float* pairs,
                  const double* losses, Predictions& all) {
  for (size_t w = 0; w < windows.size(); ++w) {
    const Window& window = features.windows()[windows[w]];
    scatter(pairs, window, all.logits);
    pairs += static_cast<ptrdiff_t>(window.length) * 2;
    if (losses != nullptr) all.window_losses[windows[w]] = losses[w];
  }
}

// The place within a round of batches that a rank takes. The batches become shorter, so every other
// round is dealt backwards.
size_t turn_of(size_t rank, size_t round, size_t ranks) {
  return round % 2 == 0 ? rank : ranks - 1 - rank;
}

void stop_if_any_wants(Group& group, const PredictOptions& options) {
  const bool mine = options.wants_stop && options.wants_stop();
  if (group.size() == 1) {
    if (mine) throw PredictionStopped{};
    return;
  }
  const auto all = group.all_gather_value(static_cast<char>(mine));
  if (std::count(all.begin(), all.end(), 1) > 0) throw PredictionStopped{};
}

// Rank 0 puts the other ranks' results in place. Their sizes follow from the batches. mine: the
// results of this rank's batches, one after the other; rank 0's are in place already.
void gather_results(Group& group, const FeatureSet& features,
                    const std::vector<std::span<const int32_t>>& batches, bool with_losses,
                    const BatchResult& mine, Predictions& all) {
  const auto ranks = static_cast<size_t>(group.size());
  std::vector<BatchResult> of_rank(ranks);  // one after the other
  const auto rank_of = [&](size_t i) { return turn_of(i % ranks, i / ranks, ranks); };
  const auto tokens_of = [&](std::span<const int32_t> windows) {
    size_t tokens = 0;
    for (const int32_t window : windows) {
      tokens += static_cast<size_t>(features.windows()[window].length);
    }
    return tokens;
  };
  if (group.leads()) {
    for (size_t i = 0; i < batches.size(); ++i) {
      if (rank_of(i) == 0) continue;
      BatchResult& to = of_rank[rank_of(i)];
      to.logits.resize(to.logits.size() + tokens_of(batches[i]) * 2);
      if (with_losses) to.losses.resize(to.losses.size() + batches[i].size());
    }
  }
  std::vector<Bytes> logits_in, losses_in;
  for (BatchResult& result : of_rank) {
    logits_in.push_back(std::as_writable_bytes(std::span(result.logits)));
    losses_in.push_back(std::as_writable_bytes(std::span(result.losses)));
  }
  group.gather(std::as_bytes(std::span(mine.logits)), logits_in);
  group.gather(std::as_bytes(std::span(mine.losses)), losses_in);
  if (!group.leads()) return;
  std::vector<size_t> token_at(ranks), window_at(ranks);
  for (size_t i = 0; i < batches.size(); ++i) {
    const size_t rank = rank_of(i);
    if (rank == 0) continue;
    const size_t tokens = tokens_of(batches[i]);
    put_in_place(features, batches[i], of_rank[rank].logits.data() + token_at[rank] * 2,
                 with_losses ? of_rank[rank].losses.data() + window_at[rank] : nullptr, all);
    token_at[rank] += tokens;
    window_at[rank] += batches[i].size();
  }
}

}  // namespace

Predictions predict_all(const Predictor& model, const FeatureSet& features,
                        const PredictOptions& options, Workspace* workspace) {
  if (options.batch_size < 1 || options.max_batch_tokens < 1) {
    throw Error(ErrorCode::kUsage, {.parameter = "batch_size"},
                "a batch must hold at least one window and token");
  }
  GroupAlone alone;
  Group& group = options.group != nullptr ? *options.group : alone;
  const std::vector<int32_t> order = by_length(features);
  const auto batches = split_batches(features, order, options);
  Workspace fresh;
  BatchPredictor predictor(model, features, options.with_losses,
                           workspace != nullptr ? *workspace : fresh);
  const size_t ranks = static_cast<size_t>(group.size());
  Predictions all;  // on rank 0
  if (group.leads()) {
    all.logits.start.resize(features.token_count());
    all.logits.end.resize(features.token_count());
    if (options.with_losses) all.window_losses.resize(features.size());
  }
  BatchResult to_send;
  std::exception_ptr failure;
  for (size_t first = 0; first < batches.size(); first += ranks) {
    stop_if_any_wants(group, options);
    const size_t mine = first + turn_of(static_cast<size_t>(group.rank()), first / ranks, ranks);
    try {
      if (mine < batches.size() && !failure) {
        BatchResult result = predictor.predict(batches[mine]);
        if (group.leads()) {
          put_in_place(features, batches[mine], result.logits.data(),
                       options.with_losses ? result.losses.data() : nullptr, all);
        } else {
          to_send.logits.insert(to_send.logits.end(), result.logits.begin(), result.logits.end());
          to_send.losses.insert(to_send.losses.end(), result.losses.begin(), result.losses.end());
        }
      }
    } catch (const Error&) {
      failure = std::current_exception();
    }
    if (failure && ranks == 1) std::rethrow_exception(failure);
    const size_t done = std::min(batches.size(), first + ranks);
    if (options.progress) options.progress(static_cast<int64_t>(done), batches.size());
  }
  fail_together(group, failure);
  if (ranks > 1) gather_results(group, features, batches, options.with_losses, to_send, all);
  return all;
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
    scatter(logits.row<float>(batch.cu_seqlens[w]), one.features->windows()[one.window],
            *one.logits);
  }
}

}  // namespace spanforge
