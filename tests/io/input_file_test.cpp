#include "spanforge/io/input_file.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>

#include "support/testing.h"

namespace spanforge {
namespace {

using testing::expect_error;
using testing::TemporaryDirectory;

// Replaces standard input during its life.
class StandardInput {
 public:
  explicit StandardInput(int fd) : before_(::dup(STDIN_FILENO)) { ::dup2(fd, STDIN_FILENO); }
  ~StandardInput() {
    ::dup2(before_, STDIN_FILENO);
    ::close(before_);
  }

 private:
  int before_;
};

class Pipe {
 public:
  Pipe() { EXPECT_EQ(::pipe(ends_), 0); }
  ~Pipe() {
    end();
    ::close(ends_[0]);
  }
  int reading() const { return ends_[0]; }
  std::string name() const { return "/dev/fd/" + std::to_string(ends_[0]); }
  void write(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t n = ::write(ends_[1], bytes.data(), bytes.size());
      ASSERT_GT(n, 0);
      bytes.remove_prefix(static_cast<size_t>(n));
    }
  }
  void end() {
    if (ends_[1] >= 0) ::close(std::exchange(ends_[1], -1));
  }

 private:
  int ends_[2] = {-1, -1};
};

// More text than a pipe or one read holds; it does not repeat.
std::string many_bytes() {
  std::string bytes;
  for (int i = 0; bytes.size() < (size_t{1} << 20); ++i) bytes += std::to_string(i * 7919) + "\n";
  bytes += '\0';
  return bytes;
}

// Every way of reading gives the same bytes.
TEST(InputFile, APipeIsReadToItsEnd) {
  const std::string bytes = many_bytes();
  const auto read = [&](const auto& use) {
    Pipe pipe;
    std::thread writer([&] {
      pipe.write(bytes);
      pipe.end();
    });
    std::string got = use(pipe.name());
    writer.join();
    return got;
  };
  EXPECT_TRUE(read([](const fs::path& name) { return read_input(name); }) == bytes);
  EXPECT_TRUE(read([](const fs::path& name) {
                const MappedFile mapped = map_input(name);
                EXPECT_EQ(mapped.path(), name);
                mapped.expect_whole();
                std::string copied(mapped.bytes().size(), ' ');
                mapped.copy(mapped.bytes(), copied.data());
                EXPECT_TRUE(copied == mapped.bytes());
                return copied;
              }) == bytes);
  EXPECT_TRUE(read([](const fs::path& name) {
                InputLines lines(name);
                EXPECT_FALSE(lines.is_regular());
                std::string joined;
                while (const auto line = lines.next()) joined += *line + "\n";
                joined.pop_back();  // the last line has no LF
                return joined;
              }) == bytes);
}

TEST(InputFile, ADashIsStandardInput) {
  EXPECT_EQ(input_name("-"), "standard input");
  EXPECT_EQ(input_name("./-"), "./-");
  for (const char* name : {"-", "/dev/stdin"}) {
    SCOPED_TRACE(name);
    Pipe pipe;
    pipe.write("text\n");
    pipe.end();
    const StandardInput standard(pipe.reading());
    EXPECT_TRUE(is_standard_input(name));
    const MappedFile mapped = map_input(name);
    EXPECT_EQ(mapped.bytes(), "text\n");
    EXPECT_EQ(mapped.path(), input_name(name));
    EXPECT_EQ(read_input(name), "") << "it can be read once";
  }
}

// `(read line; spanforge ... -) < file` reads the rest of the file.
TEST(InputFile, StandardInputFromAFileStartsAtItsPosition) {
  TemporaryDirectory directory;
  write_file_atomic(directory / "f", "one\ntwo\nthree");
  for (const off_t at : {0, 4}) {
    const Descriptor file(directory / "f", O_RDONLY);
    const StandardInput standard(file.get());
    ASSERT_EQ(::lseek(STDIN_FILENO, at, SEEK_SET), at);
    const std::string rest = std::string("one\ntwo\nthree").substr(static_cast<size_t>(at));
    EXPECT_EQ(map_input("-").bytes(), rest);
    ASSERT_EQ(::lseek(STDIN_FILENO, at, SEEK_SET), at);
    InputLines lines("-");
    EXPECT_TRUE(lines.is_regular());
    const auto first = lines.next();
    lines.rewind();
    EXPECT_EQ(lines.next(), first);
    EXPECT_EQ(first, at == 0 ? "one" : "two");
    EXPECT_FALSE(is_standard_input(directory / "f")) << "a file can be read twice";
  }
}

TEST(InputFile, ASocketCanBeStandardInput) {
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  const StandardInput standard(ends[0]);
  ASSERT_EQ(::write(ends[1], "abc", 3), 3);
  ::close(ends[1]);
  EXPECT_EQ(map_input("/dev/stdin").bytes(), "abc");
  ::close(ends[0]);
}

TEST(InputFile, AFifoIsWaitedFor) {
  TemporaryDirectory directory;
  ASSERT_EQ(::mkfifo((directory / "fifo").c_str(), 0600), 0);
  std::thread writer([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    std::ofstream(directory / "fifo") << "late";
  });
  EXPECT_EQ(map_input(directory / "fifo").bytes(), "late");
  writer.join();
}

TEST(InputFile, AStopRequestEndsTheWait) {
  TemporaryDirectory directory;
  ASSERT_EQ(::mkfifo((directory / "fifo").c_str(), 0600), 0);
  std::atomic<bool> stop = false;
  std::thread stopper([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    stop = true;
  });
  const Error error =
      expect_error(ErrorCode::kInterrupted, [&] { map_input(directory / "fifo", &stop); });
  EXPECT_EQ(error.file(), (directory / "fifo").string());
  stopper.join();
}

TEST(InputFile, NothingIsLeftInTheTemporaryDirectory) {
  TemporaryDirectory directory;
  Pipe pipe;
  pipe.write("text");
  pipe.end();
  ::setenv("TMPDIR", directory.path().c_str(), 1);
  const MappedFile mapped = map_input(pipe.name());
  ::unsetenv("TMPDIR");
  EXPECT_EQ(mapped.bytes(), "text");
  EXPECT_TRUE(list_directory(directory.path()).empty());
}

TEST(InputFile, ATemporaryDirectoryThatCannotBeUsedIsNamed) {
  Pipe pipe;
  pipe.end();
  ::setenv("TMPDIR", "/nowhere/at/all", 1);
  const Error error = expect_error(ErrorCode::kIo, [&] { map_input(pipe.name()); });
  ::unsetenv("TMPDIR");
  EXPECT_EQ(error.place().text(), pipe.name());
  EXPECT_NE(error.reason().find("/nowhere/at/all"), std::string::npos) << error.what();
  EXPECT_NE(error.reason().find("TMPDIR"), std::string::npos) << error.what();
}

TEST(InputFile, RefusesDirectoriesDevicesAndSockets) {
  TemporaryDirectory directory;
  const fs::path socket = directory / "socket";
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, socket.c_str(), sizeof(address.sun_path) - 1);
  ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  const std::pair<fs::path, std::string> cases[] = {{directory.path(), "is a directory"},
                                                    {"/dev/zero", "is a device"},
                                                    {socket, "is a socket"},
                                                    {directory / "none", "cannot open"}};
  for (const auto& [path, reason] : cases) {
    SCOPED_TRACE(path);
    for (const Error& error : {expect_error(ErrorCode::kIo, [&] { read_input(path); }),
                               expect_error(ErrorCode::kIo, [&] { map_input(path); }),
                               expect_error(ErrorCode::kIo, [&] { InputLines lines(path); })}) {
      EXPECT_EQ(error.file(), path.string());
      EXPECT_TRUE(error.reason().starts_with(reason)) << error.what();
    }
  }
  ::close(fd);
  EXPECT_EQ(map_input("/dev/null").bytes(), "");
}

