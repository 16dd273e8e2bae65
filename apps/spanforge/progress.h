#pragma once
// A progress bar on standard error, in tqdm's form, drawn only where that is a terminal
// that can draw a line again:
//   Map: 100%|██████████| 90/90 [00:00<00:00, 812.31 examples/s]
// Times and rates count from when the bar is made, so it is made before the work begins.
// A line never is as wide as the terminal: first the bar is left out, then the times, then the
// label. Threads: update may be called from any.

#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>

namespace spanforge::app {

class ProgressBar {
 public:
  // label: "Map", or "" for none; unit: "it", "examples" or "B" (bytes). The first `done` units
  // take no part in the rate (a resumed training).
  ProgressBar(std::string label, std::string unit, int64_t total, int64_t done = 0);
  ~ProgressBar();  // erases the line unless finish() left it standing
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void update(int64_t done);
  void erase();   // for printing a line in its place; the next update draws again
  void finish();  // draws the last state and ends the line

  // The form of a progress callback.
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
// One line of the bar at this many columns; exposed for the tests.
std::string bar_text(const std::string& label, const std::string& unit, int64_t done, int64_t total,
                     double seconds, int64_t done_in_these_seconds, size_t columns);

}  // namespace spanforge::app
