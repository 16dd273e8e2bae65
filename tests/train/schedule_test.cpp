#include "spanforge/train/schedule.h"

#include <cmath>

#include "support/testing.h"

namespace spanforge {
namespace {

using testing::expect_error;

TEST(Schedule, LinearPrintsTheDigitsOfTheTrainer) {
  const Schedule schedule{ScheduleKind::kLinear, 5e-5, 0, 36};
  EXPECT_EQ(learning_rate_at(schedule, 0), 5e-5);
  EXPECT_EQ(learning_rate_at(schedule, 11), 5e-5 * (25.0 / 36.0));  // 3.472e-05, of step 12
  EXPECT_EQ(learning_rate_at(schedule, 36), 0.0);
}

TEST(Schedule, WarmsUpLinearlyFromZero) {
  for (const ScheduleKind kind : {ScheduleKind::kLinear, ScheduleKind::kCosine,
                                  ScheduleKind::kPolynomial, ScheduleKind::kConstantWithWarmup}) {
    const Schedule schedule{kind, 1e-3, 4, 20};
    EXPECT_EQ(learning_rate_at(schedule, 0), 0.0);
    EXPECT_EQ(learning_rate_at(schedule, 1), 1e-3 * 0.25);
    EXPECT_EQ(learning_rate_at(schedule, 4), 1e-3);
  }
}

TEST(Schedule, ConstantHasNoWarmup) {
  const Schedule schedule{ScheduleKind::kConstant, 1e-3, 4, 20};
  EXPECT_EQ(learning_rate_at(schedule, 0), 1e-3);
  EXPECT_EQ(learning_rate_at(schedule, 19), 1e-3);
}

TEST(Schedule, CosineIsHalfWayInTheMiddle) {
  const Schedule schedule{ScheduleKind::kCosine, 1e-3, 0, 20};
  EXPECT_NEAR(learning_rate_at(schedule, 10), 5e-4, 1e-18);
  EXPECT_NEAR(learning_rate_at(schedule, 20), 0.0, 1e-18);
}

TEST(Schedule, PolynomialEndsAtItsFloor) {
  const Schedule schedule{ScheduleKind::kPolynomial, 1e-3, 0, 20};
  EXPECT_NEAR(learning_rate_at(schedule, 20), 1e-7, 1e-20);
  EXPECT_NEAR(learning_rate_at(schedule, 21), 1e-7, 1e-20);
}

}  // namespace
}  // namespace spanforge
