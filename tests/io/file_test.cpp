#include "spanforge/io/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include <gtest/gtest.h>

#include "support/testing.h"

namespace spanforge {
namespace {

using testing::expect_error;
using testing::TemporaryDirectory;

size_t entries_of(const fs::path& directory) {
  return static_cast<size_t>(
      std::distance(fs::directory_iterator(directory), fs::directory_iterator()));
}

TEST(ReadFile, ReadsEveryByte) {
  TemporaryDirectory directory;
  const std::string bytes("a\0b\nc\xff", 6);
  std::ofstream(directory / "f", std::ios::binary) << bytes;
  EXPECT_EQ(read_file(directory / "f"), bytes);
  EXPECT_EQ(MappedFile(directory / "f").bytes(), bytes);
}

TEST(ReadFile, AnEmptyFileIsEmpty) {
  TemporaryDirectory directory;
  std::ofstream(directory / "f");
  EXPECT_EQ(read_file(directory / "f"), "");
  EXPECT_EQ(MappedFile(directory / "f").bytes(), "");
}

TEST(ReadFile, RefusesOtherThanRegularFilesAtOnce) {
  TemporaryDirectory directory;
  const fs::path fifo = directory / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  for (const fs::path& path : {fifo, directory.path(), directory / "none", fs::path("/dev/null")}) {
    SCOPED_TRACE(path);
    EXPECT_EQ(expect_error(ErrorCode::kIo, [&] { read_file(path); }).file(), path.string());
    EXPECT_EQ(expect_error(ErrorCode::kIo, [&] { MappedFile file(path); }).file(), path.string());
  }
}

TEST(MappedFile, OutlivesItsName) {
  TemporaryDirectory directory;
  write_file_atomic(directory / "f", "old");
  MappedFile file(directory / "f");
  write_file_atomic(directory / "f", "newer");
  EXPECT_EQ(file.bytes(), "old");
  MappedFile moved = std::move(file);
  EXPECT_EQ(moved.bytes(), "old");
}

TEST(MappedFile, CopiesEveryByte) {
  TemporaryDirectory directory;
  std::string bytes(100'000, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 31);
  write_file_atomic(directory / "f", bytes);
  const MappedFile file(directory / "f");
  std::string copy(bytes.size() - 3, '\0');
  file.copy(file.bytes().substr(3), copy.data());
  EXPECT_EQ(copy, bytes.substr(3));
  file.copy(file.bytes().substr(0, 0), nullptr);
  EXPECT_TRUE(file.holds(file.bytes()));
  EXPECT_FALSE(file.holds(copy));
}

TEST(MappedFile, ATruncatedFileIsAnErrorNotASignal) {
  TemporaryDirectory directory;
  write_file_atomic(directory / "f", std::string(100'000, 'x'));
  const MappedFile file(directory / "f");
  fs::resize_file(directory / "f", 5000);
  std::string copy(file.bytes().size(), '\0');
  const Error error = expect_error(ErrorCode::kIo, [&] { file.copy(file.bytes(), copy.data()); });
  EXPECT_EQ(error.file(), (directory / "f").string());
}

// The truncated part of a page reads as zeros.
TEST(MappedFile, ResultsFromATruncatedFileAreDiscarded) {
  const TemporaryDirectory directory;
  const fs::path path = directory / "f";
  constexpr size_t kSize = 100'000;
  write_file_atomic(path, std::string(kSize, 'x'));
  const MappedFile file(path);
  EXPECT_EQ(while_whole(file, [] { return 1; }), 1);
  const auto fail = []() -> int { throw Error(ErrorCode::kBadData, {.file = "f"}, "bad"); };
  expect_error(ErrorCode::kBadData, [&] { while_whole(file, fail); });
  const auto expect_truncated = [&](const auto& use) {
    const Error error = expect_error(ErrorCode::kIo, [&] { while_whole(file, use); });
    EXPECT_EQ(error.file(), path.string());
    EXPECT_EQ(error.reason(), "was truncated while it was in use; start again");
  };
  fs::resize_file(path, kSize - 1);
  expect_truncated([] { return 1; });
  expect_truncated(fail);
}

TEST(AtomicFile, TheTargetChangesOnlyAtCommit) {
  TemporaryDirectory directory;
  write_file_atomic(directory / "f", "old");
  {
    AtomicFile file(directory / "f");
    file.write("new");
    EXPECT_EQ(read_file(directory / "f"), "old");
    file.commit();
    EXPECT_EQ(read_file(directory / "f"), "new");
  }
  EXPECT_EQ(entries_of(directory.path()), 1u);
}

TEST(AtomicFile, WithoutCommitNothingIsLeft) {
  TemporaryDirectory directory;
  { AtomicFile(directory / "f").write("half"); }
  EXPECT_EQ(entries_of(directory.path()), 0u);
}

TEST(AtomicFile, AMissingDirectoryIsNamed) {
  TemporaryDirectory directory;
  const fs::path path = directory / "none" / "f";
  EXPECT_EQ(expect_error(ErrorCode::kIo, [&] { AtomicFile file(path); }).file(), path.string());
}

TEST(AtomicFile, ATargetThatCannotBeReplacedIsKept) {
  TemporaryDirectory directory;
  fs::create_directory(directory / "target");
  std::ofstream(directory / "target" / "inside");
  expect_error(ErrorCode::kIo, [&] { AtomicFile file(directory / "target"); });
  EXPECT_TRUE(fs::exists(directory / "target" / "inside"));
  EXPECT_EQ(entries_of(directory.path()), 1u);
}

TEST(AtomicFile, ReplacesRegularFilesOnly) {
  TemporaryDirectory directory;
  ASSERT_EQ(::mkfifo((directory / "fifo").c_str(), 0600), 0);
  fs::create_symlink("fifo", directory / "link");
  fs::create_symlink("/dev/null", directory / "null");
  fs::create_symlink("/", directory / "root");
  // Like /dev/stdout: once redirected to a file, once closed.
  const Descriptor open(directory / "open", O_WRONLY | O_CREAT);
  fs::create_symlink("/proc/self/fd/" + std::to_string(open.get()), directory / "stdout");
  fs::create_symlink("stdout", directory / "link to stdout");
  fs::create_symlink("/proc/self/fd/999999", directory / "closed");
  for (const char* name : {"fifo", "link", "null", "root", "stdout", "link to stdout", "closed"}) {
    SCOPED_TRACE(name);
    const fs::path path = directory / name;
    const Error error = expect_error(ErrorCode::kIo, [&] { write_file_atomic(path, "x"); });
    EXPECT_EQ(error.file(), path.string());
  }
  EXPECT_TRUE(fs::is_fifo(directory / "fifo"));
  EXPECT_EQ(entries_of(directory.path()), 8u);
  fs::create_symlink("nowhere", directory / "nothing");
  write_file_atomic(directory / "nothing", "x");
  EXPECT_EQ(entries_of(directory.path()), 9u);
}

TEST(EnvironmentOr, TakesTheFallbackWhenUnset) {
  ::unsetenv("SPANFORGE_TEST_VARIABLE");
  EXPECT_EQ(environment_or("SPANFORGE_TEST_VARIABLE", "fallback"), "fallback");
  ::setenv("SPANFORGE_TEST_VARIABLE", "", 1);
  EXPECT_EQ(environment_or("SPANFORGE_TEST_VARIABLE", "fallback"), "");
  ::unsetenv("SPANFORGE_TEST_VARIABLE");
}

// A link to itself exists, but the system cannot resolve it.
TEST(PathExists, AFailedLookUpIsNotAbsence) {
  TemporaryDirectory directory;
  EXPECT_FALSE(path_exists(directory / "none"));
  EXPECT_FALSE(path_exists(directory / "none/below"));
  write_file_atomic(directory / "f", "text");
  EXPECT_TRUE(path_exists(directory / "f"));
  EXPECT_FALSE(path_exists(directory / "f/below"));
  EXPECT_FALSE(directory_exists(directory / "f"));
  EXPECT_TRUE(directory_exists(directory.path()));
  EXPECT_EQ(regular_file_size(directory / "f"), 4u);
  EXPECT_EQ(regular_file_size(directory.path()), std::nullopt);
  fs::create_symlink("loop", directory / "loop");
  EXPECT_EQ(expect_error(ErrorCode::kIo, [&] { path_exists(directory / "loop"); }).file(),
            (directory / "loop").string());
}

TEST(ListDirectory, ReturnsSortedNamesOrThrows) {
  TemporaryDirectory directory;
  for (const char* name : {"b", "a", "c"}) write_file_atomic(directory / name, "");
  EXPECT_EQ(list_directory(directory.path()), (std::vector<std::string>{"a", "b", "c"}));
  expect_error(ErrorCode::kIo, [&] { list_directory(directory / "none"); });
  expect_error(ErrorCode::kIo, [&] { list_directory(directory / "a"); });
}

// Process ids are reused, in a container soon: a killed process may have left the same names.
TEST(AtomicFile, SkipsTheTemporaryNamesOfAKilledProcess) {
  TemporaryDirectory directory;
  for (int serial = 0; serial < 2000; ++serial) {
    std::ofstream(directory /
                  ("f." + std::to_string(::getpid()) + "-" + std::to_string(serial) + ".tmp"))
        << "old";
  }
  write_file_atomic(directory / "f", "new");
  EXPECT_EQ(read_file(directory / "f"), "new");
  EXPECT_EQ(entries_of(directory.path()), 2001u);
}

}  // namespace
}  // namespace spanforge
