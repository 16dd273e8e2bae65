#include "spanforge/base/error.h"

#include <set>

#include <gtest/gtest.h>

namespace spanforge {
namespace {

constexpr ErrorCode kAll[] = {ErrorCode::kUsage,     ErrorCode::kBadData,     ErrorCode::kBadModel,
                              ErrorCode::kNonFinite, ErrorCode::kNetwork,     ErrorCode::kCacheMiss,
                              ErrorCode::kIo,        ErrorCode::kInterrupted, ErrorCode::kInternal};

TEST(Error, EveryCodeHasAnExitStatusAndAName) {
  std::set<std::string_view> names;
  for (ErrorCode code : kAll) {
    EXPECT_GE(exit_code(code), 2);
    EXPECT_TRUE(names.insert(error_code_name(code)).second);
  }
  EXPECT_EQ(exit_code(ErrorCode::kUsage), 2);
  EXPECT_EQ(exit_code(ErrorCode::kBadData), 3);
  EXPECT_EQ(exit_code(ErrorCode::kBadModel), 3);
  EXPECT_EQ(exit_code(ErrorCode::kNetwork), 4);
  EXPECT_EQ(exit_code(ErrorCode::kCacheMiss), 4);
  EXPECT_EQ(exit_code(ErrorCode::kIo), 74);
}

TEST(Error, IsAlwaysOneLine) {
  const Error error(ErrorCode::kBadData, "a\nb.json", "went\r\nwrong\t\x1b[31m");
  EXPECT_STREQ(error.what(), "a\\nb.json: went\\r\\nwrong\\t\\x1b[31m");
  EXPECT_EQ(error.place(), "a\nb.json");
  // Line ends of Unicode too, and bytes that are no UTF-8.
  const Error wide(ErrorCode::kBadData, "f", "a\u0085b\u2028c\u2029d\u2026");
  EXPECT_STREQ(wide.what(), "f: a\\u0085b\\u2028c\\u2029d\u2026");
  const Error bytes(ErrorCode::kBadData, "f", "\xff\xc3\xa9\xc3\xe2\x80");
  EXPECT_STREQ(bytes.what(), "f: \\xff\u00e9\\xc3\\xe2\\x80");
}

TEST(QuoteForMessage, CutsBetweenCodePoints) {
  EXPECT_EQ(quote_for_message("short"), "short");
  EXPECT_EQ(quote_for_message("文文文", 4), "文...");
  EXPECT_EQ(quote_for_message("文文文", 6), "文文...");
  EXPECT_EQ(quote_for_message("a\nb"), "a\\nb");
  EXPECT_EQ(quote_for_message("a\x80\n"), "a\\x80\\n");
}

}  // namespace
}  // namespace spanforge
