#include "spanforge/io/background_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <thread>

#include <gtest/gtest.h>

#include "spanforge/base/error.h"
#include "spanforge/base/hash.h"
#include "spanforge/base/random.h"
#include "spanforge/io/file.h"
#include "support/testing.h"

namespace spanforge {
namespace {

std::string random_bytes(size_t size) {
  CounterStream stream(testing::test_seed());
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; i += 997) bytes[i] = static_cast<char>(stream.next_below(256));
  if (size > 0) bytes.back() = 'z';
  return bytes;
}

class OpenedFile {
 public:
  OpenedFile(const fs::path& path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0600)) {
    EXPECT_GE(fd_, 0) << path;
  }
  ~OpenedFile() { ::close(fd_); }
  operator int() const { return fd_; }

 private:
  int fd_;
};

TEST(BackgroundWriter, WritesAndHashesAnySizeInAnyPieces) {
  const testing::TemporaryDirectory directory;
  constexpr size_t kBuffer = size_t{8} << 20;
  for (const size_t size : {size_t{0}, size_t{1}, size_t{4095}, size_t{4096}, kBuffer - 1, kBuffer,
                            kBuffer + 1, 5 * kBuffer + 4097}) {
    for (const size_t piece : {size_t{12345}, size_t{1} << 20, size_t{100} << 20}) {
      SCOPED_TRACE(std::to_string(size) + " bytes in pieces of " + std::to_string(piece));
      const std::string bytes = random_bytes(size);
      const fs::path path = directory / "f";
      {
        const OpenedFile fd(path, O_WRONLY | O_CREAT | O_TRUNC);
        BackgroundWriter writer(fd, path);
        for (size_t at = 0; at < size; at += piece) {
          writer.write(std::string_view(bytes).substr(at, piece));
        }
        EXPECT_EQ(writer.finish(), sha256_hex(bytes));
      }
      EXPECT_TRUE(read_file(path) == bytes);
    }
  }
}

TEST(BackgroundWriter, ReportsAFullDisk) {
  const std::string bytes = random_bytes(size_t{64} << 20);
  const OpenedFile fd("/dev/full", O_WRONLY);
  BackgroundWriter writer(fd, "some/file");
  const Error error = testing::expect_error(ErrorCode::kIo, [&] {
    writer.write(bytes);
    writer.finish();
  });
  EXPECT_EQ(error.place().text(), "some/file");
  EXPECT_NE(error.reason().find("No space left"), std::string::npos) << error.reason();
}

TEST(BackgroundWriter, CanBeAbandoned) {
  const testing::TemporaryDirectory directory;
  const OpenedFile fd(directory / "f", O_WRONLY | O_CREAT);
  const std::string bytes = random_bytes(size_t{20} << 20);
  {
    BackgroundWriter writer(fd, directory / "f");
    writer.write(bytes);
  }
  // The file holds only the bytes written before.
  EXPECT_TRUE(bytes.starts_with(read_file(directory / "f")));
}

}  // namespace
}  // namespace spanforge
