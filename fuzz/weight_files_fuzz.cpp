// Any bytes instead of one of the weight files of a model directory; the first byte says which
// file, and whether a model for answering or for training loads it. Loading throws an Error or
// gives a model that answers. The other files are valid.
#include <array>

#include "spanforge/formats/weights.h"
#include "spanforge/model/answering_model.h"
#include "tiny_files.h"

namespace {

using namespace spanforge;

// Directories that lack one file each.
class Directories {
 public:
  static constexpr std::array<const char*, fuzz::kWeightFileKinds> kNames = {
      "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
      "pytorch_model.bin.index.json", kInt8WeightFile};

  Directories() {
    const QuestionAnsweringModel model = fuzz::tiny_model();
    for (size_t kind = 0; kind < kNames.size(); ++kind) {
      std::filesystem::create_directories(directory(kind));
      fuzz::write_plain(directory(kind) / "config.json", model.config().to_json_text());
    }
    fuzz::write_shards(model, directory(1), directory(3));
  }
  std::filesystem::path directory(size_t kind) const { return scratch_ / std::to_string(kind); }
  std::filesystem::path file(size_t kind) const { return directory(kind) / kNames[kind]; }

 private:
  fuzz::Scratch scratch_;
};

template <class Load>
void load_and_ask(Load&& load) {
  try {
    const auto model = load();
    fuzz::ask(model);
  } catch (const Error& error) {
    fuzz::require(error.code() == ErrorCode::kBadModel || error.code() == ErrorCode::kIo);
    fuzz::require(!error.place().text().empty());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Directories directories;
  if (size == 0) return 0;
  const size_t kind = data[0] % fuzz::kWeightFileKinds;
  const bool to_answer = data[0] / fuzz::kWeightFileKinds % 2 == 0;
  fuzz::write_plain(directories.file(kind), fuzz::view_of(data + 1, size - 1));
  const std::filesystem::path directory = directories.directory(kind);
  if (to_answer) {
    load_and_ask([&] { return AnsweringModel::load(directory, "input", Precision::kF32); });
  } else {
    load_and_ask([&] { return QuestionAnsweringModel::load(directory, 1); });
  }
  return 0;
}
