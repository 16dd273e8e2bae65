#include "spanforge/io/directory_writer.h"

#include <utility>

#include <gtest/gtest.h>

#include "spanforge/base/hash.h"
#include "support/testing.h"

namespace spanforge {
namespace {

using testing::TemporaryDirectory;

TEST(DirectoryWriter, ListsItsFiles) {
  const TemporaryDirectory directory;
  for (const auto sync : {DirectoryWriter::Sync::kEachFile, DirectoryWriter::Sync::kByCaller}) {
    const std::string small = "small", large((size_t{9} << 20) + 1, 'l');
    DirectoryWriter writer(directory.path(), sync);
    writer.write("small", small);
    writer.write("large", large);
    writer.write_json("value.json", Json{{"key", 1}});
    const std::vector<WrittenFile> files = writer.written();
    ASSERT_EQ(files.size(), 3u);
    EXPECT_EQ(files[0].path, directory / "small");
    EXPECT_EQ(files[0].size, small.size());
    EXPECT_EQ(files[0].sha256, sha256_hex(small));
    EXPECT_EQ(files[1].size, large.size());
    EXPECT_EQ(files[1].sha256, sha256_hex(large));
    EXPECT_TRUE(read_file(files[1].path) == large);
    EXPECT_EQ(read_file(files[2].path), "{\n  \"key\": 1\n}\n");
  }
}

TEST(DirectoryWriter, ListsAFileOnceItIsCommitted) {
  const TemporaryDirectory directory;
  DirectoryWriter writer(directory.path());
  AtomicFile begun = writer.create("begun");
  { writer.create("given-up").write("half"); }
  begun.write("first, ");
  AtomicFile moved = std::move(begun);
  moved.write("second");
  EXPECT_TRUE(writer.written().empty());
  moved.commit();
  ASSERT_EQ(writer.written().size(), 1u);
  EXPECT_EQ(read_file(directory / "begun"), "first, second");
  EXPECT_EQ(list_directory(directory.path()), std::vector<std::string>{"begun"});
}

}  // namespace
}  // namespace spanforge
