#include "spanforge/formats/safetensors.h"

#include <sys/stat.h>

#include <cstring>
#include <fstream>

#include <gtest/gtest.h>

#include "spanforge/io/file.h"
#include "support/testing.h"

namespace spanforge {
namespace {

using testing::expect_error;
using testing::TemporaryDirectory;

std::string file_of(const std::string& header, const std::string& data) {
  std::string out(8, '\0');
  const uint64_t size = header.size();
  std::memcpy(out.data(), &size, 8);
  return out + header + data;
}

std::string braces(const std::string& inner) {
  std::string out("{");
  out += inner;
  out += '}';
  return out;
}

std::string entry(const std::string& name, const std::string& dtype, const std::string& shape,
                  const std::string& offsets) {
  return "\"" + name + "\":{\"dtype\":" + dtype + ",\"shape\":" + shape +
         ",\"data_offsets\":" + offsets + "}";
}

TEST(Safetensors, ReadsNamesTypesShapesAndBytes) {
  const std::string bytes =
      file_of(std::string("{").append(entry("b", "\"F32\"", "[2]", "[4,12]")) + "," +
                  entry("a", "\"I16\"", "[2,1]", "[0,4]") + "," +
                  entry("scalar", "\"U8\"", "[]", "[12,13]") + "," +
                  entry("none", "\"BF16\"", "[0,3]", "[13,13]") +
                  ",\"__metadata__\":{\"format\":\"pt\"}}   ",
              "0123456789abc");
  const SafetensorsContents contents = parse_safetensors(bytes, "f");
  ASSERT_EQ(contents.tensors.size(), 4u);
  EXPECT_EQ(contents.tensors[0].name, "a");
  EXPECT_EQ(contents.tensors[0].type, StoredType::kI16);
  EXPECT_EQ(contents.tensors[0].shape, (std::vector<int64_t>{2, 1}));
  EXPECT_EQ(contents.tensors[0].bytes, "0123");
  EXPECT_EQ(contents.tensors[1].bytes, "456789ab");
  EXPECT_EQ(contents.tensors[2].bytes, "c");
  EXPECT_EQ(contents.tensors[3].bytes, "");
  EXPECT_EQ(contents.metadata.at("format"), "pt");
}

TEST(Safetensors, AcceptsAnEmptyModel) {
  EXPECT_TRUE(parse_safetensors(file_of("{}", ""), "f").tensors.empty());
}

struct BadFile {
  const char* name;
  std::string bytes;
  const char* reason;
};

std::string with_length(uint64_t length, const std::string& rest) {
  std::string out(8, '\0');
  std::memcpy(out.data(), &length, 8);
  return out + rest;
}

std::vector<BadFile> bad_files() {
  const std::string ok = entry("a", "\"F32\"", "[1]", "[0,4]");
  const auto one = [](const std::string& text) { return file_of(braces(text), "0123"); };
  const std::string deep = braces("\"a\":" + std::string(100'000, '[') + std::string(100'000, ']'));
  std::string many = "{";
  for (int i = 0; i < 300'000; ++i) {
    if (i > 0) many += ',';
    many += entry(std::to_string(i), "\"F32\"", "[0]", "[0,0]");
  }
  return {
      {"empty", "", "too few"},
      {"7 bytes", "1234567", "too few"},
      {"length 2^64-1", with_length(~uint64_t{0}, "{}"), "above the format's limit"},
      {"length over 100 MB", with_length(100'000'001, "{}"), "above the format's limit"},
      {"length over the file", with_length(3, "{}"), "truncated"},
      {"length 0", with_length(0, "{}"), "does not start with '{'"},
      {"bad UTF-8", one("\"\xff\":1"), "UTF-8"},
      {"no brace", file_of("[]", ""), "does not start with '{'"},
      {"space first", file_of(" {}", ""), "does not start with '{'"},
      {"not JSON", file_of("{]", ""), "found where"},
      {"depth 100k", file_of(deep, ""), "exactly"},
      {"duplicate key", one(ok + "," + ok), "twice"},
      {"overlap", file_of(braces(ok + "," + entry("b", "\"F32\"", "[1]", "[2,6]")), "012345"),
       "overlaps"},
      {"same bytes twice", one(ok + "," + entry("b", "\"F32\"", "[1]", "[0,4]")), "overlaps"},
      {"hole", file_of(braces(ok + "," + entry("b", "\"U8\"", "[1]", "[5,6]")), "012345"), "hole"},
      {"hole at the start", file_of(braces(entry("a", "\"U8\"", "[1]", "[1,2]")), "01"), "hole"},
      {"trailing bytes", file_of(braces(ok), "01234"), "1 bytes follow"},
      {"end before begin", one(entry("a", "\"F32\"", "[1]", "[4,0]")), "ends before"},
      {"negative offset", one(entry("a", "\"F32\"", "[1]", "[-4,0]")), "not negative"},
      {"float offset", one(entry("a", "\"F32\"", "[1]", "[0,4.0]")), "whole number"},
      {"1e30 offset", one(entry("a", "\"F32\"", "[1]", "[0,1e30]")), "whole number"},
      {"three offsets", one(entry("a", "\"F32\"", "[1]", "[0,2,4]")), "two numbers"},
      {"offset past the end", one(entry("a", "\"F32\"", "[2]", "[0,8]")), "truncated"},
      {"shape product wraps to 0", one(entry("a", "\"F32\"", "[4294967296,4294967296]", "[0,0]")),
       "too large"},
      {"shape times dtype overflows", one(entry("a", "\"F64\"", "[4611686018427387904]", "[0,0]")),
       "too large"},
      {"dimension above 2^63", one(entry("a", "\"U8\"", "[18446744073709551615]", "[0,4]")),
       "impossible shape"},
      {"size mismatch", one(entry("a", "\"F32\"", "[2]", "[0,4]")), "need 8"},
      {"unknown dtype", one(entry("a", "\"F31\"", "[1]", "[0,4]")), "unknown dtype"},
      {"dtype a number", one(entry("a", "3", "[1]", "[0,4]")), "unknown dtype"},
      {"shape a number", one(entry("a", "\"F32\"", "1", "[0,4]")), "not a list"},
      {"negative dimension", one(entry("a", "\"F32\"", "[-1]", "[0,4]")), "not negative"},
      {"entry a list", one("\"a\":[]"), "exactly"},
      {"entry with more",
       one("\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4],\"x\":1}"), "exactly"},
      {"metadata a list", one("\"__metadata__\":[]," + ok), "texts"},
      {"metadata of numbers", one("\"__metadata__\":{\"a\":1}," + ok), "must be a text"},
      {"a million tensors of nothing", file_of(many + "}", ""), "more than"},
      {"Git-LFS pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
       "Git LFS pointer"},
      {"HTML page", "<!DOCTYPE html><html></html>", "web page"},
  };
}

TEST(Safetensors, RefusesEveryMalformedFileAndNamesIt) {
  ASSERT_GT(bad_files().size(), 30u);
  for (const BadFile& row : bad_files()) {
    SCOPED_TRACE(row.name);
    const Error error = expect_error(ErrorCode::kBadModel,
                                     [&] { parse_safetensors(row.bytes, "dir/f.safetensors"); });
    EXPECT_NE(error.file().find("f.safetensors"), std::string::npos) << error.file();
    EXPECT_NE(error.reason().find(row.reason), std::string::npos) << error.reason();
  }
}

TEST(Safetensors, EveryTruncationIsAnError) {
  const std::string whole = file_of(braces(entry("a", "\"F32\"", "[1]", "[0,4]")), "0123");
  EXPECT_EQ(parse_safetensors(whole, "f").tensors.size(), 1u);
  for (size_t size = 0; size < whole.size(); ++size) {
    expect_error(ErrorCode::kBadModel, [&] { parse_safetensors(whole.substr(0, size), "f"); });
  }
}

TEST(SafetensorsFile, RefusesOtherThanRegularFiles) {
  TemporaryDirectory directory;
  ASSERT_EQ(::mkfifo((directory / "fifo").c_str(), 0600), 0);
  for (const fs::path& path : {directory.path(), directory / "fifo", directory / "none"}) {
    expect_error(ErrorCode::kIo, [&] { SafetensorsFile file(path); });
  }
}

TEST(WriteSafetensors, ReadsBack) {
  TemporaryDirectory directory;
  const std::string data = "0123456789abcdef";
  const std::vector<StoredTensor> tensors = {
      {"z", StoredType::kF32, {2}, std::string_view(data).substr(0, 8)},
      {"文\n", StoredType::kF32, {}, std::string_view(data).substr(1, 4)},
      {"small", StoredType::kBool, {3}, std::string_view(data).substr(0, 3)},
      {"wide", StoredType::kI64, {1, 1}, std::string_view(data).substr(8)},
      {"none", StoredType::kF64, {0}, ""}};
  write_safetensors(AtomicFile(directory / "m.safetensors"), tensors);
  const SafetensorsFile file(directory / "m.safetensors");
  EXPECT_EQ(file.metadata().at("format"), "pt");
  ASSERT_EQ(file.tensors().size(), tensors.size());
  for (const StoredTensor& tensor : tensors) {
    const StoredTensor* found = file.find(tensor.name);
    ASSERT_NE(found, nullptr) << tensor.name;
    EXPECT_EQ(found->type, tensor.type);
    EXPECT_EQ(found->shape, tensor.shape);
    EXPECT_EQ(found->bytes, tensor.bytes);
  }
  EXPECT_EQ(file.find("other"), nullptr);
  // Widest type first, so that each tensor is aligned to its element.
  EXPECT_EQ(file.tensors().front().name, "wide");
  EXPECT_EQ(file.tensors().back().name, "small");
}

TEST(WriteSafetensors, TheSameFileMayBeMappedMeanwhile) {
  TemporaryDirectory directory;
  write_safetensors(AtomicFile(directory / "m"), {{"a", StoredType::kU8, {4}, "1234"}});
  const SafetensorsFile file(directory / "m");
  write_safetensors(AtomicFile(directory / "m"),
                    {file.tensors()[0], {"b", StoredType::kU8, {2}, "56"}});
  EXPECT_EQ(file.find("a")->bytes, "1234");
  EXPECT_EQ(SafetensorsFile(directory / "m").find("a")->bytes, "1234");
}

TEST(WriteSafetensors, ASizeThatDisagreesIsRefused) {
  TemporaryDirectory directory;
  expect_error(ErrorCode::kInternal, [&] {
    write_safetensors(AtomicFile(directory / "m"), {{"a", StoredType::kF32, {2}, "1234"}});
  });
  EXPECT_FALSE(fs::exists(directory / "m"));
}

}  // namespace
}  // namespace spanforge
