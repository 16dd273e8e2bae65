// parse_json: a tree from JsonReader's pieces.

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "spanforge/base/file.h"
#include "spanforge/base/json.h"
#include "spanforge/base/json_reader.h"

namespace spanforge {
namespace {

// The first member whose key the object has already; found by sorting, which takes far less memory
// than a set of all keys, or by a plain scan of a small object.
std::optional<size_t> find_repeated_key(const Json::Object& members) {
  constexpr size_t kScanned = 12;
  if (members.size() <= kScanned) {
    for (size_t i = 1; i < members.size(); ++i) {
      for (size_t j = 0; j < i; ++j) {
        if (members[i].key == members[j].key) return i;
      }
    }
    return std::nullopt;
  }
  std::vector<uint32_t> order(members.size());
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    return members[a].key < members[b].key;
  });
  std::optional<size_t> first;
  for (size_t i = 1; i < order.size(); ++i) {
    if (members[order[i]].key != members[order[i - 1]].key) continue;
    first = std::min<size_t>(first.value_or(SIZE_MAX), order[i]);
  }
  return first;
}

// "[0,0,0" takes two bytes a value in a file and 16 as a tree: what a tree may take is bounded.
constexpr uint64_t kContainer = 48;  // of an empty list or object on the heap

class TreeBudget {
 public:
  explicit TreeBudget(uint64_t bytes) : left_(bytes) {}
  void charge(const JsonReader& in, uint64_t bytes) {
    if (bytes > left_) in.fail("the values up to here take far more memory than their text: refused");
    left_ -= bytes;
  }
  void give_back(uint64_t bytes) { left_ += bytes; }

 private:
  uint64_t left_;
};

Json build_value(JsonReader& in, TreeBudget& budget);

Json build_array(JsonReader& in, TreeBudget& budget) {
  budget.charge(in, kContainer);
  Json::Array items;
  in.begin_array();
  while (in.next_item()) {
    budget.charge(in, 2 * sizeof(Json));  // vectors grow by doubling
    items.push_back(build_value(in, budget));
  }
  if (items.size() * 2 < items.capacity()) items.shrink_to_fit();
  return items;
}

Json build_object(JsonReader& in, TreeBudget& budget) {
  constexpr uint64_t kGrowing = 2 * sizeof(Json::Member) + 2 * sizeof(size_t);
  budget.charge(in, kContainer);
  Json::Object members;
  std::vector<size_t> positions;  // of the keys
  std::string key;
  in.begin_object();
  while (in.next_key(key)) {
    budget.charge(in, kGrowing + sizeof(Json::Member) + key.capacity());
    positions.push_back(in.position());
    Json value = build_value(in, budget);
    members.push_back({std::move(key), std::move(value)});
  }
  budget.give_back(kGrowing * members.size());
  if (const auto repeated = find_repeated_key(members)) {
    in.fail_at(positions[*repeated], fmt::format("the key \"{}\" appears twice",
                                                 quote_for_message(members[*repeated].key)));
  }
  members.shrink_to_fit();
  Json object = Json::object();
  object.as_object() = std::move(members);
  return object;
}

Json build_text(JsonReader& in, TreeBudget& budget) {
  std::string text = in.read_string();
  budget.charge(in, sizeof(std::string) + text.capacity());
  return text;
}

Json build_value(JsonReader& in, TreeBudget& budget) {
  switch (in.peek()) {
    case JsonReader::Kind::kObject: return build_object(in, budget);
    case JsonReader::Kind::kArray: return build_array(in, budget);
    case JsonReader::Kind::kString: return build_text(in, budget);
    case JsonReader::Kind::kBool: return in.read_bool();
    case JsonReader::Kind::kNull: in.read_null(); return nullptr;
    case JsonReader::Kind::kNumber: break;
  }
  return std::visit([](auto number) { return Json(number); }, in.read_number());
}

Json build(JsonReader& in, uint64_t memory) {
  TreeBudget budget(memory);
  Json value = build_value(in, budget);
  in.finish();
  return value;
}

// Beside the text itself and the program, within twice the text and 64 MB.
constexpr uint64_t kBesidesText = uint64_t{32} << 20;

}  // namespace

Json parse_json(std::string_view text, const std::string& place, ErrorCode code) {
  return parse_json_line(text, place, 1, code);
}

Json parse_json_line(std::string_view text, const std::string& file, size_t line, ErrorCode code) {
  JsonReader in(text, file, code, nullptr, line);
  return build(in, text.size() + kBesidesText);
}

Json parse_json_file(const std::filesystem::path& path, ErrorCode code, int times_size) {
  const MappedFile file(path);
  JsonReader in(file.bytes(), path.string(), code, &file);
  return while_whole(file, [&] {
    return build(in, static_cast<uint64_t>(times_size) * file.bytes().size() + kBesidesText);
  });
}

}  // namespace spanforge