TEST(InputFile, APipeMayBeNamedOnlyOnce) {
  TemporaryDirectory directory;
  ASSERT_EQ(::mkfifo((directory / "fifo").c_str(), 0600), 0);
  ASSERT_EQ(::mkfifo((directory / "other").c_str(), 0600), 0);
  write_file_atomic(directory / "f", "x");
  Pipe pipe;
  const StandardInput standard(pipe.reading());
  const fs::path fifo = directory / "fifo", file = directory / "f";
  require_distinct_inputs({"-", fifo, directory / "other", file, file, "", "", "none", "none"});
  const std::vector<std::vector<fs::path>> refused = {
      {"-", "-"}, {"-", "/dev/stdin"}, {file, "/dev/stdin", "/dev/fd/0"}, {fifo, fifo}};
  for (const auto& paths : refused) {
    const Error error = expect_error(ErrorCode::kUsage, [&] { require_distinct_inputs(paths); });
    EXPECT_EQ(error.place().text(), input_name(paths.back()));
  }
}

TEST(InputLines, EndAtLfOnly) {
  TemporaryDirectory directory;
  const auto lines_of = [&](const std::string& bytes) {
    write_file_atomic(directory / "f", bytes);
    InputLines lines(directory / "f");
    std::vector<std::string> all;
    while (auto line = lines.next()) all.push_back(*line);
    EXPECT_FALSE(lines.next());
    return all;
  };
  using Lines = std::vector<std::string>;
  EXPECT_EQ(lines_of(""), Lines{});
  EXPECT_EQ(lines_of("\n"), Lines{""});
  EXPECT_EQ(lines_of("a"), Lines{"a"});
  EXPECT_EQ(lines_of("a\r\n\nb\vc\n"), (Lines{"a\r", "", "b\vc"}));
  const std::string line(200'000, 'x');
  EXPECT_EQ(lines_of("a\n" + line + "\n" + line), (Lines{"a", line, line}));
}

// A program may write one line and wait for its answer.
TEST(InputLines, AreReadyAsSoonAsTheyAreWritten) {
  Pipe pipe;
  InputLines lines(pipe.name());
  EXPECT_FALSE(lines.ready());
  pipe.write("on");
  EXPECT_FALSE(lines.ready()) << "half a line";
  pipe.write("e\ntwo\nthr");
  EXPECT_TRUE(lines.ready());
  EXPECT_EQ(lines.next(), "one");
  EXPECT_TRUE(lines.ready());
  EXPECT_EQ(lines.next(), "two");
  EXPECT_FALSE(lines.ready());
  pipe.end();
  EXPECT_TRUE(lines.ready());
  EXPECT_EQ(lines.next(), "thr");
  EXPECT_TRUE(lines.ready());
  EXPECT_EQ(lines.next(), std::nullopt);
}

}  // namespace
}  // namespace spanforge
