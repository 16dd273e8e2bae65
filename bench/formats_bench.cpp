// Speed of reading and writing files: safetensors, torch.save files, TensorBoard events. Files lie
// in the temporary directory; writing includes waiting for the disk, as in the program.

#include <filesystem>
#include <string>

#include <benchmark/benchmark.h>

#include "spanforge/formats/safetensors.h"
#include "spanforge/formats/tfevents.h"
#include "spanforge/formats/torch_file.h"
#include "spanforge/io/file.h"

namespace spanforge {
namespace {

constexpr size_t kTensors = 64, kBytes = size_t{1} << 20;

class Folder {
 public:
  Folder() : path_(fs::temp_directory_path() / "spanforge_formats_bench") {
    fs::create_directories(path_);
  }
  ~Folder() { fs::remove_all(path_); }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

std::string_view part(std::string_view bytes, size_t i) { return bytes.substr(i * kBytes, kBytes); }

std::vector<StoredTensor> make_tensors(const std::string& bytes) {
  std::vector<StoredTensor> tensors;
  for (size_t i = 0; i < kTensors; ++i) {
    tensors.push_back(
        {"layer." + std::to_string(i), StoredType::kF32, {kBytes / 4}, part(bytes, i)});
  }
  return tensors;
}

TorchValue make_state(const std::string& bytes) {
  TorchDict dict;
  for (size_t i = 0; i < kTensors; ++i) {
    dict.add("layer." + std::to_string(i),
             TorchTensor{StoredType::kF32, {kBytes / 4}, part(bytes, i)});
  }
  return dict;
}

void count_bytes(benchmark::State& state) {
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(kTensors * kBytes));
}

int64_t touch(std::string_view bytes) {
  int64_t sum = 0;
  for (size_t i = 0; i < bytes.size(); i += 64) sum += bytes[i];
  return sum;
}

void safetensors_write(benchmark::State& state) {
  const Folder folder;
  const std::string bytes(kTensors * kBytes, 'x');
  for (auto _ : state)
    write_safetensors(AtomicFile(folder.path() / "a.safetensors"), make_tensors(bytes));
  count_bytes(state);
}
BENCHMARK(safetensors_write)->UseRealTime();

void safetensors_read(benchmark::State& state) {
  const Folder folder;
  const std::string bytes(kTensors * kBytes, 'x');
  write_safetensors(AtomicFile(folder.path() / "a.safetensors"), make_tensors(bytes));
  for (auto _ : state) {
    const SafetensorsFile file(folder.path() / "a.safetensors");
    for (const StoredTensor& t : file.tensors()) benchmark::DoNotOptimize(touch(t.bytes));
  }
  count_bytes(state);
}
BENCHMARK(safetensors_read)->UseRealTime();

void torch_file_write(benchmark::State& state) {
  const Folder folder;
  const std::string bytes(kTensors * kBytes, 'x');
  for (auto _ : state) write_torch_file(AtomicFile(folder.path() / "a.pt"), make_state(bytes));
  count_bytes(state);
}
BENCHMARK(torch_file_write)->UseRealTime();

void torch_file_read(benchmark::State& state) {
  const Folder folder;
  const std::string bytes(kTensors * kBytes, 'x');
  write_torch_file(AtomicFile(folder.path() / "a.pt"), make_state(bytes));
  for (auto _ : state) {
    const TorchFile file(folder.path() / "a.pt");
    for (const StoredTensor& t : state_dict_tensors(file.root(), "a.pt")) {
      benchmark::DoNotOptimize(touch(t.bytes));
    }
  }
  count_bytes(state);
}
BENCHMARK(torch_file_read)->UseRealTime();

constexpr int64_t kEvents = 1000;

std::string make_events() {
  std::string bytes;
  for (int64_t i = 0; i < kEvents; ++i) {
    Event event{1e9 + static_cast<double>(i), i, "", {}};
    event.values.push_back({"train/loss", 0.5f, std::nullopt, ""});
    bytes += encode_event(event);
  }
  return bytes;
}

void events_encode(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(make_events().size());
  state.SetItemsProcessed(state.iterations() * kEvents);
}
BENCHMARK(events_encode);

void events_parse(benchmark::State& state) {
  const std::string bytes = make_events();
  for (auto _ : state) benchmark::DoNotOptimize(parse_events(bytes, "bench").events.size());
  state.SetItemsProcessed(state.iterations() * kEvents);
}
BENCHMARK(events_parse);

}  // namespace
}  // namespace spanforge

BENCHMARK_MAIN();
