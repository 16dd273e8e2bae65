#pragma once
// A progress bar on standard error in tqdm's form. It is drawn only on a terminal that can redraw a
// line:
//   Map: 100%|██████████| 90/90 [00:00<00:00, 812.31 examples/s]
// Times and rates count from the constructor, so make the bar before the work begins.
// A line is always narrower than the terminal: it first omits the bar, then the times, then the
// label.
// Threads: any thread may call update.

#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>

namespace spanforge::app {

class ProgressBar {
 public:
  // label: "Map", or "" for none; unit: "it", "examples" or "B" (bytes). The first `done` units do
  // not count in the rate (a resumed training).
  ProgressBar(std::string label, std::string unit, int64_t total, int64_t done = 0);
  ~ProgressBar();  // erases the line unless finish() was called
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void update(int64_t done);
  void erase();   // makes room for printing a line; the next update draws again
  void finish();  // draws the last state and ends the line

  // Returns update() as a progress callback.
  std::function<void(int64_t, int64_t)> callback();

 private:
  void draw(bool force);
  std::mutex mutex_;
  std::string label_, unit_;
  int64_t total_, first_, done_;
  bool shown_, visible_ = false, finished_ = false;
  std::chrono::steady_clock::time_point start_, drawn_{};
};

// "01:05", "1:02:03"
std::string clock_text(double seconds);
// One line of the bar for this many columns; public for the tests.
std::string bar_text(const std::string& label, const std::string& unit, int64_t done, int64_t total,
                     double seconds, int64_t done_in_these_seconds, size_t columns);

}  // namespace spanforge::app
