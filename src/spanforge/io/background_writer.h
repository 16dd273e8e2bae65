#pragma once
// Large files, written by one thread and hashed by another while the caller prepares what comes
// next. Past the page cache (O_DIRECT) where the file system allows it: a checkpoint of gigabytes
// would otherwise fill the cache with pages nobody reads, and is throttled to the pace at which the
// system cleans them.

#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "spanforge/base/hash.h"

namespace spanforge {

class BackgroundWriter {
 public:
  // fd: a new, empty file open for writing, which stays the caller's; path: for errors.
  BackgroundWriter(int fd, std::filesystem::path path);
  BackgroundWriter(const BackgroundWriter&) = delete;
  BackgroundWriter& operator=(const BackgroundWriter&) = delete;
  ~BackgroundWriter();  // without finish(): gives up what is not written yet
  // Copies the bytes. Error{kIo, path}, of these bytes or earlier ones.
  void write(std::string_view bytes);
  // Waits until everything is written (not synced). The SHA-256 of all bytes, in hex.
  std::string finish();

 private:
  static constexpr size_t kBufferSize = size_t{8} << 20;
  static constexpr size_t kBuffers = 4;
  struct FreeAligned {
    void operator()(char* memory) const;
  };
  struct Buffer {
    std::unique_ptr<char, FreeAligned> memory;
    size_t size = 0;
  };
  enum Worker { kDisk, kHash, kWorkers };

  void start(Worker worker, const std::function<void(std::string_view)>& work);
  void work_through(Worker worker, const std::function<void(std::string_view)>& work);
  void hand_over();  // the buffer being filled to the workers
  void join();
  void abandon();
  void write_out(std::string_view bytes);
  void set_direct(bool direct);

  int fd_;
  std::filesystem::path path_;
  bool direct_ = false;  // of the disk's worker
  Sha256 hash_;          // of the hash's worker

  std::array<Buffer, kBuffers> buffers_;  // number i is in place i % kBuffers
  std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t filled_ = 0;                    // buffers handed over; the next one is being filled
  std::array<uint64_t, kWorkers> done_{};  // buffers each worker is through with
  bool ended_ = false;                     // nothing more will be handed over
  bool abandoned_ = false;
  std::exception_ptr failure_;
  std::array<std::thread, kWorkers> threads_;
};

}  // namespace spanforge
