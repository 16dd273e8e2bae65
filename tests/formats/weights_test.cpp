#include "spanforge/formats/weights.h"

#include <fstream>

#include <gtest/gtest.h>

#include "spanforge/formats/safetensors.h"
#include "spanforge/formats/torch_file.h"
#include "spanforge/io/file.h"
#include "support/testing.h"

namespace spanforge {
namespace {

using testing::expect_error;
using testing::TemporaryDirectory;

StoredTensor tensor(const std::string& name, std::string_view bytes) {
  return {name, StoredType::kU8, {static_cast<int64_t>(bytes.size())}, bytes};
}

void write_index(const TemporaryDirectory& directory, const std::string& weight_map) {
  std::ofstream(directory / "model.safetensors.index.json")
      << R"({"metadata": {"total_size": 4}, "weight_map": )" << weight_map << "}";
}

TEST(WeightFiles, ReadsOneFile) {
  TemporaryDirectory directory;
  write_safetensors(AtomicFile(directory / "model.safetensors"), {tensor("a", "12")});
  std::ofstream(directory / "pytorch_model.bin") << "not looked at";
  const WeightFiles weights(directory.path());
  EXPECT_EQ(weights.find("a")->bytes, "12");
  EXPECT_EQ(weights.path(), directory / "model.safetensors");
}

TEST(WeightFiles, ReadsShards) {
  TemporaryDirectory directory;
  write_safetensors(AtomicFile(directory / "one.safetensors"),
                    {tensor("a", "12"), tensor("b", "3")});
  write_safetensors(AtomicFile(directory / "two.safetensors"), {tensor("c", "4")});
  write_index(directory,
              R"({"a": "one.safetensors", "b": "one.safetensors", "c": "two.safetensors"})");
  WeightFiles weights(directory.path());
  const WeightFiles moved = std::move(weights);
  EXPECT_EQ(moved.tensors().size(), 3u);
  EXPECT_EQ(moved.find("c")->bytes, "4");
}

TEST(WeightFiles, ReadsTorchFiles) {
  TemporaryDirectory directory;
  TorchDict dict;
  dict.add("w", TorchTensor{StoredType::kF32, {1}, "abcd"});
  write_torch_file(AtomicFile(directory / "pytorch_model.bin"), dict);
  EXPECT_EQ(WeightFiles(directory.path()).find("w")->bytes, "abcd");
}

TEST(WeightFiles, FindsTheWeightsInATrainingsCheckpoint) {
  const auto weights = [](const char* bytes) {
    TorchDict dict;
    dict.add("w", TorchTensor{StoredType::kF32, {1}, bytes});
    return dict;
  };
  TorchDict optimizer;
  optimizer.add("state", TorchDict{});
  struct Row {
    std::vector<std::pair<const char*, TorchValue>> entries;
    const char* entry;  // nullptr: refused
    const char* bytes;
  };
  const Row rows[] = {
      {{{"epoch", 3}, {"state_dict", weights("abcd")}}, "state_dict", "abcd"},
      {{{"mine", weights("abcd")}, {"optimizer", optimizer}}, "mine", "abcd"},
      {{{"ema", weights("efgh")}, {"model", weights("abcd")}}, "model", "abcd"},
      {{{"model", weights("efgh")}, {"state_dict", weights("abcd")}}, "state_dict", "abcd"},
      {{{"student", weights("abcd")}, {"teacher", weights("efgh")}}, nullptr, "\"student\""},
      {{{"epoch", 3}, {"optimizer", optimizer}}, nullptr, "epoch"},
      {{{"w", TorchTensor{StoredType::kF32, {1}, "abcd"}}, {"model", weights("efgh")}},
       nullptr,
       "the entry model"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.bytes);
    TemporaryDirectory directory;
    TorchDict dict;
    for (const auto& [name, value] : row.entries) dict.add(name, value);
    write_torch_file(AtomicFile(directory / "pytorch_model.bin"), dict);
    if (row.entry == nullptr) {
      const Error error =
          expect_error(ErrorCode::kBadModel, [&] { WeightFiles files(directory.path()); });
      EXPECT_NE(error.reason().find(row.bytes), std::string::npos) << error.what();
      continue;
    }
    const WeightFiles files(directory.path());
    EXPECT_EQ(files.entry(), row.entry);
    EXPECT_EQ(files.find("w")->bytes, row.bytes);
  }
}

TEST(WeightFiles, ATruncatedFileIsAnErrorNotASignal) {
  TemporaryDirectory directory;
  const std::string bytes(100'000, 'x');
  write_safetensors(AtomicFile(directory / "model.safetensors"), {tensor("a", bytes)});
  const WeightFiles weights(directory.path());
  std::string copy(bytes.size(), '\0');
  weights.copy(weights.find("a")->bytes, copy.data());
  EXPECT_EQ(copy, bytes);
  fs::resize_file(directory / "model.safetensors", 5000);
  expect_error(ErrorCode::kIo, [&] { weights.copy(weights.find("a")->bytes, copy.data()); });
}

TEST(WeightFiles, ShardProblemsAreNamed) {
  struct Row {
    const char* weight_map;
    ErrorCode code;
    const char* text;
  };
  const Row rows[] = {
      {R"({"a": "one.safetensors", "x": "missing.safetensors"})", ErrorCode::kIo, "is missing"},
      {R"({"a": "../one.safetensors"})", ErrorCode::kBadModel, "plain name"},
      {R"({"a": "/etc/passwd"})", ErrorCode::kBadModel, "plain name"},
      {R"({"a": ".."})", ErrorCode::kBadModel, "plain name"},
      {R"({"a": 3})", ErrorCode::kBadModel, "plain name"},
      {R"({"a": "two.safetensors"})", ErrorCode::kBadModel, "does not list"},
      {R"({"a": "two.safetensors", "b": "one.safetensors"})", ErrorCode::kBadModel, "places in"},
      {R"({"a": "one.safetensors", "c": "one.safetensors"})", ErrorCode::kBadModel,
       "but it is not there"},
      {R"({"a": "one.safetensors", "b": "two.safetensors", "a2": "one.safetensors"})",
       ErrorCode::kBadModel, "but it is not there"},
      {R"({})", ErrorCode::kBadModel, "empty"},
      {R"([])", ErrorCode::kBadModel, "weight_map"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.weight_map);
    TemporaryDirectory directory;
    write_safetensors(AtomicFile(directory / "one.safetensors"), {tensor("a", "12")});
    write_safetensors(AtomicFile(directory / "two.safetensors"), {tensor("b", "34")});
    write_index(directory, row.weight_map);
    const Error error = expect_error(row.code, [&] { WeightFiles weights(directory.path()); });
    EXPECT_NE(error.reason().find(row.text), std::string::npos) << error.what();
  }
}

TEST(WeightFiles, ATensorInTwoShardsIsRefused) {
  TemporaryDirectory directory;
  write_safetensors(AtomicFile(directory / "one.safetensors"), {tensor("a", "12")});
  write_safetensors(AtomicFile(directory / "two.safetensors"),
                    {tensor("a", "12"), tensor("b", "3")});
  write_index(directory, R"({"a": "one.safetensors", "b": "two.safetensors"})");
  expect_error(ErrorCode::kBadModel, [&] { WeightFiles weights(directory.path()); });
}

TEST(WeightFiles, NoWeightsAreAnError) {
  TemporaryDirectory directory;
  EXPECT_EQ(expect_error(ErrorCode::kIo, [&] { WeightFiles weights(directory.path()); }).file(),
            directory.path().string());
  EXPECT_EQ(find_weight_file(directory.path()), "");
}

TEST(WeightFiles, RefusesOtherThanAStateDict) {
  TemporaryDirectory directory;
  TorchDict dict;
  dict.add("epoch", 3);
  write_torch_file(AtomicFile(directory / "pytorch_model.bin"), dict);
  const Error error =
      expect_error(ErrorCode::kBadModel, [&] { WeightFiles weights(directory.path()); });
  EXPECT_NE(error.reason().find("epoch"), std::string::npos) << error.what();
  std::ofstream(directory / "pytorch_model.bin") << "version https://git-lfs.github.com/spec/v1\n";
  EXPECT_NE(expect_error(ErrorCode::kBadModel, [&] { WeightFiles weights(directory.path()); })
                .reason()
                .find("Git LFS pointer"),
            std::string::npos);
}

}  // namespace
}  // namespace spanforge
