#include "spanforge/io/weight_index.h"

#include <algorithm>

#include "spanforge/base/json_view.h"
#include "spanforge/io/json_file.h"

namespace spanforge {
namespace {

bool is_plain_name(const std::string& name) {
  return !name.empty() && name[0] != '.' &&
         std::none_of(name.begin(), name.end(), [](unsigned char c) {
           return c < 0x20 || c == 0x7F || c == '/' || c == '\\';
         });
}

}  // namespace

std::map<std::string, std::string> read_weight_index(const std::filesystem::path& index) {
  const Json json = parse_json_file(index, ErrorCode::kBadModel);
  const JsonView view(json, index.string());
  std::map<std::string, std::string> shard_of;
  for (const auto& [tensor, shard] : view.at("weight_map").members()) {
    if (!shard.is_string() || !is_plain_name(shard.string())) {
      shard.refuse("the plain name of a file next to the index");
    }
    shard_of[tensor] = shard.string();
  }
  if (shard_of.empty()) view.fail("weight_map is empty");
  return shard_of;
}

}  // namespace spanforge
