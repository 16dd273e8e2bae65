#include "access_log.h"

#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <ctime>

#include <fmt/core.h>

#include "output.h"
#include "spanforge/base/error.h"
#include "spanforge/base/json.h"

namespace spanforge::app {
namespace {

constexpr size_t kMostLines = 10'000, kMostTextBytes = 1000;

double rounded(double milliseconds) { return std::round(milliseconds * 1000) / 1000; }

std::string time_now() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  const auto seconds = static_cast<std::time_t>(ms / 1000);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900,
                     utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, ms % 1000);
}

}  // namespace

AccessLog::AccessLog() : thread_([this] { run(); }) {}

AccessLog::~AccessLog() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void AccessLog::add(const serve::LogLine& line) {
  Json json = {{"time", time_now()},  {"id", line.request_id},
               {"route", line.route}, {"status", line.status},
               {"bytes", line.bytes}, {"total_ms", rounded(line.total_ms)}};
  if (line.work.questions > 0) {
    json.update({{"questions", line.work.questions},
                 {"windows", line.work.windows},
                 {"tokens", line.work.tokens},
                 {"queue_ms", rounded(line.work.queue_ms)},
                 {"compute_ms", rounded(line.work.compute_ms)}});
  }
  if (!line.error_type.empty()) json["error_type"] = line.error_type;
  if (line.text) {
    json.update({{"target", quote_for_message(line.text->target, kMostTextBytes)},
                 {"request", quote_for_message(line.text->request, kMostTextBytes)},
                 {"reply", quote_for_message(line.text->reply, kMostTextBytes)}});
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  if (lines_.size() >= kMostLines) {
    ++left_out_;
    return;
  }
  if (left_out_ > 0) json["lines_left_out"] = std::exchange(left_out_, 0);
  lines_.push_back(json.dump() + "\n");
  changed_.notify_one();
}

void AccessLog::run() {
  while (true) {
    std::string line;
    bool stopping = false;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || !lines_.empty(); });
      if (lines_.empty()) return;
      line = std::move(lines_.front());
      lines_.pop_front();
      stopping = stopping_;
    }
    // A pipe that has room takes a whole line of this length.
    pollfd ready{STDERR_FILENO, POLLOUT, 0};
    while (::poll(&ready, 1, 500) == 0) {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (stopping || stopping_) return;
    }
    write_stderr(line);
  }
}

}  // namespace spanforge::app
