#include "spanforge/train/log_line.h"

#include "support/testing.h"

namespace spanforge {
namespace {

TEST(LogLine, PrintsAsPythonPrintsADict) {
  LogLine line{12, {}};
  line.set("loss", 4.1102);
  line.set("grad_norm", static_cast<double>(1.5f));
  line.set("learning_rate", 5e-5 * (25.0 / 36.0));
  line.set("total_flos", 12.0);
  line.set("epoch", 1.0 / 3);
  EXPECT_EQ(
      console_line(line),
      "{'loss': 4.1102, 'grad_norm': 1.5, 'learning_rate': 3.472222222222222e-05, 'epoch': 0.33}");
}

TEST(LogLine, ComesBackFromItsJson) {
  LogLine line{3, {}};
  line.set("eval_loss", 0.1);
  line.set("eval_total", int64_t{30});
  const LogLine back = log_line_from_json({log_line_json(line), "state"});
  EXPECT_EQ(back.step, 3);
  EXPECT_EQ(back.values, line.values);
}

TEST(PythonRound, RoundsTheExactBinaryValue) {
  EXPECT_EQ(python_round(2.675, 2), 2.67);  // 2.67499999...
  EXPECT_EQ(python_round(0.125, 2), 0.12);  // a tie goes to even
  EXPECT_EQ(python_round(0.375, 2), 0.38);
  EXPECT_EQ(python_round(-1.00005, 4), -1.0001);
}

}  // namespace
}  // namespace spanforge
