#pragma once
// AdamW over the model's flat arenas: the parameters that decay and those that do not lie in
// alternating ranges, each updated in one call.

#include <cstdint>
#include <vector>

#include "spanforge/model/model.h"
#include "spanforge/train/arguments.h"
#include "spanforge/train/train_state.h"

namespace spanforge {

class AdamW {
 public:
  AdamW(const QuestionAnsweringModel& model, const TrainingArguments& arguments);
  // One update; state.global_step counts the updates before. gradient_scale: the clip factor.
  void step(QuestionAnsweringModel& model, TrainState& state, double learning_rate,
            float gradient_scale) const;

 private:
  struct Range {
    int64_t begin, end;  // elements of the arena
    bool decays;
  };
  std::vector<Range> ranges_;
  double beta1_, beta2_, epsilon_, weight_decay_;
};

// HF's clip_grad_norm_: max_norm / (norm + 1e-6), at most 1; 1 when max_norm is 0 (no clipping).
float clip_factor(double norm, double max_norm);

}  // namespace spanforge
