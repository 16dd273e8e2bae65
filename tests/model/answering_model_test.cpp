#include "spanforge/model/answering_model.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include <gtest/gtest.h>

#include "model_testing.h"
#include "spanforge/formats/safetensors.h"
#include "spanforge/formats/weights.h"
#include "spanforge/io/file.h"
#include "spanforge/model/encoder_spec.h"
#include "spanforge/model/int8_calibration.h"
#include "spanforge/model/int8_file.h"
#include "support/saving.h"
#include "support/testing.h"

namespace spanforge {
namespace {

// Sizes that are not multiples of a tile.
ModelConfig odd_config(const std::string& kind = "bert") {
  ModelConfig config = testing::tiny_config(kind);
  config.vocab_size = 50;
  config.embedding_size = 40;
  config.hidden_size = 72;
  config.num_hidden_layers = 3;
  config.num_attention_heads = 3;
  config.intermediate_size = 100;
  config.set_longest_input(90);
  config.initializer_range = 0.1;
  config.pad_token_id = std::min(config.pad_token_id, config.vocab_size - 1);
  config.global_attention_every = 2;
  config.local_attention = 30;
  return config;
}

PackedBatch some_batch() {
  PackedBatch batch;
  batch.cu_seqlens = {0};
  for (const int32_t length : {1, 7, 80, 33}) {
    for (int32_t t = 0; t < length; ++t) {
      batch.input_ids.push_back((t * 7 + length) % 50);
      batch.token_type_ids.push_back(t > length / 2 ? 1 : 0);
      batch.position_ids.push_back(t);
    }
    batch.cu_seqlens.push_back(batch.token_count());
    batch.window_ids.push_back(static_cast<int32_t>(batch.window_ids.size()));
  }
  return batch;
}

std::vector<float> logits_of(const Predictor& model, const PackedBatch& batch) {
  std::vector<float> logits(static_cast<size_t>(batch.token_count()) * 2);
  Workspace workspace;
  model.predict(batch, workspace, make_tensor(logits.data(), batch.token_count(), 2));
  return logits;
}

// Root mean square of the difference, in units of the first one's.
double relative_error(const std::vector<float>& want, const std::vector<float>& got) {
  double error = 0, size = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    error += std::pow(double{want[i]} - got[i], 2);
    size += std::pow(double{want[i]}, 2);
  }
  return std::sqrt(error / size);
}

Int8Ranges calibrated(const AnsweringModel& model, const PackedBatch& batch, double share) {
  Int8Calibration calibration(model.block_count());
  std::vector<float> logits(static_cast<size_t>(batch.token_count()) * 2);
  const Tensor out = make_tensor(logits.data(), batch.token_count(), 2);
  Workspace workspace;
  model.predict(batch, workspace, out, [&](size_t layer, BlockLinear linear, const Tensor& x) {
    calibration.see_ends(layer, linear, x);
  });
  model.predict(batch, workspace, out, [&](size_t layer, BlockLinear linear, const Tensor& x) {
    calibration.see_values(layer, linear, x);
  });
  return calibration.ranges(share);
}

class AnsweringModelTest : public ::testing::Test {
 protected:
  explicit AnsweringModelTest(const ModelConfig& config = odd_config())
      : model_(QuestionAnsweringModel::create(config, 3)) {
    testing::save_in(directory_.path(), model_);
    const AnsweringModel f32 = AnsweringModel::load(directory_.path(), "m", Precision::kF32);
    testing::save_in(int8_.path(), model_);
    fs::remove(int8_.path() / "model.safetensors");
    DirectoryWriter writer(int8_.path());
    write_int8_file(writer, model_, calibrated(f32, some_batch(), 1.0));
  }
  // The error's reason on loading the int8 directory.
  std::string refusal() const {
    try {
      AnsweringModel::load(int8_.path(), "m", Precision::kF32);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kBadModel);
      EXPECT_NE(error.file().find(kInt8WeightFile), std::string::npos);
      return error.reason();
    }
    return "";
  }
  void change(const std::function<void(std::string&)>& body) const {
    const fs::path path = int8_.path() / kInt8WeightFile;
    std::string bytes = read_file(path);
    body(bytes);
    write_file_atomic(path, bytes);
  }

