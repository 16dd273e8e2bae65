#pragma once
// How long a rank waits for the others in a step: ten of the median step so far, at least a minute.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

namespace spanforge {

class StepTimes {
 public:
  using Duration = std::chrono::milliseconds;

  // The first step may take any time that a first step takes: nothing is known yet.
  Duration deadline() const {
    if (newest_.empty()) return kFirst;
    std::vector<Duration> sorted = newest_;
    const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
    std::nth_element(sorted.begin(), middle, sorted.end());
    return std::max(kLeast, 10 * *middle);
  }

  // Measures a step from its construction on.
  class Measurement {
   public:
    explicit Measurement(StepTimes& times) : times_(times) {}
    Measurement(const Measurement&) = delete;
    Measurement& operator=(const Measurement&) = delete;
    ~Measurement() {
      times_.add(std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - begin_));
    }

   private:
    StepTimes& times_;
    const std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  };

  void add(Duration step) {
    if (newest_.size() < kKept) {
      newest_.push_back(step);
    } else {
      newest_[next_++ % kKept] = step;
    }
  }

 private:
  static constexpr Duration kLeast = std::chrono::minutes(1);
  static constexpr Duration kFirst = std::chrono::minutes(10);
  static constexpr size_t kKept = 31;
  std::vector<Duration> newest_;
  size_t next_ = 0;
};

}  // namespace spanforge
