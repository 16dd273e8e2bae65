#include "flags.h"

#include <gtest/gtest.h>

namespace spanforge::app {
namespace {

TEST(Flags, ReplaceParametersInAText) {
  EXPECT_EQ(with_flags("give `output`, or `max_seq_length` 8"),
            "give --output, or --max-seq-length 8");
  EXPECT_EQ(with_flags("`predictions_dir`"), "--predictions-dir");
}

TEST(Flags, LeaveWhatNamesNoParameter) {
  for (const char* text : {"", "`", "``", "by `spanforge data fix`", "`nothing_known`", "`output",
                           "a `b` is \"the `output` of\" it"}) {
    EXPECT_EQ(with_flags(std::string_view(text)), text);
  }
  EXPECT_EQ(with_flags("a ` before `output`"), "a ` before --output");
  EXPECT_EQ(with_flags("\"`output`\": give `output`"), "\"`output`\": give --output");
}

TEST(Flags, NameTheParameterOfAnErrorThatIsOfNoFile) {
  const auto line = [](ErrorPlace place) {
    return std::string(
        with_flags(Error(ErrorCode::kUsage, std::move(place), "give `model`")).what());
  };
  EXPECT_EQ(line({.parameter = "top_k"}), "--top-k: give --model");
  EXPECT_EQ(line({.where = "question 1", .parameter = "question"}),
            "--question: question 1: give --model");
  EXPECT_EQ(line({.file = "a.toml", .where = "line 3", .parameter = "top_k"}),
            "a.toml: line 3: top_k: give --model");
  EXPECT_EQ(line({.parameter = "padding"}), "--pad-to: give --model");
  EXPECT_EQ(line({.file = "`output`"}), "`output`: give --model");
}

}  // namespace
}  // namespace spanforge::app
