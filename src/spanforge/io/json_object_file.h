#pragma once
// What: writes a file that holds one JSON object, member by member, so the object may be larger
//   than memory. The file appears at commit(), whole (io/file.h).
// Bytes: json.dumps(object, indent=4) + "\n". Errors: Error{kIo, path}.

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "spanforge/base/json.h"
#include "spanforge/io/file.h"

namespace spanforge {

class JsonObjectFile {
 public:
  explicit JsonObjectFile(AtomicFile file);  // REQUIRES: an empty file
  // REQUIRES: a key that was not added before.
  void add(const std::string& key, const Json& value);
  // Adds a member whose value is the list of all results of next() before nullopt.
  void add_list(const std::string& key, const std::function<std::optional<Json>()>& next);
  void commit();

 private:
  void write_member(std::string_view text);
  AtomicFile file_;
  bool empty_ = true;
};

}  // namespace spanforge
