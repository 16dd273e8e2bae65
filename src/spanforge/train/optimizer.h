#pragma once
// AdamW over the model's flat arenas: the parameters that decay and those that do not lie in
// alternating ranges, each updated in one call. Of embeddings only live rows are updated, those
// whose tokens have occurred: without gradient and moments the update is nothing but weight decay.

#include <cstdint>
#include <vector>

#include "spanforge/model/model.h"
#include "spanforge/ops/optimizer.h"
#include "spanforge/train/arguments.h"
#include "spanforge/train/train_state.h"

namespace spanforge {

class AdamW {
 public:
  AdamW(const QuestionAnsweringModel& model, const TrainingArguments& arguments);
  // One update; state.global_step counts the updates before. gradient_scale: the clip factor.
  void step(QuestionAnsweringModel& model, TrainState& state, double learning_rate,
            float gradient_scale);

 private:
  struct Range {
    int64_t begin, end;  // elements of the arena
    bool decays;
  };
  struct LiveRows {
    std::vector<bool> is_live;
    std::vector<int32_t> live, others;
    void list();  // both from is_live
  };
  void step_embeddings(QuestionAnsweringModel& model, TrainState& state,
                       const ops::AdamWConstants& constants);
  LiveRows rows_with_moments(const Parameter& parameter, const TrainState& state) const;

  std::vector<Range> ranges_;         // of all but the embeddings
  std::vector<LiveRows> embeddings_;  // in the order of touched_rows(); made by the first step
  double beta1_, beta2_, epsilon_, weight_decay_;
};

// HF's clip_grad_norm_: max_norm / (norm + 1e-6), at most 1; 1 when max_norm is 0 (no clipping).
float clip_factor(double norm, double max_norm);

}  // namespace spanforge
