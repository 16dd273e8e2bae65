// Writes the seeds that only the program can make into fuzz/corpus: fuzz_make_seeds CORPUS.
// Run it once after a format has changed, and commit what it writes.
#include <filesystem>

#include "spanforge/base/threads.h"
#include "spanforge/formats/weights.h"
#include "spanforge/formats/zip.h"
#include "spanforge/io/file.h"
#include "spanforge/model/int8_file.h"
#include "tiny_checkpoint.h"
#include "tiny_files.h"

namespace {

using namespace spanforge;

void write_seed(const std::filesystem::path& corpus, const std::string& target,
                const std::string& name, char kind, const std::string& bytes) {
  std::filesystem::create_directories(corpus / target);
  fuzz::write_plain(corpus / target / name, kind + bytes);
}

void write_weight_seeds(const std::filesystem::path& corpus) {
  const fuzz::Scratch scratch;
  const std::filesystem::path directory = scratch / "model";
  std::filesystem::create_directories(directory);
  const QuestionAnsweringModel model = fuzz::tiny_model();
  const std::vector<StoredTensor> tensors = fuzz::stored_tensors(model);
  const auto seed = [&](const std::string& name, char kind, const std::string& bytes) {
    write_seed(corpus, "weight_files", name, kind, bytes);
    write_seed(corpus, "weight_files", name + "-to-train",
               static_cast<char>(kind + fuzz::kWeightFileKinds), bytes);
  };
  write_safetensors(AtomicFile(directory / "model.safetensors"), tensors);
  seed("safetensors", 0, read_file(directory / "model.safetensors"));
  seed("safetensors-index", 1, fuzz::shard_index(tensors, ".safetensors"));
  fuzz::write_bin(directory / "pytorch_model.bin", tensors);
  seed("torch", 2, read_file(directory / "pytorch_model.bin"));
  seed("torch-index", 3, fuzz::shard_index(tensors, ".bin"));
  DirectoryWriter writer(directory);
  write_int8_file(writer, model, Int8Ranges(1, {{{0.1f, 8}, {0.1f, 8}, {0.1f, 8}, {0.1f, 8}}}));
  seed("int8", 4, read_file(directory / kInt8WeightFile));
}

void write_checkpoint_seeds(const std::filesystem::path& corpus) {
  const fuzz::Scratch scratch;
  const QuestionAnsweringModel model = fuzz::tiny_model();
  const fuzz::CheckpointFiles files(model, "adamw_torch_fused", scratch / "checkpoint-3");
  char kind = 0;
  for (const char* name : {"spanforge_manifest.json", "spanforge.json", "spanforge_state.json",
                           "training_args.json", "trainer_state.json", "optimizer.pt"}) {
    write_seed(corpus, "checkpoint", name, kind++, files.bytes(name));
  }
  for (const std::string optim : {"adafactor", "sgd"}) {
    const fuzz::CheckpointFiles other(model, optim, scratch / optim / "checkpoint-3");
    write_seed(corpus, "checkpoint", optim + "-optimizer.pt", kind++, other.bytes("optimizer.pt"));
  }
}

void write_zip_seeds(const std::filesystem::path& corpus) {
  std::string archive;
  ZipWriter zip([&](std::string_view bytes) { archive += bytes; });
  zip.add("archive/data.pkl", "N.");
  zip.add("archive/data/0", "aaaabbbb", 64);
  zip.add("archive/empty", "");
  zip.finish();
  write_seed(corpus, "zip", "three", 1, archive);
  write_seed(corpus, "zip", "three-exact", 0, archive);
  // ZIP64, as torch writes it for large files: the end's numbers are in a separate record.
  const std::string wide_end =
      std::string("PK\x06\x06\x2c\0\0\0\0\0\0\0\x2d\0\x2d\0\0\0\0\0\0\0\0\0", 24);
  const size_t end = archive.size() - 22;
  const auto put = [](std::string& out, uint64_t value, size_t size) {
    for (size_t i = 0; i < size; ++i) out += static_cast<char>(value >> (8 * i) & 0xFF);
  };
  const auto get = [&](size_t at) {
    return static_cast<uint64_t>(static_cast<unsigned char>(archive[at])) |
           static_cast<uint64_t>(static_cast<unsigned char>(archive[at + 1])) << 8;
  };
  std::string wide = archive.substr(0, end) + wide_end;
  put(wide, 3, 8);
  put(wide, 3, 8);
  put(wide, get(end + 12), 8);
  put(wide, get(end + 16), 8);
  wide += std::string("PK\x06\x07\0\0\0\0", 8);
  put(wide, end, 8);
  put(wide, 1, 4);
  write_seed(corpus, "zip", "wide", 1, wide + archive.substr(end));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  set_thread_count(1);
  write_weight_seeds(argv[1]);
  write_checkpoint_seeds(argv[1]);
  write_zip_seeds(argv[1]);
  return 0;
}
