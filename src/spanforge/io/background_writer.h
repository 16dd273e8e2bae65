#pragma once
// Writes a large file in one thread and hashes it in another, while the caller prepares the next
// bytes. Bypasses the page cache (O_DIRECT) if the file system allows it: a checkpoint of gigabytes
// would fill the cache with pages that nobody reads, and the system would slow the writer down to
// the pace at which it cleans them.

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
  // fd: a new, empty file open for writing; the caller still owns it. path: for errors.
  BackgroundWriter(int fd, std::filesystem::path path);
  BackgroundWriter(const BackgroundWriter&) = delete;
  BackgroundWriter& operator=(const BackgroundWriter&) = delete;
  ~BackgroundWriter();  // without finish(): discards bytes that are not written yet
  // Copies the bytes. Throws Error{kIo, path} if these bytes or earlier ones cannot be written.
  void write(std::string_view bytes);
  // Waits until everything is written (not synced). Returns the SHA-256 of all bytes, in hex.
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
  void hand_over();  // gives the buffer being filled to the workers
  void join();
  void abandon();
  void write_out(std::string_view bytes);
  void set_direct(bool direct);

  int fd_;
  std::filesystem::path path_;
  bool direct_ = false;  // used by worker kDisk alone
  Sha256 hash_;          // used by worker kHash alone

  std::array<Buffer, kBuffers> buffers_;  // buffer i is buffers_[i % kBuffers]
  std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t filled_ = 0;                    // buffers handed over; the next one is being filled
  std::array<uint64_t, kWorkers> done_{};  // buffers that each worker has finished
  bool ended_ = false;                     // no more buffers will be handed over
  bool abandoned_ = false;
  std::exception_ptr failure_;
  std::array<std::thread, kWorkers> threads_;
};

}  // namespace spanforge
