#include "spanforge/io/staging.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "support/testing.h"

namespace spanforge {
namespace {

using testing::expect_error;
using testing::TemporaryDirectory;
using Names = std::vector<std::string>;

void put(FileGroup& group, const std::string& name, const std::string& text) {
  group.fill([&](DirectoryWriter& writer) { writer.write(name, text); });
}

// Leaves the hidden directory of a process that is killed while it stages in `directory`.
void be_killed_in(const fs::path& directory) {
  const pid_t child = ::fork();
  if (child == 0) {
    FileGroup group(directory);
    put(group, "a", "half");
    ::_exit(0);  // runs no destructor
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_EQ(status, 0);
  ASSERT_EQ(list_directory(directory).size(), 1u);
}

TEST(FileGroup, FilesAppearAtCommit) {
  TemporaryDirectory directory;
  write_file_atomic(directory / "out-a", "old");
  fs::create_directory(directory / "out");
  write_file_atomic(directory / "out/a", "old");
  write_file_atomic(directory / "out/other", "kept");
  FileGroup group(directory / "out/");
  put(group, "a", "new a");
  put(group, "b", "new b");
  EXPECT_EQ(read_file(directory / "out/a"), "old");
  EXPECT_FALSE(path_exists(directory / "out/b"));
  group.commit();
  EXPECT_EQ(read_file(directory / "out/a"), "new a");
  EXPECT_EQ(read_file(directory / "out/b"), "new b");
  EXPECT_EQ(read_file(directory / "out/other"), "kept");
}

TEST(FileGroup, LeavesNothingElse) {
  TemporaryDirectory directory;
  {
    FileGroup group(directory / "x/y");
    put(group, "a", "text");
    group.commit();
  }
  EXPECT_EQ(list_directory(directory / "x/y"), Names{"a"});
  {
    FileGroup group(directory / "x/y");
    put(group, "a", "given up");
  }
  EXPECT_EQ(list_directory(directory / "x/y"), Names{"a"});
  EXPECT_EQ(read_file(directory / "x/y/a"), "text");
  { FileGroup group(directory / "p/q"); }
  EXPECT_FALSE(path_exists(directory / "p"));
}

// Another process put a file in a directory that was made here.
TEST(FileGroup, KeepsADirectoryInUse) {
  TemporaryDirectory directory;
  {
    FileGroup group(directory / "p/q");
    write_file_atomic(directory / "p/mine", "kept");
  }
  EXPECT_EQ(list_directory(directory / "p"), Names{"mine"});
}

TEST(FileGroup, ErrorsNameTheFinalPlace) {
  TemporaryDirectory directory;
  FileGroup group(directory / "out");
  const Error error = expect_error(ErrorCode::kIo, [&] { put(group, "no/a", ""); });
  EXPECT_EQ(error.file(), (directory / "out/no/a").string());
}

TEST(FileGroup, ADirectoryInAFilesPlaceIsRefusedBeforeAnyRename) {
  TemporaryDirectory directory;
  fs::create_directories(directory / "out/b");
  write_file_atomic(directory / "out/a", "old");
  {
    FileGroup group(directory / "out");
    for (const char* name : {"a", "b", "c"}) put(group, name, "new");
    const Error error = expect_error(ErrorCode::kIo, [&] { group.commit(); });
    EXPECT_EQ(error.file(), (directory / "out/b").string());
  }
  EXPECT_EQ(list_directory(directory / "out"), (Names{"a", "b"}));
  EXPECT_EQ(read_file(directory / "out/a"), "old");
}

TEST(FileGroup, ALinkInAFilesPlaceIsReplaced) {
  TemporaryDirectory directory;
  write_file_atomic(directory / "theirs", "kept");
  fs::create_directory(directory / "out");
  fs::create_symlink("../theirs", directory / "out/a");
  fs::create_symlink("nowhere", directory / "out/b");
  FileGroup group(directory / "out");
  for (const char* name : {"a", "b"}) put(group, name, "new");
  group.commit();
  EXPECT_EQ(read_file(directory / "theirs"), "kept");
  for (const char* name : {"out/a", "out/b"}) {
    EXPECT_TRUE(fs::is_regular_file(fs::symlink_status(directory / name)));
    EXPECT_EQ(read_file(directory / name), "new");
  }
}

// No file changes, not even one that could have been replaced.
TEST(FileGroup, ReplacesRegularFilesOnly) {
  TemporaryDirectory directory;
  fs::create_directory(directory / "out");
  write_file_atomic(directory / "out/a", "old");
  ASSERT_EQ(::mkfifo((directory / "out/fifo").c_str(), 0600), 0);
  fs::create_symlink("fifo", directory / "out/link");
  fs::create_symlink("/dev/null", directory / "out/null");
  for (const char* name : {"fifo", "link", "null"}) {
    SCOPED_TRACE(name);
    FileGroup group(directory / "out");
    for (const std::string& file : {std::string("a"), std::string(name)}) put(group, file, "new");
    const Error error = expect_error(ErrorCode::kIo, [&] { group.commit(); });
    EXPECT_EQ(error.file(), (directory / "out" / name).string());
    EXPECT_EQ(error.reason(), "is not a regular file; give another name");
  }
  EXPECT_EQ(list_directory(directory / "out"), (Names{"a", "fifo", "link", "null"}));
  EXPECT_EQ(read_file(directory / "out/a"), "old");
  EXPECT_TRUE(fs::is_fifo(directory / "out/fifo"));
}

TEST(FileGroup, NamesMayHave255Bytes) {
  TemporaryDirectory directory;
  const std::string name(255, 'n');
  FileGroup group(directory / name);
  put(group, name, "text");
  group.commit();
  EXPECT_EQ(read_file(directory / name / name), "text");
}

TEST(Staging, RemovesDirectoriesOfDeadProcesses) {
  TemporaryDirectory directory;
  fs::create_directory(directory / "out");
  be_killed_in(directory / "out");
  { FileGroup group(directory / "out"); }
  EXPECT_EQ(list_directory(directory / "out"), Names{});
  be_killed_in(directory / "out");
  NewDirectory model(directory / "out/model", "config.json");
  model.fill([](DirectoryWriter& writer) { writer.write("config.json", "{}"); });
  model.commit();
  EXPECT_EQ(list_directory(directory / "out"), Names{"model"});
}

TEST(Staging, KeepsDirectoriesInUse) {
  TemporaryDirectory directory;
  FileGroup living(directory / "out");
  put(living, "a", "a");
  { const FileGroup other(directory / "out"); }
  living.commit();
  EXPECT_EQ(read_file(directory / "out/a"), "a");
}

TEST(Staging, DoesNotFollowLinksWhenItCleans) {
  TemporaryDirectory directory;
  fs::create_directories(directory / "theirs");
  write_file_atomic(directory / "theirs/file", "kept");
  fs::create_directories(directory / "out");
  fs::create_symlink("../theirs", directory / "out/.spanforge-staged-1-1");
  { FileGroup group(directory / "out"); }
  EXPECT_EQ(list_directory(directory / "theirs"), Names{"file"});
}

void stage(StagingDirectory& staging, const std::string& text) {
  staging.fill([&](DirectoryWriter& writer) { writer.write("file", text); });
}

TEST(StagingDirectory, ReplacesAWholeDirectory) {
  const TemporaryDirectory directory;
  fs::create_directories(directory / "hidden/of a dead process");
  for (const char* text : {"old", "new"}) {
    StagingDirectory staging(directory / "hidden", directory / "target",
                             DirectoryWriter::Sync::kByCaller);
    stage(staging, text);
    staging.replace();
    EXPECT_EQ(read_file(directory / "target/file"), text);
    EXPECT_EQ(fs::exists(directory / "hidden/file"), std::string(text) == "new");
    staging.remove();
  }
  EXPECT_EQ(list_directory(directory.path()), Names{"target"});
}

TEST(StagingDirectory, PlaceReplacesNothing) {
  const TemporaryDirectory directory;
  fs::create_directories(directory / "target");
  write_file_atomic(directory / "target/mine", "kept");
  {
    StagingDirectory staging(directory / "hidden", directory / "target",
                             DirectoryWriter::Sync::kByCaller);
    stage(staging, "new");
    const Error error = expect_error(ErrorCode::kIo, [&] { staging.place(); });
    EXPECT_EQ(error.file(), (directory / "target").string());
  }
  EXPECT_EQ(list_directory(directory.path()), Names{"target"});
  EXPECT_EQ(list_directory(directory / "target"), Names{"mine"});
}

TEST(NewDirectory, AppearsWhole) {
  TemporaryDirectory directory;
  {
    NewDirectory output(directory / "x/model/", "config.json");
    output.fill([](DirectoryWriter& writer) { writer.write("config.json", "{}"); });
    EXPECT_FALSE(path_exists(directory / "x/model"));
    output.commit();
  }
  EXPECT_EQ(list_directory(directory / "x"), Names{"model"});
  EXPECT_EQ(list_directory(directory / "x/model"), Names{"config.json"});
  { const NewDirectory given_up(directory / "y/model", "config.json"); }
  EXPECT_FALSE(path_exists(directory / "y"));
}

TEST(NewDirectory, RefusesAnExistingTarget) {
  TemporaryDirectory directory;
  write_file_atomic(directory / "file", "");
  fs::create_directories(directory / "full/x");
  fs::create_directories(directory / "empty");
  for (const char* name : {"file", "full", "full/"}) {
    SCOPED_TRACE(name);
    expect_error(ErrorCode::kUsage, [&] { const NewDirectory output(directory / name, ""); });
  }
  NewDirectory output(directory / "empty/.", "");
  output.commit();
  EXPECT_EQ(list_directory(directory.path()), (Names{"empty", "file", "full"}));
}

// It stays the same directory: it may be a link, have its own mode or be a shell's directory.
TEST(NewDirectory, FillsAnEmptyDirectoryWhereItIs) {
  TemporaryDirectory directory;
  fs::create_directory(directory / "theirs");
  fs::permissions(directory / "theirs", fs::perms(02750));
  fs::create_directory_symlink("theirs", directory / "link");
  struct stat before {};
  ASSERT_EQ(::stat((directory / "theirs").c_str(), &before), 0);
  NewDirectory output(directory / "link/", "a");
  output.fill([](DirectoryWriter& writer) {
    for (const char* name : {"a", "b"}) writer.write(name, name);
  });
  EXPECT_FALSE(path_exists(directory / "theirs/a"));
  output.commit();
  EXPECT_TRUE(fs::is_symlink(directory / "link"));
  EXPECT_EQ(list_directory(directory.path()), (Names{"link", "theirs"}));
  EXPECT_EQ(read_file(directory / "theirs/b"), "b");
  struct stat after {};
  ASSERT_EQ(::stat((directory / "theirs").c_str(), &after), 0);
  EXPECT_EQ(after.st_ino, before.st_ino);
  EXPECT_EQ(after.st_mode, before.st_mode);
}

// A kill between two renames leaves no directory that looks complete.
TEST(NewDirectory, TheFileThatCompletesItComesLast) {
  TemporaryDirectory directory;
  fs::create_directory(directory / "model");
  NewDirectory output(directory / "model", "a");
  output.fill([](DirectoryWriter& writer) {
    for (const char* name : {"a", "b", "c"}) writer.write(name, name);
  });
  const int watch = ::inotify_init1(IN_NONBLOCK);
  ASSERT_GE(::inotify_add_watch(watch, (directory / "model").c_str(), IN_MOVED_TO), 0);
  output.commit();
  std::string events(4096, '\0');
  const ssize_t size = ::read(watch, events.data(), events.size());
  ::close(watch);
  ASSERT_GT(size, 0);
  events.resize(static_cast<size_t>(size));
  std::string came;
  for (size_t at = 0; at < events.size();) {
    inotify_event event{};
    std::memcpy(&event, &events[at], sizeof event);
    at += sizeof event;
    came += &events[at];
    at += event.len;
  }
  EXPECT_EQ(came, "bca");
}

TEST(NewDirectory, KeepsADirectoryInUse) {
  TemporaryDirectory directory;
  fs::create_directory(directory / "model");
  {
    NewDirectory output(directory / "model", "a");
    output.fill([](DirectoryWriter& writer) { writer.write("a", "a"); });
    write_file_atomic(directory / "model/mine", "kept");
    expect_error(ErrorCode::kUsage, [&] { output.commit(); });
  }
  EXPECT_EQ(list_directory(directory / "model"), Names{"mine"});
}

TEST(NewDirectory, IgnoresFilesStagedByAKilledProcess) {
  TemporaryDirectory directory;
  fs::create_directory(directory / "model");
  be_killed_in(directory / "model");
  { NewDirectory(directory / "model", "a").commit(); }
  EXPECT_EQ(list_directory(directory / "model"), Names{});
}

TEST(NewDirectory, RefusesABrokenLinkAtOnce) {
  TemporaryDirectory directory;
  fs::create_symlink("nowhere", directory / "link");
  for (const char* name : {"link", "link/"}) {
    const Error error =
        expect_error(ErrorCode::kIo, [&] { const NewDirectory output(directory / name, ""); });
    EXPECT_EQ(error.file(), (directory / "link").string());
  }
  EXPECT_EQ(list_directory(directory.path()), Names{"link"});
}

// Its mode follows the umask.
TEST(NewDirectory, HasTheUsualPermissions) {
  TemporaryDirectory directory;
  const mode_t before = ::umask(027);
  NewDirectory output(directory / "model", "");
  output.commit();
  ::umask(before);
  EXPECT_EQ(fs::status(directory / "model").permissions(), fs::perms(0750));
}

}  // namespace
}  // namespace spanforge