  testing::TemporaryDirectory directory_, int8_;
  QuestionAnsweringModel model_;
};

class AnsweringFamily : public AnsweringModelTest,
                        public ::testing::WithParamInterface<std::string> {
 protected:
  AnsweringFamily() : AnsweringModelTest(odd_config(GetParam())) {}
};
INSTANTIATE_TEST_SUITE_P(Models, AnsweringFamily, ::testing::ValuesIn(testing::model_kinds()),
                         [](const auto& kind) { return testing::test_name(kind.param); });

TEST_P(AnsweringFamily, AnswersAsTheModelThatLearns) {
  const PackedBatch batch = some_batch();
  const auto want = logits_of(model_, batch);
  const auto f32 = AnsweringModel::load(directory_.path(), "m", Precision::kF32);
  EXPECT_LT(relative_error(want, logits_of(f32, batch)), 1e-5);
  const auto bf16 = AnsweringModel::load(directory_.path(), "m", Precision::kBF16);
  const double packed_error = relative_error(want, logits_of(bf16, batch));
  model_.set_precision(Precision::kBF16);
  EXPECT_LT(packed_error, 1.2 * relative_error(want, logits_of(model_, batch)) + 1e-4);
}

TEST_P(AnsweringFamily, Int8IsCloseAndBatchesDoNotMatter) {
  const PackedBatch batch = some_batch();
  const auto int8 = AnsweringModel::load(int8_.path(), "m", Precision::kF32);
  const auto together = logits_of(int8, batch);
  EXPECT_LT(relative_error(logits_of(model_, batch), together), 0.05);
  EXPECT_EQ(together, logits_of(AnsweringModel::load(int8_.path(), "m", Precision::kBF16), batch));
}

// Within a page the lost bytes read as zeros: no signal comes, but the answer would be wrong.
TEST_F(AnsweringModelTest, WeightsCutOffInUseAreAnError) {
  for (const fs::path& file : {directory_ / "model.safetensors", int8_ / kInt8WeightFile}) {
    SCOPED_TRACE(file);
    const auto model = AnsweringModel::load(file.parent_path(), "m", Precision::kF32);
    logits_of(model, some_batch());
    fs::resize_file(file, fs::file_size(file) - 1);
    EXPECT_EQ(testing::expect_error(ErrorCode::kIo, [&] { logits_of(model, some_batch()); }).file(),
              file.string());
  }
}

TEST_F(AnsweringModelTest, OtherReadersSayWhatAnInt8DirectoryIs) {
  EXPECT_TRUE(is_int8_directory(int8_.path()));
  EXPECT_FALSE(is_int8_directory(directory_.path()));
  try {
    QuestionAnsweringModel::load(int8_.path(), 0);
    FAIL() << "an int8 model was taken for another";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kBadModel);
    EXPECT_NE(error.reason().find("is an int8 model"), std::string::npos);
  }
}

TEST_F(AnsweringModelTest, Int8DataAreAlignedForTheTiles) {
  const SafetensorsFile file(int8_.path() / kInt8WeightFile);
  const char* const begin = file.file().bytes().data();
  size_t packed = 0;
  for (const StoredTensor& tensor : file.tensors()) {
    if (tensor.type != StoredType::kI8) continue;
    EXPECT_EQ((tensor.bytes.data() - begin) % 64, 0) << tensor.name;
    ++packed;
  }
  EXPECT_EQ(packed, 12u);
}

