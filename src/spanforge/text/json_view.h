#pragma once
// A JSON value and where it stands, for messages: "FILE: normalizer.lowercase".
// Errors: what is not of the form asked for throws Error{kBadModel, place}.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "spanforge/base/json.h"

namespace spanforge {

class JsonView {
 public:
  JsonView(const Json& value, std::string place) : value_(&value), place_(std::move(place)) {}
  [[noreturn]] void fail(const std::string& reason) const;
  bool is_null() const;
  bool is_object() const;
  bool is_string() const;
  bool has(const std::string& key) const;     // false for null
  JsonView at(const std::string& key) const;  // must be there
  std::string string() const;
  bool boolean() const;
  int64_t integer() const;
  std::vector<JsonView> items() const;                            // of an array
  std::vector<std::pair<std::string, JsonView>> members() const;  // of an object
  // Of a key that may be missing or null.
  bool boolean_or(const std::string& key, bool fallback) const;
  std::optional<std::string> optional_string(const std::string& key) const;
  const Json& value() const { return *value_; }
  const std::string& place() const { return place_; }

 private:
  const Json* value_;
  std::string place_;
};

}  // namespace spanforge
