#include "spanforge/io/mapped_faults.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "spanforge/io/file.h"
#include "support/testing.h"

namespace spanforge {
namespace {

using testing::expect_error;
using testing::TemporaryDirectory;

constexpr size_t kSize = 100'000;

void touch(const char* address) {
  [[maybe_unused]] const volatile char value = *static_cast<const volatile char*>(address);
}

class MappedFaults : public ::testing::Test {
 protected:
  MappedFaults() { write_file_atomic(path_, std::string(kSize, 'x')); }
  void cut_off(uintmax_t size = 0) { fs::resize_file(path_, size); }

  TemporaryDirectory directory_;
  const fs::path path_ = directory_ / "a\nb";
  const std::string line_ = "^prefix: .*/a\\\\nb: was cut off while it was in use; start again\n$";
};
using MappedFaultsDeathTest = MappedFaults;

TEST_F(MappedFaultsDeathTest, TheProcessEndsWithOneLine) {
  const auto die = [&] {
    end_when_mapped_file_is_cut_off("prefix: ");
    const MappedFile other(path_);
    MappedFile file(path_);
    const MappedFile moved = std::move(file);
    cut_off(5000);
    touch(moved.bytes().data() + 4999);
    touch(&moved.bytes().back());
  };
  EXPECT_EXIT(die(), ::testing::ExitedWithCode(74), line_);
}

TEST_F(MappedFaultsDeathTest, OfManyThreadsOneSpeaks) {
  const auto die = [&] {
    end_when_mapped_file_is_cut_off("prefix: ");
    const MappedFile file(path_);
    cut_off();
    std::atomic<int> ready{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        for (++ready; ready < 8;) {
        }
        touch(file.bytes().data());
      });
    }
    for (std::thread& thread : threads) thread.join();
  };
  EXPECT_EXIT(die(), ::testing::ExitedWithCode(74), line_);
}

TEST_F(MappedFaultsDeathTest, EveryOtherFaultIsAsItWas) {
  const auto with_handler = [&](const auto& body) {
    std::signal(SIGBUS, SIG_DFL);  // whatever a sanitizer made of it
    end_when_mapped_file_is_cut_off("prefix: ");
    const MappedFile here(path_);
    body();
    ::_exit(1);
  };
  EXPECT_EXIT(with_handler([] { ::raise(SIGBUS); }), ::testing::KilledBySignal(SIGBUS), "^$");
  const auto touch_unmapped = [&] {
    const int fd = ::open(path_.c_str(), O_RDONLY);
    const void* address = nullptr;
    { const MappedFile gone(path_); }
    address = ::mmap(nullptr, kSize, PROT_READ, MAP_PRIVATE, fd, 0);
    cut_off();
    touch(static_cast<const char*>(address));
  };
  EXPECT_EXIT(with_handler(touch_unmapped), ::testing::KilledBySignal(SIGBUS), "^$");
}

// Up to the end of a page lost bytes read as zeros, and no signal comes.
TEST_F(MappedFaults, WhatWasMadeOfLostBytesDoesNotCount) {
  const MappedFile file(path_);
  EXPECT_EQ(while_whole(file, [] { return 1; }), 1);
  const auto fail = []() -> int { throw Error(ErrorCode::kBadData, {.where = "place"}, "bad"); };
  expect_error(ErrorCode::kBadData, [&] { while_whole(file, fail); });
  const auto expect_cut_off = [&](const auto& use) {
    const Error error = expect_error(ErrorCode::kIo, [&] { while_whole(file, use); });
    EXPECT_EQ(error.file(), path_.string());
    EXPECT_EQ(error.reason(), kCutOff);
  };
  cut_off(kSize - 1);
  expect_cut_off([] { return 1; });
  expect_cut_off(fail);
}

}  // namespace
}  // namespace spanforge
