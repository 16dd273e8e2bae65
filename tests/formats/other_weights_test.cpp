#include "spanforge/formats/other_weights.h"

#include <fstream>

#include <gtest/gtest.h>

#include "spanforge/formats/safetensors.h"
#include "spanforge/formats/torch_file.h"
#include "spanforge/formats/weights.h"
#include "spanforge/io/file.h"
#include "support/testing.h"

namespace spanforge {
namespace {

using testing::expect_error;
using testing::TemporaryDirectory;

TEST(OtherWeights, AreNamedWithTheWayToConvertThem) {
  struct Row {
    const char* file;
    std::vector<const char*> says;
  };
  const Row rows[] = {
      {"tf_model.h5", {"TensorFlow", "from_tf=True"}},
      {"model.h5", {"Keras"}},
      {"bert_model.ckpt.index", {"TensorFlow", "DIR/bert_model.ckpt.index", "bert_config.json"}},
      {"model.ckpt-100.index", {"TensorFlow", "DIR/model.ckpt-100.index"}},
      {"bert_model.ckpt.data-00000-of-00001", {"TensorFlow", ".index"}},
      {"saved_model.pb", {"SavedModel"}},
      {"flax_model.msgpack", {"Flax", "from_flax=True"}},
      {"model.onnx", {"ONNX"}},
      {"model-q8_0.gguf", {"GGUF"}},
      {"openvino_model.bin", {"OpenVINO"}},
      {"model_state.pdparams", {"PaddlePaddle", "paddle.load"}},
      {"weights.npz", {"NumPy"}},
      {"bert.ckpt", {"MindSpore"}},
      {"rust_model.ot", {"rust-bert"}},
      {"adapter_model.safetensors", {"adapter", "adapter_config.json"}},
      {"model.fp16.safetensors", {"another name", "model.safetensors"}},
      {"__0_0.distcp", {"FSDP", "merge-weights"}},
      {"mp_rank_00_model_states.pt", {"DeepSpeed", "zero_to_fp32.py"}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.file);
    TemporaryDirectory directory;
    std::ofstream(directory / "README.md") << "words";
    std::ofstream(directory / row.file) << "x";
    const Error error =
        expect_error(ErrorCode::kBadModel, [&] { WeightFiles weights(directory.path()); });
    EXPECT_EQ(error.file(), directory.path().string());
    EXPECT_NE(error.reason().find(row.file), std::string::npos) << error.what();
    for (const char* text : row.says) {
      EXPECT_NE(error.reason().find(text), std::string::npos) << error.what();
    }
  }
}

TEST(OtherWeights, ATorchFileUnderAnotherNameIsRecognizedByItsContent) {
  TemporaryDirectory directory;
  TorchDict dict;
  dict.add("w", TorchTensor{StoredType::kF32, {1}, "abcd"});
  write_torch_file(AtomicFile(directory / "optimizer.pt"), dict);
  write_torch_file(AtomicFile(directory / "training_args.bin"), dict);
  EXPECT_EQ(describe_other_weights(directory.path()), std::nullopt) << "a training's, no weights";
  std::ofstream(directory / "notes.pt") << "no torch file";
  EXPECT_EQ(describe_other_weights(directory.path()), std::nullopt);
  write_torch_file(AtomicFile(directory / "best.ckpt"), dict);
  const std::string told = describe_other_weights(directory.path()).value_or("none");
  EXPECT_NE(told.find("best.ckpt, a file of torch.save"), std::string::npos) << told;
}

TEST(OtherWeights, AreIgnoredNextToWeightsThatAreRead) {
  TemporaryDirectory directory;
  std::ofstream(directory / "tf_model.h5") << "x";
  expect_error(ErrorCode::kBadModel, [&] { refuse_other_weights(directory.path()); });
  write_safetensors(AtomicFile(directory / "model.safetensors"), {});
  refuse_other_weights(directory.path());
  fs::remove(directory / "model.safetensors");
  std::ofstream(directory / kInt8WeightFile) << "x";
  refuse_other_weights(directory.path());
  refuse_other_weights(directory / "nowhere");  // for another to say
}

TEST(OtherWeights, AModelOneFolderDownIsNamed) {
  TemporaryDirectory directory;
  fs::create_directories(directory / "pack");
  write_safetensors(AtomicFile(directory / "pack" / "model.safetensors"), {});
  EXPECT_EQ(describe_other_weights(directory.path()), std::nullopt) << "weights alone are no model";
  std::ofstream(directory / "pack" / "config.json") << "{}";
  EXPECT_EQ(describe_other_weights(directory.path()),
            "has no weights; there is a model in " + (directory / "pack").string());
}

}  // namespace
}  // namespace spanforge
