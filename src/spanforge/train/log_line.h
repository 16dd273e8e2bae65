#pragma once
// One line of a training log, as HF's Trainer makes it: keys in order, numbers as Python would hold
// them. There are three kinds: loss, grad_norm, learning_rate, epoch | eval_*, epoch |
// train_runtime ..., epoch.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "spanforge/base/json_view.h"

namespace spanforge {

using LogValue = std::variant<int64_t, double, std::string>;

struct LogLine {
  int64_t step = 0;  // optimiser steps done
  std::vector<std::pair<std::string, LogValue>> values;

  void set(std::string key, LogValue value);  // appends, or replaces the old value in its place
  std::optional<double> number(std::string_view key) const;  // nullopt: absent or not a number
};

// {"loss": ..., "epoch": ..., "step": N}, as in log_history.
Json log_line_json(const LogLine& line);
LogLine log_line_from_json(const JsonView& json);

// The line on HF's console: a Python dict, epoch to 2 decimals, without total_flos and step.
std::string console_line(const LogLine& line);

// Python's round(value, digits): correctly rounded decimal; exact ties of the binary value go to
// even.
double python_round(double value, int digits);

}  // namespace spanforge
