// load_workload FILE THREADS
// A run opens a safetensors file, copies every tensor into its own memory and checks that no value
// is NaN or infinite.

#include <atomic>
#include <cstring>
#include <string>

#include "spanforge/base/threads.h"
#include "spanforge/formats/safetensors.h"
#include "spanforge/tensor/arena.h"
#include "workload.h"

namespace spanforge::bench {
namespace {

bool all_finite(const uint32_t* values, size_t count) {
  uint32_t bad = 0;
  for (size_t i = 0; i < count; ++i) bad |= (values[i] & 0x7F800000u) == 0x7F800000u;
  return bad == 0;
}

struct Part {  // of a tensor: small enough to stay in cache between copying and checking
  const char* from;
  std::byte* to;
  size_t bytes;
};

int64_t load(const char* path) {
  const SafetensorsFile file(path);
  size_t total = 0;
  for (const StoredTensor& tensor : file.tensors()) total += tensor.bytes.size();
  const AlignedBytes memory = allocate_aligned(total);
  constexpr size_t kPart = 1 << 18;
  std::vector<Part> parts;
  std::byte* to = memory.get();
  for (const StoredTensor& tensor : file.tensors()) {
    for (size_t at = 0; at < tensor.bytes.size(); at += kPart) {
      const size_t bytes = std::min(kPart, tensor.bytes.size() - at);
      parts.push_back({tensor.bytes.data() + at, to, bytes});
      to += bytes;
    }
  }
  std::atomic<bool> finite = true;
  parallel_for(static_cast<int64_t>(parts.size()), 4, [&](int64_t i) {
    const Part& part = parts[static_cast<size_t>(i)];
    std::memcpy(part.to, part.from, part.bytes);
    const auto* values = reinterpret_cast<const uint32_t*>(part.to);
    if (!all_finite(values, part.bytes / sizeof(uint32_t))) finite = false;
  });
  if (!finite) throw std::runtime_error("a value is not finite");
  return static_cast<int64_t>(total);
}

}  // namespace
}  // namespace spanforge::bench

int main(int argc, char** argv) {
  using namespace spanforge;
  if (argc != 3) return 2;
  return bench::guarded([&] {
    set_thread_count(std::stoi(argv[2]));
    bench::answer_runs([&]() -> Json { return {{"bytes", bench::load(argv[1])}}; });
  });
}
