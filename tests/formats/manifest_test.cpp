#include "spanforge/formats/manifest.h"

#include <fstream>

#include <gtest/gtest.h>

#include "support/testing.h"

namespace spanforge {
namespace {

using testing::TemporaryDirectory;

// For a directory that was written without a DirectoryWriter.
void add_manifest(const fs::path& directory) {
  DirectoryWriter writer(directory);
  write_manifest(writer);
}

class ManifestTest : public ::testing::Test {
 protected:
  ManifestTest() {
    fs::create_directory(directory_ / "sub");
    std::ofstream(directory_ / "a.bin") << "contents of a";
    std::ofstream(directory_ / "sub" / "b.bin") << "contents of b";
    std::ofstream(directory_ / "empty");
    add_manifest(directory_.path());
  }
  std::string difference() const {
    return find_manifest_difference(directory_.path()).value_or("none");
  }
  TemporaryDirectory directory_;
};

TEST_F(ManifestTest, AWholeDirectoryVerifies) {
  EXPECT_EQ(difference(), "none");
  EXPECT_TRUE(has_manifest(directory_.path()));
}

TEST_F(ManifestTest, EveryFlippedBitIsFound) {
  for (const char* name : {"a.bin", "sub/b.bin"}) {
    const std::string bytes = read_file(directory_ / name);
    for (size_t i = 0; i < bytes.size(); ++i) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ 4);
      std::ofstream(directory_ / name) << damaged;
      ASSERT_TRUE(difference().starts_with(name)) << difference();
    }
    std::ofstream(directory_ / name) << bytes;
  }
  EXPECT_EQ(difference(), "none");
}

TEST_F(ManifestTest, FlippedBytesOfTheManifestAreFound) {
  const fs::path path = directory_ / kManifestName;
  const std::string bytes = read_file(path);
  ASSERT_GT(bytes.size(), 100u);
  for (size_t i = 0; i + 1 < bytes.size(); i += 5) {
    if (bytes[i] == ' ' || bytes[i] == '\n') continue;  // layout means nothing in JSON
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    std::ofstream(path) << damaged;
    ASSERT_NE(difference(), "none") << i << " " << bytes.substr(0, i);
  }
}

TEST_F(ManifestTest, MissingTruncatedAndGrownFilesAreNamed) {
  std::ofstream(directory_ / "empty") << "x";
  EXPECT_EQ(difference(), "empty: has 1 bytes, but 0 were written");
  fs::remove(directory_ / "empty");
  EXPECT_EQ(difference(), "empty: is missing");
  fs::create_directory(directory_ / "empty");
  EXPECT_EQ(difference(), "empty: is missing");
}

TEST_F(ManifestTest, ChangesAreNamedWeightsBySizeOtherFilesByHash) {
  std::ofstream(directory_ / "c.json") << "{}";
  fs::remove(directory_ / kManifestName);
  add_manifest(directory_.path());
  const auto found = [&](bool with_weights = false) {
    return describe_changes(directory_.path(), with_weights).value_or("none");
  };
  const std::string begin = directory_.path().string() + ": changed since spanforge saved it: ";
  EXPECT_EQ(found(true), "none");
  std::ofstream(directory_ / "README") << "another's file is no change";
  std::ofstream(directory_ / "a.bin") << "CONTENTS of a";
  EXPECT_EQ(found(), "none") << "weights are not hashed";
  EXPECT_EQ(found(true), begin + "a.bin");
  std::ofstream(directory_ / "c.json") << "[]";
  EXPECT_EQ(found(), begin + "c.json");
  fs::remove(directory_ / "empty");
  std::ofstream(directory_ / "a.bin") << "contents of";
  EXPECT_EQ(found(), begin + "a.bin, c.json, empty (missing)");
}

TEST_F(ManifestTest, AMalformedManifestIsReportedInPlaceOfChanges) {
  const auto found = [&] { return describe_changes(directory_.path()).value_or("none"); };
  for (const char* manifest :
       {"{", R"({"version": 2, "files": {}})", R"({"version": 1, "files": {}})",
        R"({"version": 1, "files": {"/etc/passwd": {"size": 1}}})"}) {
    SCOPED_TRACE(manifest);
    std::ofstream(directory_ / kManifestName) << manifest;
    EXPECT_NE(found().find(kManifestName), std::string::npos) << found();
    EXPECT_NE(found().find("cannot be found"), std::string::npos) << found();
  }
  fs::remove(directory_ / kManifestName);
  EXPECT_EQ(found(), "none");
}

TEST_F(ManifestTest, OtherFilesAreIgnored) {
  std::ofstream(directory_ / "README") << "mine";
  EXPECT_EQ(difference(), "none");
}

TEST_F(ManifestTest, AManifestMayNotNameFilesOutside) {
  std::ofstream(directory_ / kManifestName)
      << R"({"version": 1, "files": {"../x": {"size": 1, "sha256": "00"}}})";
  EXPECT_NE(difference().find("\"../x\", which is not in its directory"), std::string::npos);
}

TEST_F(ManifestTest, NoManifestIsADifferenceANewerOneIsNot) {
  std::ofstream(directory_ / kManifestName) << R"({"version": 2, "files": {}})";
  EXPECT_THROW(difference(), NewerVersion);
  std::ofstream(directory_ / kManifestName) << R"({"version": 0, "files": {"empty": 1}})";
  EXPECT_NE(difference().find("version 1"), std::string::npos);
  std::ofstream(directory_ / kManifestName) << R"({"version": 1, "files": {}})";
  EXPECT_NE(difference().find("lists no file"), std::string::npos) << "nothing would be proved";
  std::ofstream(directory_ / kManifestName) << "{";
  EXPECT_NE(difference(), "none");
  fs::remove(directory_ / kManifestName);
  EXPECT_EQ(difference(), std::string(kManifestName) + ": is missing");
}

TEST_F(ManifestTest, AFileThatCannotBeReadIsAnErrorNotADifference) {
  fs::remove(directory_ / "empty");
  fs::create_symlink("empty", directory_ / "empty");  // to itself: an I/O error for everyone
  const Error error = testing::expect_error(ErrorCode::kIo, [&] { difference(); });
  EXPECT_EQ(error.file(), (directory_ / "empty").string());
}

}  // namespace
}  // namespace spanforge
