#include "spanforge/io/foreign_weights.h"

#include <vector>

#include <gtest/gtest.h>

namespace spanforge {
namespace {

TEST(ForeignWeights, AreRecognizedByName) {
  const auto told = [](const std::vector<std::string>& names) {
    return find_foreign_weights(names).value_or("none");
  };
  EXPECT_EQ(told({"config.json", "vocab.txt", "model.safetensors", "pytorch_model.bin"}), "none");
  EXPECT_EQ(told({}), "none");
  EXPECT_NE(told({"config.json", "onnx/model.onnx"}).find("onnx/model.onnx, an ONNX program"),
            std::string::npos);
  EXPECT_NE(told({"bert_model.ckpt.index"}).find("\"DIR/bert_model.ckpt.index\", from_tf=True"),
            std::string::npos);
}

TEST(ForeignWeights, ANameCannotBreakTheLine) {
  const std::string line = find_foreign_weights(std::vector<std::string>{"a\nb.h5"}).value_or("");
  EXPECT_NE(line.find(".h5"), std::string::npos);
  EXPECT_EQ(line.find('\n'), std::string::npos);
}

}  // namespace
}  // namespace spanforge
