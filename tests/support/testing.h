#pragma once
// What every test may need: a temporary directory, and the paths of golden files and shared data.

#include <filesystem>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "spanforge/base/error.h"

namespace spanforge::testing {

// A new directory below the system's temporary one, removed at the end.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

std::filesystem::path source_directory();                   // the checkout
std::filesystem::path golden(const std::string& relative);  // tests/golden/...
// A file of the shared data folder next to the checkout, or in SPANFORGE_SHARED_DATA; nullopt if
// it is absent: then GTEST_SKIP() << kNoSharedData.
std::optional<std::filesystem::path> shared_data(const std::string& relative);
inline constexpr const char* kNoSharedData = "shared/data is not next to this checkout: not tested";

// Seed of randomised tests: SPANFORGE_TEST_SEED or a fixed one; print it with SCOPED_TRACE.
uint64_t test_seed();

// Runs `body`, which must throw Error{code}. Returns it for checks of place and reason.
template <class Body>
Error expect_error(ErrorCode code, Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(error_code_name(error.code()), error_code_name(code)) << error.what();
    return error;
  }
  ADD_FAILURE() << "no error was thrown";
  return Error(ErrorCode::kInternal, {.where = "nowhere"}, "nothing was thrown");
}

}  // namespace spanforge::testing
