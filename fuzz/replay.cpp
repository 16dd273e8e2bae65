// Runs a fuzz target over files without libFuzzer, so that seeds and past findings are inputs of
// ordinary tests: fuzz_replay TARGET FILE_OR_DIRECTORY... It contains every target of
// this folder under its own name (CMakeLists.txt renames LLVMFuzzerTestOneInput). An input that
// fails ends the process; it is the last file named.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string_view>
#include <vector>

#include "spanforge/base/error.h"
#include "spanforge/base/threads.h"
#include "spanforge/io/file.h"

#define SPANFORGE_TARGET(name) extern "C" int name##_one_input(const uint8_t* data, size_t size);
#include "targets.inc"
#undef SPANFORGE_TARGET

namespace {

namespace fs = std::filesystem;
using OneInput = int (*)(const uint8_t*, size_t);

OneInput find_target(std::string_view wanted) {
#define SPANFORGE_TARGET(name) \
  if (wanted == #name) return name##_one_input;
#include "targets.inc"
#undef SPANFORGE_TARGET
  return nullptr;
}

std::vector<fs::path> files_of(int count, char** paths) {
  std::vector<fs::path> files;
  for (int i = 0; i < count; ++i) {
    if (!fs::is_directory(paths[i])) {
      if (fs::exists(paths[i])) files.emplace_back(paths[i]);
      continue;
    }
    for (const auto& entry : fs::directory_iterator(paths[i])) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

int main(int argc, char** argv) {
  const OneInput run = argc > 2 ? find_target(argv[1]) : nullptr;
  if (run == nullptr) {
    std::fprintf(stderr, "usage: fuzz_replay TARGET FILE_OR_DIRECTORY...\n");
    return 2;
  }
  spanforge::set_thread_count(1);
  const std::vector<fs::path> files = files_of(argc - 2, argv + 2);
  for (const fs::path& file : files) {
    std::printf("%s\n", file.c_str());
    std::fflush(stdout);
    const std::string bytes = spanforge::read_file(file);
    run(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  }
  std::printf("%s: %zu inputs\n", argv[1], files.size());
  return files.empty() ? 1 : 0;  // nothing replayed is nothing tested
}
