#include "spanforge/io/background_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include <fmt/core.h>

#include "spanforge/base/error.h"

namespace spanforge {
namespace {

constexpr size_t kAlignment = 4096;  // of memory, offsets and lengths under O_DIRECT

}  // namespace

void BackgroundWriter::FreeAligned::operator()(char* memory) const { std::free(memory); }

BackgroundWriter::BackgroundWriter(int fd, std::filesystem::path path)
    : fd_(fd), path_(std::move(path)) {
  for (Buffer& buffer : buffers_) {
    buffer.memory.reset(static_cast<char*>(std::aligned_alloc(kAlignment, kBufferSize)));
    if (!buffer.memory) throw std::bad_alloc();
  }
  set_direct(true);
  try {
    start(kDisk, [this](std::string_view bytes) { write_out(bytes); });
    start(kHash, [this](std::string_view bytes) { hash_.update(bytes); });
  } catch (...) {  // the system cannot start a thread
    abandon();
    throw;
  }
}

BackgroundWriter::~BackgroundWriter() { abandon(); }

void BackgroundWriter::abandon() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    abandoned_ = true;
  }
  join();
}

void BackgroundWriter::write(std::string_view bytes) {
  while (!bytes.empty()) {
    Buffer& buffer = buffers_[filled_ % kBuffers];
    const size_t taken = std::min(bytes.size(), kBufferSize - buffer.size);
    std::memcpy(buffer.memory.get() + buffer.size, bytes.data(), taken);
    buffer.size += taken;
    bytes.remove_prefix(taken);
    if (buffer.size == kBufferSize) hand_over();
  }
}

std::string BackgroundWriter::finish() {
  if (buffers_[filled_ % kBuffers].size > 0) hand_over();
  join();
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  return hash_.hex();
}

void BackgroundWriter::hand_over() {
  std::unique_lock<std::mutex> lock(mutex_);
  ++filled_;
  changed_.notify_all();
  changed_.wait(lock, [this] {
    return failure_ || filled_ - *std::min_element(done_.begin(), done_.end()) < kBuffers;
  });
  if (failure_) std::rethrow_exception(failure_);
  buffers_[filled_ % kBuffers].size = 0;
}

void BackgroundWriter::join() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ended_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void BackgroundWriter::start(Worker worker, const std::function<void(std::string_view)>& work) {
  threads_[worker] = std::thread([this, worker, work] { work_through(worker, work); });
}

void BackgroundWriter::work_through(Worker worker,
                                    const std::function<void(std::string_view)>& work) {
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    changed_.wait(lock,
                  [&] { return ended_ || abandoned_ || failure_ || done_[worker] < filled_; });
    if (abandoned_ || failure_ || done_[worker] == filled_) return;
    const Buffer& buffer = buffers_[done_[worker] % kBuffers];
    const std::string_view bytes(buffer.memory.get(), buffer.size);
    lock.unlock();
    std::exception_ptr failure;
    try {
      work(bytes);
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    if (failure && !failure_) failure_ = failure;
    ++done_[worker];
    changed_.notify_all();
  }
}

void BackgroundWriter::set_direct(bool direct) {
  const int flags = ::fcntl(fd_, F_GETFL);
  const int wanted = direct ? flags | O_DIRECT : flags & ~O_DIRECT;
  direct_ = flags >= 0 && ::fcntl(fd_, F_SETFL, wanted) == 0 && direct;
}

// Only the last buffer may be partly filled; its unaligned end goes through the page cache.
void BackgroundWriter::write_out(std::string_view bytes) {
  while (!bytes.empty()) {
    if (direct_ && bytes.size() < kAlignment) set_direct(false);
    const size_t size = direct_ ? bytes.size() / kAlignment * kAlignment : bytes.size();
    const ssize_t n = ::write(fd_, bytes.data(), size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EINVAL && direct_) {  // some file systems refuse O_DIRECT only here
      set_direct(false);
      continue;
    }
    if (n < 0) {
      throw Error(ErrorCode::kIo, path_.string(),
                  fmt::format("cannot write: {}", std::strerror(errno)));
    }
    bytes.remove_prefix(static_cast<size_t>(n));
    if (direct_ && static_cast<size_t>(n) % kAlignment != 0) set_direct(false);
  }
}

}  // namespace spanforge
