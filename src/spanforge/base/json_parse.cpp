// parse_json: a tree from JsonReader's pieces. The library's own parser is not used because its
// ordered object looks a key up linearly and copies members when it grows: quadratic on a
// vocabulary, and twice the memory on a large file. Here members are gathered in a plain vector and
// moved into an object of exactly their number.

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "spanforge/base/file.h"
#include "spanforge/base/json.h"
#include "spanforge/base/json_reader.h"

namespace spanforge {
namespace {

using Member = std::pair<std::string, Json>;

// The first member whose key the object has already; found by sorting, which takes far less memory
// than a set of all keys, or by a plain scan of a small object.
std::optional<size_t> find_repeated_key(const std::vector<Member>& members) {
  constexpr size_t kScanned = 12;
  if (members.size() <= kScanned) {
    for (size_t i = 1; i < members.size(); ++i) {
      for (size_t j = 0; j < i; ++j) {
        if (members[i].first == members[j].first) return i;
      }
    }
    return std::nullopt;
  }
  std::vector<uint32_t> order(members.size());
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    return members[a].first < members[b].first;
  });
  std::optional<size_t> first;
  for (size_t i = 1; i < order.size(); ++i) {
    if (members[order[i]].first != members[order[i - 1]].first) continue;
    first = std::min<size_t>(first.value_or(SIZE_MAX), order[i]);
  }
  return first;
}

Json build_value(JsonReader& in);

Json build_array(JsonReader& in) {
  Json array = Json::array();
  auto& items = array.get_ref<Json::array_t&>();
  in.begin_array();
  while (in.next_item()) items.push_back(build_value(in));
  if (items.size() * 2 < items.capacity()) items.shrink_to_fit();
  return array;
}

Json build_object(JsonReader& in) {
  std::vector<Member> members;
  std::vector<size_t> positions;  // of the keys
  std::string key;
  in.begin_object();
  while (in.next_key(key)) {
    positions.push_back(in.position());
    Json value = build_value(in);
    members.emplace_back(std::move(key), std::move(value));
  }
  if (const auto repeated = find_repeated_key(members)) {
    in.fail_at(positions[*repeated], fmt::format("the key \"{}\" appears twice",
                                                 quote_for_message(members[*repeated].first)));
  }
  Json object = Json::object();
  auto& target = object.get_ref<Json::object_t&>();
  target.reserve(members.size());
  for (Member& member : members) {
    static_cast<Json::object_t::Container&>(target).emplace_back(std::move(member.first),
                                                                 std::move(member.second));
  }
  return object;
}

Json build_value(JsonReader& in) {
  switch (in.peek()) {
    case JsonReader::Kind::kObject: return build_object(in);
    case JsonReader::Kind::kArray: return build_array(in);
    case JsonReader::Kind::kString: return in.read_string();
    case JsonReader::Kind::kBool: return in.read_bool();
    case JsonReader::Kind::kNull: in.read_null(); return nullptr;
    case JsonReader::Kind::kNumber: break;
  }
  return std::visit([](auto number) { return Json(number); }, in.read_number());
}

}  // namespace

Json parse_json(std::string_view text, const std::string& place, ErrorCode code) {
  return parse_json_line(text, place, 1, code);
}

Json parse_json_line(std::string_view text, const std::string& file, size_t line, ErrorCode code) {
  JsonReader in(text, file, code, nullptr, line);
  Json value = build_value(in);
  in.finish();
  return value;
}

Json parse_json_file(const std::filesystem::path& path, ErrorCode code) {
  const MappedFile file(path);
  JsonReader in(file.bytes(), path.string(), code, &file);
  Json value = build_value(in);
  in.finish();
  return value;
}

}  // namespace spanforge
