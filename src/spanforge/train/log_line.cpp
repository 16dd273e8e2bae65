#include "spanforge/train/log_line.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include <fmt/core.h>

namespace spanforge {

void LogLine::set(std::string key, LogValue value) {
  const auto found = std::find_if(values.begin(), values.end(),
                                  [&](const auto& entry) { return entry.first == key; });
  if (found != values.end()) {
    found->second = std::move(value);
  } else {
    values.emplace_back(std::move(key), std::move(value));
  }
}

std::optional<double> LogLine::number(std::string_view key) const {
  for (const auto& [name, value] : values) {
    if (name != key) continue;
    if (const auto* real = std::get_if<double>(&value)) return *real;
    if (const auto* whole = std::get_if<int64_t>(&value)) return static_cast<double>(*whole);
  }
  return std::nullopt;
}

namespace {

Json values_json(const LogLine& line) {
  Json json = Json::object();
  for (const auto& [key, value] : line.values) {
    std::visit([&, &name = key](const auto& v) { json[name] = v; }, value);
  }
  return json;
}

}  // namespace

Json log_line_json(const LogLine& line) {
  Json json = values_json(line);
  json["step"] = line.step;
  return json;
}

LogLine log_line_from_json(const JsonView& json) {
  constexpr size_t kMostValues = 1000;  // a line's keys are searched one after the other
  const Json::Object& values = json.object().value().as_object();
  if (values.size() > kMostValues) {
    json.fail(fmt::format("a line of a log has {} values; at most {} are allowed", values.size(),
                          kMostValues));
  }
  LogLine line;
  for (const auto& [key, value] : values) {
    if (value.is_number_integer()) {
      const int64_t number = json.at(key).integer();
      if (key == "step") {
        line.step = number;
      } else {
        line.values.emplace_back(key, number);
      }
    } else if (value.is_number()) {
      line.values.emplace_back(key, value.get<double>());
    } else if (value.is_string()) {
      line.values.emplace_back(key, value.get<std::string>());
    } else if (!value.is_null()) {  // Python's None: no value
      json.at(key).refuse("a number or a string");
    }
  }
  return line;
}

std::string console_line(const LogLine& line) {
  LogLine shown;
  for (const auto& [key, value] : line.values) {
    if (key == "total_flos") continue;
    const auto* epoch = key == "epoch" ? std::get_if<double>(&value) : nullptr;
    shown.values.emplace_back(key, epoch != nullptr ? LogValue(python_round(*epoch, 2)) : value);
  }
  return python_str(values_json(shown));
}

double python_round(double value, int digits) {
  if (!std::isfinite(value)) return value;
  // printf rounds the exact binary value, ties to even, as Python's round does.
  return std::strtod(fmt::format("{:.{}f}", value, digits).c_str(), nullptr);
}

}  // namespace spanforge
