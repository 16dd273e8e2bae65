#include "spanforge/base/join.h"

#include <vector>

#include <gtest/gtest.h>

namespace spanforge {
namespace {

TEST(Join, PutsTheSeparatorBetweenPartsOnly) {
  const std::vector<std::string> parts = {"a", "", "c"};
  EXPECT_EQ(join(parts, ", "), "a, , c");
  EXPECT_EQ(join(std::span(parts).first(1), ", "), "a");
  EXPECT_EQ(join({}, ", "), "");
}

}  // namespace
}  // namespace spanforge
