#include "spanforge/train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "spanforge/base/error.h"

namespace spanforge {
namespace {

// The factor of the peak rate after warm-up.
double decay_factor(const Schedule& s, double step) {
  const double warmup = static_cast<double>(s.warmup_steps),
               steps = static_cast<double>(s.max_steps);
  const double span = std::max(1.0, steps - warmup);
  switch (s.kind) {
    case ScheduleKind::kConstant:
    case ScheduleKind::kConstantWithWarmup: return 1.0;
    case ScheduleKind::kLinear: return std::max(0.0, (steps - step) / span);
    case ScheduleKind::kCosine:
      return std::max(
          0.0, 0.5 * (1.0 + std::cos(std::numbers::pi * 0.5 * 2.0 * ((step - warmup) / span))));
    case ScheduleKind::kPolynomial: {
      constexpr double kEnd = 1e-7;
      if (step > steps) return kEnd / s.learning_rate;
      const double remaining = 1 - (step - warmup) / (steps - warmup);
      return ((s.learning_rate - kEnd) * remaining + kEnd) / s.learning_rate;
    }
  }
  throw Error(ErrorCode::kInternal, {.where = "learning rate"}, "unknown schedule");
}

}  // namespace

double learning_rate_at(const Schedule& s, int64_t step) {
  const bool warms_up = s.kind != ScheduleKind::kConstant && step < s.warmup_steps;
  const double factor = warms_up ? static_cast<double>(step) / static_cast<double>(s.warmup_steps)
                                 : decay_factor(s, static_cast<double>(step));
  return s.learning_rate * factor;
}

}  // namespace spanforge
