#pragma once
// One line of a training log, as HF's Trainer makes it: keys in order, numbers as Python would hold
// them. Three kinds: loss, grad_norm, learning_rate, epoch | eval_*, epoch | train_runtime ...,
// epoch.

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

  void set(std::string key, LogValue value);                 // appends, or replaces in place
  std::optional<double> number(std::string_view key) const;  // nullopt: absent or no number
};

// {"loss": ..., "epoch": ..., "step": N}, as log_history holds it.
Json log_line_json(const LogLine& line);
LogLine log_line_from_json(const JsonView& json);

// The line HF's console shows: a Python dict, epoch to 2 decimals, total_flos and step hidden.
std::string console_line(const LogLine& line);

// round(value, digits) of Python: correctly rounded decimal, ties to even of the exact binary
// value.
double python_round(double value, int digits);

}  // namespace spanforge
