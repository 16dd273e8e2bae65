#pragma once
// Tokens and their ids, both ways. Ids may have gaps.
// Errors: add() throws Error{kBadModel, place} for a token or an id given twice and an id out of
// range. Const methods are concurrent.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace spanforge {

class Vocabulary {
 public:
  static constexpr int64_t kMaxId = (1 << 22) - 1;  // bounds the memory a file can ask for
  // No vocabulary has longer ones; at each character of a text, tokens are followed as far as they go.
  static constexpr size_t kMaxTokenBytes = 1024;

  void reserve(size_t tokens);
  void add(std::string_view token, int64_t id, const std::string& place);

  std::optional<int32_t> find(std::string_view token) const;
  // "" when there is no such id; has_id() tells that from an empty token.
  std::string_view token(int32_t id) const;
  bool has_id(int32_t id) const;
  size_t size() const { return ids_.size(); }                               // tokens
  int32_t id_limit() const { return static_cast<int32_t>(slots_.size()); }  // highest id + 1

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view s) const { return std::hash<std::string_view>()(s); }
  };
  std::unordered_map<std::string, int32_t, Hash, std::equal_to<>> ids_;
  std::vector<const std::string*> slots_;  // [id]: the key in ids_, which never moves; or null
};

}  // namespace spanforge
