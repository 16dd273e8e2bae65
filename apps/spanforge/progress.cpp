#include "progress.h"

#include <algorithm>

#include <fmt/core.h>

#include "output.h"

namespace spanforge::app {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kRedraw = std::chrono::milliseconds(100);

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Eighths of a cell, as in tqdm.
std::string cells(double fraction, size_t width) {
  static constexpr const char* kEighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const auto eighths = static_cast<size_t>(fraction * static_cast<double>(width) * 8);
  const size_t full = std::min(eighths / 8, width);
  std::string out;
  for (size_t i = 0; i < full; ++i) out += "█";
  size_t used = full;
  if (full < width && eighths % 8 != 0) {
    out += kEighths[eighths % 8];
    ++used;
  }
  return out + std::string(width - used, ' ');
}

// 570B, 12.3MB
std::string bytes_text(double bytes) {
  const char* const prefixes[] = {"", "k", "M", "G", "T"};
  size_t power = 0;
  for (; bytes >= 999.5 && power + 1 < std::size(prefixes); ++power) bytes /= 1000;
  return fmt::format("{:.{}f}{}B", bytes, power > 0 && bytes < 99.95 ? 1 : 0, prefixes[power]);
}

std::string rate_text(double per_second, const std::string& unit) {
  if (unit == "B") return bytes_text(per_second) + "/s";
  if (unit == "it" && per_second < 1) return fmt::format("{:5.2f}s/{}", 1 / per_second, unit);
  return fmt::format("{:5.2f}{}{}/s", per_second, unit == "it" ? "" : " ", unit);
}

}  // namespace

std::string clock_text(double seconds) {
  const auto whole = static_cast<int64_t>(seconds);
  if (whole >= 3600)
    return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
  return fmt::format("{:02}:{:02}", whole / 60, whole % 60);
}

std::string bar_text(const std::string& label, const std::string& unit, int64_t done, int64_t total,
                     double seconds, int64_t done_in_these_seconds, size_t columns) {
  const double fraction =
      total > 0 ? std::min(1.0, static_cast<double>(done) / static_cast<double>(total)) : 1.0;
  const bool is_bytes = unit == "B";
  std::string rate = "?" + unit + "/s", remaining = "?";
  if (done_in_these_seconds > 0 && seconds > 0) {
    const double per_second = static_cast<double>(done_in_these_seconds) / seconds;
    rate = rate_text(per_second, unit);
    remaining = clock_text(static_cast<double>(std::max<int64_t>(0, total - done)) / per_second);
  }
  const std::string percent = fmt::format("{:3.0f}%", fraction * 100);
  const std::string left = (label.empty() ? "" : label + ": ") + percent + "|";
  const std::string counts = is_bytes ? fmt::format("{}/{}", bytes_text(static_cast<double>(done)),
                                                    bytes_text(static_cast<double>(total)))
                                      : fmt::format("{}/{}", done, total);
  const std::string right =
      "| " + counts + fmt::format(" [{}<{}, {}]", clock_text(seconds), remaining, rate);
  if (total <= 0) {  // the amount of work is unknown
    return fmt::format("{}{}", label.empty() ? "" : label + ": ",
                       is_bytes ? bytes_text(static_cast<double>(done)) : fmt::format("{}", done));
  }
  // A line as wide as the terminal would wrap and could not be redrawn.
  const size_t room = columns > 0 ? columns - 1 : 0;
  if (left.size() + right.size() <= room) {
    return left + cells(fraction, std::min<size_t>(room - left.size() - right.size(), 60)) + right;
  }
  for (const std::string& shorter : {left + " " + counts, percent + " " + counts, percent}) {
    if (shorter.size() <= room) return shorter;
  }
  return "";
}

ProgressBar::ProgressBar(std::string label, std::string unit, int64_t total, int64_t done)
    : label_(std::move(label)),
      unit_(std::move(unit)),
      total_(total),
      first_(done),
      done_(done),
      shown_(stderr_shows_bars()),
      start_(Clock::now()) {
  if (total_ > 0) update(done);
}

ProgressBar::~ProgressBar() { erase(); }

void ProgressBar::draw(bool force) {
  const auto now = Clock::now();
  if (!shown_ || finished_ || (!force && visible_ && now - drawn_ < kRedraw)) return;
  drawn_ = now;
  visible_ = true;
  write_stderr("\r\x1b[K" + bar_text(label_, unit_, done_, total_, seconds_since(start_),
                                     done_ - first_, terminal_columns()));
}

void ProgressBar::update(int64_t done) {
  const std::lock_guard lock(mutex_);
  done_ = done;
  draw(false);
}

void ProgressBar::erase() {
  const std::lock_guard lock(mutex_);
  if (visible_ && !finished_) write_stderr("\r\x1b[K");
  visible_ = false;
}

void ProgressBar::finish() {
  const std::lock_guard lock(mutex_);
  draw(true);
  if (visible_ && !finished_) write_stderr("\n");
  finished_ = true;
}

std::function<void(int64_t, int64_t)> ProgressBar::callback() {
  return [this](int64_t done, int64_t total) {
    const std::lock_guard lock(mutex_);
    total_ = total;
    done_ = done;
    draw(done == total);
  };
}

}  // namespace spanforge::app