TEST_F(AnsweringModelTest, DamagedInt8FilesAreRefusedInOneLine) {
  const std::string whole = read_file(int8_.path() / kInt8WeightFile);
  const auto restore = [&] { change([&](std::string& bytes) { bytes = whole; }); };
  for (const size_t kept :
       {size_t{0}, size_t{4}, size_t{200}, whole.size() / 2, whole.size() - 1}) {
    change([&](std::string& bytes) { bytes.resize(kept); });
    EXPECT_NE(refusal(), "") << kept;
    restore();
  }
  const auto replace = [&](const std::string& from, const std::string& to) {
    change([&](std::string& bytes) {
      ASSERT_EQ(from.size(), to.size());
      const size_t at = bytes.find(from);
      ASSERT_NE(at, std::string::npos);
      bytes.replace(at, from.size(), to);
    });
  };
  replace("spanforge-int8", "spanforge-int9");
  EXPECT_NE(refusal().find("is not an int8 model's file"), std::string::npos);
  restore();
  replace("\"version\":\"1\"", "\"version\":\"2\"");
  EXPECT_NE(refusal().find("version"), std::string::npos);
  restore();
  replace("layer.1.qkv.weight\"", "layer.9.qkv.weight\"");
  EXPECT_NE(refusal().find("lacks the tensor"), std::string::npos);
  restore();
  EXPECT_EQ(refusal(), "");
}

TEST_F(AnsweringModelTest, Int8FilesOfAnotherShapeAreRefused) {
  ModelConfig config = odd_config();
  config.intermediate_size = 200;
  write_file_atomic(int8_.path() / "config.json", config.to_json_text());
  EXPECT_NE(refusal().find("does not fit config.json"), std::string::npos);
  config = odd_config();
  config.num_hidden_layers = 2;
  write_file_atomic(int8_.path() / "config.json", config.to_json_text());
  EXPECT_NE(refusal().find("does not"), std::string::npos);
}

TEST_F(AnsweringModelTest, ImpossibleRangesAreRefused) {
  Int8Ranges ranges(3);
  for (auto& layer : ranges) layer.fill({0.1f, 3});
  ranges[1][2].scale = 0;
  DirectoryWriter writer(int8_.path());
  write_int8_file(writer, model_, ranges);
  EXPECT_NE(refusal().find("impossible range"), std::string::npos);
}

TEST_F(AnsweringModelTest, WeightsThatAreNotFiniteAreNamed) {
  const std::string name = "bert.encoder.layer.1.attention.self.key.weight";
  for (const Parameter& parameter : model_.parameters()) {
    if (parameter.name == name) model_.weights(parameter).row<float>(5)[7] = NAN;
  }
  testing::save_in(directory_.path(), model_);
  for (const Precision precision : {Precision::kF32, Precision::kBF16}) {
    try {
      AnsweringModel::load(directory_.path(), "m", precision);
      FAIL() << "NaN was loaded";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kBadModel);
      EXPECT_NE(error.reason().find(name + " (element 367)"), std::string::npos) << error.what();
    }
  }
}

TEST(Int8Calibration, RangesHoldZeroAndTheShareAskedFor) {
  const ops::InputRange positive = input_range(2.0f, 5.1f);
  EXPECT_EQ(positive.zero_point, 0);
  EXPECT_FLOAT_EQ(positive.scale, 5.1f / 255);
  EXPECT_EQ(input_range(-3.0f, -1.0f).zero_point, 255);
  EXPECT_GT(input_range(0.0f, 0.0f).scale, 0.0f);

  Int8Calibration calibration(1);
  std::vector<float> values(100000, 0.0f);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 101) / 100;
  values[10] = 50.0f;  // one in 100,000
  const Tensor x = make_tensor(values.data(), 1, 100000);
  calibration.see_ends(0, BlockLinear::kOutput, x);
  calibration.see_values(0, BlockLinear::kOutput, x);
  const auto at = static_cast<size_t>(BlockLinear::kOutput);
  EXPECT_NEAR(calibration.ranges(1.0)[0][at].scale * 255, 50.0, 0.1);
  EXPECT_NEAR(calibration.ranges(0.9999)[0][at].scale * 255, 1.0, 0.1);
}

}  // namespace
}  // namespace spanforge
