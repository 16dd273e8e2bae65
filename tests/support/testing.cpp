#include "support/testing.h"

#include <cstdlib>

namespace spanforge::testing {

TemporaryDirectory::TemporaryDirectory() {
  std::string pattern = (std::filesystem::temp_directory_path() / "spanforge-test-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed: " + pattern);
  path_ = pattern;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::filesystem::path source_directory() { return SPANFORGE_SOURCE_DIR; }

std::filesystem::path golden(const std::string& relative) {
  return source_directory() / "tests" / "golden" / relative;
}

std::optional<std::filesystem::path> shared_data(const std::string& relative) {
  const char* override_path = std::getenv("SPANFORGE_SHARED_DATA");
  const std::filesystem::path root = override_path != nullptr
                                         ? std::filesystem::path(override_path)
                                         : source_directory().parent_path() / "shared" / "data";
  std::filesystem::path file = root / relative;
  if (!std::filesystem::exists(file)) return std::nullopt;
  return file;
}

uint64_t test_seed() {
  const char* text = std::getenv("SPANFORGE_TEST_SEED");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : 20240607;
}

}  // namespace spanforge::testing
