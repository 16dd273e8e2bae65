#pragma once
// What: a file that holds one JSON object, written member by member, so that an object larger than
//   memory can be written. The file appears at commit(), whole (io/file.h).
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
  explicit JsonObjectFile(AtomicFile file);  // still empty
  // REQUIRES: a key that was not added before.
  void add(const std::string& key, const Json& value);
  // A member whose value is a list of what `next` gives, up to nullopt.
  void add_list(const std::string& key, const std::function<std::optional<Json>()>& next);
  void commit();

 private:
  void write_member(std::string_view text);
  AtomicFile file_;
  bool empty_ = true;
};

}  // namespace spanforge
