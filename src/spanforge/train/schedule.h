#pragma once
// The learning rate as a pure function of the step. Source: transformers' optimization.py and
// torch's LambdaLR, multiplied in their order, so that the digits are equal.

#include <array>
#include <cstdint>

#include "spanforge/base/spelling.h"

namespace spanforge {

enum class ScheduleKind { kLinear, kCosine, kConstant, kConstantWithWarmup, kPolynomial };
constexpr auto spellings(ScheduleKind) {
  return std::to_array<Spelling<ScheduleKind>>(
      {{"linear", ScheduleKind::kLinear},
       {"cosine", ScheduleKind::kCosine},
       {"constant", ScheduleKind::kConstant},
       {"constant_with_warmup", ScheduleKind::kConstantWithWarmup},
       {"polynomial", ScheduleKind::kPolynomial}});
}

struct Schedule {
  ScheduleKind kind = ScheduleKind::kLinear;
  double learning_rate = 5e-5;  // the peak
  int64_t warmup_steps = 0;
  int64_t max_steps = 1;
};

// The rate of the step that follows `step` done ones (step 0 is the first). Polynomial: power 1,
// down to 1e-7.
double learning_rate_at(const Schedule& schedule, int64_t step);

}  // namespace spanforge
